/* run – see run.h. */
#include "config.h"

#include "agent/deploy/run.h"

#include <sys/stat.h>

#include <jansson.h>

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/journal.h"
#include "agent/deploy/trust.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/plan/canon.h"

struct run {
	const struct wire_deploy_start *d;
	const struct fabric_driver *driver;
	struct fabric_target target;
	struct fabric_set set;
	struct fabric_file *files, *orphans;
	char **gone;
	struct buf stamp, owner;
	char *place;
	char digest[65];
	struct journal journal;
};

/* ---- what was asked for ---- */

/* A relative path: clean, and not a name that a driver would take for a leftover. */
static bool is_path(const char *s)
{
	return fs_is_clean_relative(s) && !ps_starts(s, ".tmp-") && !strstr(s, "/.tmp-");
}

static int check_jobs(const struct wire_rendered *v, size_t n, struct ps_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!is_path(v[i].key) || !digest_is_hex(v[i].digest, PS_DIGEST_HEX))
			return ps_err_set(err, PS_EPROTO, "'%s' is not a job", v[i].key);
	return 0;
}

static int check(const struct wire_deploy_start *d, struct ps_err *err)
{
	if (d->fabric_dir[0] != '/' || d->content[0] != '/')
		return ps_err_set(err, PS_EPROTO,
				  "the folder of the fabric or of the contents is not absolute");
	if (!is_path(d->repository) || (strcmp(d->project, ".") != 0 && !is_path(d->project)))
		return ps_err_set(err, PS_EPROTO, "'%s' of '%s' cannot be a place on a fabric",
				  d->project, d->repository);
	for (size_t i = 0; i < d->artifacts.n; i++)
		if (!is_path(d->artifacts.v[i].path) ||
		    !ps_starts(d->artifacts.v[i].path, "prophecy/artifacts/") ||
		    !digest_is_hex(d->artifacts.v[i].digest, PS_DIGEST_HEX))
			return ps_err_set(err, PS_EPROTO, "'%s' is not an artifact",
					  d->artifacts.v[i].path);
	for (size_t i = 0; i < d->gone.n; i++)
		if (!is_path(d->gone.v[i]))
			return ps_err_set(err, PS_EPROTO, "'%s' is not a job", d->gone.v[i]);
	if (check_jobs(d->jobs.v, d->jobs.n, err) < 0)
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

static struct fabric_file *definitions(const struct wire_rendered *v, size_t n)
{
	struct fabric_file *files = xcalloc(n + 1, sizeof(*files));

	for (size_t i = 0; i < n; i++)
		files[i] = (struct fabric_file) { xasprintf("%s.json", v[i].key), v[i].digest };
	return files;
}

static int prepare(struct run *r, struct ps_err *err)
{
	const struct wire_deploy_start *d = r->d;
	json_t *owner;
	int rc = check(d, err);

	r->driver = fabric_driver_find(d->provider);
	if (rc == 0 && !r->driver)
		rc = ps_err_set(err, PS_ENOTSUP, "fabric '%s': no driver for %s in this version",
				d->fabric, d->provider);
	if (rc == 0)
		rc = deploy_stamp(d, &r->stamp, r->digest, err);
	if (rc < 0)
		return rc;
	owner = json_pack("{ss ss}", "repository", d->repository, "project", d->project);
	rc = canon_write(owner, &r->owner, err);
	json_decref(owner);
	r->place = strcmp(d->project, ".") == 0 ? xstrdup(d->repository)
						: fs_join(d->repository, d->project);
	r->files = definitions(d->jobs.v, d->jobs.n);
	r->orphans = definitions(d->orphans.v, d->orphans.n);
	r->gone = xcalloc(d->gone.n + 1, sizeof(*r->gone));
	for (size_t i = 0; i < d->gone.n; i++)
		r->gone[i] = xasprintf("%s.json", d->gone.v[i]);
	r->set = (struct fabric_set) {
		r->digest, buf_str(&r->stamp), r->files, d->jobs.n, r->orphans, d->orphans.n,
		(const char *const *)r->gone, d->gone.n,
	};
	r->target =
		(struct fabric_target) { d->fabric_dir, d->content, r->place, buf_str(&r->owner) };
	return rc;
}

/* ---- the steps ---- */

typedef int act_fn(struct run *r, const struct fabric_file *f, enum fabric_outcome *outcome,
		   struct ps_err *err);

static int act_artifact(struct run *r, const struct fabric_file *f, enum fabric_outcome *outcome,
			struct ps_err *err)
{
	return r->driver->put_artifact(&r->target, f, outcome, err);
}

static int act_jobs(struct run *r, const struct fabric_file *f, enum fabric_outcome *outcome,
		    struct ps_err *err)
{
	(void)f;
	return r->driver->put_jobs(&r->target, &r->set, outcome, err);
}

/* The switch counts as done only when a look finds the new set in force. */
static int act_switch(struct run *r, const struct fabric_file *f, enum fabric_outcome *outcome,
		      struct ps_err *err)
{
	struct buf seen = BUF_INIT;
	int rc = r->driver->switch_jobs(&r->target, &r->set, outcome, err);

	(void)f;
	if (rc == 0)
		rc = r->driver->observe(&r->target, &seen, err);
	if (rc == 0 && strcmp(buf_str(&seen), r->set.stamp) != 0)
		rc = ps_err_set(err, PS_ECONFLICT,
				"other definitions than ours are in force after the switch");
	if (rc < 0 && *outcome != FABRIC_NOT_DONE)
		*outcome = FABRIC_UNKNOWN;
	buf_clear(&seen);
	return rc;
}

/* One step: begun in the journal, done, told. *unknown is set when nobody can say what became of
 * it. */
static int step(struct run *r, const char *what, act_fn *act, const struct fabric_file *f,
		bool *unknown, struct ps_err *err)
{
	enum fabric_outcome outcome = FABRIC_NOT_DONE;
	struct ps_err told = { 0 };
	int rc = journal_begin(&r->journal, what, err), sent;

	if (rc < 0)
		return rc;
	rc = act(r, f, &outcome, err);
	*unknown = rc < 0 && outcome == FABRIC_UNKNOWN;
	sent = journal_done(&r->journal,
			    rc == 0    ? "done"
			    : *unknown ? "unknown"
				       : "failed",
			    rc == 0 ? fabric_outcome_word(outcome) : err->msg, &told);
	if (rc == 0 && sent < 0) {
		*err = told;
		rc = sent;
	}
	return rc;
}

/* Is this the stamp of a set of that release? */
static bool is_of_release(const struct buf *stamp, const char *release)
{
	json_t *doc = json_loadb(buf_str(stamp), stamp->len, 0, NULL);
	const char *is = json_string_value(json_object_get(doc, "release"));
	bool same = release && is && strcmp(is, release) == 0;

	json_decref(doc);
	return same;
}

/*
 * What was asked for before core's store was restored may have been done and followed by more
 * since. It goes on where it is there already, or where the fabric is as core remembers it.
 */
static int look_first(struct run *r, struct ps_err *err)
{
	struct buf seen = BUF_INIT;
	int rc = r->d->careful ? r->driver->observe(&r->target, &seen, err) : PS_ENOENT;

	if (rc == PS_ENOENT)		/* nothing is there that could be undone */
		rc = 0;
	else if (rc == 0 && strcmp(buf_str(&seen), r->set.stamp) != 0 &&
		 !is_of_release(&seen, r->d->known))
		rc = ps_err_set(err, PS_ECONFLICT,
				"the fabric was changed after the backup that the store was "
				"restored from, so this older deployment does nothing there: push "
				"again");
	buf_clear(&seen);
	return rc;
}

/*
 * The last step changes nothing: is the fabric as planned? When it is not, what was deployed stays
 * deployed; *unverified says why it is not verified (free it).
 */
static int verify(struct run *r, char **unverified, struct ps_err *err)
{
	struct ps_err why = { 0 }, *told = &why;
	char what[128];
	int rc;

	snprintf(what, sizeof(what), "verify %s", r->digest);
	rc = journal_begin(&r->journal, what, err);
	if (rc < 0)
		return rc;
	rc = r->driver->check(&r->target, &r->set, told);
	if (rc < 0)
		*unverified = xasprintf("the fabric is not as planned: %s", ps_err_msg(told, rc));
	return journal_done(&r->journal, rc < 0 ? "failed" : "done",
			    rc < 0 ? *unverified : "as planned", err);
}

static int all_steps(struct run *r, bool *unknown, struct ps_err *err)
{
	char what[128];
	int rc = look_first(r, err);

	for (size_t i = 0; rc == 0 && i < r->d->artifacts.n; i++) {
		struct fabric_file f = { r->d->artifacts.v[i].path, r->d->artifacts.v[i].digest };
		char *name = xasprintf("artifact %s", f.path);

		rc = step(r, name, act_artifact, &f, unknown, err);
		free(name);
	}
	snprintf(what, sizeof(what), "jobs %s", r->digest);
	if (rc == 0)
		rc = step(r, what, act_jobs, NULL, unknown, err);
	snprintf(what, sizeof(what), "switch %s", r->digest);
	if (rc == 0)
		rc = step(r, what, act_switch, NULL, unknown, err);
	return rc;
}

static void run_clear(struct run *r)
{
	for (size_t i = 0; r->files && i < r->d->jobs.n; i++)
		free((char *)r->files[i].path);
	for (size_t i = 0; r->orphans && i < r->d->orphans.n; i++)
		free((char *)r->orphans[i].path);
	for (size_t i = 0; r->gone && i < r->d->gone.n; i++)
		free(r->gone[i]);
	free(r->files);
	free(r->orphans);
	free(r->gone);
	free(r->place);
	buf_clear(&r->stamp);
	buf_clear(&r->owner);
}

int deploy_run(int sock, const struct wire_deploy_start *d, const char *keys)
{
	struct run r = {
		.d = d, .journal = { .sock = sock, .deployment = d->deployment, .fence = d->fence }
	};
	struct ps_err err = { 0 }, told = { 0 };
	const char *state = "deployed";
	char *unverified = NULL;
	bool unknown = false;
	int rc;

	umask(022); /* drivers make folders that another user's runs read */
	rc = prepare(&r, &err);
	if (rc == 0)
		rc = deploy_trust(d, keys, &err);
	if (rc == 0)
		rc = all_steps(&r, &unknown, &err);
	if (rc == 0)
		rc = verify(&r, &unverified, &err);
	if (rc == PS_ESTALE)
		state = "stopped";
	else if (rc < 0)
		state = unknown ? "unknown" : "failed";
	run_clear(&r);
	rc = journal_end(&r.journal, state, rc < 0 ? err.msg : NULL, unverified, &told);
	free(unverified);
	if (rc < 0)
		log_error("deploy", NULL, "the end '%s' did not reach core: %s", state, told.msg);
	return rc < 0;
}
