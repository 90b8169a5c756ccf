/*
 * queue_parse – of a tree that was surveyed: are the .py files of its DAGs Python, where they go
 * to an Airflow? The build role tells. What is wrong stands in the project's `problem` then, so
 * that no release is made of it.
 *
 * Where it cannot be told (no sandbox, a role that does not come back) all goes on, which the log
 * says: Airflow has the last word anyway, and nothing of it stays switched that does not load.
 */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/config/mapping.h"
#include "common/plan/plan.h"

enum { LIMIT_MS = 90000, AGAIN_MS = 2000, TRIES = 5, TOLD_MAX = 5 };

struct parsing {
	struct parsing *next; /* that wait for another try */
	struct core *core;
	struct wire_surveyed *tree; /* the caller's */
	struct wire_file *files; /* paths are ours */
	size_t n;
	unsigned tries;
	struct loop_watch *timer;
	queue_parse_fn *done;
	void *arg;
};

static void parsing_free(struct parsing *p)
{
	for (size_t i = 0; i < p->n; i++)
		free((char *)p->files[i].path);
	free(p->files);
	free(p);
}

static void finish(struct parsing *p, const char *problem)
{
	queue_parse_fn *done = p->done;
	void *arg = p->arg;

	parsing_free(p);
	done(arg, problem);
}

/* ---- which files ---- */

/* A path of its own from the top of the tree. free() it. */
static char *from_top(const struct wire_project *pr, const char *path)
{
	return strcmp(pr->path, ".") == 0 ? xstrdup(path) : fs_join(pr->path, path);
}

static void take_file(struct parsing *p, size_t *cap, const struct wire_project *pr,
		      const struct wire_job *j, const struct wire_file *f)
{
	char *rel;

	if (!plan_dag_takes(f->path) || !ps_ends(f->path, ".py"))
		return;
	rel = xasprintf("%s/%s", j->key, f->path);
	p->files = xgrow(p->files, p->n, cap, sizeof(*p->files));
	p->files[p->n++] = (struct wire_file) { .path = from_top(pr, rel),
						.digest = f->digest };
	free(rel);
}

static bool goes_to_airflow(const struct config *cfg, const char *repository, const char *ref,
			    const struct wire_project *pr)
{
	const struct conf_environment *env = mapping_find(cfg, repository, pr->path, ref, NULL);
	const struct conf_fabric *f = env ? config_fabric(cfg, env->fabric) : NULL;

	return f && f->provider == CONF_AIRFLOW;
}

static void list_files(struct parsing *p, const char *repository, const char *ref)
{
	const struct config *cfg = p->core->policy->cfg;
	size_t cap = 0;

	for (size_t i = 0; i < p->tree->projects.n; i++) {
		const struct wire_project *pr = &p->tree->projects.v[i];

		if (!goes_to_airflow(cfg, repository, ref, pr))
			continue;
		for (size_t k = 0; k < pr->jobs.n; k++)
			for (size_t f = 0; strcmp(pr->jobs.v[k].provider, "airflow") == 0 &&
					   f < pr->jobs.v[k].files.n; f++)
				take_file(p, &cap, pr, &pr->jobs.v[k], &pr->jobs.v[k].files.v[f]);
	}
}

/* ---- what is wrong with them ---- */

static bool is_of(const struct wire_project *pr, const char *found)
{
	bool is = false;

	for (size_t i = 0; i < pr->jobs.n && !is; i++) {
		char *folder = from_top(pr, pr->jobs.v[i].key);

		is = ps_starts(found, folder) && found[strlen(folder)] == '/';
		free(folder);
	}
	return is;
}

/* The message owns its texts, and each of its fields is one of malloc()'s. */
static void tell(struct wire_project *pr, const struct wire_strs *found)
{
	struct buf b = BUF_INIT;
	size_t n = 0;

	for (size_t i = 0; i < found->n; i++)
		if (is_of(pr, found->v[i]) && n++ < TOLD_MAX)
			buf_addf(&b, "%s%s", n > 1 ? "; " : "", found->v[i]);
	if (n > TOLD_MAX)
		buf_addf(&b, "; and %zu more files", n - TOLD_MAX);
	if (n && !pr->problem)
		pr->problem = xstrdup(buf_str(&b));
	buf_clear(&b);
}

/* ---- asking ---- */

static void ask(struct parsing *p);

static void unlink_waiting(struct parsing *p)
{
	struct parsing **at = &p->core->parsing;

	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	loop_timer_stop(p->timer);
	p->timer = NULL;
}

static void on_time(void *arg)
{
	struct parsing *p = arg;

	unlink_waiting(p);
	ask(p);
}

static void go_on(struct parsing *p, const char *problem)
{
	log_warn("queue", NULL, "%zu files of DAGs were not parsed before Airflow gets them: %s",
		 p->n, problem);
	finish(p, NULL);
}

static void on_parsed(void *arg, struct msg *m, const char *problem)
{
	struct parsing *p = arg;

	problem = m ? m->u.parsed.problem : problem;
	if (!problem) {
		for (size_t i = 0; i < p->tree->projects.n; i++)
			tell((struct wire_project *)&p->tree->projects.v[i], &m->u.parsed.found);
		finish(p, NULL);
	} else if (p->tries >= TRIES || p->core->toolchain.sandbox_problem) {
		go_on(p, problem);
	} else {
		p->next = p->core->parsing;
		p->core->parsing = p;
		p->timer = loop_timer(p->core->loop, on_time, p);
		loop_timer_set(p->timer, AGAIN_MS);
	}
}

static void ask(struct parsing *p)
{
	p->tries++;
	ask_send(p->core->asks, p->core->roles[CORE_BUILD].peer, MSG_parse,
		 &(struct wire_parse) { .files = { p->files, p->n } }, LIMIT_MS, on_parsed, p);
}

void queue_parse(struct core *c, const char *repository, const char *ref,
		 struct wire_surveyed *tree, queue_parse_fn *done, void *arg)
{
	struct parsing *p = xcalloc(1, sizeof(*p));

	*p = (struct parsing) { .core = c, .tree = tree, .done = done, .arg = arg };
	if (c->policy->cfg->tests.parse_dags)
		list_files(p, repository, ref);
	if (p->n)
		ask(p);
	else
		finish(p, NULL);
}

void queue_parse_end(struct core *c)
{
	while (c->parsing) {
		struct parsing *p = c->parsing;

		unlink_waiting(p);
		finish(p, "core ends");
	}
}
