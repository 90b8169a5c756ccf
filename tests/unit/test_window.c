/* Zones and windows: tables over the days on which clocks are put forward and back. The offsets are those of the
 * rules themselves, so that they hold whatever database the machine has. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/buf.h"
#include "common/base/diag.h"
#include "common/config/window.h"

#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define SYDNEY "AEST-10AEDT,M10.1.0,M4.1.0/3"
#define NUUK "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"

static const struct offset_row {
	const char *name, *rule;
	int64_t utc, offset;
} offsets[] = {
	{ "no daylight saving", "UTC0", 1774746000, 0 },
	{ "with minutes", "<+0545>-5:45", 0, 20700 },
	{ "Berlin, before the spring change", BERLIN, 1774745999, 3600 },	/* 2026-03-29T00:59:59Z */
	{ "Berlin, from the spring change on", BERLIN, 1774746000, 7200 },
	{ "Berlin, before the autumn change", BERLIN, 1792889999, 7200 },	/* 2026-10-25T00:59:59Z */
	{ "Berlin, from the autumn change on", BERLIN, 1792890000, 3600 },
	{ "Berlin, new year", BERLIN, 1798761600, 3600 },
	{ "Sydney, new year is summer", SYDNEY, 1798761600, 39600 },
	{ "Sydney, winter", SYDNEY, 1782864000, 36000 },
	{ "the change is on the day before", NUUK, 1774746000, -3600 },
	{ "just before it", NUUK, 1774745999, -7200 },
	{ "days of the year, not counting 29 February", "AAA0BBB,J60/0,J300/0", 1709251200, 3600 },	/* 2024-03-01 */
	{ "and the day before", "AAA0BBB,J60/0,J300/0", 1709251199, 0 },
	{ "days of the year, counting from 0", "AAA0BBB,59/0,300/0", 1709164800, 3600 },	/* 2024-02-29 */
};

static void check_offset(void **state)
{
	const struct offset_row *r = *state;
	struct zone *z;
	struct ps_err err;

	assert_int_equal(zone_rule(&z, r->rule, &err), 0);
	assert_int_equal(zone_offset(z, r->utc), r->offset);
	zone_free(z);
}

static const struct { const char *rule; } bad_rules[] = {
	{ "" }, { "A0" }, { "ABC" }, { "CET-1CEST,M13.1.0,M10.5.0" }, { "CET-1CEST,M3.6.0,M10.5.0" },
	{ "CET-1CEST,M3.5.0" }, { "CET-1CEST,J0,J9" }, { "CET-1CEST,M3.5.0,M10.5.0x" }, { "<abc" }, { "CET-1:60" },
};

static void bad_rules_are_refused(void **state)
{
	struct zone *z;
	struct ps_err err;

	(void)state;
	for (size_t i = 0; i < PS_NELEM(bad_rules); i++)
		if (zone_rule(&z, bad_rules[i].rule, &err) != PS_EINVAL)
			fail_msg("'%s' is taken", bad_rules[i].rule);
}

