/*
 * run_toolchain – which toolchain a local run stands on: the one its release was built with. Where
 * that is another one by now, what lies in its place; where nothing does, the one that the rules
 * say for its project: a new toolchain never makes a release useless.
 */
#ifndef PS_RUN_TOOLCHAIN_H
#define PS_RUN_TOOLCHAIN_H

#include "agent/flow/toolchains.h"
#include "agent/store/run.h"

/* Sets *prefix, or *why there is none and what to do; free() them. repo: the repository's name. */
int run_toolchain(struct store_tx *tx, const struct run *r, const char *repo,
		  const struct toolchain_now *t, const struct config *cfg, char **prefix,
		  char **why, struct ps_err *err) PS_MUSTCHECK;

#endif
