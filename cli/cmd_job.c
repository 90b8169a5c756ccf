/* job derive: a job once more, for another fabric, in a working copy: what a rule of penstock.yml
 * makes of it at deployment, for a team that wants to have it in Git. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/cmd.h"
#include "cli/json_form.h"
#include "cli/show.h"
#include "common/base/fsutil.h"
#include "common/plan/canon.h"
#include "common/plan/derive.h"
#include "common/plan/job_check.h"
#include "common/plan/render.h"
#include "common/project/entry_copy.h"
#include "common/project/job.h"
#include "common/project/pipeline.h"

enum { JOB_FROM, JOB_AS, JOB_CONFIG, JOB_FABRIC, JOB_PAUSED };

struct job_file {
	char *path; /* below the job's folder */
	struct buf bytes;
	bool exec;
};

struct deriving_job {
	struct cli *cli;
	const char *folder; /* of the project */
	struct conf_derive rule;
	int64_t fabric_id;
	struct tree *t;
	struct project p;
	struct manifest m; /* the pipelines, for derive */
	struct job_file *files;
	size_t nfiles, cap;
	struct buf yml;
	struct buf problems;
};

/* ---- what is there ---- */

static void add_pipeline(struct deriving_job *d, const char *key)
{
	struct manifest_artifact *a = &d->m.artifacts[d->m.nartifacts];
	struct pipeline_instances l = { NULL, 0, 0 };
	char *setup = xasprintf("%s/code/setup.py", key), *name = NULL, *version = NULL;
	struct buf text = BUF_INIT;

	if (!tree_is_dir(d->t, key) || pipeline_instances(d->t, key, &l, NULL) < 0)
		goto out;
	d->m.nartifacts++;
	a->pipeline = xstrdup(key);
	a->instances = xcalloc(l.n, sizeof(*a->instances));
	for (; a->ninstances < l.n; a->ninstances++)
		a->instances[a->ninstances] = xstrdup(l.v[a->ninstances].name);
	if (tree_read(d->t, setup, SETUP_MAX, &text, NULL) == 0)
		pipeline_setup_scan(buf_str(&text), text.len, &name, &version);
	a->file = name && version ? pipeline_wheel(name, version) : NULL;
	if (!a->file)
		a->file = xstrdup("");
out:
	pipeline_instances_clear(&l);
	buf_clear(&text);
	free(setup);
	free(name);
	free(version);
}

static int open_project(struct deriving_job *d, struct ps_err *err)
{
	const struct doc_pair *e;
	size_t n = 0;
	int rc = tree_dir_open(&d->t, d->folder, err);

	if (rc == 0)
		rc = project_read(d->t, ".", &d->p, err);
	if (rc == PS_ENOENT)
		return ps_err_set(err, rc, "there is no " PROJECT_FILE " in '%s'", d->folder);
	if (rc < 0)
		return rc;
	if (!d->p.doc)
		return ps_err_set(err, PS_EINVAL, PROJECT_FILE ":%u:%u: %s", d->p.fault.at.line,
				  d->p.fault.at.col, d->p.fault.text);
	for (size_t i = 0; project_next(&d->p, PROJECT_PIPELINES, &i);)
		n++;
	d->m.artifacts = xcalloc(n, sizeof(*d->m.artifacts));
	for (size_t i = 0; (e = project_next(&d->p, PROJECT_PIPELINES, &i));)
		if (project_key_is_safe(e->key))
			add_pipeline(d, e->key->text);
	return 0;
}

static int take_file(void *arg, const char *path, const struct tree_entry *e, struct ps_err *err)
{
	struct deriving_job *d = arg;
	struct job_file *f;

	if (e->kind == TREE_DIR)
		return 0;
	if (e->kind != TREE_FILE && e->kind != TREE_EXEC)
		return ps_err_set(err, PS_EINVAL, "'%s' is no file: it is not copied", path);
	d->files = xgrow(d->files, d->nfiles, &d->cap, sizeof(*d->files));
	f = &d->files[d->nfiles++];
	*f = (struct job_file) { .path = xstrdup(path + strlen(d->rule.from) + 1),
				 .exec = e->kind == TREE_EXEC };
	return tree_read(d->t, path, PS_JSON_MAX, &f->bytes, err);
}

