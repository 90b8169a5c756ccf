/*
 * penstock-build – the build role: a sandbox per build, one per try of tests, one per task of a run
 * on a local fabric, and one for the question whether files are Python.
 *
 * It reads exported trees and sealed artifacts; credentials, repositories and the network are none
 * of its business (see the NEEDED entries of this program). It keeps no state: what core asked for
 * and was not answered is asked again after a restart. Core decides how many jobs run at once.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/build/job.h"
#include "agent/build/sandbox.h"
#include "agent/build/toolchain.h"
#include "agent/build/toolchain_look.h"
#include "agent/build/toolchain_make.h"
#include "agent/loop/child.h"
#include "agent/loop/role.h"
#include "common/base/failpoint.h"
#include "common/base/escape.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/base/spawn.h"
#include "common/plan/profile.h"
#include "common/wire/route.h"

enum { SEEN_EOF = 1, SEEN_EXIT = 2 };

/* One child at work. It is over when its socket is closed and its process has ended, in any order.
 */
struct job {
	struct job *next;
	struct role *role;
	struct peer *peer;
	struct child *child;
	/* build_start, test_start, run_start, parse, clean, toolchain_query, cancel */
	enum msg_type asked;
	uint64_t id, fence;
	unsigned seen;
	bool answered; /* its last word has gone to core */
	struct msg cancel; /* it was killed for this one; MSG_NONE: it was not */
	enum msg_type clears; /* asked is cancel: what had been asked for */
	int status;
};

struct build_role {
	struct job *jobs;
	char sandbox[600]; /* for `status` */
};

/* ---- the end of a job ---- */

static void job_start(struct role *r, const struct msg *m, uint64_t id, uint64_t fence);

/* The last word on something core asked for with this message, by us instead of its child. */
static void tell_end(struct role *r, enum msg_type asked, uint64_t id, uint64_t fence,
		     const char *state, const char *why)
{
	if (asked == MSG_build_start)
		role_tell_core(r, MSG_build_end, &(struct wire_build_end){ .build = id,
									   .fence = fence,
									   .state = state,
									   .reason = why });
	else if (asked == MSG_test_start)
		role_tell_core(r, MSG_test_end, &(struct wire_test_end){ .test = id,
									 .fence = fence,
									 .state = state,
									 .reason = why });
	else if (asked == MSG_run_start)
		role_tell_core(r, MSG_run_end, &(struct wire_run_end){ .run = id,
								       .fence = fence,
								       .state = state,
								       .reason = why });
	else if (asked == MSG_parse)
		role_tell_core(r, MSG_parsed, &(struct wire_parsed){ .id = id, .problem = why });
	else if (asked == MSG_clean)
		role_tell_core(r, MSG_cleaned, &(struct wire_cleaned){ .id = id, .problem = why });
	else
		role_tell_core(r, MSG_toolchain_info,
			       &(struct wire_toolchain_info){ .id = id, .problem = why });
}

/* What starts the work that a cancel message names; MSG_NONE: a kind we do not know. */
static enum msg_type start_of(const char *kind)
{
	return strcmp(kind, "build") == 0 ? MSG_build_start :
	       strcmp(kind, "test") == 0  ? MSG_test_start :
	       strcmp(kind, "run") == 0   ? MSG_run_start :
					    MSG_NONE;
}

/* A child that died without a word: core gets one from us. Of one that we killed because it was
 * cancelled another child clears away what is left, and answers. */
static void answer_for(struct job *j)
{
	char how[64], why[128];

	if (j->cancel.type == MSG_cancel) {
		job_start(j->role, &j->cancel, j->id, j->fence);
		return;
	}
	spawn_status_text(how, j->status);
	snprintf(why, sizeof(why), "its process ended without an answer: %s", how);
	if (j->asked == MSG_cancel) {
		log_error("build", NULL, "what a cancelled job left goes at the next start: %s",
			  why);
		tell_end(j->role, j->clears, j->id, j->fence, "cancelled", NULL);
	} else {
		tell_end(j->role, j->asked, j->id, j->fence,
			 j->asked == MSG_run_start ? "failed" : "again", why);
	}
}

static void job_free(void *arg)
{
	struct job *j = arg;

	msg_clear(&j->cancel);
	free(j);
}

static void job_note(struct job *j, unsigned what)
{
	struct build_role *self = j->role->self;

	j->seen |= what;
	if (j->seen != (SEEN_EOF | SEEN_EXIT))
		return;
	if (!j->answered && !j->role->stopping)
		answer_for(j);
	for (struct job **at = &self->jobs; *at; at = &(*at)->next) {
		if (*at == j) {
			*at = j->next;
			break;
		}
	}
	loop_defer_free(j->role->loop, j, job_free);
}

