/* Units of held: what looks like a restored copy, and who may let an event go. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "agent/flow/held.h"
#include "agent/flow/reconcile.h"
#include "agent/store/hold.h"

/* held.c asks for these when it runs inside core. */
void core_kick(struct core *c)
{
	(void)c;
}

struct policy_now *policy_take(struct policy_now *p)
{
	return p;
}

void policy_drop(struct policy_now *p)
{
	(void)p;
}

void reconcile_one(struct reconcile *r, const char *path, core_reply_fn *reply, void *arg)
{
	(void)r;
	(void)path;
	(void)reply;
	(void)arg;
}

static const char yaml[] =
	"teams:\n"
	"  developers: { members: [ana, bo], includes: [prod_support] }\n"
	"  prod_support: { members: [kim, lee] }\n"
	"fabrics:\n"
	"  development: { id: 1, owner: developers, provider: local, self_approval: true }\n"
	"  production: { id: 2, owner: prod_support, provider: local }\n"
	"environments:\n"
	"  - { name: tags, refs: ['refs/tags/v*'], fabric: production, deploy: approve }\n"
	"  - { name: some, projects: ['sales/*:etl'], refs: [refs/heads/main], fabric: production,"
	" deploy: auto }\n"
	"  - { name: main, refs: [refs/heads/main], fabric: development, deploy: auto }\n"
	"  - { name: late, refs: [refs/heads/main], fabric: production, deploy: auto }\n";

static const struct row {
	const char *name, *repository, *ref, *login;
	bool admin, his;
	const char *why;		/* NULL: he may */
} rows[] = {
	{ "an owner of the fabric", "hr", "refs/heads/main", "ana", false, false, NULL },
	{ "by a team that includes his", "hr", "refs/heads/main", "kim", false, false, NULL },
	{ "a later rule is never reached", "hr", "refs/heads/main", "bo", false, false, NULL },
	{ "not his fabric", "hr", "refs/tags/v1", "ana", false, false, "production, prod_support (kim, lee)" },
	{ "one of two is not his", "sales/x", "refs/heads/main", "ana", false, false, "production" },
	{ "both are his", "sales/x", "refs/heads/main", "kim", false, false, NULL },
	{ "the admin", "hr", "refs/tags/v1", "root", true, false, NULL },
	{ "who may have pushed it", "hr", "refs/tags/v1", "kim", false, true, "kim may have pushed e7" },
	{ "the admin who pushed it", "hr", "refs/tags/v1", "root", true, true, "root may have pushed e7" },
	{ "self_approval", "hr", "refs/heads/main", "ana", false, true, NULL },
	{ "self_approval of one alone", "sales/x", "refs/heads/main", "kim", false, true, "kim may have" },
	{ "it goes nowhere", "hr", "refs/heads/x", "ana", false, true, NULL },
};

static void who_may(void **state)
{
	const struct row *r = *state;
	const struct ref_event e = { .id = 7, .ref = (char *)r->ref,
				     .repository_name = (char *)r->repository };
	const struct held_person who = { r->login, r->login, r->admin };
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err = { 0 };
	int rc;

	assert_int_equal(config_parse(&cfg, "penstock.yml", yaml, strlen(yaml), &diags, &err), 0);
	assert_non_null(cfg);
	rc = held_may(cfg, &e, &who, r->his, &err);
	assert_int_equal(rc, r->why ? PS_EPERM : 0);
	if (r->why && !strstr(err.msg, r->why))
		fail_msg("'%s' does not say '%s'", err.msg, r->why);
	diag_clear(&diags);
	config_free(cfg);
}

static void much(void **state)
{
	static const struct { int64_t moved, refs; bool much; } v[] = {
		{ 20, 1000, false }, { 21, 1000, true }, { 21, 0, true }, { 20, 20, false },
		{ 3, 21, true }, { 2, 21, false }, { 3, 30, false }, { 4, 30, true }, { 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < PS_NELEM(v); i++)
		assert_int_equal(hold_is_much(v[i].moved, v[i].refs), v[i].much);
}

int main(int argc, char **argv)
{
	struct CMUnitTest t[PS_NELEM(rows) + 1];

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[i] = (struct CMUnitTest) { .name = rows[i].name, .test_func = who_may,
					     .initial_state = (void *)&rows[i] };
	t[PS_NELEM(rows)] = (struct CMUnitTest) { .name = "much", .test_func = much };
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return _cmocka_run_group_tests("held", t, PS_NELEM(t), NULL, NULL);
}
