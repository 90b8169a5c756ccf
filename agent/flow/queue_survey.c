/* queue_survey – a new event: the gate tells what its tree holds, mapping tells where that goes,
 * and the demands are stored. One transaction settles the event, so a crash asks the gate again. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/flow/survey_json.h"
#include "agent/flow/survey_rights.h"
#include "agent/store/audit.h"
#include "agent/store/event.h"
#include "common/base/buf.h"
#include "common/base/log.h"
#include "common/config/mapping.h"

enum { SURVEY_LIMIT_MS = 120000, KEEP_LIMIT_MS = 30000 };

struct want {			/* one project that a rule sends somewhere */
	char *project, *survey, *environment, *fabric;
};

struct surveying {
	struct queue *queue;		/* of an unkeep; NULL: a survey */
	struct core *core;
	int64_t event, fence;
	char *name, *path;		/* of the repository */
	char *oid, *ref;		/* what to survey, who led there */
	struct policy_now *policy;	/* mapped by this one */
	struct msg answer;		/* projects, until the transaction has mapped them */
	char *problem;
};

static void surveying_free(struct surveying *s)
{
	msg_clear(&s->answer);
	policy_drop(s->policy);
	free(s->problem);
	free(s->name);
	free(s->path);
	free(s->oid);
	free(s->ref);
	free(s);
}

static int put_demand(struct store_tx *tx, const struct ref_event *e, const struct wire_project *pr,
		      const char *commit, const struct conf_environment *env, struct ps_err *err)
{
	char *survey = survey_to_json(pr);
	struct demand d = {
		.event = e->id, .repository = e->repository, .project = (char *)pr->path,
			.ref = e->ref,
		.commit_oid = (char *)commit, .environment = env->name, .fabric = env->fabric,
			.survey = survey, .priority = env->priority,
	};
	int rc = demand_insert(tx, &d, err);

	if (rc == 0)
		rc = demand_supersede_older(tx, &d, err);
	free(survey);
	return rc;
}

/* Demands for what maps, and a text for what does not. */
static int map_projects(struct store_tx *tx, const struct surveying *s, const struct ref_event *e,
			struct buf *nowhere, size_t *demands, struct ps_err *err)
{
	const struct wire_surveyed *a = &s->answer.u.surveyed;
	int rc = 0;

	for (size_t i = 0; i < a->projects.n && rc == 0; i++) {
		const struct wire_project *pr = &a->projects.v[i];
		const struct conf_environment *env = mapping_find(s->policy->cfg, s->name, pr->path,
								  e->ref, NULL);

		if (!env) {
			buf_addf(nowhere, "%s%s", nowhere->len ? ", " : "", pr->path);
			continue;
		}
		rc = put_demand(tx, e, pr, a->commit ? a->commit : e->new, env, err);
		++*demands;
	}
	return rc;
}

/* Who may not move this ref has not started anything: held, and its commit may go meanwhile. */
static int hold_without_right(struct store_tx *tx, const struct surveying *s,
			      const struct ref_event *e, bool *held, struct ps_err *err)
{
	const struct wire_surveyed *a = &s->answer.u.surveyed;
	const char **paths = xcalloc(a->projects.n + 1, sizeof(*paths));
	char *why = NULL;
	int rc;

	for (size_t i = 0; i < a->projects.n; i++)
		paths[i] = a->projects.v[i].path;
	rc = survey_rights(tx, &(struct survey_moved) {
		.config = s->policy->cfg, .repository = s->name, .e = e,
		.commit = a->commit ? a->commit : e->new, .projects = paths,
		.n = a->projects.n }, &why, err);
	*held = why != NULL;
	if (rc == 0 && why)
		rc = event_end(tx, e->id, "held", why, err);
	if (rc == 0 && why)
		rc = audit_put_id(tx, &(struct audit) { .who = AUDIT_CORE, .what = "held",
							.why = why,
							.policy = s->policy->cfg->digest },
				  'e', e->id, err);
	free(paths);
	free(why);
	return rc;
}

static int write_survey(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct surveying *s = arg;
	struct buf nowhere = BUF_INIT;
	struct ref_event e = { 0 };
	size_t demands = 0;
	bool held = false;
	char *why = NULL;
	int rc = event_get(tx, s->event, &e, err);

	if (rc == 0 && (e.surveyed || e.fence != s->fence)) {
		rc = ps_err_set(err, PS_ESTALE, "e%lld was surveyed again meanwhile",
				(long long)s->event);
		goto out;
	}
	/* superseded meanwhile: only the keep is left of it */
	if (rc == 0 && strcmp(e.state, "open") != 0) {
		rc = event_set_surveyed(tx, s->event, err);
		goto out;
	}
	if (rc == 0 && !s->problem)
		rc = hold_without_right(tx, s, &e, &held, err);
	if (rc == 0 && !s->problem && !held)
		rc = map_projects(tx, s, &e, &nowhere, &demands, err);
	if (rc == 0)
		rc = event_set_surveyed(tx, s->event, err);
	if (held)
		goto out;
	if (s->problem)
		why = xasprintf("its tree cannot be read: %s", s->problem);
	else if (!s->answer.u.surveyed.projects.n)
		why = xstrdup("no project in its tree: no pbt_project.yml was found");
	else if (!demands)
		why = xasprintf("maps nowhere: no rule of penstock.yml names %s for project %s",
				e.ref, buf_str(&nowhere));
	if (rc == 0 && why)
		rc = event_end(tx, s->event, "done", why, err);
out:
	free(why);
	event_clear(&e);
	buf_clear(&nowhere);
	return rc;
}