/* A job that was killed cannot have reaped its sandbox: what it left came to us, its subreaper. */
static void end_orphans(struct build_role *self)
{
	pid_t *keep = NULL;
	size_t n = 0, cap = 0;

	for (struct job *j = self->jobs; j; j = j->next) {
		if (!j->child)
			continue;
		keep = xgrow(keep, n, &cap, sizeof(*keep));
		keep[n++] = child_pid(j->child);
	}
	sandbox_orphans(keep, n);
	sandbox_cgroup_sweep(job_mark(&self->jobs->role->paths));
	free(keep);
}

/* What it was writing. */
static void sweep_files(const struct role *r)
{
	struct ps_err err = { 0 };

	if (fs_sweep_dead(r->paths.work_build, &err) < 0 ||
	    fs_sweep_dead(r->paths.artifacts, &err) < 0)
		log_warn("build", NULL, "leftovers stay: %s", err.msg);
}

static void on_job_exit(struct child *c, int status, void *arg)
{
	struct job *j = arg;

	(void)c;
	j->child = NULL;
	j->status = status;
	if (status != 0) {
		end_orphans(j->role->self);
		sweep_files(j->role);
	}
	job_note(j, SEEN_EXIT);
}

static void on_job_close(struct peer *p, const char *why, void *arg)
{
	struct job *j = arg;

	(void)p;
	(void)why;
	j->peer = NULL;
	job_note(j, SEEN_EOF);
}

static void on_job_msg(struct peer *p, struct msg *m, void *arg)
{
	struct job *j = arg;

	(void)p;
	if (m->type == MSG_NONE)
		return;
	if (m->type != MSG_task_state)
		j->answered = true;
	role_tell_core(j->role, m->type, &m->u);
}

static const struct peer_ops job_ops = { on_job_msg, on_job_close, MSG_ROLE_MAX, 1 << 20 };

/* ---- the start of a job ---- */

static void job_child(struct role *r, const struct msg *m, int sock, pid_t parent) PS_NORETURN;
static void job_child(struct role *r, const struct msg *m, int sock, pid_t parent)
{
	struct job_env env = { r->cfg, &r->paths };

	/* our sockets to parent and core must end with the role, not with us; nor is the loop ours
	 */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || dup2(sock, 3) < 0 ||
	    fcntl(3, F_SETFD, FD_CLOEXEC) < 0 || syscall(SYS_close_range, 4, ~0u, 0) < 0)
		_exit(1);
	failpoint_reopen();		/* its log was among them */
	route_as(SPEAKER_job);
	if (m->type == MSG_build_start)
		job_build(&env, &m->u.build_start, 3);
	else if (m->type == MSG_test_start)
		job_test(&env, &m->u.test_start, 3);
	else if (m->type == MSG_run_start)
		job_run(&env, &m->u.run_start, 3);
	else if (m->type == MSG_parse)
		job_parse(&env, &m->u.parse, 3);
	else if (m->type == MSG_clean)
		job_clean(&env, &m->u.clean, 3);
	else if (m->type == MSG_cancel)
		job_clear(&env, &m->u.cancel, 3);
	else
		job_toolchain(&env, &m->u.toolchain_query, 3);
	_exit(0);
}

static int job_fork(struct job *j, const struct msg *m, struct ps_err *err)
{
	pid_t parent = getpid(), pid;
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return ps_err_errno(err, "cannot make a socket for a job");
	pid = fork();
	if (pid == 0)
		job_child(j->role, m, sv[1], parent);
	close(sv[1]);
	if (pid < 0) {
		close(sv[0]);
		return ps_err_errno(err, "cannot start a job");
	}
	if (child_watch(&j->child, j->role->loop, pid, on_job_exit, j, err) < 0) {
		kill(pid, SIGKILL);
		close(sv[0]);
		return err->code;
	}
	j->peer = peer_new(j->role->loop, sv[0], &job_ops, j);
	return 0;
}

static void job_start(struct role *r, const struct msg *m, uint64_t id, uint64_t fence)
{
	struct build_role *self = r->self;
	struct job *j = xcalloc(1, sizeof(*j));
	struct ps_err err = { 0 };

	*j = (struct job){ .role = r, .asked = m->type, .id = id, .fence = fence };
	if (m->type == MSG_cancel)
		j->clears = start_of(m->u.cancel.kind);
	if (job_fork(j, m, &err) < 0) {
		log_error("build", msg_name(m->type), "%s", err.msg);
		answer_for(j);
		free(j);
		return;
	}
	j->next = self->jobs;
	self->jobs = j;
}

