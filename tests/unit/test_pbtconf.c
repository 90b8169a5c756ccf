/* The configuration of Prophecy's own tool: read, and written as penstock.yml. Each case is a folder of
 * files, and what must come of them; what is written is read by penstock's own reader. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"
#include "common/config/config.h"
#include "common/project/pbtconf.h"

#define DBX "fabrics:\n- id: '7'\n  name: dev\n  type: Spark\n  provider: Databricks\n  databricks:\n    url: https://h\n" \
	    "    token: dapi-hush\n"
#define ONE "version: '1.0'\njobs:\n- {id: jobs/a, name: a, type: Databricks, external_job_id: '12', fabric_id: '7'}\n"
#define ROW(id, fabric) "- {id: jobs/" id ", name: n, type: Databricks, external_job_id: '13', fabric_id: '" fabric "'}\n"

static const struct row {
	const char *name;
	const char *fabrics, *state, *system, *override; /* NULL: there is no such file */
	const char *finding;	/* first error or warning; NULL: none */
	size_t nfabrics, njobs;	/* that are carried over */
	const char *has[4];	/* in the text */
	const char *lacks;
} rows[] = {
	{ .name = "one workspace", .fabrics = DBX, .state = ONE, .system = "customer_name: acme\n",
	  .nfabrics = 1, .njobs = 1,
	  .has = { "    id: 7\n", "host: 'https://h'", "customer: acme", "fabrics.yml:8:12" }, .lacks = "dapi-hush" },
	{ .name = "no file at all", .finding = "fabrics.yml:1:1: error: there is no such file: name the folder" },
	{ .name = "no state", .fabrics = DBX, .system = "{}",
	  .finding = "state.yml:1:1: warning: there is no such file: without it", .nfabrics = 1 },
	{ .name = "no YAML", .fabrics = DBX "  x: [\n", .finding = "fabrics.yml:10:1: error: " },
	{ .name = "no YAML in the last", .fabrics = DBX, .state = ONE, .system = "{}", .override = "a: b: c\n",
	  .finding = "override.yml:1:5: error: " },
	{ .name = "an empty file", .fabrics = "", .state = ONE, .system = "{}", .finding = "fabrics.yml:1:1: error: the file is empty" },
	{ .name = "a list", .fabrics = "- a\n", .state = ONE, .system = "{}", .finding = "fabrics.yml:1:1: error: the file must be a map" },
	{ .name = "without a token", .fabrics = "fabrics:\n- id: '7'\n  name: dev\n  provider: Databricks\n  databricks:\n"
	  "    url: https://h\n", .state = ONE, .system = "{}", .finding = "fabrics.yml:6:5: error: 'token' is missing" },
	{ .name = "without a block", .fabrics = "fabrics:\n- {id: '7', name: dev, provider: Databricks}\n", .state = ONE,
	  .system = "{}", .finding = "fabrics.yml:2:3: error: fabric 7 of provider Databricks has no map 'databricks'" },
	{ .name = "a number for a text is one", .fabrics = "fabrics:\n- id: 7\n  name: 7\n  provider: Databricks\n  databricks:"
	  " {url: h, token: x}\n", .state = ONE, .system = "{}", .nfabrics = 1, .njobs = 1, .has = { "  7:", "'https://h'" } },
	{ .name = "a map for a text", .fabrics = "fabrics:\n- id: '7'\n  name: {a: b}\n", .state = ONE, .system = "{}",
	  .finding = "fabrics.yml:3:9: error: 'name' must be a text on one line, not a map" },
	{ .name = "a text of two lines", .fabrics = "fabrics:\n- id: '7'\n  name: \"a\\nb: c\"\n", .state = ONE, .system = "{}",
	  .finding = "fabrics.yml:3:9: error: 'name' must be a text on one line, not one with control characters" },
	{ .name = "twice one fabric", .fabrics = DBX "- {id: '7', name: x, provider: EMR}\n", .state = ONE, .system = "{}",
	  .finding = "fabrics.yml:9:8: error: fabric 7 is there twice" },
	{ .name = "twice one key", .fabrics = DBX "    url: https://i\n", .state = ONE, .system = "{}",
	  .finding = "fabrics.yml:9:5: error: 'url' is there twice" },
	{ .name = "a variable", .fabrics = "fabrics:\n- {id: '7', name: dev, provider: Databricks, databricks: {url: '{{SET}}', token: "
	  "'{{HUSH}}'}}\n", .state = ONE, .system = "{}", .nfabrics = 1, .njobs = 1,
	  .has = { "host: 'https://set'", "printenv HUSH > /etc/p/dev.secret" }, .lacks = "hushed" },
	{ .name = "a variable that is not set", .fabrics = "fabrics:\n- {id: '7', name: dev, provider: Databricks, databricks: {url: "
	  "'{{UNSET}}', token: x}}\n", .state = ONE, .system = "{}",
	  .finding = "fabrics.yml:2:64: error: 'url' stands in the variable UNSET, which is not set here" },
	{ .name = "an address in clear", .fabrics = "fabrics:\n- {id: '7', name: dev, provider: Databricks, databricks: {url: "
	  "'http://h:80/', token: x}}\n", .state = ONE, .system = "{}", .nfabrics = 1, .njobs = 1,
	  .has = { "host: 'https://h:80'\n", "it is written as https://" } },
	{ .name = "oauth and a volume", .fabrics = DBX "    auth_type: oauth-m2m\n    oauth_credentials: {client_id: c, client_secret:"
	  " dapi-hush}\n    volume: dbfs:/Volumes/a/b/c/\n", .state = ONE, .system = "{}", .nfabrics = 1, .njobs = 1,
	  .has = { "client_id: c\n", "client_secret: { file: /etc/p/dev.secret }", "volume: /Volumes/a/b/c\n" }, .lacks = "dapi-hush" },
	{ .name = "a volume that is none", .fabrics = DBX "    volume: /Volumes/a\n", .state = ONE, .system = "{}", .nfabrics = 1,
	  .njobs = 1, .has = { "volume /Volumes/a: it is none like" } },
	{ .name = "names as penstock has them", .fabrics = DBX "- {id: '8', name: ' Größe 1!', provider: Databricks, databricks: "
	  "{url: h, token: x}}\n- {id: '9', name: dev, provider: Databricks, databricks: {url: h, token: x}}\n",
	  .state = ONE, .system = "{}", .nfabrics = 3, .njobs = 1, .has = { "  Gr-e-1:", "  dev-9:", "# there:  Größe 1!" } },
	{ .name = "an Airflow", .fabrics = "fabrics:\n- {id: '7', name: air, type: Airflow, provider: OpenSource, airflow_oss: "
	  "{airflow_url: 'http://a:8080', airflow_username: u, airflow_password: hush, dag_location: /dags}}\n",
	  .state = ONE, .system = "{}", .nfabrics = 1, .lacks = "hush",
	  .has = { "host: 'http://a:8080'", "password: { file: /etc/p/air.secret }", "dags: /dags\n", "takes over '12' by its name" } },
	{ .name = "an Airflow and its uploader", .fabrics = "fabrics:\n- {id: '7', name: air, type: Airflow, provider: OpenSource, airflow_oss: "
	  "{airflow_url: a, airflow_username: u, airflow_password: '{{HUSH}}', uploader_url: http://up, uploader_username: v,"
	  " uploader_password: hush, dag_location: 'hdfs://n/dags'}}\n", .state = "{}", .system = "{}", .nfabrics = 1, .lacks = "hush",
	  .has = { "url: 'http://up'\n        user: v\n        password: { file: /etc/p/air.uploader.secret }", "dags: 'hdfs://n/dags'\n",
		   "printenv HUSH > /etc/p/air.secret)", "cat > /etc/p/air.uploader.secret)" } },
	{ .name = "an uploader that has no folder", .fabrics = "fabrics:\n- {id: '7', name: air, type: Airflow, provider: OpenSource, "
	  "airflow_oss: {airflow_url: a, airflow_username: u, airflow_password: x, uploader_url: http://up, dag_location: dags}}\n",
	  .state = "{}", .system = "{}", .nfabrics = 1, .has = { "dag_location dags: write `dags:`", "the uploader: without" } },
	{ .name = "a command is no name of a variable", .fabrics = "fabrics:\n- {id: '7', name: dev, provider: Databricks, databricks: {url: h, "
	  "token: '{{HUSH > /tmp/x; touch /tmp/y}}'}}\n", .state = "{}", .system = "{}", .nfabrics = 1, .lacks = "printenv",
	  .has = { "cat > /etc/p/dev.secret)" } },
	{ .name = "nor is nothing", .fabrics = "fabrics:\n- {id: '7', name: dev, provider: Databricks, databricks: {url: h, "
	  "token: '{{}}'}}\n", .state = "{}", .system = "{}", .nfabrics = 1, .lacks = "printenv" },
	{ .name = "what has no driver", .fabrics = DBX "- {id: '8', name: c, provider: Composer}\n- {id: '9', name: e, provider: EMR}\n"
	  "- {id: x, name: t, provider: Databricks}\n", .state = ONE ROW("b", "8"), .system = "{}", .nfabrics = 1, .njobs = 1,
	  .has = { "fabric c (8): Google's", "fabric e (9): EMR", "fabric t (x): penstock knows fabrics by a number",
		   "the id of jobs/b on fabric 8: its fabric c is not carried over" } },
	{ .name = "nothing of it", .fabrics = "fabrics: []\n", .state = ONE, .system = "{}",
	  .has = { "the file has no fabric", "its fabric 7 is not in fabrics.yml" }, .lacks = "fabrics:\n" },
	{ .name = "one job twice", .fabrics = DBX, .state = ONE ROW("a", "7"), .system = "{}",
	  .finding = "state.yml:4:3: error: jobs/a is job 13 of fabric 7, and by line 3 jobs/a is job 12" },
	{ .name = "one id twice", .fabrics = DBX, .state = ONE ROW("b", "7") ROW("c", "7"), .system = "{}",
	  .finding = "state.yml:5:3: error: jobs/c is job 13 of fabric 7, and by line 4 jobs/b is job 13" },
	{ .name = "an id that is none", .fabrics = DBX, .state = "jobs:\n- {id: jobs/a, name: a, type: Databricks, external_job_id: "
	  "'0x1', fabric_id: '7'}\n", .system = "{}", .nfabrics = 1, .has = { "'0x1' is no number of a job" } },
	{ .name = "a key that is none", .fabrics = DBX, .state = "jobs:\n- {id: a, name: a, type: Databricks, external_job_id: '1', "
	  "fabric_id: '7'}\n", .system = "{}", .finding = "state.yml:2:8: error: 'a' must be a key" },
	{ .name = "another version", .fabrics = DBX, .state = "version: '2.0'\n", .system = "{}",
	  .finding = "state.yml:1:10: error: version '2.0' is not known" },
	{ .name = "the branch of its releases", .fabrics = DBX, .state = "jobs:\n- {id: jobs/a, name: a, type: Databricks, "
	  "external_job_id: '1', fabric_id: '7', release_tag: team/main/1.0, skip_processing: true}\n", .system = "{}",
	  .nfabrics = 1, .njobs = 1, .has = { "refs: ['refs/tags/team/main/**']", "skip_processing of jobs/a" } },
	{ .name = "overrides and what is unknown", .fabrics = DBX "    wished: 1\nproject_git_tokens:\n- {project_id: '42', git_token: "
	  "dapi-hush}\n", .state = ONE, .system = "prophecy_salt: dapi-hush\nnexus: {url: u}\n",
	  .override = "tests_enabled: false\nmode: SelectiveJob\njobs_and_fabric:\n- {job_id: jobs/a, fabric_id: '9'}\n",
	  .nfabrics = 1, .njobs = 1, .lacks = "dapi-hush",
	  .has = { "    id: 42\n", "dev: wished: penstock does not know", "override.yml:4:3: jobs/a to fabric 9", "system.yml:2:8: nexus" } },
};

