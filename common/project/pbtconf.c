/* pbtconf – see pbtconf.h. */
#include "config.h"

#include "common/project/pbtconf.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/project/pbtconf_parts.h"

enum { FILE_MAX_BYTES = 4 << 20 };

static const struct doc_pos nowhere = { 0, 0 };

/* ---- state.yml ---- */

static struct pbtconf_job *job_there(struct pbtconf *c, const struct pbtconf_fabric *f,
				     const char *job, const char *id)
{
	for (size_t i = 0; i < c->njobs; i++) {
		struct pbtconf_job *j = &c->jobs[i];

		if (j->fabric == f && (strcmp(j->job, job) == 0 || strcmp(j->id, id) == 0))
			return j;
	}
	return NULL;
}

/* Why a row has no id that could be taken over; NULL: it has one. free() it. */
static char *no_id(const struct pbtconf_fabric *f, const char *type, const char *fabric,
		   const char *id)
{
	if (!f)
		return xasprintf("its fabric %s is not in fabrics.yml", fabric);
	if (f->kind == PBTCONF_OTHER)
		return xasprintf("its fabric %s is not carried over", f->called);
	if (f->kind == PBTCONF_AIRFLOW)
		return xasprintf("DAGs have no number: penstock takes over '%s' by its name", id);
	if (!ps_streq(type, "Databricks"))
		return xasprintf("it is of type %s, and its fabric %s is none",
				 type ? type : "(none)", f->called);
	if (*id < '1' || *id > '9' || strspn(id, "0123456789") != strlen(id) || strlen(id) > 18)
		return xasprintf("'%s' is no number of a job of Databricks", id);
	return NULL;
}

static void one_job(struct pbtconf_reading *r, const struct doc_node *item)
{
	static const char *const known[] = { "id",
					     "name",
					     "type",
					     "external_job_id",
					     "fabric_id",
					     "is_paused",
					     "skip_processing",
					     "release_tag",
					     NULL };
	const char *job = pbtconf_text(r, item, "id", true),
		   *name = pbtconf_text(r, item, "name", true);
	const char *type = pbtconf_text(r, item, "type", true);
	const char *id = pbtconf_text(r, item, "external_job_id", true);
	const char *fabric = pbtconf_text(r, item, "fabric_id", true);
	const char *tag = pbtconf_text(r, item, "release_tag", false);
	const struct pbtconf_fabric *f = fabric ? pbtconf_fabric_of(r->c, fabric) : NULL;
	const struct doc_node *skip = doc_get(item, "skip_processing");
	struct pbtconf *c = r->c;
	struct pbtconf_job *other;
	char *why;

	pbtconf_unknown(r, item, "a job", known);
	if (!job || !name || !type || !id || !fabric)
		return;
	if (!ps_starts(job, "jobs/") || !job[strlen("jobs/")]) {
		pbtconf_error(r, doc_get(item, "id")->at, "PS-PBT-003",
			      "'%s' must be a key of "
			      "pbt_project.yml like jobs/NAME",
			      job);
		return;
	}
	why = no_id(f, type, fabric, id);
	if (why) {
		pbtconf_leave(r, item->at, xasprintf("the id of %s on fabric %s", job, fabric),
			      why);
		return;
	}
	other = job_there(c, f, job, id);
	if (other) {
		pbtconf_error(r, item->at, "PS-PBT-005",
			      "%s is job %s of fabric %s, and by line %u %s is job %s: "
			      "take the row out that is wrong",
			      job, id, fabric, other->at.line, other->job, other->id);
		return;
	}
	if (skip && skip->kind == DOC_BOOL && skip->num)
		pbtconf_leave(r, skip->at, xasprintf("skip_processing of %s", job),
			      xstrdup("penstock deploys every job of a release"));
	c->jobs = xgrow(c->jobs, c->njobs, &r->cap_jobs, sizeof(*c->jobs));
	c->jobs[c->njobs++] = (struct pbtconf_job){
		.fabric = f,
		.job = xstrdup(job),
		.name = xstrdup(name),
		.id = xstrdup(id),
		.tag = xstrdup_null(tag),
		.at = item->at,
	};
}

