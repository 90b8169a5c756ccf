/* plan_text – a plan as lines for people and as canonical JSON for the store; see plan.h. */
#include "config.h"

#include "common/plan/plan.h"

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/escape.h"
#include "common/plan/canon.h"
#include "common/plan/plan_parts.h"

static const struct {
	char sign;
	const char *word;
} changes[] = {
	[PLAN_NEW] = { '+', "new" },
	[PLAN_CHANGED] = { '~', "changed" },
	[PLAN_SAME] = { '=', "unchanged" },
	[PLAN_ORPHAN] = { '-', "orphan" },
	[PLAN_KEPT] = { '.', "kept" },
	[PLAN_GONE] = { 'x', "pruned" },
};

const char *plan_change_word(enum plan_change c)
{
	return changes[c].word;
}

/* ---- for people ---- */

static void print_line(struct buf *out, const char *fmt, ...) PS_PRINTF(2, 3);

static void print_line(struct buf *out, const char *fmt, ...)
{
	char safe[1024], *line;
	va_list ap;

	va_start(ap, fmt);
	line = xvasprintf(fmt, ap);
	va_end(ap);
	buf_addf(out, "%s\n", escape_line(safe, sizeof(safe), line));
	free(line);
}

void plan_print(const struct plan *p, struct buf *out)
{
	for (size_t i = 0; i < p->njobs; i++) {
		const struct plan_job *j = &p->jobs[i];

		print_line(out, "%c %s%s", changes[j->change].sign, j->key,
			   j->drifted ? "  (changed on the fabric since it was deployed)" : "");
		for (size_t k = 0; k < j->nfields; k++)
			print_line(out, "    ~ %s  %s → %s", j->fields[k].path,
				   *j->fields[k].was ? j->fields[k].was : "(none)",
				   *j->fields[k].is ? j->fields[k].is : "(none)");
	}
	for (size_t i = 0; i < p->nproblems; i++)
		print_line(out, "! %s", p->problems[i]);
}

void plan_summary(const struct plan *p, struct buf *out)
{
	size_t n[PLAN_GONE + 1] = { 0 }, put = 0;

	for (size_t i = 0; i < p->njobs; i++)
		n[p->jobs[i].change]++;
	for (size_t i = 0; i < p->nartifacts; i++)
		put += !p->artifacts[i].there;
	buf_addf(out, "%zu new, %zu changed, %zu unchanged, %zu orphan%s, %zu artifact%s",
		 n[PLAN_NEW], n[PLAN_CHANGED], n[PLAN_SAME], n[PLAN_ORPHAN],
		 n[PLAN_ORPHAN] == 1 ? "" : "s", put, put == 1 ? "" : "s");
}

bool plan_changes(const struct plan *p)
{
	for (size_t i = 0; i < p->njobs; i++)
		if (p->jobs[i].change != PLAN_SAME && p->jobs[i].change != PLAN_KEPT)
			return true;
	return false;
}

/* ---- for the store ---- */

static json_t *job_json(const struct plan_job *j)
{
	json_t *fields = json_array(), *uses = json_array();

	for (size_t i = 0; i < j->nfields; i++)
		json_array_append_new(fields,
				      json_pack("{ss ss ss}", "path", j->fields[i].path, "was",
						j->fields[i].was, "is", j->fields[i].is));
	for (size_t i = 0; i < j->nuses; i++)
		json_array_append_new(uses, json_string(j->uses[i]));
	return json_pack("{ss ss ss ss sb so ss ss so}", "key", j->key, "name", j->name, "change",
			 changes[j->change].word, "sha256", j->digest, "drifted", j->drifted,
			 "fields", fields, "version", j->version, "ref", j->ref, "uses", uses);
}

int plan_write(const struct plan *p, struct buf *out, struct ps_err *err)
{
	json_t *artifacts = json_array(), *jobs = json_array(), *problems = json_array(),
	       *seen = json_array(), *v;
	int rc;

	for (size_t i = 0; i < p->nartifacts; i++) {
		const struct plan_artifact *a = &p->artifacts[i];

		json_array_append_new(artifacts, json_pack("{ss ss ss sI sb}", "pipeline",
							   a->pipeline, "path", a->path, "sha256",
							   a->sha256, "size", (json_int_t)a->size,
							   "there", a->there));
	}
	for (size_t i = 0; i < p->njobs; i++)
		json_array_append_new(jobs, job_json(&p->jobs[i]));
	for (size_t i = 0; i < p->nproblems; i++)
		json_array_append_new(problems, json_string(p->problems[i]));
	for (size_t i = 0; i < p->nseen; i++)
		json_array_append_new(seen, json_pack("{ss ss}", "key", p->seen[i].key, "sha256",
						      p->seen[i].digest));
	v = json_pack("{si ss ss ss s{sI ss} so so so so}", "format", 2, "digest", p->digest,
		      "release", p->release, "environment", p->environment, "fabric", "id",
		      (json_int_t)p->fabric_id, "address", p->address, "artifacts", artifacts,
		      "jobs", jobs, "problems", problems, "seen", seen);
	json_object_set_new(v, "rendered", json_string(p->rendered));
	if (p->part)
		json_object_set_new(v, "part", json_true());
	rc = canon_write(v, out, err);
	json_decref(v);
	return rc;
}

static char *dup_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return xstrdup(s ? s : "");
}

static bool copy_digest(char to[65], const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	snprintf(to, 65, "%s", s ? s : "");
	return digest_is_hex(to, PS_DIGEST_HEX);
}

