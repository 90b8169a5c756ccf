/* run – see run.h. */
#include "config.h"

#include "agent/deploy/run.h"

#include <sys/stat.h>

#include <jansson.h>

#include "agent/deploy/run_parts.h"
#include "agent/deploy/trust.h"
#include "common/base/digest.h"
#include "common/base/log.h"
#include "common/plan/canon.h"

/* ---- what was asked for ---- */

static int check_jobs(const struct wire_rendered *v, size_t n, struct ps_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!place_is_path(v[i].key) || !digest_is_hex(v[i].digest, PS_DIGEST_HEX))
			return ps_err_set(err, PS_EPROTO, "'%s' is not a job", v[i].key);
	return 0;
}

static int check(const struct wire_deploy_start *d, struct ps_err *err)
{
	for (size_t i = 0; i < d->artifacts.n; i++)
		if (!place_is_path(d->artifacts.v[i].path) ||
		    !ps_starts(d->artifacts.v[i].path, "prophecy/artifacts/") ||
		    !digest_is_hex(d->artifacts.v[i].digest, PS_DIGEST_HEX))
			return ps_err_set(err, PS_EPROTO, "'%s' is not an artifact",
					  d->artifacts.v[i].path);
	if (check_jobs(d->jobs.v, d->jobs.n, err) < 0 || check_jobs(d->gone.v, d->gone.n, err) < 0)
		return PS_EPROTO;
	return check_jobs(d->orphans.v, d->orphans.n, err);
}

static json_t *jobs_json(const struct wire_rendered *v, size_t n)
{
	json_t *a = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(a, json_pack("{ss ss}", "key", v[i].key, "sha256",
						   v[i].digest));
	return a;
}

int deploy_stamp(const struct wire_deploy_start *d, struct buf *out, char digest[65],
		 struct ps_err *err)
{
	json_t *artifacts = json_array(), *jobs = jobs_json(d->jobs.v, d->jobs.n);
	json_t *orphans = jobs_json(d->orphans.v, d->orphans.n), *v;
	size_t from = out->len;
	int rc;

	for (size_t i = 0; i < d->artifacts.n; i++)
		json_array_append_new(artifacts,
				      json_pack("{ss ss}", "path", d->artifacts.v[i].path, "sha256",
						d->artifacts.v[i].digest));
	/* jansson takes no text that is not UTF-8, and a set must list all that is in it. */
	if (json_array_size(artifacts) != d->artifacts.n || json_array_size(jobs) != d->jobs.n ||
	    json_array_size(orphans) != d->orphans.n) {
		json_decref(artifacts);
		json_decref(jobs);
		json_decref(orphans);
		return ps_err_set(err, PS_EPROTO, "a path or a job key is not UTF-8");
	}
	v = json_pack("{si ss ss ss so so}", "format", 1, "repository", d->repository, "project",
		      d->project, "release", d->release, "artifacts", artifacts, "jobs", jobs);
	if (d->orphans.n)
		json_object_set_new(v, "orphans", orphans);
	else
		json_decref(orphans);
	rc = canon_write(v, out, err);
	json_decref(v);
	if (rc == 0)
		digest_bytes(digest, buf_str(out) + from, out->len - from);
	return rc;
}

/* ---- the steps ---- */

int run_step(struct run *r, const char *name, step_fn *act, const void *what, const char *job,
	     struct ps_err *err)
{
	enum fabric_outcome outcome = FABRIC_NOT_DONE;
	struct ps_err told = { 0 };
	char *id = NULL, *detail;
	int rc = journal_begin(&r->journal, name, err), sent;

	if (rc < 0)
		return rc;
	r->place.t.said[0] = '\0';
	rc = act(r, what, &outcome, &id, err);
	r->unknown = rc < 0 && outcome == FABRIC_UNKNOWN;
	detail = xasprintf("%s%s%s", rc == 0 ? fabric_outcome_word(outcome) : err->msg,
			   *r->place.t.said ? "; " : "", r->place.t.said);
	sent = journal_done(&r->journal,
			    rc == 0	 ? "done"
			    : r->unknown ? "unknown"
					 : "failed",
			    detail,
			    rc == 0 && job ? &(struct journal_job) { job, id } : NULL, &told);
	if (rc == 0 && sent < 0) {
		*err = told;
		rc = sent;
	}
	free(detail);
	free(id);
	return rc;
}