/* As zic writes it: two changes, and Berlin's rule behind them. */
static void put32(struct buf *b, int64_t v)
{
	unsigned char p[] = { (unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
			      (unsigned char)v };

	buf_add(b, (char *)p, 4);
}

static void put64(struct buf *b, int64_t v)
{
	put32(b, v >> 32);
	put32(b, v);
}

static void put_header(struct buf *b, unsigned times, unsigned types)
{
	buf_add(b, "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
	for (int i = 0; i < 3; i++)
		put32(b, 0);
	put32(b, times);
	put32(b, types);
	put32(b, 4);
}

static void put_types(struct buf *b)
{
	static const int64_t of[] = { 3208, 3600 };	/* mean time, then CET */

	for (size_t i = 0; i < PS_NELEM(of); i++) {
		put32(b, of[i]);
		buf_add(b, "\0\0", 2);
	}
	buf_add(b, "LMT", 4);
}

static void a_file(struct buf *b)
{
	put_header(b, 0, 2);
	put_types(b);
	put_header(b, 1, 2);
	put64(b, -2422054408);
	buf_add(b, "\1", 1);
	put_types(b);
	buf_adds(b, "\n" BERLIN "\n");
}

static void reads_a_file(void **state)
{
	static const struct { int64_t utc, offset; } at[] = {
		/* behind the last change the rule says, whatever the last type is */
		{ -2422054409, 3208 }, { -2422054408, 7200 }, { 1774746000, 7200 }, { 4102444800, 3600 },
	};
	struct buf b = BUF_INIT;
	struct zone *z;
	struct ps_err err;

	(void)state;
	a_file(&b);
	assert_int_equal(zone_read(&z, (const unsigned char *)buf_str(&b), b.len, &err), 0);
	for (size_t i = 0; i < PS_NELEM(at); i++)
		assert_int_equal(zone_offset(z, at[i].utc), at[i].offset);
	zone_free(z);
	/* cut anywhere it is refused, never read past its end */
	for (size_t n = 0; n < b.len; n++)
		assert_int_equal(zone_read(&z, (const unsigned char *)buf_str(&b), n, &err), PS_EINVAL);
	buf_clear(&b);
}

/* ---- windows ---- */

#define YAML(windows)                                                                             \
	"teams:\n  devs: { members: [ana] }\nfabrics:\n  dev: { id: 1, owner: devs, provider: local }\n"   \
	"environments:\n  - { name: d, refs: [refs/heads/main], fabric: dev, deploy: auto, windows: [" windows "] }\n" \
	"repositories:\n  roots: [{ path: repos, identity: uid, hook_users: ['0'] }]\n"

static const struct window_row {
	const char *name, *windows;
	int64_t now;
	bool open;
	int64_t next;
} windows[] = {
	{ "none", "", 1774746000, true, 0 },
	{ "inside", "{ from: '09:00', to: '16:00', zone: UTC }", 1774861200, true, 0 },	/* 2026-03-30T09:00Z, Monday */
	{ "a second before", "{ from: '09:00', to: '16:00', zone: UTC }", 1774861199, false, 1774861200 },
	{ "its end is not in it", "{ from: '09:00', to: '16:00', zone: UTC }", 1774886400, false, 1774947600 },
	{ "not on this day", "{ days: [tue, wed], from: '09:00', to: '16:00', zone: UTC }", 1774861200, false, 1774947600 },
	{ "over midnight, the day after", "{ days: [sun], from: '22:00', to: '02:00', zone: UTC }", 1774832400, true, 0 },
	{ "over midnight, of no day", "{ days: [mon], from: '22:00', to: '02:00', zone: UTC }", 1774832400, false, 1774908000 },
	{ "all day", "{ days: [mon], zone: UTC }", 1774915199, true, 0 },
	{ "the second of two", "{ days: [sun], zone: UTC }, { days: [mon], zone: UTC }", 1774861200, true, 0 },
	/* the night in which Berlin has no 02:30 */
	{ "spring: the hour that is left out", "{ days: [sun], from: '02:00', to: '03:00', zone: Europe/Berlin }", 1774746000,
	  false, 1775347200 },	/* a week later, at 00:00Z */
	{ "spring: 03:00 comes at once", "{ from: '03:00', to: '04:00', zone: Europe/Berlin }", 1774746000, true, 0 },
	{ "spring: until the change", "{ from: '01:00', to: '02:00', zone: Europe/Berlin }", 1774745999, true, 0 },
	/* the night in which Berlin has 02:30 twice */
	{ "autumn: the first time", "{ from: '02:30', to: '03:00', zone: Europe/Berlin }", 1792888200, true, 0 },
	{ "autumn: between", "{ from: '02:30', to: '03:00', zone: Europe/Berlin }", 1792890000, false, 1792891800 },
	{ "autumn: the second time", "{ from: '02:30', to: '03:00', zone: Europe/Berlin }", 1792891800, true, 0 },
	{ "five minutes are found", "{ days: [sat], from: '09:07', to: '09:12', zone: Europe/Berlin }", 1774861200, false,
	  1775286420 },
};

static void check_window(void **state)
{
	const struct window_row *r = *state;
	char *yaml = xasprintf(YAML("%s"), r->windows);
	struct diag_list out = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err = { 0 };
	const struct conf_environment *e;
	int64_t next = -1;
	bool open;

	assert_int_equal(config_parse(&cfg, "p", yaml, strlen(yaml), &out, &err), 0);
	if (!cfg)
		fail_msg("%s", out.n ? out.v[0].text : "no configuration");
	e = &cfg->environments[0];
	assert_int_equal(window_open(e->windows, e->nwindows, r->now * 1000, &open, &next, &err), 0);
	assert_int_equal(open, r->open);
	assert_int_equal(next, r->next * 1000);
	config_free(cfg);
	diag_clear(&out);
	free(yaml);
}

int main(int argc, char **argv)
{
	static struct CMUnitTest t[PS_NELEM(offsets) + PS_NELEM(windows) + 2];
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(offsets); i++)
		t[n++] = (struct CMUnitTest) { .name = offsets[i].name, .test_func = check_offset,
					       .initial_state = (void *)&offsets[i] };
	for (size_t i = 0; i < PS_NELEM(windows); i++)
		t[n++] = (struct CMUnitTest) { .name = windows[i].name, .test_func = check_window,
					       .initial_state = (void *)&windows[i] };
	t[n++] = (struct CMUnitTest) cmocka_unit_test(bad_rules_are_refused);
	t[n++] = (struct CMUnitTest) cmocka_unit_test(reads_a_file);
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("window", t, PS_NELEM(t), NULL, NULL);
}
