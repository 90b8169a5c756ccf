/* run_request – somebody wants a deployed job to run: finds it, reads its tasks from the definition
 * that was deployed, proves what they stand on, and queues the run. All in one transaction. */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "agent/store/audit.h"
#include "agent/flow/run_make.h"
#include "common/base/id.h"

struct request {
	struct core *core;
	struct policy_now *policy;
	json_t *params;
	char *who, *job, *fabric, *config, *project, *repository, *content;
	core_reply_fn *reply;
	void *arg;
	int64_t id;
};

static void request_free(struct request *r)
{
	policy_drop(r->policy);
	free(r->who);
	free(r->job);
	free(r->fabric);
	free(r->config);
	free(r->project);
	free(r->repository);
	free(r->content);
	json_decref(r->params);
	free(r);
}

static const char **strs_of(const json_t *a, size_t *n)
{
	const char **v = xcalloc(json_array_size(a), sizeof(*v));

	*n = json_array_size(a);
	for (size_t i = 0; i < *n; i++)
		v[i] = json_string_value(json_array_get(a, i));
	return v;
}

int run_spec_read(struct run_spec *s, const char *text, struct ps_err *err)
{
	json_t *a = json_loads(text, 0, NULL);

	if (!json_is_array(a)) {
		json_decref(a);
		return ps_err_set(err, PS_ESTORE, "a stored run is not what was written");
	}
	*s = (struct run_spec) { .doc = a, .n = json_array_size(a) };
	s->tasks = xcalloc(s->n, sizeof(*s->tasks));
	for (size_t i = 0; i < s->n; i++) {
		const json_t *o = json_array_get(a, i);
		struct wire_task *t = &s->tasks[i];

		t->key = json_string_value(json_object_get(o, "key"));
		t->package = json_string_value(json_object_get(o, "package"));
		t->entry = json_string_value(json_object_get(o, "entry"));
		t->wheel = json_string_value(json_object_get(o, "wheel"));
		t->digest = json_string_value(json_object_get(o, "digest"));
		t->parameters.v = strs_of(json_object_get(o, "parameters"), &t->parameters.n);
		t->after.v = strs_of(json_object_get(o, "after"), &t->after.n);
	}
	return 0;
}

void run_spec_clear(struct run_spec *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free((void *)s->tasks[i].parameters.v);
		free((void *)s->tasks[i].after.v);
	}
	free(s->tasks);
	json_decref(s->doc);
	memset(s, 0, sizeof(*s));
}

/* The one deployed job that is meant; PS_ENOENT or PS_EINVAL say what would be right. */
static int find_job(struct store_tx *tx, const struct request *r, struct deployed_jobs *l,
		    struct ps_err *err)
{
	const struct conf_fabric *f = config_fabric(r->policy->cfg, r->fabric);
	int rc;

	if (!f)
		return ps_err_set(err, PS_ENOENT, "no fabric '%s'; see: penstock fabrics",
				  r->fabric);
	rc = deployed_jobs_named(tx, r->fabric, r->job, r->repository, r->project, l, err);
	if (rc == 0 && !l->n)
		return ps_err_set(err, PS_ENOENT, "no job '%s' is deployed on fabric '%s'; see: "
				  "penstock history %s", r->job, r->fabric, r->fabric);
	if (rc == 0 && l->n > 1)
		return ps_err_set(err, PS_EINVAL, "%zu projects have a job '%s' on fabric '%s'; "
				  "name one by --repo and --project", l->n, r->job, r->fabric);
	return rc;
}

static int write_request(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct request *r = arg;
	const struct conf_fabric *f = config_fabric(r->policy->cfg, r->fabric);
	struct deployed_jobs l = { NULL, 0 };
	int rc = find_job(tx, r, &l, err);

	if (rc == 0)
		rc = run_make(tx, &(struct run_ask) {
			.content = r->content, .who = r->who, .config = r->config,
			.provider = conf_provider_word(f->provider), .params = r->params },
			&l.v[0], &r->id, err);
	if (rc == 0)
		rc = audit_put_id(tx, &(struct audit) { .who = r->who, .what = "run",
							.policy = r->policy->cfg->digest },
				  'x', r->id, err);
	deployed_jobs_clear(&l);
	return rc;
}

static void written(void *arg, int rc, const struct ps_err *err)
{
	struct request *r = arg;
	char id[ID_TEXT];

	r->reply(r->arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL,
		 rc < 0 ? NULL : id_text(id, 'x', r->id));
	core_kick(r->core);
	request_free(r);
}

bool flow_provider_can(const struct core *c, const char *what, const char *provider)
{
	const struct core_peer *p = &c->roles[CORE_DEPLOY];
	char *fact = xasprintf("%s %s", what, provider);
	bool can = !p->peer;

	for (size_t i = 0; i < p->nfacts && !can; i++)
		can = strcmp(p->facts[i], fact) == 0;
	free(fact);
	return can;
}

void flow_run_request(struct core *c, const char *who, const char *job, const char *fabric,
		      const char *config, json_t *params, const char *project,
		      const char *repository, core_reply_fn *reply, void *arg)
{
	const struct conf_fabric *f = config_fabric(c->policy->cfg, fabric);
	struct request *r = xcalloc(1, sizeof(*r));
	struct ps_err err = { 0 };

	*r = (struct request) {
		.core = c, .policy = policy_take(c->policy), .who = xstrdup(who),
			.job = xstrdup(job),
		.fabric = xstrdup(fabric), .config = config ? xstrdup(config) : NULL,
		.project = xstrdup(project), .repository = xstrdup(repository),
		.content = xstrdup(c->paths->artifacts), .reply = reply, .arg = arg,
		.params = json_incref(params),
	};
	if (f && f->provider != CONF_LOCAL &&
	    !flow_provider_can(c, "runs", conf_provider_word(f->provider))) {
		written(r, ps_err_set(&err, PS_ENOTSUP, "fabric '%s' is %s: running there is not "
				      "in this version", fabric, conf_provider_word(f->provider)),
			&err);
		return;
	}
	store_write(c->store, STORE_FULL, write_request, written, r);
}
