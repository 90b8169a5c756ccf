/* Units of canonical JSON, the release manifest and the names that a label gives. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/plan/canon.h"
#include "common/plan/manifest.h"

#define OID "ce013625030ba8dba906f756967f9e9ca394464a"
#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct canon_row {
	const char *name, *in, *out, *any;
};

static const struct canon_row canon_rows[] = {
	{ "canon sorts bytewise", "{\"b\":1,\"a\":2,\"B\":3,\"\xc3\xa9\":4}",
	  "{\"B\":3,\"a\":2,\"b\":1,\"\xc3\xa9\":4}", NULL },
	{ "canon drops blanks", " [ 1 , { } , [ ] , null , true , false ] ",
	  "[1,{},[],null,true,false]", NULL },
	{ "canon escapes shortly", "[\"\\u000a\\u0001\\u0022\\\\\\/\\u00e9\\u007f\"]",
	  "[\"\\n\\u0001\\\"\\\\/\xc3\xa9\x7f\"]", NULL },
	{ "canon keeps large integers", "[9223372036854775807,-1]", "[9223372036854775807,-1]",
	  NULL },
	{ "canon refuses reals", "{\"a\":[0.1]}", NULL, "{\"a\":[0.1]}" },
	{ "canon refuses whole reals", "[-1.0]", NULL, "[-1.0]" },
	{ "canon writes short reals", "[0.30000000000000004,1e300]", NULL,
	  "[0.30000000000000004,1e+300]" },
	{ "canon refuses double keys", "{\"a\":1,\"a\":2}", NULL, NULL },
	{ "canon refuses trailing bytes", "{} x", NULL, NULL },
	{ "canon refuses bad UTF-8", "[\"\xff\"]", NULL, NULL },
};

static void check_canon(void **state)
{
	const struct canon_row *r = *state;
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	json_t *v = NULL;
	int rc = canon_read(&v, r->in, strlen(r->in), "x", &err);

	if (!r->out && !r->any) {
		assert_int_equal(rc, PS_EINVAL);
		return;
	}
	assert_int_equal(rc, 0);
	if (r->out) {
		assert_int_equal(canon_write(v, &b, &err), 0);
		assert_string_equal(buf_str(&b), r->out);
	} else {
		assert_int_equal(canon_write(v, &b, &err), PS_EINVAL);
		buf_reset(&b);
		assert_int_equal(canon_write_any(v, &b, &err), 0);
		assert_string_equal(buf_str(&b), r->any);
	}
	json_decref(v);
	buf_clear(&b);
}

static char t_dev[] = "dev", t_prod[] = "prod", t_p1[] = "pipelines/a", t_p2[] = "pipelines/b";
static char t_f1[] = "a-1.0-py3-none-any.whl", t_f2[] = "b-1.0-py3-none-any.whl", t_dot[] = ".",
	    t_oid[] = OID;
static char t_sha[] = SHA, t_j1[] = "jobs/a", t_j2[] = "jobs/b", t_db[] = "databricks",
	    t_fn[] = "functions";
static char t_json[] = "code/databricks-job.json", t_pj[] = "code/prophecy-job.json";

/* One release; reversed gives every list in the other order. */
struct sample {
	struct manifest m;
	struct manifest_input inputs[2];
	struct manifest_artifact artifacts[2];
	struct manifest_job jobs[2];
	struct manifest_file files[2];
	char *instances[2];
};

static void sample_make(struct sample *s, bool reversed)
{
	size_t a = reversed, b = !reversed;

	memset(s, 0, sizeof(*s));
	s->instances[a] = t_dev;
	s->instances[b] = t_prod;
	s->inputs[a] = (struct manifest_input) { t_dot, t_oid };
	s->inputs[b] = (struct manifest_input) { t_fn, t_oid };
	s->artifacts[a] = (struct manifest_artifact) { t_p1, t_f1, SHA, 10, s->instances, 2 };
	s->artifacts[b] = (struct manifest_artifact) { t_p2, t_f2, SHA, 20, NULL, 0 };
	s->files[a] = (struct manifest_file) { t_json, SHA };
	s->files[b] = (struct manifest_file) { t_pj, SHA };
	s->jobs[a] = (struct manifest_job) { t_j1, t_j1, t_db, 1174, s->files, 2 };
	s->jobs[b] = (struct manifest_job) { t_j2, t_j2, t_db, 0, NULL, 0 };
	s->m = (struct manifest) { t_dot, t_oid, t_sha, s->inputs, 2, s->artifacts, 2, s->jobs, 2 };
}

