/* fuzz_config – penstock.yml: findings at their places, and of a good one the snapshot for hooks:
 * the same configuration, without a credential. */
#include "config.h"

#include "common/config/redact.h"
#include "common/config/which.h"
#include "tests/fuzz/fuzz.h"

static struct config *parse(const char *bytes, size_t n)
{
	struct diag_list l = DIAG_LIST_INIT;
	struct buf text = BUF_INIT;
	struct ps_err err = { 0 };
	struct config *c = NULL;

	FUZZ_CHECK(config_parse(&c, "penstock.yml", bytes, n, &l, &err) == 0, "%s", err.msg);
	FUZZ_CHECK(!c == !!l.errors, "%zu errors and %s configuration", l.errors, c ? "a" : "no");
	diag_sort(&l);
	fuzz_check_findings(&l, "penstock.yml", bytes, n);
	diag_print(&text, &l, 0);
	fuzz_check_text(buf_str(&text), text.len);
	buf_clear(&text);
	diag_clear(&l);
	return c;
}

static size_t count(const char *bytes, size_t n, const char *word)
{
	const char *at = bytes, *end = bytes + n;
	size_t found = 0;

	for (; (at = memmem(at, (size_t)(end - at), word, strlen(word))); at++)
		found++;
	return found;
}

/* Where it stands in the file it is not told; the same text may stand elsewhere by right. */
static void check_secret(const struct conf_secret *s, const char *bytes, size_t n,
			 const struct buf *redacted)
{
	size_t was;

	/* 'x' is what stands in for one */
	if (s->kind == CONF_SECRET_NONE || strspn(s->where, "/x") == strlen(s->where))
		return;
	was = count(bytes, n, s->where);
	FUZZ_CHECK(!was || count(buf_str(redacted), redacted->len, s->where) < was,
		   "'%s' is told to hooks:\n%s", s->where, buf_str(redacted));
}

static void check_snapshot(const struct config *c, const char *bytes, size_t n)
{
	struct buf redacted = BUF_INIT;
	struct ps_err err = { 0 };
	struct config *again;

	FUZZ_CHECK(config_redact(&redacted, c, bytes, n, &err) == 0, "no snapshot: %s", err.msg);
	again = parse(buf_str(&redacted), redacted.len);
	FUZZ_CHECK(again && again->nenvironments == c->nenvironments &&
		   again->nfabrics == c->nfabrics && again->nrules == c->nrules &&
		   again->repo.budget_ms == c->repo.budget_ms,
		   "the snapshot says something else:\n%s", buf_str(&redacted));
	for (size_t i = 0; i < c->nenvironments; i++)
		FUZZ_CHECK(again->environments[i].pos.line == c->environments[i].pos.line &&
			   again->environments[i].pos.col == c->environments[i].pos.col,
			   "rule %zu is elsewhere", i + 1);
	for (size_t i = 0; i < c->nfabrics; i++) {
		check_secret(&c->fabrics[i].token, bytes, n, &redacted);
		check_secret(&c->fabrics[i].client_secret, bytes, n, &redacted);
	}
	config_free(again);
	buf_clear(&redacted);
}

static void check_which(const struct config *c, const char *ref)
{
	struct buf text = BUF_INIT;
	struct which w;

	which_make(&w, c, "sales/etl", "a/b", ref);
	FUZZ_CHECK(w.n == c->nenvironments && w.taken <= w.n, "%zu of %zu", w.taken, w.n);
	which_text(&text, &w, "penstock.yml", true);
	buf_clear(&text);
	which_clear(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *c = parse((const char *)data, size);

	if (!c)
		return 0;
	check_snapshot(c, (const char *)data, size);
	check_which(c, "refs/heads/release/1.0");
	check_which(c, "refs/tags/v1.0");
	config_rule_level(c, "PS-PROJ-001", "refs/heads/main", CONF_LEVEL_ERROR);
	config_is_member(c, "developers", "ana");
	config_free(c);
	return 0;
}