static const char *env(const char *name)
{
	return strcmp(name, "SET") == 0 ? "https://set/" : strcmp(name, "HUSH") == 0 ? "hushed" : NULL;
}

static void put(const char *dir, const char *name, const char *text)
{
	char *path = fs_join(dir, name);
	struct ps_err err;

	if (text)
		assert_int_equal(fs_write_file(AT_FDCWD, path, text, strlen(text), 0644, &err), 0);
	free(path);
}

/* As penstock.yml: no error in it, and as many fabrics as are to be. */
static void check_text(const struct row *r, const struct buf *text, size_t carried)
{
	struct diag_list findings = DIAG_LIST_INIT;
	struct buf told = BUF_INIT;
	struct config *cfg = NULL;
	struct ps_err err;

	assert_int_equal(carried, r->nfabrics);
	assert_int_equal(config_parse(&cfg, "p", buf_str(text), text->len, &findings, &err), 0);
	diag_print(&told, &findings, 0);
	if (!cfg && carried)
		fail_msg("%s\n%s", buf_str(&told), buf_str(text));
	assert_int_equal(cfg ? cfg->nfabrics : 0, r->nfabrics);
	assert_int_equal(cfg ? cfg->nenvironments : 0, r->nfabrics);
	for (size_t i = 0; i < PS_NELEM(r->has) && r->has[i]; i++)
		if (!strstr(buf_str(text), r->has[i]))
			fail_msg("'%s' is not in:\n%s", r->has[i], buf_str(text));
	if (r->lacks && strstr(buf_str(text), r->lacks))
		fail_msg("'%s' is in:\n%s", r->lacks, buf_str(text));
	buf_clear(&told);
	diag_clear(&findings);
	config_free(cfg);
}

