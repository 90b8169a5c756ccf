/* localrun – see localrun.h. */
#include "config.h"

#include "agent/build/localrun.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/build/runlog.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/base/logfile.h"
#include "common/plan/profile.h"

enum task_state { TASK_QUEUED, TASK_PASSED, TASK_FAILED, TASK_UPSTREAM };

/* One task being run. */
struct task_run {
	const struct localrun *r;
	const struct wire_task *task;
	struct runlog *log;
	char said[512]; /* the last line that was told */
};

static void on_output(void *arg, const char *bytes, size_t n)
{
	struct task_run *t = arg;

	runlog_bytes(t->log, bytes, n);
}

static void on_tick(void *arg)
{
	struct task_run *t = arg;
	const char *last = runlog_last(t->log);

	if (ps_streq(last, t->said))
		return;
	snprintf(t->said, sizeof(t->said), "%s", last);
	t->r->on_state(t->r->arg, t->task, "running", t->said, NULL);
}

/* The bytes that run are the bytes that were deployed. */
static int check_wheel(const struct localrun *r, const struct wire_task *t, struct ps_err *err)
{
	char *store = fs_join(r->run->fabric_dir, "FileStore"), *path = fs_join(store, t->wheel);
	char hex[DIGEST_HEX];
	struct stat st;
	int fd = -1, rc;

	if (!fs_is_clean_relative(t->wheel))
		rc = ps_err_set(err, PS_EINVAL, "'%s' is not a path of FileStore", t->wheel);
	else if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) < 0)
		rc = ps_err_errno(err, "cannot open the deployed wheel '%s'", t->wheel);
	else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = ps_err_set(err, PS_EINVAL, "the deployed wheel '%s' is not a regular file",
				t->wheel);
	else if ((rc = digest_fd(hex, fd, NULL, err)) == 0 && strcmp(hex, t->digest) != 0)
		rc = ps_err_set(
			err, PS_ECONFLICT,
			"the deployed wheel '%s' has digest %.12s, the release says %.12s: not run",
			t->wheel, hex, t->digest);
	if (fd >= 0)
		close(fd);
	free(path);
	free(store);
	return rc;
}

/* The fabric's data folder: of the one uid that runs on any fabric, where there are uids to give.
 */
static int make_data(const char *data, struct ps_err *err)
{
	int rc = fs_mkdirs(data, 0755, err);

	if (rc == 0 && geteuid() == 0 && chown(data, PROFILE_UID_RUN, PROFILE_UID_RUN) < 0)
		rc = ps_err_errno(err, "cannot give '%s' to the sandbox", data);
	return rc;
}

/* python /task.py WHEEL PACKAGE ENTRY PARAMETER... */
static const char **make_argv(const struct wire_task *t, const char *wheel)
{
	const char **v = xcalloc(t->parameters.n + 6, sizeof(*v));
	size_t n = 0;

	v[n++] = PROFILE_TOOLCHAIN "/bin/python";
	v[n++] = PROFILE_TASK;
	v[n++] = wheel;
	v[n++] = t->package;
	v[n++] = t->entry;
	for (size_t i = 0; i < t->parameters.n; i++)
		v[n++] = t->parameters.v[i];
	return v;
}

static int run_inside(struct task_run *t, struct sandbox_result *res, struct ps_err *err)
{
	const struct localrun *r = t->r;
	char *store = fs_join(r->run->fabric_dir, "FileStore");
	char *data = fs_join(r->run->fabric_dir, "data");
	char *wheel = fs_join(PROFILE_FILESTORE, t->task->wheel);
	char *launcher = fs_find_program("task.py");
	const char **argv = make_argv(t->task, wheel);
	const struct sandbox_bind binds[] = {
		{ store, PROFILE_FILESTORE, false },
		{ data, PROFILE_DATA, true },
		{ launcher, PROFILE_TASK, false },
	};
	int rc = make_data(data, err);

	if (rc == 0 && !launcher)
		rc = ps_err_set(err, PS_ENOENT, "task.py is not installed beside this program");
	if (rc == 0)
		rc = sandbox_run(
			&(struct sandbox_spec){
				.argv = argv,
				.prefix = r->run->prefix,
				.java = r->java,
				.binds = binds,
				.nbinds = PS_NELEM(binds),
				.watched = data,
				.cwd = "/tmp",
				.uid = PROFILE_UID_RUN,
				.mark = r->mark,
				.limits = r->limits,
				.on_output = on_output,
				.on_tick = on_tick,
				.arg = t,
			},
			res, err);
	free(argv);
	free(launcher);
	free(wheel);
	free(data);
	free(store);
	return rc;
}

