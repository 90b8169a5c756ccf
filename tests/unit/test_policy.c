/* Units of common/config/policy: the snapshot hooks read, without credential references. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/config/policy.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "test_policy.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	struct ps_err err;

	(void)state;
	failpoint_reset();
	return fs_remove_tree(AT_FDCWD, dir, &err);
}

static const char yaml[] =
	"# the old token was hunter2\n"
	"teams: { all: { members: [ana] } }   # héhé\n"
	"fabrics:\n"
	"  one: { id: 1, owner: all, provider: databricks,\n"
	"         databricks: { host: 'https://h.example.net', token: { file: "
		"/etc/sécret/topsecret } } }\n"
	"  two:\n"
	"    id: 2\n"
	"    owner: all\n"
	"    provider: databricks\n"
	"    databricks:\n"
	"      host: https://i.example.net\n"
	"      oauth: { client_id: abc, client_secret: { env: 'SECRETVAR' } }   # topsecret too\n"
	"  three: { id: 3, owner: all, provider: airflow, airflow: { host: http://localhost, token: { "
		"credential: \"topsecret\" } } }\n"
	"environments:\n"
	"  - { name: e, refs: [refs/heads/main], fabric: two, deploy: auto }\n"
	"repositories:\n"
	"  roots:\n"
	"    - { path: /srv/git, identity: env:WHO, hook_users: [git, 1000] }\n"
	"    - { path: repos, identity: uid, hook_users: [git] }\n"
	"  default: { budget: 2500ms, on_timeout: refuse }\n";

static struct config *parse(const char *text)
{
	struct diag_list out = DIAG_LIST_INIT;
	struct config *c = NULL;
	struct buf text_out = BUF_INIT;
	struct ps_err err;

	assert_int_equal(config_parse(&c, "penstock.yml", text, strlen(text), &out, &err), 0);
	diag_print(&text_out, &out, 0);
	assert_string_equal(buf_str(&text_out), "");
	buf_clear(&text_out);
	diag_clear(&out);
	return c;
}

static int write_it(const char *path, const struct config *c, struct ps_err *err)
{
	static const char *const released[] = { "sales/etl refs/tags/v1",
						"sales/etl refs/tags/v2" };

	return policy_write(path, c, dir, "/instance/state/spool", 1000, yaml, strlen(yaml),
			    released, PS_NELEM(released), err);
}

static void snapshot_reads_back(void **state)
{
	char *path = fs_join(dir, "policy"), *base = NULL;
	struct config *c = parse(yaml), *again = NULL;
	struct conf_names released;
	struct policy_head h;
	struct ps_err err;
	struct stat st;

	(void)state;
	assert_int_equal(write_it(path, c, &err), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);

	assert_int_equal(policy_read_head(&h, path, &err), 0);
	assert_string_equal(h.digest, c->digest);
	assert_int_equal(h.budget_ms, 2500);
	assert_false(h.on_timeout_accept);
	assert_false(h.trusted_caller);
	assert_int_equal(h.trusted_uid, 1000);
	assert_string_equal(h.spool, "/instance/state/spool");
	assert_int_equal(h.nroots, 2);
	assert_string_equal(h.roots[0].path, "/srv/git");
	assert_int_equal(h.roots[0].identity, CONF_ID_ENV);
	assert_string_equal(h.roots[0].identity_env, "WHO");
	assert_true(ps_ends(h.roots[1].path, "/repos"));
	assert_null(h.roots[1].identity_env);
	policy_head_clear(&h);

	assert_int_equal(policy_read_released(&released, path, &err), 0);
	assert_int_equal(released.n, 2);
	assert_true(conf_names_has(&released, "sales/etl refs/tags/v2"));
	conf_names_clear(&released);

	assert_int_equal(policy_read_config(&again, &base, path, &err), 0);
	assert_string_equal(base, dir);
	assert_string_equal(again->digest, c->digest);
	assert_int_equal(again->environments[0].pos.line, c->environments[0].pos.line);
	assert_int_equal(again->fabrics[2].pos.col, c->fabrics[2].pos.col);
	assert_int_equal(again->fabrics[0].token.kind, CONF_SECRET_FILE);
	for (size_t i = 0; i < c->nsecrets; i++) {
		assert_int_equal(again->secrets[i].from, c->secrets[i].from);
		assert_int_equal(again->secrets[i].to, c->secrets[i].to);
	}
	config_free(again);
	config_free(c);
	free(base);
	free(path);
}

static void snapshot_holds_no_reference_and_no_comment(void **state)
{
	static const char *const words[] = { "topsecret", "SECRETVAR", "hunter2", "cret",
					     "h\xc3\xa9h" };
	char *path = fs_join(dir, "policy");
	struct config *c = parse(yaml);
	struct buf bytes = BUF_INIT;
	struct ps_err err;

	(void)state;
	assert_int_equal(write_it(path, c, &err), 0);
	assert_int_equal(fs_read(&bytes, AT_FDCWD, path, 1 << 20, &err), 0);
	for (size_t i = 0; i < PS_NELEM(words); i++)
		if (memmem(bytes.data, bytes.len, words[i], strlen(words[i])))
			/* client_secret, the key, may stay */
			assert_string_equal(words[i], "cret");
	assert_non_null(memmem(bytes.data, bytes.len, "https://h.example.net", 21));
	buf_clear(&bytes);
	config_free(c);
	free(path);
}

