/*
 * show – answers of the agent on stdout: as one JSON document, or as a table.
 */
#ifndef PS_SHOW_H
#define PS_SHOW_H

#include <jansson.h>

#include "cli/cli.h"
#include "common/base/diag.h"

void show_json(const json_t *doc);
/* A finding as an item of a list; its id is the rule's code. */
json_t *show_finding(const struct diag *d);
/* As a string of JSON: bytes that are no UTF-8 are escaped. */
json_t *show_string(const char *text);
/* Asks for a list and shows it. `nothing` goes to stderr when it is empty. Returns an exit code. */
int show_list(struct cli *cli, const char *path, const struct column *cols, const char *nothing);
/* Member `key` of an object as text; "" when it is not there. */
const char *show_text(const json_t *item, const char *key);
/* One "  name  value" line of a block; nothing when the value is absent. */
void show_field(struct cli *cli, const char *name, const json_t *item, const char *key);
/* Replaces "penstock " at the start of a command by the form for this instance, prints "next:
 * ...". */
void show_next(struct cli *cli, const char *command);
/* text escaped, to stdout. */
void show_escaped(const char *text);
/* The fields of a job that differ, "    ~ path  was → is" each, to stdout. */
void show_fields(struct cli *cli, const json_t *item);

#endif