static int find_job(struct deriving_job *d, struct ps_err *err)
{
	const struct doc_node *entry = doc_path(d->p.doc->root, "jobs", d->rule.from, NULL);
	char *file = xasprintf("%s/" MANIFEST_TEMPLATE, d->rule.from);
	int rc = 0;

	if (!entry)
		rc = ps_err_set(err, PS_ENOENT, PROJECT_FILE " has no job '%s'", d->rule.from);
	else if (job_provider(entry, NULL) != JOB_DATABRICKS || !tree_is_file(d->t, file))
		rc = ps_err_set(err, PS_EINVAL,
				"'%s' has no " MANIFEST_TEMPLATE ": only such jobs can be derived",
				d->rule.from);
	else if (tree_is_dir(d->t, d->rule.as) || tree_is_file(d->t, d->rule.as))
		rc = ps_err_set(err, PS_ECONFLICT, "'%s' is there already: nothing is overwritten",
				d->rule.as);
	if (rc == 0 && !d->fabric_id)
		d->fabric_id = job_fabric_number(doc_get(entry, "fabricUID"));
	if (rc == 0)
		rc = tree_walk(d->t, d->rule.from, take_file, d, err);
	free(file);
	return rc;
}

/* ---- what it becomes ---- */

static void tell_problem(void *arg, const char *text)
{
	struct deriving_job *d = arg;

	buf_addf(&d->problems, "%s%s", d->problems.len ? "\n" : "", text);
}

static int derive_template(struct deriving_job *d, json_t *doc, struct ps_err *err)
{
	struct derive_to to = { .rule = &d->rule, .release = &d->m, .fabric_id = d->fabric_id };

	if (!render_request(doc))
		return ps_err_set(err, PS_EINVAL, "'%s': " MANIFEST_TEMPLATE " has no request",
				  d->rule.from);
	if (!derive_job(doc, &to, tell_problem, d))
		job_check(doc, tell_problem, d);
	return 0;
}

/* What the editor reads of the same: who it is, where it runs, which instance is picked. */
static int derive_editor(struct deriving_job *d, json_t *doc, struct ps_err *err)
{
	json_t *info = json_object_get(doc, "metainfo"), *processes, *p;
	const char *id = json_string_value(json_object_get(info, "jobId")), *key;
	char fabric[24], *own;

	(void)err;
	snprintf(fabric, sizeof(fabric), "%lld", (long long)d->fabric_id);
	if (id && ps_ends(id, d->rule.from)) {
		own = xasprintf("%.*s%s", (int)(strlen(id) - strlen(d->rule.from)), id,
				d->rule.as);
		json_object_set_new(info, "jobId", json_string(own));
		free(own);
	}
	if (json_object_get(info, "name"))
		json_object_set_new(info, "name", json_string(derive_name(d->rule.as)));
	if (json_object_get(info, "fabricId"))
		json_object_set_new(info, "fabricId", json_string(fabric));
	if (json_object_get(info, "enabled"))
		json_object_set_new(info, "enabled", json_boolean(d->rule.enabled));
	processes = json_object_get(doc, "processes");
	json_object_foreach(processes, key, p)
	{
		json_t *c = json_object_get(json_object_get(p, "properties"), "configurations");

		if (d->rule.config && json_object_get(c, "selectedInstance"))
			json_object_set_new(c, "selectedInstance", json_string(d->rule.config));
	}
	return 0;
}

static const struct {
	const char *path;
	int (*change)(struct deriving_job *d, json_t *doc, struct ps_err *err);
} changed[] = {
	{ MANIFEST_TEMPLATE, derive_template },
	{ "code/prophecy-job.json", derive_editor },
};

static int change_file(struct deriving_job *d, struct job_file *f, size_t how, struct ps_err *err)
{
	struct buf made = BUF_INIT;
	json_t *doc = NULL;
	int rc = canon_read(&doc, buf_str(&f->bytes), f->bytes.len, f->path, err);

	if (rc == 0)
		rc = changed[how].change(d, doc, err);
	if (rc == 0)
		rc = json_form(&made, doc, buf_str(&f->bytes), err);
	if (rc == 0) {
		buf_clear(&f->bytes);
		f->bytes = made;
	} else {
		buf_clear(&made);
	}
	json_decref(doc);
	return rc;
}

