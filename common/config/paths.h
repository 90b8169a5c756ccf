/*
 * paths – where one instance keeps what it owns. The only place that knows these names.
 *
 * All that one agent owns is in one folder DIR (made by `penstock init DIR`):
 *
 *	penstock.yml
 *	state/     store.db, policy, spool/, boot: must be there after a reboot before the agent is
 *	run/       hook.sock, api.sock, pid: sockets and pids only
 *	keys/      the key that signs releases, and its public halves (keys.h)
 *	verdicts/  what the gate has judged: may be removed, costs time only
 *	artifacts/ sealed bytes by digest
 *	logs/      of builds, tests and local runs
 *	outputs/   what providers keep of their runs' output: deploy's
 *	work/      export/, build/, run/: scratch, emptied at start
 *	fabrics/   one folder per local fabric
 *	repos/     the root of repositories that init writes
 *	toolchains/
 *
 * Without DIR the system's places are meant: /etc/penstock, /var/lib/penstock, /run/penstock.
 * Every member is an absolute path without links in it (of the folder itself, at the time of init).
 */
#ifndef PS_PATHS_H
#define PS_PATHS_H

#include "common/base/err.h"

#define PS_PATHS(X)                                       \
	/* member, system place, below DIR */             \
	X(config, "/etc/penstock/penstock.yml", "penstock.yml") \
	X(keys, "/etc/penstock/keys", "keys")             \
	X(state, "/var/lib/penstock", "state")            \
	X(store, "/var/lib/penstock/store.db", "state/store.db") \
	X(policy, "/var/lib/penstock/policy", "state/policy") \
	X(spool, "/var/lib/penstock/spool", "state/spool") \
	X(boot, "/var/lib/penstock/boot", "state/boot")   \
	X(run, "/run/penstock", "run")                    \
	X(hook_sock, "/run/penstock/hook.sock", "run/hook.sock") \
	X(api_sock, "/run/penstock/api.sock", "run/api.sock") \
	X(pid, "/run/penstock/pid", "run/pid")            \
	X(verdicts, "/var/lib/penstock/verdicts", "verdicts") \
	X(artifacts, "/var/lib/penstock/artifacts", "artifacts") \
	X(logs, "/var/lib/penstock/logs", "logs")         \
	X(outputs, "/var/lib/penstock/outputs", "outputs") \
	X(work_export, "/var/lib/penstock/work/export", "work/export") \
	X(work_build, "/var/lib/penstock/work/build", "work/build") \
	X(work_run, "/var/lib/penstock/work/run", "work/run") \
	X(fabrics, "/var/lib/penstock/fabrics", "fabrics") \
	X(repos, "/var/lib/penstock/repos", "repos")      \
	X(toolchains, "/var/lib/penstock/toolchains", "toolchains")

struct ps_paths {
	bool system;		/* true: /etc/penstock and so on */
	/* DIR, or /var/lib/penstock: relative paths of penstock.yml begin here */
	char *base;
#define PS_PATHS_MEMBER(name, sys, below) char *name;
	PS_PATHS(PS_PATHS_MEMBER)
#undef PS_PATHS_MEMBER
};

/* dir NULL: the system's places. PS_ENOENT when the folder is not there. Clear after success. */
int ps_paths_init(struct ps_paths *p, const char *dir, struct ps_err *err) PS_MUSTCHECK;
/* Makes the folders (not the files) that are missing: 3773 for the spool (hooks of
 * other users write there and nothing else), 0755 for the rest. */
int ps_paths_make(const struct ps_paths *p, struct ps_err *err) PS_MUSTCHECK;
/* The log file of a build, of tests; the folder of a local run's logs, of a remote one's (one
 * <task key>.log each). free() them. */
char *ps_paths_build_log(const struct ps_paths *p, int64_t build);
char *ps_paths_test_log(const struct ps_paths *p, int64_t test);
char *ps_paths_run_logs(const struct ps_paths *p, int64_t run);
char *ps_paths_run_outputs(const struct ps_paths *p, int64_t run);
void ps_paths_clear(struct ps_paths *p);

#endif
