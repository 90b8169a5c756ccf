/* Units of what a release leaves as it is: 200 jobs with a wheel each, deployed, and then a release
 * in which something is other than before. Counted is what would be put and written. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/plan/plan.h"
#include "common/plan/select.h"

enum { MANY = 200 };

/* The fabric as core knows it, after the plans that were "deployed". */
struct fx {
	struct manifest m;
	struct manifest_artifact artifacts[MANY];
	struct manifest_job jobs[MANY];
	struct manifest_file files[MANY];
	struct plan_template templates[MANY];
	char shas[MANY][65];
	struct plan_input in;
	struct plan_known known[MANY];
	struct plan_there there[4 * MANY];
	size_t nknown, nthere;
	struct plan now;
};

static char t_databricks[] = "databricks", t_file[] = "code/databricks-job.json";

static void set_template(struct fx *f, size_t i, size_t wheel, int retries)
{
	char *text = xasprintf(
		"{\"fabric_id\":\"7\",\"components\":[],\"request\":{\"name\":\"j%03zu\",\"tags\":"
		"{\"release\":\"__PROJECT_RELEASE_VERSION_PLACEHOLDER__\"},\"tasks\":[{\"task_key\":"
		"\"a\",\"max_retries\":%d,\"python_wheel_task\":{\"package_name\":\"p\",\"entry_point\":"
		"\"main\",\"parameters\":[]},\"libraries\":[{\"whl\":\"dbfs:/FileStore/prophecy/"
		"artifacts/dev/execution/__PROJECT_ID_PLACEHOLDER__/"
		"__PROJECT_RELEASE_VERSION_PLACEHOLDER__/pipeline/w%03zu-1.0-py3-none-any.whl\"}]}]}}",
		i, retries, wheel);

	free((char *)f->templates[i].bytes);
	digest_bytes(f->shas[i], text, strlen(text));
	memcpy(f->files[i].sha256, f->shas[i], 65);
	f->templates[i] = (struct plan_template) { f->shas[i], text, strlen(text) };
}

static void set_wheel(struct fx *f, size_t i, const char *content)
{
	char *bytes = xasprintf("%zu %s", i, content);

	digest_bytes(f->artifacts[i].sha256, bytes, strlen(bytes));
	free(bytes);
}

/* A plan of this version, in f->now. */
static void plan(struct fx *f, const char *version, const char *tag)
{
	struct ps_err err = { 0 };

	plan_clear(&f->now);
	f->in.known = f->known;
	f->in.nknown = f->nknown;
	f->in.there = f->there;
	f->in.nthere = f->nthere;
	f->in.ref = tag;
	f->in.params.release_version = version;
	f->in.params.full_release_tag = version;
	assert_int_equal(plan_make(&f->now, &f->in, &err), 0);
	if (f->now.nproblems)
		fail_msg("%s", f->now.problems[0]);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct plan_there *)a)->path, ((const struct plan_there *)b)->path);
}

static void put_there(struct fx *f, const struct plan_artifact *a)
{
	for (size_t i = 0; i < f->nthere; i++)
		if (strcmp(f->there[i].path, a->path) == 0)
			return;
	f->there[f->nthere++] = (struct plan_there) { xstrdup(a->path), xstrdup(a->sha256) };
}

static void known_clear(struct plan_known *k)
{
	free((char *)k->key);
	free((char *)k->name);
	free((char *)k->digest);
	free((char *)k->bytes);
	free((char *)k->version);
	free((char *)k->ref);
	*k = (struct plan_known) { .key = NULL };
}

/* The fabric is as f->now says. */
static void deploy(struct fx *f)
{
	for (size_t i = 0; i < f->nknown; i++)
		known_clear(&f->known[i]);
	for (f->nknown = 0; f->nknown < f->now.njobs; f->nknown++) {
		const struct plan_job *j = &f->now.jobs[f->nknown];

		f->known[f->nknown] = (struct plan_known) {
			.key = xstrdup(j->key), .name = xstrdup(j->name),
			.digest = xstrdup(j->digest), .bytes = xstrndup(j->bytes, j->n), .n = j->n,
			.version = xstrdup(j->version), .ref = xstrdup(j->ref),
		};
	}
	for (size_t i = 0; i < f->now.nartifacts; i++)
		put_there(f, &f->now.artifacts[i]);
	qsort(f->there, f->nthere, sizeof(*f->there), by_path);
}

