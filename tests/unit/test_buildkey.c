/* The build key: what must change it does, what must not does not (design: BUILDS). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/plan/buildkey.h"
#include "common/plan/profile.h"
#include "common/plan/testkey.h"

#define OID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define OID_C "cccccccccccccccccccccccccccccccccccccccc"
#define OID_D "dddddddddddddddddddddddddddddddddddddddd"
#define OID_E "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define OID_F "ffffffffffffffffffffffffffffffffffffffff"

static const struct buildkey_input inputs[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input swapped[] = {
	{ "subgraphs/clean", OID_E, true },
	{ "gems", OID_D, true },
	{ "functions", OID_C, true },
	{ ".prophecy/dep", OID_B, true },
	{ "pipelines/orders", OID_A, true },
};
static const struct buildkey_input other_pipeline[] = {
	{ "pipelines/orders", OID_F, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input no_pipeline[] = {
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input other_vendored[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_F, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input no_vendored[] = {
	{ "pipelines/orders", OID_A, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input other_functions[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_F, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input no_functions[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input other_gems[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_F, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input no_gems[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input other_subgraph[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_F, true },
};
static const struct buildkey_input no_subgraph[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
};
static const struct buildkey_input moved[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions2", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input exchanged[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_D, true },
	{ "gems", OID_C, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input more[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
	{ "subgraphs/other", OID_E, true },
};
static const struct buildkey_input blob_for_tree[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, false },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input twice[] = {
	{ "pipelines/orders", OID_A, true },
	{ ".prophecy/dep", OID_B, true },
	{ "functions", OID_C, true },
	{ "gems", OID_D, true },
	{ "subgraphs/clean", OID_E, true },
	{ "subgraphs/clean", OID_E, true },
};
static const struct buildkey_input not_utf8[] = {
	{ "pipelines/\xff", OID_B, true },
};

#define KEY(...)                                                                                   \
	{                                                                                          \
		.recipe = "python-wheel", .recipe_revision = 1, .pipeline = "pipelines/orders",    \
		.inputs = inputs, .ninputs = PS_NELEM(inputs), .project_digest = "p",              \
		.toolchain_digest = "t", .arch = "x86_64", __VA_ARGS__                             \
	}
#define INPUTS(list) .inputs = list, .ninputs = PS_NELEM(list)

#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif
static const struct buildkey base = KEY(.ninputs = PS_NELEM(inputs));

static const struct row {
	const char *name;
	struct buildkey key;
	bool same;
	int rc;
} rows[] = {
	{ "the same again", KEY(.arch = "x86_64"), true, 0 },
	{ "inputs in another order", KEY(INPUTS(swapped)), true, 0 },
	{ "another: the pipeline's tree", KEY(INPUTS(other_pipeline)), false, 0 },
	{ "gone: the pipeline's tree", KEY(INPUTS(no_pipeline)), false, 0 },
	{ "another: a vendored dependency", KEY(INPUTS(other_vendored)), false, 0 },
	{ "gone: a vendored dependency", KEY(INPUTS(no_vendored)), false, 0 },
	{ "another: functions", KEY(INPUTS(other_functions)), false, 0 },
	{ "gone: functions", KEY(INPUTS(no_functions)), false, 0 },
	{ "another: gems", KEY(INPUTS(other_gems)), false, 0 },
	{ "gone: gems", KEY(INPUTS(no_gems)), false, 0 },
	{ "another: a subgraph", KEY(INPUTS(other_subgraph)), false, 0 },
	{ "gone: a subgraph", KEY(INPUTS(no_subgraph)), false, 0 },
	{ "a shared input at another path", KEY(INPUTS(moved)), false, 0 },
	{ "two inputs exchanged", KEY(INPUTS(exchanged)), false, 0 },
	{ "a shared input more", KEY(INPUTS(more)), false, 0 },
	{ "a file where a folder was", KEY(INPUTS(blob_for_tree)), false, 0 },
	{ "another pipeline of the project", KEY(.pipeline = "pipelines/items"), false, 0 },
	{ "another reduced project file", KEY(.project_digest = "q"), false, 0 },
	{ "another toolchain", KEY(.toolchain_digest = "u"), false, 0 },
	{ "another architecture", KEY(.arch = "aarch64"), false, 0 },
	{ "another recipe", KEY(.recipe = "scala-jar"), false, 0 },
	{ "another revision of the recipe", KEY(.recipe_revision = 2), false, 0 },
	{ "one path twice", KEY(INPUTS(twice)), false, PS_EINVAL },
	{ "a path that is not utf-8", KEY(INPUTS(not_utf8)), false, PS_EINVAL },
};

static void key_row(void **state)
{
	const struct row *row = *state;
	char want[DIGEST_HEX], got[DIGEST_HEX];
	struct ps_err err = { 0 };

	assert_int_equal(buildkey_make(want, &base, &err), 0);
	assert_true(digest_is_hex(want, PS_DIGEST_HEX));
	assert_int_equal(buildkey_make(got, &row->key, &err), row->rc);
	if (row->rc == 0)
		assert_int_equal(strcmp(want, got) == 0, row->same);
}

#define ENV_TEXT(name, value) { name, value },
static const struct env { const char *name, *value; } env[] = { PROFILE_ENV(ENV_TEXT) };

/* The key's text as BUILDS.md says it, written a second time; one variable (or none: -1) and the
 * revision of the profile as given. */