static int change_all(struct deriving_job *d, struct ps_err *err)
{
	char fabric[24];
	const struct entry_change changes[] = {
		{ "name", derive_name(d->rule.as) },
		{ "fabricUID", fabric },
		{ "enabled", d->rule.enabled ? "true" : "false" },
	};
	int rc = 0;

	snprintf(fabric, sizeof(fabric), "%lld", (long long)d->fabric_id);
	for (size_t i = 0; i < d->nfiles && rc == 0; i++)
		for (size_t k = 0; k < PS_NELEM(changed) && rc == 0; k++)
			if (strcmp(d->files[i].path, changed[k].path) == 0)
				rc = change_file(d, &d->files[i], k, err);
	return rc < 0 ? rc
		      : entry_copy(&d->p, d->rule.from, d->rule.as, changes, PS_NELEM(changes),
				   &d->yml, err);
}

/* ---- onto the disk ---- */

static int write_files(struct deriving_job *d, const char *top, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < d->nfiles && rc == 0; i++) {
		struct job_file *f = &d->files[i];
		char *path = fs_join(top, f->path), *slash = strrchr(path, '/');

		*slash = '\0';
		rc = fs_mkdirs(path, 0777, err);
		*slash = '/';
		if (rc == 0)
			rc = fs_write_file(AT_FDCWD, path, buf_str(&f->bytes), f->bytes.len,
					   f->exec ? 0755 : 0644, err);
		free(path);
	}
	return rc;
}

/* The folder whole, then the entry that names it. */
static int write_all(struct deriving_job *d, struct ps_err *err)
{
	char name[64], *top = fs_join(d->folder, d->rule.as), *slash = strrchr(top, '/'), *tmp;
	char *yml = fs_join(d->folder, PROJECT_FILE);
	struct stat st;
	int rc;

	fs_tmp_name(name, sizeof(name));
	tmp = xasprintf("%.*s/%s", (int)(slash - top), top, name);
	rc = write_files(d, tmp, err);
	if (rc == 0 && stat(yml, &st) < 0)
		rc = ps_err_errno(err, "cannot look at '%s'", yml);
	if (rc == 0 && renameat2(AT_FDCWD, tmp, AT_FDCWD, top, RENAME_NOREPLACE) < 0)
		rc = ps_err_errno(err, "cannot make '%s'", top);
	if (rc < 0) {
		if (fs_exists(tmp) && fs_remove_tree(AT_FDCWD, tmp, NULL) < 0)
			fprintf(stderr, "warning: '%s' was left behind\n", tmp);
	} else {
		rc = fs_write_file(AT_FDCWD, yml, buf_str(&d->yml), d->yml.len, st.st_mode & 0777,
				   err);
		if (rc < 0 && fs_remove_tree(AT_FDCWD, top, NULL) < 0)
			fprintf(stderr, "warning: '%s' was left behind\n", top);
	}
	free(tmp);
	free(top);
	free(yml);
	return rc;
}

static void tell_done(const struct deriving_job *d)
{
	char *folder = cli_quote(d->folder);
	json_t *doc;

	if (d->cli->json) {
		doc = json_pack("{s:[{s:s, s:s, s:s, s:I, s:I}]}", "items", "id", d->rule.as,
				"state", "new", "from", d->rule.from, "fabric_id",
				(json_int_t)d->fabric_id, "files", (json_int_t)d->nfiles);
		show_json(doc);
		json_decref(doc);
	} else {
		printf("%s from %s: %zu files, and its entry in " PROJECT_FILE "\n", d->rule.as,
		       d->rule.from, d->nfiles);
		printf("next: %s check %s\n", cli_self(d->cli), folder);
	}
	free(folder);
}

