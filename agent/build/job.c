/* job – see job.h. */
#include "config.h"

#include "agent/build/job.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/build/localrun.h"
#include "agent/build/recipe.h"
#include "agent/build/toolchain.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/plan/profile.h"
#include "common/wire/frame.h"

enum { AGAIN_S = 2 };

static const char *const recipe_words[] = {
	[RECIPE_PASSED] = "passed",
	[RECIPE_FAILED] = "failed",
	[RECIPE_AGAIN] = "again",
};

char *job_work(const struct job_env *env, char kind, uint64_t id, uint64_t fence)
{
	return xasprintf("%s/%c%llu.%llu", env->paths->work_build, kind, (unsigned long long)id,
			 (unsigned long long)fence);
}

void job_sweep(const struct job_env *env, char kind, uint64_t id, uint64_t fence)
{
	char *own = job_work(env, kind, id, fence), *ours = strrchr(own, '/') + 1;
	size_t n = (size_t)(strrchr(ours, '.') - ours) + 1;
	DIR *d = opendir(env->paths->work_build);
	struct dirent *e;
	struct ps_err err;

	while (d && (e = readdir(d)))
		if (strncmp(e->d_name, ours, n) == 0 && strcmp(e->d_name, ours) != 0 &&
		    fs_remove_tree(dirfd(d), e->d_name, &err) < 0)
			log_warn("build", NULL, "what an earlier claim left stays: %s", err.msg);
	if (d)
		closedir(d);
	free(own);
}

void job_tell(int sock, enum msg_type type, const void *body)
{
	struct ps_err err = { 0 };

	if (frame_send(sock, type, body, -1, 0, &err) < 0) {
		log_error("build", NULL, "cannot tell the role '%s': %s", msg_name(type), err.msg);
		_exit(1); /* the role tells core that we ended without a word */
	}
}

struct sandbox_limits job_limits(const struct config *cfg)
{
	const struct conf_builder *b = &cfg->builder;

	return (struct sandbox_limits){ .wall_ms = b->time_ms,
					.quiet_ms = b->quiet_ms,
					.memory = b->memory,
					.disk = b->disk,
					.processes = b->processes };
}

void job_finish(struct runlog *log, const char *export, bool again, struct buf *tail)
{
	struct ps_err err = { 0 };

	if (log)
		runlog_tail(log, tail);
	runlog_close(log);
	if (fs_remove_tree(AT_FDCWD, export, &err) < 0)
		log_warn("build", NULL, "%s", err.msg);
	if (again)
		sleep(AGAIN_S);
}

/* A user has one uid to give: the same in every sandbox. */
uid_t job_uid(uint64_t slot)
{
	return PROFILE_UID_SLOT + (geteuid() == 0 ? (uid_t)(slot % PROFILE_SLOTS_MAX) : 0);
}

const char *job_mark(const struct ps_paths *paths)
{
	static char mark[DIGEST_HEX];

	if (!mark[0]) {
		digest_bytes(mark, paths->work_build, strlen(paths->work_build));
		mark[16] = '\0';
	}
	return mark;
}

char *job_prefix(const char *prefix)
{
	char *real = realpath(prefix, NULL);

	return real ? real : xstrdup(prefix);	/* it is gone: the digest says so */
}

/* Between the key and now somebody may have changed the toolchain: its artifact would lie. */
int job_check_toolchain(const struct job_env *env, const char *want, const struct toolchain *t,
			struct ps_err *err)
{
	char hex[DIGEST_HEX];
	int rc = want ? toolchain_digest(t, env->paths->work_build, hex, err) : 0;

	if (rc == 0 && want && strcmp(want, hex) != 0)
		rc = ps_err_set(err, PS_ESTALE,
				"the toolchain in '%s' is not the one that this was asked for any "
				"more; push again to build with the new one",
				t->prefix);
	return rc;
}

static void build_logged(const struct job_env *env, const struct wire_build_start *m,
			 struct recipe_end *end, struct runlog *log)
{
	struct toolchain t = { .prefix = job_prefix(m->prefix), .java = toolchain_java() };
	struct recipe_input *inputs = xcalloc(m->inputs.n + 1, sizeof(*inputs));
	char *work = job_work(env, 'b', m->build, m->fence);
	struct ps_err err = { 0 };

	job_sweep(env, 'b', m->build, m->fence);
	runlog_attempt(log);
	for (size_t i = 0; i < m->inputs.n; i++)
		inputs[i] = (struct recipe_input){ m->inputs.v[i].path, m->inputs.v[i].oid,
						   m->inputs.v[i].is_dir };
	if (job_check_toolchain(env, m->toolchain, &t, &err) < 0) {
		*end = (struct recipe_end){ .state = err.code == PS_ESTALE ? RECIPE_FAILED :
									     RECIPE_AGAIN };
		snprintf(end->reason, sizeof(end->reason), "%s", err.msg);
		runlog_say(log, "%s", err.msg);
	} else {
		runlog_say(log, "building %s%s", m->pipeline,
			   m->check ? ", to compare it with what was sealed" : "");
		recipe_python.build(
			&(struct recipe_job){
				.export = m->export,
				.work = work,
				.artifacts = env->paths->artifacts,
				.pipeline = m->pipeline,
				.artifact = m->wheel,
				.project_digest = m->project_digest,
				.inputs = inputs,
				.ninputs = m->inputs.n,
				.prefix = t.prefix,
				.java = t.java,
				.uid = job_uid(m->slot),
				.mark = job_mark(env->paths),
				.limits = job_limits(env->cfg),
				.log = log,
				.sealed = m->sealed,
				.check = m->check,
			},
			end);
	}
	free(work);
	free(inputs);
	toolchain_clear(&t);
}

