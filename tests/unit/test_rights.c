/* Units of common/config/rights: a row is a question, the environment that says no its answer. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/base/buf.h"
#include "common/config/rights.h"

static const char yaml[] =
	"teams:\n"
	"  developers: { members: [ana, bo], includes: [support] }\n"
	"  support: { members: [kim], includes: [night] }\n"
	"  night: { members: [lee, bo] }\n"
	"fabrics:\n"
	"  dev: { id: 1, owner: developers, provider: local }\n"
	"  prod: { id: 2, owner: support, provider: local }\n"
	"environments:\n"
	"  - { name: a, projects: ['mono:a/**'], refs: [refs/heads/main], fabric: prod, deploy: manual,"
		" push: [ana] }\n"
	"  - { name: b, projects: ['mono:b'], refs: [refs/heads/main], fabric: prod, deploy: manual,"
		" push: night }\n"
	"  - { name: prod, projects: ['sales/*:**'], refs: [refs/tags/v*], fabric: prod, deploy: approve,"
		" push: support }\n"
	"  - { name: hot, refs: [refs/heads/hot], fabric: prod, deploy: auto }\n"
	"  - { name: free, refs: [refs/heads/free], fabric: prod, deploy: approve }\n"
	"  - { name: dev, refs: [refs/heads/main, 'refs/tags/**'], fabric: dev, deploy: auto }\n"
	"  - { name: never, refs: [refs/heads/main], fabric: prod, deploy: manual, push: [ana] }\n";

/* projects: blank between; "": none; NULL: not known. says: the environment, NULL: he may. */
static const struct row { const char *login, *repo, *ref, *projects, *says; } rows[] = {
	{ "kim", "sales/etl", "refs/tags/v1", ".", NULL },
	{ "lee", "sales/etl", "refs/tags/v1", ".", NULL },	/* support includes night */
	{ "bo", "sales/etl", "refs/tags/v1", ".", NULL },
	{ "ana", "sales/etl", "refs/tags/v1", ".", "prod" },
	{ NULL, "sales/etl", "refs/tags/v1", ".", "prod" },
	{ "Kim", "sales/etl", "refs/tags/v1", ".", "prod" },
	{ "support", "sales/etl", "refs/tags/v1", ".", "prod" },	/* a team is no person */
	{ "ana", "hr", "refs/tags/v1", ".", NULL },		/* of another rule */
	{ "ana", "sales/etl/x", "refs/tags/v1", ".", NULL },
	/* the default: owners where it deploys by itself, else anyone */
	{ "eve", "hr", "refs/heads/main", ".", "dev" },
	{ "kim", "hr", "refs/heads/main", ".", NULL },
	{ "ana", "hr", "refs/heads/hot", ".", "hot" },
	{ "eve", "hr", "refs/heads/free", ".", NULL },
	{ "eve", "hr", "refs/heads/topic", ".", NULL },
	{ NULL, "hr", "refs/heads/main", ".", NULL },		/* unknown_pusher says what becomes */
	/* what is in the tree: nothing, or nobody knows */
	{ "ana", "sales/etl", "refs/tags/v1", "", "prod" },
	{ "eve", "hr", "refs/heads/main", "", NULL },
	{ "ana", "sales/etl", "refs/tags/v1", NULL, "prod" },
	{ "eve", "hr", "refs/heads/main", NULL, "dev" },
	/* rules for some projects; the later ones are for the rest */
	{ "ana", "mono", "refs/heads/main", "a/x", NULL },
	{ "lee", "mono", "refs/heads/main", "a/x", "a" },
	{ "ana", "mono", "refs/heads/main", "a/x b", "b" },
	{ "lee", "mono", "refs/heads/main", "b c", NULL },
	{ "eve", "mono", "refs/heads/main", "c", "dev" },
	{ "lee", "mono", "refs/heads/main", NULL, "a" },
	{ "kim", "mono", "refs/heads/main", "", NULL },
	/* a repository without a name: what is for all of them */
	{ "ana", NULL, "refs/tags/v1", ".", NULL },
	{ "eve", NULL, "refs/heads/main", ".", "dev" },
};

static struct config *parse(const char *text)
{
	struct diag_list out = DIAG_LIST_INIT;
	struct config *c = NULL;
	struct ps_err err;

	assert_int_equal(config_parse(&c, "p", text, strlen(text), &out, &err), 0);
	if (!c)
		fail_msg("%s", out.v[0].text);
	diag_clear(&out);
	return c;
}

static void who_may(void **state)
{
	struct config *c = parse(yaml);

	(void)state;
	for (size_t i = 0; i < PS_NELEM(rows); i++) {
		const struct row *r = &rows[i];
		struct rights_ask q = { c, r->repo, r->ref, r->login };
		char *text = xstrdup(r->projects ? r->projects : ""), *save = NULL;
		const char *v[4], *none[1] = { NULL }, *says;
		const struct conf_environment *e;
		size_t n = 0;

		for (char *p = strtok_r(text, " ", &save); p; p = strtok_r(NULL, " ", &save))
			v[n++] = p;
		e = rights_against(&q, !r->projects ? NULL : n ? v : none, n);
		says = e ? e->name : NULL;
		if (!ps_streq(says, r->says) && (says || r->says))
			fail_msg("row %zu: %s, not %s", i, says ? says : "he may",
				 r->says ? r->says : "he may");
		if (e && !rights_in_doubt(&q))
			fail_msg("row %zu: in no doubt", i);
		free(text);
	}
	config_free(c);
}

static void takes(void **state)
{
	struct config *c = parse(yaml);
	struct rights_ask q = { c, "mono", "refs/heads/main", NULL };
	struct rights_ask topic = { c, "mono", "refs/heads/topic", NULL };
	const char *const a[] = { "a/x" }, *const none[1] = { NULL };

	(void)state;
	assert_true(rights_is_mapped(&q));
	assert_true(rights_takes(&q, a, 1));
	assert_true(rights_takes(&q, NULL, 0));
	assert_false(rights_takes(&q, none, 0));
	assert_false(rights_is_mapped(&topic));
	assert_false(rights_takes(&topic, NULL, 0));
	config_free(c);
}

static void texts(void **state)
{
	static const struct { const char *login, *text; } who[] = {
		{ "ana", "ana (developers)" }, { "bo", "bo (developers, night)" },
		{ "eve", "eve (in no team)" }, { NULL, "an unknown pusher" },
	};
	static const struct { const char *env, *text; } whom[] = {
		{ "a", "ana" }, { "b", "night" }, { "hot", "support" }, { "free", "anyone" },
	};
	struct config *c = parse(yaml);
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < PS_NELEM(who); i++) {
		buf_reset(&b);
		rights_who_text(&b, c, who[i].login);
		assert_string_equal(buf_str(&b), who[i].text);
	}
	for (size_t i = 0; i < PS_NELEM(whom); i++) {
		buf_reset(&b);
		rights_whom_text(&b, c, config_environment(c, whom[i].env));
		assert_string_equal(buf_str(&b), whom[i].text);
	}
	buf_clear(&b);
	config_free(c);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may), cmocka_unit_test(takes), cmocka_unit_test(texts),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("rights", tests, NULL, NULL);
}