static void counts(const struct fx *f, size_t written, size_t same, size_t put)
{
	size_t w = 0, s = 0, n = 0;

	for (size_t i = 0; i < f->now.njobs; i++) {
		w += f->now.jobs[i].change == PLAN_NEW || f->now.jobs[i].change == PLAN_CHANGED;
		s += f->now.jobs[i].change == PLAN_SAME;
	}
	for (size_t i = 0; i < f->now.nartifacts; i++)
		n += !f->now.artifacts[i].there;
	assert_int_equal(w, written);
	assert_int_equal(s, same);
	assert_int_equal(n, put);
}

/* Every library of every job lies there after the plan, with the bytes of the release. */
static void is_whole(const struct fx *f)
{
	for (size_t i = 0; i < f->now.njobs; i++)
		for (size_t k = 0; k < f->now.jobs[i].nuses; k++) {
			const char *path = f->now.jobs[i].uses[k], *found = NULL;

			assert_non_null(strstr(f->now.jobs[i].bytes, path));
			for (size_t a = 0; a < f->now.nartifacts; a++)
				if (strcmp(f->now.artifacts[a].path, path) == 0)
					found = f->now.artifacts[a].sha256;
			assert_non_null(found);
			assert_string_equal(
				found,
				manifest_artifact_named(&f->m, strrchr(path, '/') + 1)->sha256);
		}
}

static void fields(const struct fx *f, size_t job, const char *want)
{
	const struct plan_job *j = &f->now.jobs[job];
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < j->nfields; i++)
		buf_addf(&b, "%s%s", i ? " " : "", j->fields[i].path);
	assert_string_equal(buf_str(&b), want);
	buf_clear(&b);
}

static int setup(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));

	f->m = (struct manifest) { .project = xstrdup("."), .tree = xstrdup("1"),
				   .toolchain = xstrdup(""), .artifacts = f->artifacts,
				   .nartifacts = MANY, .jobs = f->jobs, .njobs = MANY };
	for (size_t i = 0; i < MANY; i++) {
		f->artifacts[i].pipeline = xasprintf("pipelines/p%03zu", i);
		f->artifacts[i].file = xasprintf("w%03zu-1.0-py3-none-any.whl", i);
		set_wheel(f, i, "first");
		f->files[i].path = t_file;
		f->jobs[i] = (struct manifest_job) { xasprintf("jobs/j%03zu", i),
						     xasprintf("j%03zu", i), t_databricks, 7,
						     &f->files[i], 1 };
		set_template(f, i, i, 0);
	}
	f->in = (struct plan_input) {
		.release = &f->m, .release_id = "r", .environment = "production",
		.repository = "sales", .provider = PLAN_LOCAL, .fabric_id = 7,
		.fabric_address = "there", .customer = "dev", .control_plane = "execution",
		.templates = f->templates, .ntemplates = MANY, .jobs_own = true,
		.params = { .project_id = "72" },
	};
	plan(f, "v1", "refs/tags/v1");
	counts(f, MANY, 0, MANY);
	deploy(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;

	for (size_t i = 0; i < MANY; i++) {
		free(f->artifacts[i].pipeline);
		free(f->artifacts[i].file);
		free(f->jobs[i].key);
		free(f->jobs[i].name);
		free((char *)f->templates[i].bytes);
	}
	for (size_t i = 0; i < f->nknown; i++)
		known_clear(&f->known[i]);
	for (size_t i = 0; i < f->nthere; i++) {
		free((char *)f->there[i].path);
		free((char *)f->there[i].sha256);
	}
	free(f->m.project);
	free(f->m.tree);
	free(f->m.toolchain);
	plan_clear(&f->now);
	free(f);
	return 0;
}

static void one_wheel_is_one_upload_and_one_job(void **state)
{
	struct fx *f = *state;

	set_wheel(f, 7, "second");
	plan(f, "v2", "refs/tags/v2");
	counts(f, 1, MANY - 1, 1);
	is_whole(f);
	fields(f, 7, "artifacts[w007-1.0-py3-none-any.whl] version");
	assert_non_null(strstr(f->now.jobs[7].bytes, "/v2/pipeline/"));
	/* a placeholder elsewhere keeps its old text too */
	assert_non_null(strstr(f->now.jobs[8].bytes, "\"release\":\"v1\""));
	assert_string_equal(f->now.jobs[8].version, "v1");
}

static void one_definition_is_one_job(void **state)
{
	struct fx *f = *state;

	set_template(f, 9, 9, 3);
	plan(f, "v2", "refs/tags/v2");
	counts(f, 1, MANY - 1, 1);
	is_whole(f);
	fields(f, 9, "request.tasks[a].max_retries version");
}