void job_build(const struct job_env *env, const struct wire_build_start *m, int sock)
{
	struct recipe_end end = { .state = RECIPE_AGAIN };
	struct buf tail = BUF_INIT;
	struct runlog *log = NULL;
	struct ps_err err = { 0 };

	if (runlog_open(&log, m->log, env->cfg->builder.output, &err) < 0)
		snprintf(end.reason, sizeof(end.reason), "%s", err.msg);
	else
		build_logged(env, m, &end, log);
	job_finish(log, m->export, end.state == RECIPE_AGAIN, &tail);
	job_tell(sock, MSG_build_end,
	     &(struct wire_build_end){
		     .build = m->build,
		     .fence = m->fence,
		     .state = recipe_words[end.state],
		     .reason = end.reason[0] ? end.reason : NULL,
		     .digest = end.state == RECIPE_PASSED ? end.digest : NULL,
		     .name = end.name,
		     .size = end.size,
		     .last_lines = buf_str(&tail),
	     });
	buf_clear(&tail);
	free(end.name);
}

/* What on_task() needs to say whose task it is. */
struct run_line {
	const struct wire_run_start *m;
	int sock;
};

static void on_task(void *arg, const struct wire_task *t, const char *state, const char *last,
		    const char *reason)
{
	struct run_line *line = arg;

	job_tell(line->sock, MSG_task_state,
	     &(struct wire_task_state){
		     .run = line->m->run,
		     .fence = line->m->fence,
		     .task = t->key,
		     .state = state,
		     .at_ms = clock_wall_ms(),
		     .last = last,
		     .reason = reason,
	     });
}

void job_run(const struct job_env *env, const struct wire_run_start *m, int sock)
{
	struct run_line line = { m, sock };
	struct wire_run_start run = *m;
	char *java = toolchain_java(), *prefix = job_prefix(m->prefix), reason[512];
	bool passed;

	run.prefix = prefix;
	passed = localrun_do(
		&(struct localrun){
			.run = &run,
			.java = java,
			.mark = job_mark(env->paths),
			.limits = job_limits(env->cfg),
			.log_max = env->cfg->builder.output,
			.on_state = on_task,
			.arg = &line,
		},
		reason);

	job_tell(sock, MSG_run_end,
	     &(struct wire_run_end){
		     .run = m->run,
		     .fence = m->fence,
		     .state = passed ? "passed" : "failed",
		     .reason = passed ? NULL : reason,
	     });
	free(prefix);
	free(java);
}

static bool is_told(const struct wire_toolchain *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0)
			return true;
	return false;
}

/* One toolchain as core is told of it; every text is the caller's to free (told_clear). */
static struct wire_toolchain told(const struct job_env *env, const char *name)
{
	struct wire_toolchain out = { .name = xstrdup(name) };
	struct buf problem = BUF_INIT;
	struct toolchain t = { 0 };
	char hex[DIGEST_HEX];
	struct ps_err err = { 0 };

	if (!toolchain_find(env->cfg, env->paths->toolchains, name, &t, &problem))
		out.problem = buf_steal(&problem);
	else if (toolchain_digest(&t, env->paths->work_build, hex, &err) < 0)
		out.problem = xstrdup(err.msg);
	else
		out.digest = xstrdup(hex);
	out.prefix = xstrdup_null(t.prefix);
	toolchain_clear(&t);
	buf_clear(&problem);
	return out;
}

static void told_clear(struct wire_toolchain *t)
{
	free((char *)t->name);
	free((char *)t->prefix);
	free((char *)t->digest);
	free((char *)t->problem);
}

/* Those that are there, and those that rules name. */
static struct wire_toolchain *tell_all(const struct job_env *env, size_t *n)
{
	struct toolchain_places places = toolchain_places(env->cfg, env->paths->toolchains);
	struct wire_toolchain *v = xcalloc(places.n + env->cfg->ntoolchain_rules + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; i < places.n; i++, (*n)++)
		v[*n] = told(env, places.v[i].name);
	for (size_t i = 0; i < env->cfg->ntoolchain_rules; i++)
		if (!is_told(v, *n, env->cfg->toolchain_rules[i].use)) {
			v[*n] = told(env, env->cfg->toolchain_rules[i].use);
			(*n)++;
		}
	toolchain_places_clear(&places);
	return v;
}

void job_toolchain(const struct job_env *env, const struct wire_toolchain_query *m, int sock)
{
	struct wire_toolchain_info info = { .id = m->id };
	struct buf problem = BUF_INIT;
	struct toolchain t = { 0 };
	struct wire_toolchain *all;
	char why[512];
	size_t n;

	all = tell_all(env, &n);
	info.all.v = all;
	info.all.n = n;
	if (!toolchain_find(env->cfg, env->paths->toolchains, m->name, &t, &problem))
		info.problem = buf_str(&problem);
	for (size_t i = 0; t.name && i < n; i++)
		if (strcmp(all[i].name, t.name) == 0) {
			info.problem = all[i].problem;
			info.name = t.name;
			info.prefix = all[i].prefix;
			info.digest = all[i].digest;
		}
	if (!sandbox_probe(job_uid(0), why))
		info.sandbox_problem = why;
	job_tell(sock, MSG_toolchain_info, &info);
	for (size_t i = 0; i < n; i++)
		told_clear(&all[i]);
	free(all);
	toolchain_clear(&t);
	buf_clear(&problem);
}
