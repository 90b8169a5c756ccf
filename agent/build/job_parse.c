/*
 * job_parse – are these files Python? Asked of what goes to an Airflow, before it goes there: a
 * server may hide what is wrong with a file that it has never seen.
 *
 * parse.py compiles them in a sandbox and runs nothing of them; the compiler itself may fall over
 * what a stranger wrote, which is why it is a sandbox. The Python is the machine's, as that of a
 * toolchain is.
 */
#include "config.h"

#include "agent/build/job.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/base/escape.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/plan/profile.h"

#define LAUNCHER "/parse.py"

enum { WALL_MS = 60000, SAID_MAX = 4 << 20, LINE_MAX_SENT = 400 };

static void on_output(void *arg, const char *bytes, size_t n)
{
	struct buf *said = arg;

	if (said->len + n <= SAID_MAX)
		buf_add(said, bytes, n);
}

/* By their numbers: no name of theirs is a name here. */
static int lay_out(const struct job_env *env, const struct wire_parse *m, const char *dir,
		   struct ps_err *err)
{
	int rc = fs_mkdirs(dir, 0755, err);
	int fd = rc < 0 ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (rc == 0 && fd < 0)
		rc = ps_err_errno(err, "cannot open '%s'", dir);
	for (size_t i = 0; i < m->files.n && rc == 0; i++) {
		char name[32];
		int to;

		snprintf(name, sizeof(name), "%zu", i);
		to = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		rc = to < 0 ? ps_err_errno(err, "cannot write '%s/%s'", dir, name)
			    : cas_copy(to, env->paths->artifacts, m->files.v[i].digest, err);
		if (to >= 0)
			close(to);
	}
	if (fd >= 0)
		close(fd);
	return rc;
}

static int run_inside(const struct job_env *env, const struct wire_parse *m, const char *dir,
		      struct buf *said, struct sandbox_result *res, struct ps_err *err)
{
	char *launcher = fs_find_program("parse.py"), count[32];
	const struct sandbox_bind binds[] = {
		{ dir, PROFILE_EXPORT, false },
		{ launcher, LAUNCHER, false },
	};
	const char *const argv[] = { "/usr/bin/python3", "-I", "-S", LAUNCHER, count, NULL };
	struct sandbox_limits limits = job_limits(env->cfg);
	int rc = 0;

	limits.wall_ms = WALL_MS;
	snprintf(count, sizeof(count), "%zu", m->files.n);
	if (!launcher)
		rc = ps_err_set(err, PS_ENOENT, "parse.py is not installed beside this program");
	if (rc == 0)
		rc = sandbox_run(
			&(struct sandbox_spec){
				.argv = argv,
				.binds = binds,
				.nbinds = PS_NELEM(binds),
				.cwd = "/tmp",
				.uid = job_uid(PROFILE_SLOTS_MAX - 1),
				.mark = job_mark(env->paths),
				.limits = limits,
				.on_output = on_output,
				.arg = said,
			},
			res, err);
	free(launcher);
	return rc;
}

/* What is wrong with each file, from what was said; the one that was read when all ended is told
 * how. texts: as many as files, filled in. */
static void read_said(const struct wire_parse *m, char *said, const struct sandbox_result *res,
		      char **texts)
{
	char *rest = said, *version = strsep(&rest, "\n"), *line;
	bool whole = res->end == SANDBOX_EXITED && res->status == 0;
	size_t at = m->files.n;

	while ((line = strsep(&rest, "\n"))) {
		char text[LINE_MAX_SENT];

		if (!strchr(line, ':')) {
			at = *line ? strtoul(line, NULL, 10) : at;
		} else if (at < m->files.n && !texts[at]) {
			escape_line(text, sizeof(text), line);
			texts[at] = xasprintf("%s:%s (as Python %s reads it)", m->files.v[at].path,
					      text, version);
		}
	}
	if (!whole && at < m->files.n && !texts[at])
		texts[at] = xasprintf("%s:1:1: Python %s did not get through it: %s",
				      m->files.v[at].path, version, res->why);
}

static void answer(const struct wire_parse *m, char *const *texts, const char *problem, int sock)
{
	const char **found = xcalloc(m->files.n + 1, sizeof(*found));
	struct wire_parsed said = { .id = m->id, .problem = problem, .found = { found, 0 } };

	for (size_t i = 0; i < m->files.n; i++)
		if (texts[i])
			found[said.found.n++] = texts[i];
	job_tell(sock, MSG_parsed, &said);
	free(found);
}

void job_parse(const struct job_env *env, const struct wire_parse *m, int sock)
{
	char name[64], *dir, **texts = xcalloc(m->files.n + 1, sizeof(*texts));
	struct sandbox_result res = { .end = SANDBOX_BROKEN };
	struct buf said = BUF_INIT;
	struct ps_err err = { 0 }, late = { 0 };
	int rc;

	fs_tmp_name(name, sizeof(name)); /* goes with a job that is killed, too */
	dir = fs_join(env->paths->work_build, name);
	rc = lay_out(env, m, dir, &err);
	if (rc == 0)
		rc = run_inside(env, m, dir, &said, &res, &err);
	if (rc == 0 && (res.end == SANDBOX_BROKEN || !said.len))
		rc = ps_err_set(&err, PS_EIO, "%s", res.why);
	if (rc == 0)
		read_said(m, said.data, &res, texts);
	if (fs_remove_tree(AT_FDCWD, dir, &late) < 0)
		log_warn("build", NULL, "stays until the role starts anew: %s", late.msg);
	answer(m, texts, rc < 0 ? ps_err_msg(&err, rc) : NULL, sock);
	for (size_t i = 0; i < m->files.n; i++)
		free(texts[i]);
	free(texts);
	buf_clear(&said);
	free(dir);
}
