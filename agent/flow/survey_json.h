/*
 * survey_json – a project as the gate told it, kept with the demand as text and read back.
 */
#ifndef PS_SURVEY_JSON_H
#define PS_SURVEY_JSON_H

#include <jansson.h>

#include "common/wire/msg.h"

/* The project as compact JSON; free() the result. */
char *survey_to_json(const struct wire_project *p);
/* Reads it back. Lists and texts stay valid as long as *doc, which the caller drops by
 * survey_from_json_clear(). PS_ESTORE when the store holds something else. */
int survey_from_json(struct wire_project *p, json_t **doc, const char *text,
		     struct ps_err *err) PS_MUSTCHECK;
void survey_from_json_clear(struct wire_project *p, json_t *doc);

/* What a queued build needs to start: spec of the table build. */
char *spec_to_json(const struct wire_tree_input *inputs, size_t n, const char *reduced,
		   const char *wheel);
struct build_spec {
	json_t *doc;
	struct wire_tree_input *inputs;
	size_t n;
	const char *reduced, *wheel;	/* wheel may be NULL */
};
int spec_from_json(struct build_spec *s, const char *text, struct ps_err *err) PS_MUSTCHECK;
void spec_clear(struct build_spec *s);

#endif
