/*
 * rules_push – what is looked at of one ref that moves, beside its tree: who moves it, whether it
 * may move at all, and whether a tag says what its projects say. By the admin's configuration
 * alone; a tree only tells which projects there are.
 */
#ifndef PS_RULES_PUSH_H
#define PS_RULES_PUSH_H

#include "common/gate/gate.h"
#include "common/gate/judge.h"

/* PUSH_SOMEHOW: asked before a push, when nobody knows what is there. */
enum push_way { PUSH_CREATE, PUSH_MOVE, PUSH_DELETE, PUSH_SOMEHOW };

struct push_subject {
	const struct config *config;	/* not NULL */
	const char *repo;		/* name below its root; NULL: not known */
	const char *ref;		/* symbolic ones resolved */
	const struct gate_who *who;	/* NULL: rights are left out */
	enum push_way way;
	/* of the new tree; NULL: not known, and then all counts that could be in it */
	const struct project_paths *now;
	/* the new tree as it was judged; NULL: there is none, or not all of it was */
	const struct judged *judged;
	/* The projects of the tree that the ref holds; asked only when they matter. Negative: not
	 * known. NULL: there is no old value, or nobody can look. */
	int (*old)(void *arg, struct project_paths *out);
	void *arg;
};

/* Adds the findings: at most one that says why the ref may not move. */
void rules_push(const struct push_subject *s, struct diag_list *out);
/* path "": about the push as such. False: the rule is off on this ref. */
bool rules_push_hit(const struct push_subject *s, enum rule_id id, struct diag_list *out,
		    const char *path, struct doc_pos at, const char *fmt, ...) PS_PRINTF(6, 7);
/* rules_derive.c: a part of rules_push() */
void rules_derive(const struct push_subject *s, struct diag_list *out);

#endif
