/*
 * why_node – what a chain of view_why.c is made of.
 *
 * A node is { what, id, state, reason, since, lines: [...], children: [...] }. A tree of them leads from what a
 * person typed down to the cause he can act on; `next` of its root is the one command to type now.
 */
#ifndef PS_WHY_NODE_H
#define PS_WHY_NODE_H

#include "agent/store/view_put.h"

/* A node without anything below it. The caller owns it. */
json_t *why_node(const char *what);
/* Each line of the text is one of the node: a plan's problems are a list. */
void why_say(json_t *node, const char *fmt, ...) PS_PRINTF(2, 3);
void why_add(json_t *node, json_t *child);	/* takes child */
/* State, reason, since and the lines that belong to a waiting or ended thing. */
void why_put_state(json_t *node, const json_t *row);
/* The deepest node whose state is one of these (ended by NULL) and that a command can be given; NULL: none. */
const json_t *why_deepest(const json_t *node, const char *const *states);
/* Finds what the reader can act on (failed, else waiting, else under way) and says how. */
void why_put_next(json_t *root);

/* ---- why_rows.c: rows to nodes; the caller owns what they return ---- */

json_t *why_event(const json_t *row);
json_t *why_build(const json_t *row);
json_t *why_test(const json_t *row);
json_t *why_case(const json_t *row);	/* of a test that failed or is flaky */
json_t *why_deployment(const json_t *row);
json_t *why_run(const json_t *row);
json_t *why_need(const json_t *row);	/* a demand, seen from a build it needs */

/* What is below a deployment and below a run: "number, what, state, detail" and "task, state, reason, last". */
json_t *why_step_row(sqlite3_stmt *q);
json_t *why_step(const json_t *row);
json_t *why_task_row(sqlite3_stmt *q);
json_t *why_task(const json_t *row);

#endif