static void deriving_clear(struct deriving_job *d)
{
	for (size_t i = 0; i < d->nfiles; i++) {
		free(d->files[i].path);
		buf_clear(&d->files[i].bytes);
	}
	for (size_t i = 0; i < d->m.nartifacts; i++) {
		struct manifest_artifact *a = &d->m.artifacts[i];

		for (size_t k = 0; k < a->ninstances; k++)
			free(a->instances[k]);
		free(a->instances);
		free(a->pipeline);
		free(a->file);
	}
	free(d->m.artifacts);
	free(d->files);
	project_clear(&d->p);
	tree_close(d->t);
	buf_clear(&d->yml);
	buf_clear(&d->problems);
}

static bool is_job_key(const char *s)
{
	return ps_starts(s, "jobs/") && fs_is_clean_relative(s) && s[5] &&
	       strspn(s + 5, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			     "0123456789._-") == strlen(s + 5);
}

static int read_options(struct deriving_job *d, const struct cmd_args *a)
{
	/* every command has an --as; no person is asked for here, so it is ours */
	const char *fabric = a->opt[JOB_FABRIC], *as = d->cli->as;
	char *end = NULL;

	if (!a->opt[JOB_FROM] || !is_job_key(a->opt[JOB_FROM]))
		return cli_fail(d->cli, CLI_USAGE, NULL, "--from must be a job like jobs/NAME");
	if (!as || !is_job_key(as))
		return cli_fail(d->cli, CLI_USAGE, NULL, "--as must be a job like jobs/NAME");
	errno = 0;
	d->fabric_id = fabric ? strtoll(fabric, &end, 10) : 0;
	if (fabric && (errno || *end || d->fabric_id < 1))
		return cli_fail(d->cli, CLI_USAGE, NULL, "--fabric must be the id of a fabric");
	d->rule = (struct conf_derive) { .from = (char *)a->opt[JOB_FROM],
					 .as = (char *)as,
					 .config = (char *)a->opt[JOB_CONFIG],
					 .enabled = !a->opt[JOB_PAUSED] };
	return 0;
}

static int job_derive_exec(struct cli *cli, const struct cmd_args *a)
{
	struct deriving_job d = { .cli = cli, .folder = a->n ? a->arg[0] : "." };
	struct ps_err err = { 0 };
	int code = read_options(&d, a), rc;

	if (code)
		return code;
	rc = open_project(&d, &err);
	if (rc == 0)
		rc = find_job(&d, &err);
	if (rc == 0)
		rc = change_all(&d, &err);
	if (rc == 0 && d.problems.len)
		rc = ps_err_set(&err, PS_EINVAL, "%s", buf_str(&d.problems));
	if (rc == 0)
		rc = write_all(&d, &err);
	if (rc == 0)
		tell_done(&d);
	else
		code = cli_fail_err(cli, &err, NULL);
	deriving_clear(&d);
	return code;
}

const struct cmd cmd_job_derive = {
	.name = "job derive",
	.usage = "[PROJECT] --from jobs/A --as jobs/B [--config X] [--fabric ID] [--paused]",
	.group = "Look",
	.help = "Write a job once more into a working copy, for another fabric",
	.more = "What 'derive' in penstock.yml makes of a job at deployment, for a team that\n"
		"wants to have it in Git: the folder jobs/B with all files of jobs/A, and an\n"
		"entry in pbt_project.yml behind that of jobs/A, written as the file is.\n"
		"PROJECT is the folder of pbt_project.yml (the current one). Nothing is\n"
		"overwritten.",
	.example = "job derive --from jobs/job_development --as jobs/job_production --config prod "
		   "--fabric 4004",
	.needs = CMD_NOTHING,
	.max = 1,
	.opts = { [JOB_FROM] = { "from", 0, "jobs/A", "the job that is there" },
		  [JOB_AS] = { "as", 0, "jobs/B", "the job that is made" },
		  [JOB_CONFIG] = { "config", 'i', "NAME",
				   "config instance of its tasks (as in jobs/A)" },
		  [JOB_FABRIC] = { "fabric", 'f', "ID", "fabricUID (as in jobs/A)" },
		  [JOB_PAUSED] = { "paused", 0, NULL, "its schedule does not run" } },
	.exec = job_derive_exec,
};