static void reads(void **state)
{
	const struct row *r = *state;
	struct diag_list findings = DIAG_LIST_INIT;
	struct buf text = BUF_INIT, told = BUF_INIT;
	char dir[] = "/tmp/ps-pbtconf-XXXXXX";
	struct pbtconf *c = NULL;
	struct ps_err err;

	assert_non_null(mkdtemp(dir));
	put(dir, "fabrics.yml", r->fabrics);
	put(dir, "state.yml", r->state);
	put(dir, "system.yml", r->system);
	put(dir, "override.yml", r->override);
	assert_int_equal(pbtconf_read(&c, dir, env, &findings, &err), 0);
	diag_print(&told, &findings, 0);
	if (r->finding ? !ps_starts(buf_str(&told), r->finding) : told.len > 0)
		fail_msg("told: %s", buf_str(&told));
	assert_int_equal(!c, findings.errors > 0);
	if (c) {
		assert_int_equal(c->njobs, r->njobs);
		pbtconf_write(&text, c, &(struct pbtconf_to) { .dir = "conf\nx: y", .team = "ops",
							       .member = "kim", .secrets = "/etc/p" });
		check_text(r, &text, pbtconf_carried(c));
	}
	pbtconf_free(c);
	diag_clear(&findings);
	buf_clear(&told);
	buf_clear(&text);
	assert_int_equal(fs_remove_tree(AT_FDCWD, dir, &err), 0);
}

static void no_folder(void **state)
{
	struct diag_list findings = DIAG_LIST_INIT;
	struct pbtconf *c = NULL;
	struct ps_err err;

	(void)state;
	assert_int_equal(pbtconf_read(&c, "/nowhere/at/all", env, &findings, &err), PS_ENOENT);
	assert_non_null(strstr(err.msg, "'/nowhere/at/all'"));
	assert_null(c);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 1];
	size_t n = 0;

	for (; n < PS_NELEM(rows); n++)
		t[n] = (struct CMUnitTest) { .name = rows[n].name, .test_func = reads,
					     .initial_state = (void *)&rows[n] };
	t[n++] = (struct CMUnitTest) { .name = "no_folder", .test_func = no_folder };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("pbtconf", t, n, NULL, NULL);
}