static void read_state(struct pbtconf_reading *r, const struct doc_node *root)
{
	static const char *const known[] = { "version", "jobs", NULL };
	const char *version = pbtconf_text(r, root, "version", false);
	const struct doc_node *list = pbtconf_list(r, root, "jobs");

	if (version && strcmp(version, "1.0") != 0)
		pbtconf_error(r, doc_get(root, "version")->at, "PS-PBT-003",
			      "version '%s' is not known: "
			      "this penstock reads 1.0",
			      version);
	pbtconf_unknown(r, root, r->file, known);
	for (size_t i = 0; list && i < list->n; i++)
		if (pbtconf_is_map(r, list->items[i], "a job"))
			one_job(r, list->items[i]);
}

/* ---- system.yml, override.yml ---- */

static void read_system(struct pbtconf_reading *r, const struct doc_node *root)
{
	static const char *const known[] = { "customer_name", "control_plane_name", "prophecy_salt",
					     "nexus", NULL };
	const struct doc_node *nexus = doc_get(root, "nexus"),
			      *salt = doc_get(root, "prophecy_salt");

	r->c->customer = xstrdup_null(pbtconf_text(r, root, "customer_name", false));
	r->c->control_plane = xstrdup_null(pbtconf_text(r, root, "control_plane_name", false));
	pbtconf_unknown(r, root, r->file, known);
	if (salt && salt->kind != DOC_NULL)
		pbtconf_leave(r, salt->at, xstrdup("prophecy_salt"),
			      xstrdup("penstock proves a release by its own signature"));
	if (nexus && nexus->kind != DOC_NULL)
		pbtconf_leave(r, nexus->at, xstrdup("nexus"),
			      xstrdup("wheels come from the agent's own store, and from no Nexus"));
}

static void read_override(struct pbtconf_reading *r, const struct doc_node *root)
{
	static const char *const known[] = { "tests_enabled", "mode", "jobs_and_fabric", NULL };
	const struct doc_node *tests = doc_get(root, "tests_enabled"),
			      *mode = doc_get(root, "mode");
	const struct doc_node *list = pbtconf_list(r, root, "jobs_and_fabric");
	const char *word = pbtconf_text(r, root, "mode", false);

	pbtconf_unknown(r, root, r->file, known);
	if (tests && tests->kind == DOC_BOOL && !tests->num)
		pbtconf_leave(r, tests->at, xstrdup("tests_enabled: false"),
			      xstrdup("penstock runs the tests that a pipeline has"));
	if (word && strcmp(word, "FullProject") != 0)
		pbtconf_leave(r, mode->at, xasprintf("mode: %s", word),
			      xstrdup("a release is whole; `penstock deploy ... --job` takes some "
				      "jobs of it"));
	for (size_t i = 0; list && i < list->n; i++) {
		const char *job, *fabric;

		if (!pbtconf_is_map(r, list->items[i], "an item of jobs_and_fabric"))
			continue;
		job = pbtconf_text(r, list->items[i], "job_id", true);
		fabric = pbtconf_text(r, list->items[i], "fabric_id", true);
		if (job && fabric && *fabric)
			pbtconf_leave(r, list->items[i]->at,
				      xasprintf("%s to fabric %s", job, fabric),
				      xstrdup("a job goes to the fabric that it names: `jobs: "
					      "derive` of an "
					      "environment makes one more of it for another"));
	}
}

/* ---- the files ---- */

typedef void read_fn(struct pbtconf_reading *r, const struct doc_node *root);

static const struct {
	const char *name;
	read_fn *read;
	bool needed;
	const char *without;
} files[] = {
	{ "fabrics.yml", pbtconf_fabrics, true,
	  "name the folder that `pbt deploy-v2 --conf-dir` is given" },
	{ "state.yml", read_state, false,
	  "without it there are no ids of jobs: put new_state.yml of the last `pbt deploy-v2` "
	  "there" },
	{ "system.yml", read_system, false,
	  "without it customer and control plane stand in the jobs' own paths alone" },
	{ "override.yml", read_override, false, NULL },
};