static void failed_write_keeps_the_old_one(void **state)
{
	static const char *const points[] = { "policy.write", "fs.fsync", "fs.rename" };
	char *path = fs_join(dir, "policy");
	struct config *c = parse(yaml);
	struct policy_head h;
	struct ps_err err;

	(void)state;
	assert_int_equal(write_it(path, c, &err), 0);
	for (size_t i = 0; i < PS_NELEM(points); i++) {
		failpoint_arm(points[i], 1, EIO);
		assert_int_equal(write_it(path, c, &err), PS_EIO);
		failpoint_reset();
		assert_int_equal(policy_read_head(&h, path, &err), 0);
		policy_head_clear(&h);
	}
	config_free(c);
	free(path);
}

static void other_files_are_refused(void **state)
{
	static const struct { const char *bytes; size_t n; int rc; } rows[] = {
		{ "", 0, PS_EPROTO },
		{ "\x80", 1, PS_EPROTO },
		{ "\x81\xa7version\x02", 10, PS_EPROTO },
		{ "\x81\xa7version\x01", 10, PS_EPROTO },
		{ "\xc1", 1, PS_EPROTO },
		{ "teams: {}", 9, PS_EPROTO },
	};
	char *path = fs_join(dir, "policy"), *base = NULL;
	struct config *c = NULL;
	struct policy_head h;
	struct ps_err err;

	(void)state;
	assert_int_equal(policy_read_head(&h, path, &err), PS_ENOENT);
	assert_int_equal(policy_read_config(&c, &base, path, &err), PS_ENOENT);
	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		assert_int_equal(fs_write_file(AT_FDCWD, path, rows[i].bytes, rows[i].n, 0644,
					       &err), 0);
		assert_int_equal(policy_read_head(&h, path, &err), rows[i].rc);
		assert_int_equal(policy_read_config(&c, &base, path, &err), rows[i].rc);
		assert_null(c);
	}
	free(path);
}

/* Half a file, or one with a byte turned, gives an error or a policy, never a crash. */
static void damaged_files_never_crash(void **state)
{
	char *path = fs_join(dir, "policy");
	struct config *c = parse(yaml);
	struct buf bytes = BUF_INIT;
	struct ps_err err;
	unsigned seed = 3;

	(void)state;
	assert_int_equal(write_it(path, c, &err), 0);
	assert_int_equal(fs_read(&bytes, AT_FDCWD, path, 1 << 20, &err), 0);
	for (int i = 0; i < 300; i++) {
		size_t n = (unsigned)rand_r(&seed) % bytes.len;
		struct config *again = NULL;
		struct policy_head h;
		char *base = NULL;
		int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(fs_write_all(fd, bytes.data, n, &err), 0);
		close(fd);
		if (policy_read_head(&h, path, &err) == 0)
			policy_head_clear(&h);
		if (policy_read_config(&again, &base, path, &err) == 0) {
			config_free(again);
			free(base);
		}
	}
	buf_clear(&bytes);
	config_free(c);
	free(path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(snapshot_reads_back, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(snapshot_holds_no_reference_and_no_comment,
						make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(failed_write_keeps_the_old_one, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(other_files_are_refused, make_dir, drop_dir),
		cmocka_unit_test_setup_teardown(damaged_files_never_crash, make_dir, drop_dir),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