/* ---- the end of a job by somebody's wish ---- */

/* The job dies, and all inside with it (on_job_exit waits for that). What is not here any more is
 * cleared away at once: no other claim of the same thing has a folder in common with this one. m
 * becomes the job's. */
static void job_cancel(struct role *r, struct msg *m)
{
	const struct wire_cancel *c = &m->u.cancel;
	enum msg_type asked = start_of(c->kind);
	struct build_role *self = r->self;

	for (struct job *j = self->jobs; j && asked != MSG_NONE; j = j->next) {
		if ((j->asked != asked && j->clears != asked) || j->id != c->id ||
		    j->fence != c->fence)
			continue;
		if (j->asked == MSG_cancel || j->cancel.type == MSG_cancel)
			return;
		log_info("build", c->kind, "%llu ends: %s", (unsigned long long)c->id,
			 c->reason ? c->reason : "cancelled");
		j->cancel = *m;
		m->type = MSG_NONE;
		if (j->child)
			child_signal(j->child, SIGKILL, false);
		return;
	}
	if (asked == MSG_NONE)
		log_warn("build", NULL, "core wants '%s' cancelled, which is nothing of ours",
			 c->kind);
	else
		job_start(r, m, c->id, c->fence);
}

static void on_core(struct role *r, struct msg *m)
{
	switch (m->type) {
	case MSG_build_start:
		job_start(r, m, m->u.build_start.build, m->u.build_start.fence);
		break;
	case MSG_test_start:
		job_start(r, m, m->u.test_start.test, m->u.test_start.fence);
		break;
	case MSG_run_start:
		job_start(r, m, m->u.run_start.run, m->u.run_start.fence);
		break;
	case MSG_cancel:
		job_cancel(r, m);
		break;
	case MSG_toolchain_query:
		job_start(r, m, m->u.toolchain_query.id, 0);
		break;
	case MSG_parse:
		job_start(r, m, m->u.parse.id, 0);
		break;
	case MSG_clean:
		job_start(r, m, m->u.clean.id, 0);
		break;
	default:
		log_warn("build", NULL, "core sent '%s', which is nothing for a build role",
			 m->type == MSG_NONE ? m->name : msg_name(m->type));
	}
}

/* ---- the role ---- */

/* Empties a folder but for the names that begin with `keep`. */
static int clean_work(const char *dir, const char *keep, struct ps_err *err)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? fs_mkdirs(dir, 0755, err)
				       : ps_err_errno(err, "cannot list '%s'", dir);
	while (rc == 0 && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
		    !ps_starts(e->d_name, keep))
			rc = fs_remove_tree(dirfd(d), e->d_name, err);
	closedir(d);
	return rc;
}

static int build_start(struct role *r, struct ps_err *err)
{
	size_t left = sandbox_sweep(job_mark(&r->paths));

	sandbox_cgroup_sweep(job_mark(&r->paths));
	if (left)
		log_info("build", NULL, "ended %zu processes of an earlier build role", left);
	umask(022);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return ps_err_errno(err, "cannot become a subreaper");
	/* what a killed role left behind; digests of toolchains are worth keeping, and what the
	 * gate is writing is the gate's: an export in its place belongs to a claim that is over */
	if (clean_work(r->paths.work_export, ".tmp-", err) < 0)
		return err->code;
	return clean_work(r->paths.work_build, "toolchain-", err);
}

/* Every job dies with its process, and all inside with the job. We end when nothing of it lives. */
static void build_stop(struct role *r)
{
	struct build_role *self = r->self;

	for (struct job *j = self->jobs, *next; j; j = next) {
		next = j->next;
		if (j->child) {
			child_signal(j->child, SIGKILL, false);
			child_forget(j->child);
			j->child = NULL;
		}
		j->seen |= SEEN_EXIT;
		if (j->peer)
			peer_close(j->peer, "the role ends");
	}
	sandbox_orphans(NULL, 0);
	sandbox_cgroup_sweep(job_mark(&r->paths));
}

static struct build_role state;

/* What of the limits the kernel holds, and what is only looked at (BUILDERS in penstock.yml). */
static const char *memory_is_limited(const struct role *r)
{
	struct sandbox_cgroup *g = sandbox_cgroup_make(job_mark(&r->paths), 1 << 30);
	bool can = g != NULL;

	sandbox_cgroup_remove(g);
	return can ? "memory limited by a cgroup" :
		"memory measured twice a second: no cgroup can be made here, so what takes much at "
		"once is stopped late";
}