static void versions_stay_apart(void **state)
{
	struct fx *f = *state;
	char first[65], rendered[65];

	memcpy(first, f->now.jobs[7].digest, 65);
	set_wheel(f, 7, "second");
	plan(f, "v2", "refs/tags/v2");
	deploy(f);
	plan(f, "v3", "refs/tags/v3");	/* the same content by another label */
	counts(f, 0, MANY, 0);
	is_whole(f);
	assert_string_equal(f->now.jobs[7].version, "v2");
	/* what was verified is told without what was there before */
	memcpy(rendered, f->now.rendered, 65);
	f->in.nknown = f->in.nthere = 0;
	plan_clear(&f->now);
	assert_int_equal(plan_make(&f->now, &f->in, &(struct ps_err) { 0 }), 0);
	assert_string_equal(f->now.rendered, rendered);
	counts(f, MANY, 0, MANY);
	/* back to the first: only what has changed, as it was */
	set_wheel(f, 7, "first");
	plan(f, "v1", "refs/tags/v1");
	counts(f, 1, MANY - 1, 1);
	is_whole(f);
	assert_string_equal(f->now.jobs[7].digest, first);
}

static void what_drifted_is_put_back_as_it_was(void **state)
{
	struct fx *f = *state;

	f->known[5].observed = f->known[6].digest;
	f->known[6].observed = "";
	plan(f, "v2", "refs/tags/v2");
	counts(f, 2, MANY - 2, 2);	/* their wheels are looked at again */
	assert_true(f->now.jobs[5].drifted);
	assert_string_equal(f->now.jobs[5].digest, f->known[5].digest);
	fields(f, 5, "");
	is_whole(f);
}

static void a_shared_wheel_is_put_for_one(void **state)
{
	struct fx *f = *state;

	set_template(f, 1, 0, 0);
	plan(f, "v1", "refs/tags/v1");
	deploy(f);
	f->known[0].observed = "";
	plan(f, "v2", "refs/tags/v2");
	counts(f, 1, MANY - 1, 1);
	f->known[0].observed = NULL;
	f->known[1].observed = "";
	plan(f, "v2", "refs/tags/v2");
	counts(f, 1, MANY - 1, 1);
}

/* Somebody made by hand what this release makes of it. */
static void what_was_adopted_is_in_force(void **state)
{
	struct fx *f = *state;
	char digest[65];

	set_template(f, 5, 5, 4);
	plan(f, "v1", "refs/tags/v1");
	memcpy(digest, f->now.jobs[5].digest, 65);
	f->known[5].observed = digest;
	plan(f, "v2", "refs/tags/v2");
	counts(f, 0, MANY, 0);
	assert_string_equal(f->now.jobs[5].version, "v1");
}

static void an_orphan_comes_back(void **state)
{
	struct fx *f = *state;

	f->known[3].orphan = true;
	plan(f, "v2", "refs/tags/v2");
	counts(f, 1, MANY - 1, 1);
	fields(f, 3, "orphan");
}

static void what_no_job_names(void **state)
{
	struct fx *f = *state;

	f->jobs[0].fabric_id = 8;	/* that fabric's: here its pipeline is named by none */
	plan(f, "v2", "refs/tags/v2");
	assert_int_equal(f->now.jobs[0].change, PLAN_ORPHAN);
	counts(f, 0, MANY - 1, 0);
	set_wheel(f, 0, "second");
	plan(f, "v2", "refs/tags/v2");
	counts(f, 0, MANY - 1, 1);
}

static void nothing_known_is_all_anew(void **state)
{
	struct fx *f = *state;

	for (size_t i = 0; i < f->nthere; i++)	/* a store of an older version */
		free((char *)f->there[i].sha256), f->there[i].sha256 = xstrdup("");
	plan(f, "v2", "refs/tags/v2");
	counts(f, MANY, 0, MANY);
	is_whole(f);
}

static void a_part_puts_its_own(void **state)
{
	static const char *const keys[] = { "jobs/j007", "jobs/j009" };
	struct fx *f = *state;

	set_wheel(f, 7, "second");
	set_wheel(f, 8, "second");
	plan(f, "v2", "refs/tags/v2");
	plan_select(&f->now, f->known, f->nknown, keys, 2);
	counts(f, 1, 1, 1);
	assert_int_equal(f->now.nartifacts, 2);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_wheel_is_one_upload_and_one_job, setup, teardown),
		cmocka_unit_test_setup_teardown(one_definition_is_one_job, setup, teardown),
		cmocka_unit_test_setup_teardown(versions_stay_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(what_drifted_is_put_back_as_it_was, setup, teardown),
		cmocka_unit_test_setup_teardown(a_shared_wheel_is_put_for_one, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_adopted_is_in_force, setup, teardown),
		cmocka_unit_test_setup_teardown(an_orphan_comes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_no_job_names, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_known_is_all_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(a_part_puts_its_own, setup, teardown),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