static bool read_job(struct plan_job *j, const json_t *o)
{
	const json_t *fields = json_object_get(o, "fields"), *uses = json_object_get(o, "uses");
	const char *word = json_string_value(json_object_get(o, "change"));
	bool known = false;

	j->key = dup_text(o, "key");
	j->name = dup_text(o, "name");
	j->version = dup_text(o, "version");
	j->ref = dup_text(o, "ref");
	j->uses = xcalloc(json_array_size(uses) + 1, sizeof(*j->uses));
	for (; j->nuses < json_array_size(uses); j->nuses++) {
		const char *path = json_string_value(json_array_get(uses, j->nuses));

		j->uses[j->nuses] = xstrdup(path ? path : "");
	}
	j->drifted = json_is_true(json_object_get(o, "drifted"));
	for (size_t i = 0; i < PS_NELEM(changes); i++)
		if (ps_streq(changes[i].word, word)) {
			j->change = (enum plan_change)i;
			known = true;
		}
	j->fields = xcalloc(json_array_size(fields) + 1, sizeof(*j->fields));
	for (; j->nfields < json_array_size(fields); j->nfields++) {
		const json_t *f = json_array_get(fields, j->nfields);

		j->fields[j->nfields] =
			(struct plan_field) { dup_text(f, "path"), dup_text(f, "was"),
					      dup_text(f, "is") };
	}
	return copy_digest(j->digest, o, "sha256") && known;
}

int plan_read(struct plan *out, const char *bytes, size_t n, struct ps_err *err)
{
	const json_t *artifacts, *jobs, *problems, *seen, *fabric;
	struct plan p = { 0 };
	json_t *v = NULL;
	bool good;
	int rc = canon_read(&v, bytes, n, "plan", err);

	if (rc < 0)
		return rc;
	artifacts = json_object_get(v, "artifacts");
	jobs = json_object_get(v, "jobs");
	problems = json_object_get(v, "problems");
	seen = json_object_get(v, "seen");
	fabric = json_object_get(v, "fabric");
	p.release = dup_text(v, "release");
	p.environment = dup_text(v, "environment");
	p.address = dup_text(fabric, "address");
	p.fabric_id = json_integer_value(json_object_get(fabric, "id"));
	p.seen = xcalloc(json_array_size(seen) + 1, sizeof(*p.seen));
	p.artifacts = xcalloc(json_array_size(artifacts) + 1, sizeof(*p.artifacts));
	p.jobs = xcalloc(json_array_size(jobs) + 1, sizeof(*p.jobs));
	p.problems = xcalloc(json_array_size(problems) + 1, sizeof(*p.problems));
	good = copy_digest(p.digest, v, "digest");
	p.part = json_is_true(json_object_get(v, "part"));
	(void)copy_digest(p.rendered, v, "rendered");
	for (; p.nartifacts < json_array_size(artifacts); p.nartifacts++) {
		const json_t *o = json_array_get(artifacts, p.nartifacts);
		struct plan_artifact *a = &p.artifacts[p.nartifacts];

		a->pipeline = dup_text(o, "pipeline");
		a->path = dup_text(o, "path");
		a->size = json_integer_value(json_object_get(o, "size"));
		a->there = json_is_true(json_object_get(o, "there"));
		good &= copy_digest(a->sha256, o, "sha256");
	}
	for (; p.njobs < json_array_size(jobs); p.njobs++)
		good &= read_job(&p.jobs[p.njobs], json_array_get(jobs, p.njobs));
	for (; p.nseen < json_array_size(seen); p.nseen++) {
		const json_t *o = json_array_get(seen, p.nseen);
		const char *digest = json_string_value(json_object_get(o, "sha256"));

		p.seen[p.nseen].key = dup_text(o, "key");
		snprintf(p.seen[p.nseen].digest, sizeof(p.seen[0].digest), "%s",
			 digest ? digest : "");
	}
	for (; p.nproblems < json_array_size(problems); p.nproblems++) {
		const char *s = json_string_value(json_array_get(problems, p.nproblems));

		p.problems[p.nproblems] = xstrdup(s ? s : "");
	}
	json_decref(v);
	if (!good) {
		plan_clear(&p);
		return ps_err_set(err, PS_EINVAL,
				  "a stored plan has a job or a digest that cannot be read");
	}
	*out = p;
	return 0;
}

void plan_job_clear(struct plan_job *j)
{
	for (size_t i = 0; i < j->nfields; i++) {
		free(j->fields[i].path);
		free(j->fields[i].was);
		free(j->fields[i].is);
	}
	for (size_t i = 0; i < j->nuses; i++)
		free(j->uses[i]);
	for (size_t i = 0; i < j->nfiles; i++)
		free(j->files[i].bytes);
	free(j->files);
	free(j->fields);
	free(j->uses);
	free(j->key);
	free(j->name);
	free(j->version);
	free(j->ref);
	free(j->bytes);
}

void plan_clear(struct plan *p)
{
	for (size_t i = 0; i < p->nartifacts; i++) {
		free(p->artifacts[i].pipeline);
		free(p->artifacts[i].path);
	}
	for (size_t i = 0; i < p->njobs; i++)
		plan_job_clear(&p->jobs[i]);
	for (size_t i = 0; i < p->nproblems; i++)
		free(p->problems[i]);
	for (size_t i = 0; i < p->nseen; i++)
		free(p->seen[i].key);
	free(p->seen);
	free(p->release);
	free(p->environment);
	free(p->address);
	free(p->artifacts);
	free(p->jobs);
	free(p->problems);
	memset(p, 0, sizeof(*p));
}