static void written(void *arg, int rc, const struct ps_err *err)
{
	struct surveying *s = arg;

	if (rc == PS_ESTALE)
		log_info("queue", NULL, "late answer: %s", err->msg);
	else if (rc < 0)
		log_error("queue", NULL, "e%lld: what the gate said was not stored: %s",
			  (long long)s->event, ps_err_msg(err, rc));
	if (s->queue)
		queue_unkeep_over(s->queue, s->event);
	core_kick(s->core);
	surveying_free(s);
}

static int write_released(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct surveying *s = arg;

	return event_release_survey(tx, s->event, s->fence, err);
}

/* The gate's fault, not the tree's: asked again after the others. */
static void release(struct surveying *s, const char *problem)
{
	log_warn("queue", NULL, "e%lld: its tree was not surveyed: %s", (long long)s->event,
		 problem);
	store_write(s->core->store, STORE_NORMAL, write_released, written, s);
}

static void on_parsed(void *arg, const char *problem)
{
	struct surveying *s = arg;

	if (problem) {
		release(s, problem);
		return;
	}
	s->policy = policy_take(s->core->policy);
	store_write(s->core->store, STORE_FULL, write_survey, written, s);
}

static void on_surveyed(void *arg, struct msg *m, const char *problem)
{
	struct surveying *s = arg;

	if (!m) {
		release(s, problem);
		return;
	}
	if (m->u.surveyed.problem)
		s->problem = xstrdup(m->u.surveyed.problem);
	s->answer = *m;
	m->type = MSG_NONE;	/* ours now */
	queue_parse(s->core, s->name, s->ref, &s->answer.u.surveyed, on_parsed, s);
}

/* Kept: neither a force-push nor gc takes the objects away before they are built. */
static void on_kept(void *arg, struct msg *m, const char *problem)
{
	struct surveying *s = arg;

	if (!m) {
		release(s, problem);
		return;
	}
	if (m->u.done.problem)
		log_warn("queue", NULL, "e%lld: its commit is not kept: %s", (long long)s->event,
			 m->u.done.problem);
	ask_send(s->core->asks, s->core->roles[CORE_GATE].peer, MSG_survey,
		 &(struct wire_survey) { .repository = s->path, .oid = s->oid,
					 .content = s->core->paths->artifacts },
		 SURVEY_LIMIT_MS, on_surveyed, s);
}

void queue_survey_start(struct core *c, const struct act *a)
{
	struct surveying *s = xcalloc(1, sizeof(*s));

	s->core = c;
	s->event = a->id;
	s->fence = a->fence;
	s->name = xstrdup(a->name);
	s->path = xstrdup(a->repository);
	s->oid = xstrdup(a->oid);
	s->ref = xstrdup(a->ref);
	ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_keep,
		 &(struct wire_keep) { .repository = a->repository, .oid = a->oid }, KEEP_LIMIT_MS,
		 on_kept, s);
}

/* ---- and when nobody needs it any more ---- */

static int write_unkept(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct surveying *s = arg;

	return event_kept_no_more(tx, s->event, err);
}

static void on_unkept(void *arg, struct msg *m, const char *problem)
{
	struct surveying *s = arg;

	if (m) {		/* a ref that cannot be dropped costs space, not truth: said once */
		if (m->u.done.problem)
			log_warn("queue", NULL, "e%lld: its commit stays kept: %s",
				 (long long)s->event, m->u.done.problem);
		store_write(s->core->store, STORE_NORMAL, write_unkept, written, s);
		return;
	}
	log_info("queue", NULL, "e%lld: its commit is kept for now: %s", (long long)s->event,
		 problem);
	queue_unkeep_over(s->queue, s->event);
	surveying_free(s);
}

void queue_unkeep(struct queue *q, struct core *c, const struct act *a)
{
	struct surveying *s = xcalloc(1, sizeof(*s));

	s->queue = q;
	s->core = c;
	s->event = a->id;
	ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_keep,
		 &(struct wire_keep) { .repository = a->repository, .oid = a->oid, .drop = true },
		 KEEP_LIMIT_MS, on_unkept, s);
}
