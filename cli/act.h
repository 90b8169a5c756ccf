/*
 * act – commands that ask the agent for one act and tell what came of it.
 *
 * An act's body is made of what was typed; jansson makes none of text that is not UTF-8. So a body
 * that is NULL is that mistake, said here for all of them.
 */
#ifndef PS_ACT_H
#define PS_ACT_H

#include <jansson.h>

#include "cli/cli.h"
#include "common/base/ps.h"

/* Says to people what the answer means, on stdout. */
typedef void act_tell_fn(struct cli *cli, const json_t *doc);

/* As client_post(), but takes body. Returns 0 or an exit code, said already; then *out is NULL. */
int act_ask(struct cli *cli, const char *path, json_t *body, json_t **out) PS_MUSTCHECK;
/* Asks, and shows the answer: as JSON where that is wanted, else by tell. Takes body. */
int act_post(struct cli *cli, const char *path, json_t *body, act_tell_fn *tell) PS_MUSTCHECK;
/* POST /NOUN/ID/VERB, which needs no body, and "ID SAYS": "k3 is revoked". */
int act_verb(struct cli *cli, const char *noun, const char *id, const char *verb,
	     const char *says) PS_MUSTCHECK;

/* Member "text" of the answer, a line. */
void act_tell_text(struct cli *cli, const json_t *doc);
/* "next: penstock why ID" of the answer's first item. */
void act_next_why(struct cli *cli, const json_t *doc);

#endif