static enum task_state run_task(const struct localrun *r, const struct wire_task *task, char *why,
				size_t size)
{
	struct task_run t = { .r = r, .task = task };
	char *path = logfile_of_task(r->run->log_dir, task->key);
	struct sandbox_result res = { .end = SANDBOX_BROKEN };
	struct ps_err err = { 0 };
	int rc = runlog_open(&t.log, path, r->log_max, &err);

	if (rc == 0)
		runlog_attempt(t.log);
	r->on_state(r->arg, task, "running", NULL, NULL);
	if (rc == 0)
		rc = check_wheel(r, task, &err);
	if (rc == 0 && !r->java)
		runlog_say(t.log,
			   "no Java runtime was found on this machine: Spark will not start");
	if (rc == 0)
		rc = run_inside(&t, &res, &err);
	*why = '\0';
	if (rc < 0)
		snprintf(why, size, "%s", ps_err_msg(&err, rc));
	else if (res.end != SANDBOX_EXITED || res.status != 0)
		snprintf(why, size, "%s", res.why);
	if (t.log && *why)
		runlog_say(t.log, "%s", why);
	r->on_state(r->arg, task, *why ? "failed" : "passed", t.log ? runlog_last(t.log) : NULL,
		    *why ? why : NULL);
	runlog_close(t.log);
	free(path);
	return *why ? TASK_FAILED : TASK_PASSED;
}

static ptrdiff_t task_index(const struct wire_run_start *run, const char *key)
{
	for (size_t i = 0; i < run->tasks.n; i++)
		if (ps_streq(run->tasks.v[i].key, key))
			return (ptrdiff_t)i;
	return -1;
}

/* 1: may run now; 0: something before it is not over; -1: it never can. why names the culprit. */
static int ready(const struct wire_run_start *run, const enum task_state *state, size_t i,
		 char *why, size_t size)
{
	const struct wire_task *t = &run->tasks.v[i];
	int answer = 1;

	for (size_t k = 0; k < t->after.n; k++) {
		ptrdiff_t on = task_index(run, t->after.v[k]);

		if (on < 0 || state[on] == TASK_FAILED || state[on] == TASK_UPSTREAM) {
			snprintf(why, size, "needs '%s', which %s", t->after.v[k],
				 on < 0 ? "is not a task" : "did not pass");
			return -1;
		}
		if (state[on] == TASK_QUEUED)
			answer = 0;
	}
	return answer;
}

/* A repair leaves out what passed before. Returns how many are left. */
static size_t take_passed(const struct wire_run_start *run, enum task_state *state)
{
	size_t left = run->tasks.n;

	for (size_t i = 0; i < run->passed.n; i++) {
		ptrdiff_t at = task_index(run, run->passed.v[i]);

		if (at < 0 || state[at] == TASK_PASSED)
			continue;
		state[at] = TASK_PASSED;
		left--;
	}
	return left;
}

bool localrun_do(const struct localrun *r, char reason[512])
{
	const struct wire_run_start *run = r->run;
	enum task_state *state = xcalloc(run->tasks.n + 1, sizeof(*state));
	size_t left = take_passed(run, state), before;
	char why[512];

	reason[0] = '\0';
	do {
		before = left;
		for (size_t i = 0; i < run->tasks.n; i++) {
			const struct wire_task *t = &run->tasks.v[i];
			int may = state[i] == TASK_QUEUED ? ready(run, state, i, why, sizeof(why))
							  : 0;

			if (may == 0)
				continue;
			left--;
			if (may < 0) {
				state[i] = TASK_UPSTREAM;
				r->on_state(r->arg, t, "upstream failed", NULL, why);
			} else {
				state[i] = run_task(r, t, why, sizeof(why));
			}
			if (state[i] != TASK_PASSED && !reason[0])
				snprintf(reason, 512, "task '%.100s': %.380s", t->key, why);
		}
	} while (left && left != before);
	if (left && !reason[0])
		snprintf(reason, 512, "the tasks wait for each other in a circle");
	free(state);
	return !reason[0];
}