static void order_does_not_name_a_release(void **state)
{
	struct sample a, b;
	struct buf ba = BUF_INIT, bb = BUF_INIT;
	struct ps_err err = { 0 };
	char ida[65], idb[65];

	(void)state;
	sample_make(&a, false);
	sample_make(&b, true);
	assert_int_equal(manifest_write(&a.m, &ba, ida, &err), 0);
	assert_int_equal(manifest_write(&b.m, &bb, idb, &err), 0);
	assert_string_equal(buf_str(&ba), buf_str(&bb));
	assert_string_equal(ida, idb);
	/* The bytes are a contract: a release made today keeps its id tomorrow. */
	assert_string_equal(buf_str(&ba),
			    "{\"artifacts\":[{\"file\":\"a-1.0-py3-none-any.whl\",\"instances\":["
			    "\"dev\",\"prod\"],"
			    "\"pipeline\":\"pipelines/a\",\"sha256\":\"" SHA "\",\"size\":10},"
			    "{\"file\":\"b-1.0-py3-none-any.whl\",\"instances\":[],\"pipeline\":"
			    "\"pipelines/b\",\"sha256\":\"" SHA
			    "\",\"size\":20}],\"format\":1,\"inputs\":[{\"oid\":\"" OID
			    "\",\"path\":\".\"},"
			    "{\"oid\":\"" OID
			    "\",\"path\":\"functions\"}],\"jobs\":[{\"fabric_id\":1174,\"files\":["
			    "{\"path\":\"code/databricks-job.json\",\"sha256\":\"" SHA "\"},"
			    "{\"path\":\"code/prophecy-job.json\",\"sha256\":\"" SHA
			    "\"}],\"key\":\"jobs/a\",\"name\":\"jobs/a\","
			    "\"provider\":\"databricks\"},{\"fabric_id\":0,\"files\":[],\"key\":"
			    "\"jobs/b\",\"name\":\"jobs/b\","
			    "\"provider\":\"databricks\"}],\"project\":\".\",\"toolchain\":\"" SHA
			    "\",\"tree\":\"" OID "\"}");
	buf_clear(&ba);
	buf_clear(&bb);
}

static void what_was_written_is_read(void **state)
{
	struct sample s;
	struct manifest m = { 0 };
	struct buf b = BUF_INIT, again = BUF_INIT;
	struct ps_err err = { 0 };
	char id[65], other[65];

	(void)state;
	sample_make(&s, false);
	assert_int_equal(manifest_write(&s.m, &b, id, &err), 0);
	assert_int_equal(manifest_read(&m, buf_str(&b), b.len, id, &err), 0);
	assert_int_equal(m.njobs, 2);
	assert_int_equal(m.jobs[0].fabric_id, 1174);
	assert_non_null(manifest_job_file(&m.jobs[0], "code/prophecy-job.json"));
	assert_null(manifest_job_file(&m.jobs[1], "code/prophecy-job.json"));
	assert_true(manifest_has_instance(manifest_artifact_named(&m, t_f1), "prod"));
	assert_false(manifest_has_instance(manifest_artifact_named(&m, t_f2), "prod"));
	assert_int_equal(manifest_write(&m, &again, other, &err), 0);
	assert_string_equal(other, id);
	manifest_clear(&m);

	b.data[b.len - 2] ^= 1;
	assert_int_equal(manifest_read(&m, buf_str(&b), b.len, id, &err), PS_ECONFLICT);
	b.data[b.len - 2] ^= 1;
	buf_addch(&b, '\n');
	digest_bytes(other, buf_str(&b), b.len);
	assert_int_equal(manifest_read(&m, buf_str(&b), b.len, other, &err), PS_ECONFLICT);
	assert_null(m.project);
	buf_clear(&b);
	buf_clear(&again);
}

static void what_cannot_be_a_release(void **state)
{
	static char bad_utf8[] = "pipelines/\xff", up[] = "../x", slash[] = "a/b.whl", empty[] = "";
	struct ps_err err = { 0 };
	struct sample s;
	struct buf b = BUF_INIT;
	char id[65];

	(void)state;
	for (int i = 0; i < 8; i++) {
		sample_make(&s, false);
		switch (i) {
		case 0: s.artifacts[0].pipeline = bad_utf8; break;
		case 1: s.artifacts[0].file = slash; break;
		case 2: s.artifacts[1].file = t_f1; break;
		case 3: s.artifacts[1].pipeline = t_p1; break;
		case 4: s.jobs[1].key = t_j1; break;
		case 5: s.m.project = up; break;
		case 6: s.m.tree = empty; break;
		case 7: s.files[0].sha256[3] = 'X'; break;
		}
		assert_int_equal(manifest_write(&s.m, &b, id, &err), PS_EINVAL);
	}
	buf_clear(&b);
}

static void labels_name_versions(void **state)
{
	static const struct {
		const char *ref, *project, *version, *tag;
	} rows[] = {
		{ "refs/heads/main", "1.0.0", "1.0.0-0123456789ab", "main/1.0.0-0123456789ab" },
		{ "refs/heads/release/2", "2", "2-0123456789ab", "release/2/2-0123456789ab" },
		{ "refs/tags/v1.2.0", "9", "v1.2.0", "v1.2.0" },
		{ "refs/tags/sales/1.4", "9", "1.4", "sales/1.4" },
		{ "refs/heads/main", "", NULL, NULL },
		{ "refs/heads/main", "1/2", NULL, NULL },
		{ "refs/notes/x", "1", NULL, NULL },
	};
	struct ps_err err = { 0 };

	(void)state;
	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		char *version = NULL, *tag = NULL;
		int rc = release_version(&version, rows[i].ref, rows[i].project, "0123456789abcdef",
					 &err);

		assert_int_equal(rc, rows[i].version ? 0 : PS_EINVAL);
		if (rc < 0)
			continue;
		assert_string_equal(version, rows[i].version);
		assert_int_equal(release_full_tag(&tag, rows[i].ref, version, &err), 0);
		assert_string_equal(tag, rows[i].tag);
		free(version);
		free(tag);
	}
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[PS_NELEM(canon_rows) + 4];
	size_t n = 0;

	for (; n < PS_NELEM(canon_rows); n++)
		tests[n] = (struct CMUnitTest) { .name = canon_rows[n].name,
						 .test_func = check_canon,
						 .initial_state = (void *)&canon_rows[n] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(order_does_not_name_a_release);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_was_written_is_read);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_cannot_be_a_release);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(labels_name_versions);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("manifest", tests, n, NULL, NULL);
}