int run_overtaken(struct ps_err *err)
{
	return ps_err_set(err, PS_ECONFLICT,
			  "the fabric was changed after the backup that the store was restored "
			  "from, so this older deployment does nothing there: push again");
}

static int act_artifact(struct run *r, const void *what, enum fabric_outcome *outcome, char **id,
			struct ps_err *err)
{
	(void)id;
	return r->place.driver->put_artifact(&r->place.t, what, outcome, err);
}

/*
 * The last step changes nothing: is the fabric as planned? When it is not, what was deployed stays
 * deployed; *unverified says why it is not verified (free it).
 */
static int verify(struct run *r, const struct run_way *way, char **unverified, struct ps_err *err)
{
	struct ps_err why = { 0 };
	char what[128];
	int rc;

	snprintf(what, sizeof(what), "verify %s", r->digest);
	rc = journal_begin(&r->journal, what, err);
	if (rc < 0)
		return rc;
	rc = way->check(r, &why);
	if (rc < 0)
		*unverified = xasprintf("the fabric is not as planned: %s", ps_err_msg(&why, rc));
	return journal_done(&r->journal, rc < 0 ? "failed" : "done",
			    rc < 0 ? *unverified : "as planned", NULL, err);
}

static int all_steps(struct run *r, const struct run_way *way, struct ps_err *err)
{
	int rc = r->d->careful ? way->careful(r, err) : 0;

	for (size_t i = 0; rc == 0 && i < r->d->artifacts.n; i++) {
		struct fabric_file f = { r->d->artifacts.v[i].path, r->d->artifacts.v[i].digest };
		char *name;

		if (r->d->artifacts.v[i].there)
			continue;
		name = xasprintf("artifact %s", f.path);
		rc = run_step(r, name, act_artifact, &f, NULL, err);
		free(name);
	}
	return rc < 0 ? rc : way->steps(r, err);
}

static int carry_out(struct run *r, const struct place_ask *ask, const char *keys,
		     char **unverified, struct ps_err *err)
{
	const struct run_way *way;
	int rc = check(r->d, err);

	if (rc == 0)
		rc = deploy_stamp(r->d, &r->stamp, r->digest, err);
	if (rc == 0)
		rc = deploy_trust(r->d, keys, err);
	if (rc == 0)
		rc = place_open(&r->place, ask, err);
	if (rc < 0)
		return rc;
	way = r->place.driver->sets ? &run_way_sets : &run_way_jobs;
	rc = all_steps(r, way, err);
	return rc < 0 ? rc : verify(r, way, unverified, err);
}

int deploy_run(int sock, struct secret_fds secret, const struct wire_deploy_start *d,
	       const struct conf_fabric *f, const char *keys)
{
	const struct place_ask ask = {
		.fabric = f, .fabric_dir = d->fabric_dir, .content = d->content,
		.repository = d->repository, .project = d->project, .release = d->release,
		.fence = d->fence, .secret = secret,
	};
	struct run r = {
		.d = d, .journal = { .sock = sock, .deployment = d->deployment, .fence = d->fence }
	};
	struct ps_err err = { 0 }, told = { 0 };
	const char *state = "deployed";
	char *unverified = NULL;
	int rc;

	umask(022); /* drivers make folders that another user's runs read */
	rc = carry_out(&r, &ask, keys, &unverified, &err);
	if (rc == PS_ESTALE)
		state = "stopped";
	else if (rc < 0)
		state = r.unknown ? "unknown" : "failed";
	place_close(&r.place);
	buf_clear(&r.stamp);
	rc = journal_end(&r.journal, state, rc < 0 ? err.msg : NULL, unverified, &told);
	free(unverified);
	if (rc < 0)
		log_error("deploy", NULL, "the end '%s' did not reach core: %s", state, told.msg);
	return rc < 0;
}
