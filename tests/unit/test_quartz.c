/* Units of quartz: what Databricks takes as a schedule, and what it does not. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/project/quartz.h"
#include "tests/support/gitdir.h"

static const struct row { const char *text; bool good; } rows[] = {
	{ "0 0 6 * * ?", true }, { "0 0 6 * * ? *", true }, { "0 0/15 8-18 ? * MON-FRI", true },
	{ "10,20,30 * * ? * *", true }, { "0 0 12 L * ?", true }, { "0 0 12 L-3 * ?", true },
	{ "0 0 12 LW * ?", true }, { "0 0 12 15W JAN,mar ?", true }, { "0 0 0 ? * 6L", true },
	{ "0 0 0 ? * 6#3", true }, { "0 0 0 1/5 * ? 2026-2030", true }, { "0 0 22-2 * * ?", true },
	{ "0  0\t6 * * ?", true }, { "0 /5 * * * ?", true },
	{ "0 0 12 L-3W * ?", true }, { "0 0 12 15w,1W * ?", true }, { "0 0 12 lw * ?", true },
	{ "0 0 12 l-0 * ?", true }, { "0 0 0 ? * fril", true }, { "0 0 0 ? * l", true },
	{ "0 0 6,,18, * * ?", true }, { "0 0 6 ,1 * ?", true }, { "0 0 6 * * ? 2101", true },
	{ "0 0 0 ? * 2/7", true }, { "0 0/59 * * * ? */9", true },
	{ "0 0/60 * * * ?", false }, { "0 0 */24 * * ?", false }, { "0 0 6 1/32 * ?", false },
	{ "0 0 6 L-31 * ?", false }, { "0 0 6 ? * 6W", false }, { "0 0 6 ? * LW", false },
	{ "0 0 6 6L * ?", false }, { "0 0 , * * ?", false },
	{ "", false }, { "0 6 * * *", false }, { "0 0 6 * * * *", false }, { "0 0 6 ? * ?", false },
	{ "60 0 6 * * ?", false }, { "0 0 24 * * ?", false }, { "0 0 6 32 * ?", false },
	{ "0 0 6 0 * ?", false }, { "0 0 6 * 13 ?", false }, { "0 0 6 ? * 8", false },
	{ "0 0 6 * * ? 1969", false }, { "0 0 6 * FOO ?", false }, { "? 0 6 * * ?", false },
	{ "0 0/0 6 * * ?", false }, { "0 0 6 1- * ?", false },
	{ "0 0 6 ? * 6#6", false }, { "0 0 6 * * ? * *", false },
	{ "-1 0 6 * * ?", false }, { "0 0 6 L * L", false },
};

static void expressions(void **state)
{
	(void)state;
	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		char *why = quartz_fault(rows[i].text);

		if ((why == NULL) != rows[i].good)
			fail_msg("'%s': %s", rows[i].text, why ? why : "taken");
		free(why);
	}
}

static void zones(void **state)
{
	/* Berlin is all that the database has */
	static const char *const good[] = {
		"Europe/Berlin", "UTC", "GMT+01:00", "GMT+0", "Z", "ACT", "PST", "VST", "US/Eastern",
		"US/Pacific-New", "Asia/Calcutta", "Africa/Asmera", "Zulu", "EST5EDT", "GB-Eire", "PRC",
		"Canada/Atlantic", "Brazil/East", "Chile/Continental", "Mexico/General", "Europe/Kyiv",
	};
	static const char *const bad[] = {
		"", " ", "../passwd", "/etc/passwd", "Europe/Ber lin", "XYZ", "PS", "T A", "Europe/\n",
		"Europe/Berlim", "US", "US/", "US/East", "US/Eastern/", "Eastern", "us/eastern",
		"PST SST", "EST5EDT6",
	};

	(void)state;
	gitdir_file("zones/Europe/Berlin", "");
	for (size_t i = 0; i < PS_NELEM(good); i++)
		if (!quartz_zone_in("zones", good[i]))
			fail_msg("'%s' is not known", good[i]);
	for (size_t i = 0; i < PS_NELEM(bad); i++)
		if (quartz_zone_in("zones", bad[i]))
			fail_msg("'%s' is known", bad[i]);
	assert_true(quartz_zone_in("none", "Europe/Berlim"));
	assert_false(quartz_zone_in("none", "../passwd"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(expressions),
		cmocka_unit_test_setup_teardown(zones, gitdir_enter, gitdir_leave),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("quartz", t, NULL, NULL);
}
