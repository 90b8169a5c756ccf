/*
 * pbtconf_parts – what the files that read pbt's configuration share; nobody else includes it.
 *
 *	pbtconf.c		the four files, one after another; free
 *	pbtconf_value.c		a value of a map: there, of its kind, printable
 *	pbtconf_fabric.c	fabrics.yml
 *	pbtconf_write.c		the text
 */
#ifndef PS_PBTCONF_PARTS_H
#define PS_PBTCONF_PARTS_H

#include "common/project/pbtconf.h"

struct pbtconf_reading {
	struct pbtconf *c;
	const char *file; /* the one that is read: "fabrics.yml" */
	pbtconf_env_fn *env;
	struct diag_list *out;
	size_t cap_fabrics, cap_jobs, cap_left;
};

/* A finding at a place of the file; code is static: "PS-PBT-002". */
void pbtconf_error(struct pbtconf_reading *r, struct doc_pos at, const char *code, const char *fmt,
		   ...) PS_PRINTF(4, 5);
/* Not carried over; at of line 0: the file as a whole. Takes what and why over. */
void pbtconf_leave(struct pbtconf_reading *r, struct doc_pos at, char *what, char *why);

/* The text of a scalar without control characters; NULL: it is not there, is null, or a finding
 * says why. needed: a finding where it is not there. */
const char *pbtconf_text(struct pbtconf_reading *r, const struct doc_node *map, const char *key,
			 bool needed);
/* The same where "{{NAME}}" stands for a variable; free() it. *name (may be NULL): that variable.
 */
char *pbtconf_resolved(struct pbtconf_reading *r, const struct doc_node *map, const char *key,
		       bool needed);
/* The variable that text names in front; NULL: none. free() it. */
char *pbtconf_variable(const char *text);
/* The list behind a key; NULL: it is not there, null, or a finding says why. */
const struct doc_node *pbtconf_list(struct pbtconf_reading *r, const struct doc_node *map,
				    const char *key);
/* Is item a map? Else a finding. */
bool pbtconf_is_map(struct pbtconf_reading *r, const struct doc_node *item, const char *what);
/* What of map is none of these keys (NULL-ended) is left. */
void pbtconf_unknown(struct pbtconf_reading *r, const struct doc_node *map, const char *where,
		     const char *const *known);

void pbtconf_fabrics(struct pbtconf_reading *r, const struct doc_node *root);
/* The one of that number, carried over or not; NULL: fabrics.yml has none. */
const struct pbtconf_fabric *pbtconf_fabric_of(const struct pbtconf *c, const char *id);

#endif