static size_t build_facts(struct role *r, const char **out, size_t max)
{
	char why[512];

	r->self = &state;
	if (sandbox_probe(PROFILE_UID_SLOT, why))
		snprintf(state.sandbox, sizeof(state.sandbox), "sandbox: %s; %s",
			 geteuid() == 0 ? "bubblewrap, one uid per slot"
					: "bubblewrap, user namespace",
			 memory_is_limited(r));
	else
		snprintf(state.sandbox, sizeof(state.sandbox), "sandbox: not available: %s", why);
	out[0] = state.sandbox;
	return max ? 1 : 0;
}

/* ---- penstock-build --make-toolchain, --look: the admin's, not the agent's ---- */

struct making {
	FILE *log;
};

static void print_line(void *arg, const char *line)
{
	const struct making *m = arg;
	char text[1024];

	escape_line(text, sizeof(text), line);
	printf("%s\n", text);
	fflush(stdout);
	if (m->log) /* what is in it is for people; a full disk shows itself elsewhere */
		fprintf(m->log, "%s\n", text);
}

static int admin_fails(const struct ps_err *err, int rc)
{
	char text[1200];

	fprintf(stderr, "error: %s\n", escape_line(text, sizeof(text), ps_err_msg(err, rc)));
	return 1;
}

static int make_main(int argc, char **argv)
{
	struct ps_paths paths;
	struct ps_err err = { 0 };
	struct making m = { 0 };
	char hex[DIGEST_HEX], *log;
	int rc;

	if (argc != 5) {
		fprintf(stderr, "usage: penstock toolchain make NAME FILE\n");
		return 2;
	}
	rc = ps_paths_init(&paths, strcmp(argv[2], "-") == 0 ? NULL : argv[2], &err);
	if (rc < 0)
		return admin_fails(&err, rc);
	log = xasprintf("%s/toolchain-%s.log", paths.logs, argv[3]);
	m.log = strchr(argv[3], '/') ? NULL : fopen(log, "we");
	rc = toolchain_make(paths.toolchains, argv[3], argv[4], print_line, &m, &err);
	if (rc == 0)
		rc = toolchain_note_made(&paths, argv[3], hex, &err);
	if (rc == 0)
		printf("toolchain '%s' is in %s/%s\ndigest %s, log %s\n", argv[3],
		       paths.toolchains, argv[3], hex, log);
	if (rc < 0 && m.log) {
		fprintf(m.log, "error: %s\n", ps_err_msg(&err, rc));
		fprintf(stderr, "note: all lines are in %s\n", log);
	}
	if (m.log)
		fclose(m.log);
	free(log);
	ps_paths_clear(&paths);
	return rc < 0 ? admin_fails(&err, rc) : 0;
}

/* INSTANCE [--anew|--quick] [NAME]; see toolchain_look.h. */
static int look_main(int argc, char **argv)
{
	const char *word = argc > 3 ? argv[3] : "";
	enum toolchain_depth depth = strcmp(word, "--anew") == 0 ? TOOLCHAIN_ANEW :
		strcmp(word, "--quick") == 0 ? TOOLCHAIN_QUICK : TOOLCHAIN_KNOWN;
	int n = depth == TOOLCHAIN_KNOWN ? 3 : 4;
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_paths paths;
	struct ps_err err = { 0 };
	char why[512] = "", text[1200];
	bool sandbox;
	int rc;

	if (argc < 3 || argc > n + 1)
		return 2;
	rc = ps_paths_init(&paths, strcmp(argv[2], "-") == 0 ? NULL : argv[2], &err);
	if (rc < 0)
		return admin_fails(&err, rc);
	rc = config_load(&cfg, paths.config, &diags, &err);
	diag_clear(&diags);
	if (rc < 0) /* what `toolchain make` has made is there all the same */
		cfg = NULL;
	sandbox = sandbox_probe(PROFILE_UID_SLOT, why);
	printf("sandbox\t%s\t%s\n", sandbox ? "ok" : "error",
	       sandbox ? "" : escape_line(text, sizeof(text), why));
	toolchain_look(cfg, &paths, argc > n ? argv[n] : NULL, depth, stdout);
	config_free(cfg);
	ps_paths_clear(&paths);
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	static const struct role_ops ops = {
		.name = "build",
		.has_core = true,
		.start = build_start,
		.on_core = on_core,
		.on_stop = build_stop,
		.facts = build_facts,
	};

	if (argc > 1 && strcmp(argv[1], "--make-toolchain") == 0)
		return make_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], "--look") == 0)
		return look_main(argc, argv);
	return role_main(argc, argv, &ops);
}