/* The file parsed; NULL: it is not there, or a finding says what is wrong. */
static int parse(struct pbtconf_reading *r, int dir, size_t which, struct doc **doc,
		 struct ps_err *err)
{
	struct doc_fault fault = { .at = { 0, 0 } };
	struct buf bytes = BUF_INIT;
	int rc = fs_read(&bytes, dir, files[which].name, FILE_MAX_BYTES, err);

	*doc = NULL;
	if (rc == PS_ENOENT && (files[which].needed || files[which].without)) {
		diag_add(r->out, files[which].needed ? DIAG_ERROR : DIAG_WARNING, r->file, 0, 0,
			 "PS-PBT-001", "there is no such file: %s", files[which].without);
		rc = 0;
	} else if (rc == PS_ENOENT) {
		rc = 0;
	} else if (rc == 0) {
		rc = doc_yaml(doc, buf_str(&bytes), bytes.len, &fault);
		if (rc < 0)
			pbtconf_error(r, fault.at, "PS-PBT-002",
				      "%s: put it right, and import again", fault.text);
		rc = 0;
	}
	buf_clear(&bytes);
	return rc;
}

static void repeated_keys(struct pbtconf_reading *r, const struct doc_node *n)
{
	for (size_t i = 0; i < n->n && n->kind == DOC_LIST; i++)
		repeated_keys(r, n->items[i]);
	for (size_t i = 0; i < n->n && n->kind == DOC_MAP; i++) {
		if (n->pairs[i].repeats)
			pbtconf_error(r, n->pairs[i].key->at, "PS-PBT-005",
				      "'%s' is there twice: take one of "
				      "them out",
				      n->pairs[i].key->text);
		repeated_keys(r, n->pairs[i].value);
	}
}

static int read_file(struct pbtconf_reading *r, int dir, size_t which, struct ps_err *err)
{
	struct doc *doc;
	int rc;

	r->file = files[which].name;
	rc = parse(r, dir, which, &doc, err);
	if (rc == 0 && doc && doc->root && doc->root->kind != DOC_NULL &&
	    pbtconf_is_map(r, doc->root, "the file")) {
		repeated_keys(r, doc->root);
		files[which].read(r, doc->root);
	} else if (rc == 0 && doc && files[which].needed &&
		   (!doc->root || doc->root->kind == DOC_NULL)) {
		pbtconf_error(r, nowhere, "PS-PBT-003", "the file is empty: %s",
			      files[which].without);
	}
	doc_free(doc);
	return rc;
}

int pbtconf_read(struct pbtconf **out, const char *dir, pbtconf_env_fn *env,
		 struct diag_list *findings, struct ps_err *err)
{
	struct pbtconf_reading r = { .c = xcalloc(1, sizeof(*r.c)), .env = env, .out = findings };
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? ps_err_errno(err, "cannot read the folder '%s'", dir) : 0;

	for (size_t i = 0; i < PS_NELEM(files) && rc == 0; i++)
		rc = read_file(&r, fd, i, err);
	if (fd >= 0)
		close(fd);
	if (rc == 0 && !findings->errors) {
		*out = r.c;
		r.c = NULL;
	}
	pbtconf_free(r.c);
	return rc;
}

static void fabric_clear(struct pbtconf_fabric *f)
{
	free(f->uid);
	free(f->called);
	free(f->name);
	free(f->host);
	free(f->volume);
	free(f->client_id);
	free(f->user);
	free(f->dags);
	free(f->uploader);
	free(f->uploader_user);
	free(f->secret.env);
	free(f->uploader_secret.env);
}

void pbtconf_free(struct pbtconf *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->nfabrics; i++)
		fabric_clear(&c->fabrics[i]);
	for (size_t i = 0; i < c->njobs; i++) {
		free(c->jobs[i].job);
		free(c->jobs[i].name);
		free(c->jobs[i].id);
		free(c->jobs[i].tag);
	}
	for (size_t i = 0; i < c->nleft; i++) {
		free(c->left[i].where);
		free(c->left[i].what);
		free(c->left[i].why);
	}
	free(c->fabrics);
	free(c->jobs);
	free(c->left);
	free(c->customer);
	free(c->control_plane);
	free(c);
}
