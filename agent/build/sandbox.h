/*
 * sandbox – one command in a room of its own: bubblewrap, seccomp, limits, and a witness.
 *
 * Inside: the paths and the environment of common/plan/profile.h, /usr read-only, a /proc of its
 * own pid namespace, loopback alone, no descriptor but 0 (/dev/null), 1 and 2 (one pipe to us). As
 * root bubblewrap is no wall by itself (it keeps every capability, mount works inside): it keeps
 * setuid, setgid and setpcap just long enough for setpriv to become spec.uid without any
 * capability. As a user it is a user namespace that cannot make another one. Either way a seccomp
 * filter refuses new user namespaces, mounts, keys, foreign socket families and kernel surface that
 * no build needs.
 *
 * Straight-line code for a process of its own: sandbox_run() blocks, makes its caller a subreaper
 * and reaps all children of the caller. That is how it knows at return that nothing of the sandbox
 * lives: only then may anybody read what was written. When the caller dies, all inside dies with
 * it.
 */
#ifndef PS_SANDBOX_H
#define PS_SANDBOX_H

#include <sys/types.h>

#include "common/base/err.h"

/* The one variable of bubblewrap's own environment; the command inside does not get it. */
#define SANDBOX_MARK "PENSTOCK_SANDBOX"

struct sandbox_bind {
	const char *from; /* on the host; must be there */
	const char *to;   /* inside */
	bool writable;
};

struct sandbox_limits { /* 0: no such limit */
	int64_t wall_ms;
	int64_t quiet_ms;   /* without output */
	int64_t memory;     /* bytes: a cgroup where one can be made, and PSS of all processes */
	int64_t disk;       /* bytes: each tmpfs, one file, and the growth of `watched` */
	unsigned processes; /* threads count */
};

struct sandbox_spec {
	const char *const *argv; /* argv[0] as seen inside */
	const char *prefix;      /* toolchain on the host; NULL: none */
	const char *java;        /* JAVA_HOME on the host; NULL: none */
	const struct sandbox_bind *binds;
	size_t nbinds;
	const char *watched; /* writable host folder whose blocks are summed; NULL */
	const char *cwd;
	bool build_dir;   /* a tmpfs at /build */
	uid_t uid;        /* inside; as root also outside */
	const char *mark; /* told to bubblewrap alone, for sandbox_sweep(); NULL */
	struct sandbox_limits limits;
	/* Bytes of stdout and stderr as they come; may be NULL. */
	void (*on_output)(void *arg, const char *bytes, size_t n);
	/* About twice a second; may be NULL. */
	void (*on_tick)(void *arg);
	void *arg;
};

enum sandbox_end {
	SANDBOX_EXITED, /* status is the exit code: n, or 128 + signal */
	SANDBOX_LIMIT,  /* ended by us: why says which limit */
	SANDBOX_BROKEN, /* the command never ran: why says what bubblewrap said */
};

struct sandbox_result {
	enum sandbox_end end;
	int status;
	char why[512];       /* "exit status 1", "no output for 300 s, stopped", ... */
	/* The limit that was hit when the command failed by itself: "disk: 64 MB of 64 MB in /tmp";
	 * also at the end of why. Empty: none is known. */
	char limit[128];
	int64_t memory_peak; /* bytes, as seen */
};

/* 0 with *res filled, or our own failure (nothing of the sandbox is left either way). */
int sandbox_run(const struct sandbox_spec *spec, struct sandbox_result *res,
		struct ps_err *err) PS_MUSTCHECK;

/* Runs /usr/bin/true inside, in a child of its own. True when that works; else why (512 bytes) says
 * what stands in the way and what to do. uid as in the spec. */
bool sandbox_probe(uid_t uid, char why[512]);

/*
 * bubblewrap's inner process is bound to the outer one only some milliseconds after its start: who
 * is killed in between leaves it behind. These two find such a one.
 *
 * sandbox_sweep() ends every process that was started with this mark, whoever its parent is now,
 * and returns their number. sandbox_orphans() ends and reaps all children of the caller, who must
 * be a subreaper, except the `n` of keep; at return none is left.
 */
size_t sandbox_sweep(const char *mark);
void sandbox_orphans(const pid_t *keep, size_t n);

/*
 * sandbox_cgroup.c: a memory cgroup named by mark and our pid. _make returns NULL where there is
 * none to have. _enter moves the caller in (or back out); what it starts meanwhile stays in. _hit:
 * the kernel ended a process for memory. _sweep removes what a killed role left.
 */
struct sandbox_cgroup;
struct sandbox_cgroup *sandbox_cgroup_make(const char *mark, int64_t memory);
bool sandbox_cgroup_enter(const struct sandbox_cgroup *g, bool leave);
bool sandbox_cgroup_hit(const struct sandbox_cgroup *g);
int64_t sandbox_cgroup_peak(const struct sandbox_cgroup *g);
void sandbox_cgroup_remove(struct sandbox_cgroup *g); /* NULL is fine */
void sandbox_cgroup_sweep(const char *mark);

/* A memfd with the filter, rewound; or PS_E*. */
int sandbox_seccomp(struct ps_err *err) PS_MUSTCHECK;

/* What the processes below `top` (itself included) hold now: PSS in bytes and number of threads. */
struct sandbox_use {
	int64_t memory;
	unsigned tasks;
};
void sandbox_measure(pid_t top, struct sandbox_use *use);
unsigned sandbox_tasks(pid_t top); /* the number of threads alone: cheaper */
/* A descriptor of the tmpfs that the process `inner` sees at path, -1 while there is none. It keeps
 * the tmpfs with all that is in it, also when everything inside is dead. */
int sandbox_tmpfs_open(pid_t inner, const char *path);
/* What is written in it of what it may hold, in bytes, an entry counting at least 4 KB: so used may
 * be more than size. False: it cannot be told. */
bool sandbox_tmpfs_use(int fd, int64_t *used, int64_t *size);
/* Bytes in blocks below dir, at least 4 KB for each entry, never following a link.
 * SANDBOX_UNCOUNTED, which is more than any limit: more than 2^20 entries, deeper than 256 folders,
 * or something there may not be read. */
#define SANDBOX_UNCOUNTED INT64_MAX
int64_t sandbox_blocks(const char *dir);

#endif
