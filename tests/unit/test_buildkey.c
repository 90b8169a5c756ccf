/* The build key: what must change it does, what must not does not (design: BUILDS). */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/plan/buildkey.h"

#define OID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct buildkey_input inputs[] = {
	{ "pipelines/orders", OID_A, true },
	{ "functions", OID_B, true },
};
static const struct buildkey_input swapped[] = {
	{ "functions", OID_B, true },
	{ "pipelines/orders", OID_A, true },
};
static const struct buildkey_input other_pipeline[] = {
	{ "pipelines/orders", OID_B, true },
	{ "functions", OID_B, true },
};
static const struct buildkey_input other_shared[] = {
	{ "pipelines/orders", OID_A, true },
	{ "functions", OID_A, true },
};
static const struct buildkey_input moved_shared[] = {
	{ "pipelines/orders", OID_A, true },
	{ "functions2", OID_B, true },
};
static const struct buildkey_input more_shared[] = {
	{ "pipelines/orders", OID_A, true },
	{ "functions", OID_B, true },
	{ ".prophecy/x", OID_B, true },
};
static const struct buildkey_input blob_for_tree[] = {
	{ "pipelines/orders", OID_A, true },
	{ "functions", OID_B, false },
};
static const struct buildkey_input twice[] = {
	{ "functions", OID_B, true },
	{ "functions", OID_B, true },
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
	{ "another tree of the pipeline", KEY(INPUTS(other_pipeline)), false, 0 },
	{ "another tree of a shared input", KEY(INPUTS(other_shared)), false, 0 },
	{ "a shared input at another path", KEY(INPUTS(moved_shared)), false, 0 },
	{ "a vendored dependency more", KEY(INPUTS(more_shared)), false, 0 },
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

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 1];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest){ .name = rows[i].name,
					    .test_func = key_row,
					    .initial_state = (void *)&rows[i] };
	t[PS_NELEM(rows)] = (struct CMUnitTest)cmocka_unit_test(recipes_by_language);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("buildkey", t, PS_NELEM(t), NULL, NULL);
}
