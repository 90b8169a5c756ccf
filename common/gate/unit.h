/*
 * unit – the rules of one thing, run or remembered: a project file, one of its entries, a folder.
 *
 * What is remembered of an entry holds wherever the entry stands in the project file now: findings
 * at its lines move with it.
 */
#ifndef PS_UNIT_H
#define PS_UNIT_H

#include "common/gate/memo.h"
#include "common/gate/rules.h"

typedef int unit_fn(struct rules *r, const struct rules_entry *e, struct ps_err *err);

/* Adds to r->found and r->dead what `run` finds for the entry of the project at hand. */
int unit_entry(struct rules *r, const struct rules_entry *e, unit_fn *run,
	       struct ps_err *err) PS_MUSTCHECK;
/* The same for the project file itself; fills the outline of the project at hand. */
int unit_project(struct rules *r, struct ps_err *err) PS_MUSTCHECK;

/* unit_pack.c: what is remembered, as bytes. */
struct unit_result {
	struct deps deps;
	struct diag_list found;
	struct rule_dead *dead;
	size_t ndead;
	struct outline outline;
	bool has_outline;
	struct project_paths projects;	/* of a folder: see fold.h */
};
/* Lines of `file` are kept relative to `line`. */
void unit_pack(struct buf *out, const struct unit_result *u, const char *file, unsigned line);
/* u is empty before. False when the bytes are not what unit_pack() made; clear u all the same. */
bool unit_unpack(struct unit_result *u, const struct buf *bytes, const char *file, unsigned line,
		 bool outline);
void unit_result_clear(struct unit_result *u);

#endif
