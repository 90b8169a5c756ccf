/* import – see import.h. */
#include "config.h"

#include "agent/flow/import.h"

#include "agent/store/audit.h"
#include "agent/store/imported.h"
#include "agent/store/repository.h"

struct importing {
	char *who, *repository, *project, *policy;
	json_t *jobs, *out;
	bool dry;
	size_t changes;
	core_reply_fn *reply;
	void *arg;
};

static char *member(const json_t *row, const char *name)
{
	return (char *)json_string_value(json_object_get(row, name));
}

static const char *how_word(enum imported_how how)
{
	switch (how) {
	case IMPORTED_NEW:
		return "new";
	case IMPORTED_CHANGED:
		return "changed";
	case IMPORTED_SAME:
		return "same";
	case IMPORTED_DEPLOYED:
		return "deployed";
	}
	return "";
}

static int import_one(struct store_tx *tx, struct importing *m, int64_t repository,
		      const json_t *row, struct ps_err *err)
{
	const struct imported_job j = {
		.fabric = member(row, "fabric"),
		.repository = repository,
		.project = m->project,
		.job = member(row, "job"),
		.name = member(row, "name"),
		.remote_id = member(row, "id"),
		.who = m->who,
	};
	enum imported_how how;
	int rc = m->dry ? imported_job_check(tx, &j, &how, err)
			: imported_job_put(tx, &j, &how, err);

	if (rc < 0)
		return rc;
	m->changes += how == IMPORTED_NEW || how == IMPORTED_CHANGED;
	json_array_append_new(m->out, json_pack("{ss ss ss ss}", "id", j.job, "fabric", j.fabric,
						"remote", j.remote_id, "state", how_word(how)));
	return 0;
}

static int tell_audit(struct store_tx *tx, const struct importing *m, struct ps_err *err)
{
	char *thing = xasprintf("%s:%s", m->repository, m->project);
	json_t *doc = json_pack("{sO}", "jobs", m->out);
	char *details = json_dumps(doc, JSON_COMPACT | JSON_SORT_KEYS);
	int rc = audit_put(tx,
			   &(struct audit){ .who = m->who,
					    .what = "import",
					    .thing = thing,
					    .policy = m->policy,
					    .details = details },
			   err);

	free(details);
	json_decref(doc);
	free(thing);
	return rc;
}

static int run_import(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct importing *m = arg;
	struct repository r = { 0 };
	json_t *row;
	size_t i;
	int rc = repository_by_name(tx, m->repository, &r, err);

	json_array_clear(m->out);
	m->changes = 0;
	if (rc == PS_ENOENT)
		rc = ps_err_set(err, rc,
				"there is no repository '%s': `penstock install` makes one "
				"known",
				m->repository);
	json_array_foreach(m->jobs, i, row)
	{
		if (rc == 0)
			rc = import_one(tx, m, r.id, row, err);
	}
	if (rc == 0 && m->changes && !m->dry)
		rc = tell_audit(tx, m, err);
	repository_clear(&r);
	return rc;
}

static void on_import(void *arg, int rc, const struct ps_err *err)
{
	struct importing *m = arg;
	char *text = rc < 0 ? NULL : json_dumps(m->out, JSON_COMPACT);

	m->reply(m->arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL, text);
	free(text);
	json_decref(m->jobs);
	json_decref(m->out);
	free(m->who);
	free(m->repository);
	free(m->project);
	free(m->policy);
	free(m);
}

void flow_import(struct core *c, const struct import_ask *ask, core_reply_fn *reply, void *arg)
{
	struct importing *m = xcalloc(1, sizeof(*m));

	*m = (struct importing){
		.who = xstrdup(ask->who),
		.repository = xstrdup(ask->repository),
		.project = xstrdup(ask->project),
		.policy = xstrdup(ask->policy),
		.jobs = json_incref(ask->jobs),
		.out = json_array(),
		.dry = ask->dry,
		.reply = reply,
		.arg = arg,
	};
	if (m->dry)
		store_read(c->store, run_import, on_import, m);
	else
		store_write(c->store, STORE_FULL, run_import, on_import, m);
}
