/*
 * adopt – what somebody changed in a job on a fabric, as a change of where the job comes from.
 *
 * Pure. What was deployed was rendered from a template; what is in force differs from it in some
 * members. The template changes in these alone: wherever both agree its own text stays, with the
 * placeholders in it, also inside a list whose members name themselves (task_key).
 */
#ifndef PS_ADOPT_H
#define PS_ADOPT_H

#include <jansson.h>

/* An RFC 7386 patch that makes the template what renders to `observed`; a new reference, an empty
 * object when nothing differs. Without secrets: those are "(not shown)". */
json_t *adopt_patch(const json_t *template, const json_t *deployed, const json_t *observed);

#endif
