/*
 * toolchains – what the build role said of its toolchains, and which of them something is built or
 * run with: the one that the first matching rule of builders.toolchains names, else the default.
 */
#ifndef PS_TOOLCHAINS_NOW_H
#define PS_TOOLCHAINS_NOW_H

#include "common/config/config.h"
#include "common/wire/msg.h"

struct toolchain_one {
	char *name, *prefix;
	char *digest, *problem;		/* the one or the other */
};

/* What the build role said about its means; strings owned. */
struct toolchain_now {
	bool known;			/* asked and answered since the role connected */
	int64_t asked_ms;		/* what it says was so then, or later */
	char *problem, *sandbox_problem;
	char *name, *prefix, *digest;	/* the default; digest NULL: problem says why */
	struct toolchain_one *v;	/* all, also those that rules name and nobody made */
	size_t n;
};

void toolchains_take(struct toolchain_now *t, const struct wire_toolchain_info *i,
		     int64_t asked_ms);
struct toolchain_now toolchains_copy(const struct toolchain_now *t);
void toolchains_clear(struct toolchain_now *t);
/* Do the two say the same of every toolchain? Not when they were asked. */
bool toolchains_same(const struct toolchain_now *a, const struct toolchain_now *b);

/* Points into toolchain_now and config. */
struct toolchain_choice {
	const char *name;
	const char *digest, *prefix;	/* NULL: problem says why not, and what to do */
	const char *problem;
	char text[PS_NAME_MAX * 2 + 64];	/* where problem may lie */
};
/* The one that the rules say for a project of this language (NULL: not known) in an environment. */
void toolchains_choose(struct toolchain_choice *out, const struct toolchain_now *t,
		       const struct config *cfg, const char *repo, const char *project,
		       const char *environment, const char *language);
/* By what it is, or where it is; NULL: none that can be used. */
const struct toolchain_one *toolchains_by_digest(const struct toolchain_now *t, const char *digest);
const struct toolchain_one *toolchains_by_prefix(const struct toolchain_now *t, const char *prefix);
const struct toolchain_one *toolchains_by_name(const struct toolchain_now *t, const char *name);
/* Is there one that anything can be built or run with? */
bool toolchains_any(const struct toolchain_now *t);
/* Is each there that rules name, and the default where one is needed? */
bool toolchains_all_there(const struct toolchain_now *t, const struct config *cfg);

#endif
