/*
 * rights – who may create, move or delete a ref, by the admin's configuration alone. Pure.
 *
 * An environment's `push:` names a team or people; without it the owners of the fabric may where
 * `deploy` is auto, else anyone. A name may restrict, nothing else (TRUST): whoever has the right
 * is still judged, and may be held. Who is unknown is in no team: `push:` keeps him out; of the
 * default he is not kept out, because `unknown_pusher` says what becomes of him.
 */
#ifndef PS_RIGHTS_H
#define PS_RIGHTS_H

#include "common/config/config.h"

struct buf;

/* Codes of rule_rows.h, for whoever holds what the gate would have refused. */
#define RIGHTS_CODE "PS-PUSH-004"
#define RIGHTS_RELEASED_CODE "PS-PUSH-005"

/* What is asked: may login (NULL: unknown) move this ref of this repository? */
struct rights_ask {
	const struct config *config;
	/* name below its root; NULL: not known, then only rules for all repositories count */
	const char *repo;
	const char *ref, *login;
};

/* Is login one of them, by a team also through its includes? False for nobody (NULL). */
bool rights_is_one(const struct config *c, const struct conf_who *who, const char *login);
/* May login move refs that this environment takes? */
bool rights_may(const struct config *c, const struct conf_environment *e, const char *login);
/* May any environment take this ref at all, whatever projects are in the tree? */
bool rights_is_mapped(const struct rights_ask *q);
/* Is there an environment that may take the ref, and whose pushes are not his? Needs no tree. */
bool rights_in_doubt(const struct rights_ask *q);
/*
 * The first environment that takes the ref for one of these projects and not from him; NULL: none.
 * projects NULL: nobody knows what is in the tree, so all that may take it count. Where there is no
 * project, a `push:` for all of the repository counts: what is in a tree is the pusher's to choose.
 */
const struct conf_environment *rights_against(const struct rights_ask *q,
					      const char *const *projects, size_t n);
/* Does an environment take the ref for one of these projects? NULL as above. */
bool rights_takes(const struct rights_ask *q, const char *const *projects, size_t n);
/* "prod_support", "kim, lee", "nobody": whom an environment takes pushes of. Not escaped. */
void rights_whom_text(struct buf *out, const struct config *c, const struct conf_environment *e);
/* The same of a key that is nobody's by default. */
void rights_these_text(struct buf *out, const struct conf_who *who);
/* "team prod_support (kim, lee)": whom a team has; what it includes stays a team. Not escaped. */
void rights_team_text(struct buf *out, const struct config *c, const char *team);
/* "bo (developers)", "eve (in no team)", "an unknown pusher". Not escaped. */
void rights_who_text(struct buf *out, const struct config *c, const char *login);

#endif
