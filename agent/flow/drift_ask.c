/* drift_ask – see drift_ask.h. */
#include "config.h"

#include "agent/flow/drift_ask.h"

#include "agent/store/release.h"
#include "agent/store/view.h"
#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/plan/adopt.h"
#include "common/plan/canon.h"
#include "common/plan/diff.h"
#include "common/plan/manifest.h"
#include "common/plan/render.h"

struct drift {
	struct core *core;
	struct policy_now *policy;
	char *fabric, *job;
	bool adopt;
	plan_reply_fn *reply;
	void *arg;
	json_t *doc;
	const char *next;
};

static const char *member(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int read_doc(const struct drift *k, const char *digest, json_t **out, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int rc = cas_read(&b, k->core->paths->artifacts, digest, PS_JSON_MAX, err);

	if (rc == 0)
		rc = canon_read(out, buf_str(&b), b.len, "definition", err);
	buf_clear(&b);
	return rc;
}

/* ---- the list ---- */

/* As deployed → in force; none where one of them is not at hand. */
static void add_fields(const struct drift *k, json_t *item)
{
	const char *content = k->core->paths->artifacts;
	struct buf was = BUF_INIT, is = BUF_INIT;
	struct plan plan = { .jobs = xcalloc(1, sizeof(*plan.jobs)), .njobs = 1 };
	struct plan_job *j = plan.jobs;
	json_t *fields = json_array();

	j->key = xstrdup(member(item, "id"));
	if (cas_read(&was, content, member(item, "deployed"), PS_JSON_MAX, NULL) == 0 &&
	    cas_read(&is, content, member(item, "observed"), PS_JSON_MAX, NULL) == 0)
		diff_documents(j, buf_str(&was), was.len, buf_str(&is), is.len);
	for (size_t i = 0; i < j->nfields; i++)
		json_array_append_new(fields, json_pack("{s:s, s:s, s:s}", "path",
							j->fields[i].path, "was",
							j->fields[i].was, "is", j->fields[i].is));
	json_object_set_new(item, "fields", fields);
	plan_clear(&plan);
	buf_clear(&was);
	buf_clear(&is);
}

/* ---- adopt ---- */

static const struct conf_derive *rule_of(const struct drift *k, const json_t *item)
{
	const struct conf_environment *env =
		config_environment(k->policy->cfg, member(item, "environment"));

	for (size_t i = 0; env && i < env->nderive; i++)
		if (strcmp(env->derive[i].as, member(item, "id")) == 0)
			return &env->derive[i];
	return NULL;
}

static int read_template(struct store_tx *tx, const struct drift *k, const json_t *item,
			 json_t **out, char **file, struct ps_err *err)
{
	const char *project = member(item, "project"), *key = member(item, "id");
	const struct manifest_file *f = NULL;
	struct release r = { 0 };
	struct manifest m = { 0 };
	int rc = release_get(tx, member(item, "release_digest"), &r, err);

	if (rc == 0)
		rc = manifest_read(&m, r.manifest, strlen(r.manifest), r.id, err);
	for (size_t i = 0; rc == 0 && i < m.njobs; i++)
		if (strcmp(m.jobs[i].key, key) == 0)
			f = manifest_job_file(&m.jobs[i], MANIFEST_TEMPLATE);
	if (rc == 0 && !f)
		rc = ps_err_set(err, PS_EINVAL, "the release has no template of '%s'", key);
	if (rc == 0)
		rc = read_doc(k, f->sha256, out, err);
	if (rc == 0)
		*file = xasprintf("%s%s%s/%s", strcmp(project, ".") == 0 ? "" : project,
				  strcmp(project, ".") == 0 ? "" : "/", key, f->path);
	manifest_clear(&m);
	release_clear(&r);
	return rc;
}

/* A derived job has no file of its own: what is added to its rule's patch is about the request. */
static int make_patch(struct store_tx *tx, const struct drift *k, json_t *item, struct ps_err *err)
{
	const struct conf_derive *rule = rule_of(k, item);
	json_t *deployed = NULL, *observed = NULL, *template = NULL;
	char *file = rule ? xstrdup("penstock.yml") : NULL;
	int rc = read_doc(k, member(item, "deployed"), &deployed, err);

	if (rc == 0)
		rc = read_doc(k, member(item, "observed"), &observed, err);
	if (rc == 0 && !rule)
		rc = read_template(tx, k, item, &template, &file, err);
	if (rc == 0 && rule && (!render_request(deployed) || !render_request(observed)))
		rc = ps_err_set(err, PS_EINVAL, "what is in force there is no definition of a job");
	if (rc == 0) {
		json_object_set_new(item, "patch",
				    rule ? adopt_patch(render_request(deployed),
						       render_request(deployed),
						       render_request(observed))
					 : adopt_patch(template, deployed, observed));
		json_object_set_new(item, "file", json_string(file));
		json_object_set_new(item, "derived",
				    rule ? json_string(rule->as) : json_null());
	}
	json_decref(deployed);
	json_decref(observed);
	json_decref(template);
	free(file);
	return rc;
}

static int take_one(struct store_tx *tx, struct drift *k, struct ps_err *err)
{
	json_t *items = json_object_get(k->doc, "items"), *item = json_array_get(items, 0);
	int rc = 0;

	k->next = "penstock drift";
	if (!item)
		return ps_err_set(err, PS_ENOENT,
				  "as far as anybody has looked, '%s' is as it was deployed",
				  k->job);
	if (json_array_size(items) > 1)
		return ps_err_set(err, PS_EINVAL,
				  "'%s' was changed on more than one fabric: say --fabric", k->job);
	if (!*member(item, "observed"))
		rc = ps_err_set(err, PS_EBUSY,
				"'%s' is gone from fabric %s: there is nothing to adopt; remove it "
				"from the project, or restore it", k->job, member(item, "fabric"));
	if (rc == 0)
		rc = make_patch(tx, k, item, err);
	if (rc == 0) {
		json_incref(item);
		json_decref(k->doc);
		k->doc = item;
		k->next = NULL;
	}
	return rc;
}

/* ---- the turn ---- */

static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct drift *k = arg;
	struct view_ask ask = { .cfg = k->policy->cfg, .id = k->fabric, .thing = k->job,
				.limit = VIEW_LIMIT_MAX };
	json_t *item;
	size_t i;
	int rc = 0;

	k->next = "penstock fabrics";
	if (k->fabric && !config_fabric(k->policy->cfg, k->fabric))
		return ps_err_set(err, PS_ENOENT, "the configuration has no fabric '%s'",
				  k->fabric);
	k->next = NULL;
	rc = view_drift(tx, &ask, &k->doc, err);
	if (rc < 0)
		return rc;
	json_array_foreach(json_object_get(k->doc, "items"), i, item)
		add_fields(k, item);
	return k->adopt ? take_one(tx, k, err) : 0;
}

static void done(void *arg, int rc, const struct ps_err *err)
{
	struct drift *k = arg;

	k->reply(k->arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL, k->next,
		 rc < 0 ? NULL : k->doc);
	policy_drop(k->policy);
	json_decref(k->doc);
	free(k->fabric);
	free(k->job);
	free(k);
}

void flow_drift(struct core *c, const struct drift_ask *ask, plan_reply_fn *reply, void *arg)
{
	struct drift *k = xcalloc(1, sizeof(*k));

	*k = (struct drift) { .core = c, .policy = policy_take(c->policy),
			      .fabric = xstrdup_null(ask->fabric),
			      .job = xstrdup_null(ask->job), .adopt = ask->adopt, .reply = reply,
			      .arg = arg };
	store_read(c->store, run, done, k);
}