static void key_by_hand(char hex[DIGEST_HEX], ptrdiff_t changed, int revision)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "{\"arch\":\"x86_64\",\"env\":{");
	for (size_t i = 0; i < PS_NELEM(env); i++)
		buf_addf(&b, "%s\"%s\":\"%s%s\"", i ? "," : "", env[i].name, env[i].value,
			 (ptrdiff_t)i == changed ? "x" : "");
	buf_addf(&b, "},\"inputs\":{\".prophecy/dep\":\"tree %s\",\"functions\":\"tree %s\","
		 "\"gems\":\"tree %s\",\"pipelines/orders\":\"tree %s\","
		 "\"subgraphs/clean\":\"tree %s\"},\"pipeline\":\"pipelines/orders\","
		 "\"profile\":%d,\"project\":\"p\",\"recipe\":\"python-wheel\","
		 "\"recipe_revision\":1,\"toolchain\":\"t\"}",
		 OID_B, OID_C, OID_D, OID_A, OID_E, revision);
	digest_bytes(hex, b.data, b.len);
	buf_clear(&b);
}

/* Nothing but what is listed, and each variable and the revision with it. */
static void key_is_what_the_design_lists(void **state)
{
	char key[DIGEST_HEX], other[DIGEST_HEX];
	struct ps_err err = { 0 };

	(void)state;
	assert_int_equal(buildkey_make(key, &base, &err), 0);
	key_by_hand(other, -1, PROFILE_REVISION);
	assert_string_equal(key, other);
	for (size_t i = 0; i < PS_NELEM(env); i++) {
		key_by_hand(other, (ptrdiff_t)i, PROFILE_REVISION);
		assert_string_not_equal(key, other);
		assert_true(i == 0 || strcmp(env[i - 1].name, env[i].name) < 0);
	}
	key_by_hand(other, -1, PROFILE_REVISION + 1);
	assert_string_not_equal(key, other);
}

static void recipes_by_language(void **state)
{
	const char *name;
	unsigned revision;

	(void)state;
	assert_true(buildkey_recipe("python", &name, &revision));
	assert_string_equal(name, "python-wheel");
	assert_true(revision >= 1);
	assert_false(buildkey_recipe("scala", &name, &revision));
	assert_false(buildkey_recipe(NULL, &name, &revision));
	assert_true(strlen(buildkey_arch()) > 2);
}

#define LIMITS .time_ms = 1, .quiet_ms = 2, .memory = 3, .disk = 4, .processes = 5

static const struct conf_builder limits = { LIMITS };
static const struct {
	struct testkey key;
	struct conf_builder limits;
	bool same;
} test_rows[] = {
	{ { "k", "d", "default", NULL }, { LIMITS }, true },
	{ { "k", "d", "default", NULL }, { LIMITS, .slots = 9, .output = 9 }, true },
	{ { "x", "d", "default", NULL }, { LIMITS }, false },
	{ { "k", "x", "default", NULL }, { LIMITS }, false },
	{ { "k", "d", "prod", NULL }, { LIMITS }, false },
	{ { "k", "d", "default", NULL }, { .time_ms = 9, .quiet_ms = 2, .memory = 3, .disk = 4, .processes = 5 }, false },
	{ { "k", "d", "default", NULL }, { .time_ms = 1, .quiet_ms = 9, .memory = 3, .disk = 4, .processes = 5 }, false },
	{ { "k", "d", "default", NULL }, { .time_ms = 1, .quiet_ms = 2, .memory = 9, .disk = 4, .processes = 5 }, false },
	{ { "k", "d", "default", NULL }, { .time_ms = 1, .quiet_ms = 2, .memory = 3, .disk = 9, .processes = 5 }, false },
	{ { "k", "d", "default", NULL }, { .time_ms = 1, .quiet_ms = 2, .memory = 3, .disk = 4, .processes = 9 }, false },
};

/* What a test is run with makes another key; how many run at once does not. */
static void key_of_a_test(void **state)
{
	const struct testkey first = { "k", "d", "default", &limits };
	char want[DIGEST_HEX], got[DIGEST_HEX];
	struct ps_err err = { 0 };

	(void)state;
	assert_int_equal(testkey_make(want, &first, &err), 0);
	for (size_t i = 0; i < PS_NELEM(test_rows); i++) {
		struct testkey k = test_rows[i].key;

		k.limits = &test_rows[i].limits;
		assert_int_equal(testkey_make(got, &k, &err), 0);
		if ((strcmp(want, got) == 0) != test_rows[i].same)
			fail_msg("row %zu of the tests' keys", i);
	}
	assert_int_equal(testkey_make(got, &(struct testkey){ "k", "d", "\xff", &limits }, &err),
			 PS_EINVAL);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 3];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest){ .name = rows[i].name,
					    .test_func = key_row,
					    .initial_state = (void *)&rows[i] };
	t[PS_NELEM(rows)] = (struct CMUnitTest)cmocka_unit_test(recipes_by_language);
	t[PS_NELEM(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(key_is_what_the_design_lists);
	t[PS_NELEM(rows) + 2] = (struct CMUnitTest)cmocka_unit_test(key_of_a_test);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("buildkey", t, PS_NELEM(t), NULL, NULL);
}
