/*
 * job – what the build role does for core, each in a forked child that runs straight-line code,
 * says what happens over a socket in frames, and ends. It dies with the role, and all it started
 * dies with it (sandbox.h), so a crash leaves no process and no mount.
 */
#ifndef PS_JOB_H
#define PS_JOB_H

#include "agent/build/sandbox.h"
#include "agent/build/toolchain.h"
#include "common/config/config.h"
#include "common/config/paths.h"
#include "common/wire/msg.h"

struct buf;
struct runlog;

struct job_env {
	const struct config *cfg;
	const struct ps_paths *paths;
};

/* The mark (sandbox.h) of everything this instance starts: opaque, because it can be read inside.
 */
const char *job_mark(const struct ps_paths *paths);
/* Answers with one build_end. */
void job_build(const struct job_env *env, const struct wire_build_start *m, int sock);
/* Answers with one test_end. */
void job_test(const struct job_env *env, const struct wire_test_start *m, int sock);
/* What a build or run that was cancelled left: nothing of it lives any more. Answers with its end,
 * state cancelled. */
void job_clear(const struct job_env *env, const struct wire_cancel *m, int sock);
/* Answers with task_state as it happens and one run_end. */
void job_run(const struct job_env *env, const struct wire_run_start *m, int sock);
/* Answers with one toolchain_info. */
void job_toolchain(const struct job_env *env, const struct wire_toolchain_query *m, int sock);

/* Answers with one parsed. */
void job_parse(const struct job_env *env, const struct wire_parse *m, int sock);
/* Answers with one cleaned. */
void job_clean(const struct job_env *env, const struct wire_clean *m, int sock);
/* The folder of a claim of a build (b) or test (t): no other claim has it. free() it. */
char *job_work(const struct job_env *env, char kind, uint64_t id, uint64_t fence);
/* Removes the folders of its other claims: a job that was killed left its own, and is over. */
void job_sweep(const struct job_env *env, char kind, uint64_t id, uint64_t fence);
/* What the jobs share. job_tell() ends the process when nobody takes it. */
void job_tell(int sock, enum msg_type type, const void *body);
struct sandbox_limits job_limits(const struct config *cfg);
uid_t job_uid(uint64_t slot);
/* Where the prefix leads now, so that what is judged and what is used are one: the link of a
 * toolchain may be put on a new one at any moment. free() it. */
char *job_prefix(const char *prefix);
int job_check_toolchain(const struct job_env *env, const char *want, const struct toolchain *t,
			struct ps_err *err) PS_MUSTCHECK;
/* After a build or a test: appends the last lines of its log (NULL: it has none) to tail, closes it
 * and removes its export. Before it is tried again, which core does at once, comes a moment's
 * rest. */
void job_finish(struct runlog *log, const char *export, bool again, struct buf *tail);

#endif
