/* toolchains – see toolchains.h. */
#include "config.h"

#include "agent/flow/toolchains.h"

static struct toolchain_one one(const char *name, const char *prefix, const char *digest,
				const char *problem)
{
	return (struct toolchain_one) { xstrdup(name), xstrdup_null(prefix), xstrdup_null(digest),
					digest ? NULL : xstrdup_null(problem) };
}

void toolchains_take(struct toolchain_now *t, const struct wire_toolchain_info *i, int64_t asked_ms)
{
	*t = (struct toolchain_now) {
		.known = true, .asked_ms = asked_ms, .problem = xstrdup_null(i->problem),
		.sandbox_problem = xstrdup_null(i->sandbox_problem),
		.name = xstrdup_null(i->name), .prefix = xstrdup_null(i->prefix),
		.digest = i->problem ? NULL : xstrdup_null(i->digest),
	};
	t->v = xcalloc(i->all.n + 1, sizeof(*t->v));
	for (; t->n < i->all.n; t->n++) {
		const struct wire_toolchain *w = &i->all.v[t->n];

		t->v[t->n] = one(w->name, w->prefix, w->problem ? NULL : w->digest, w->problem);
	}
}

struct toolchain_now toolchains_copy(const struct toolchain_now *t)
{
	struct toolchain_now c = {
		.known = t->known, .asked_ms = t->asked_ms, .problem = xstrdup_null(t->problem),
		.sandbox_problem = xstrdup_null(t->sandbox_problem),
		.name = xstrdup_null(t->name), .prefix = xstrdup_null(t->prefix),
		.digest = xstrdup_null(t->digest),
	};

	c.v = xcalloc(t->n + 1, sizeof(*c.v));
	for (; c.n < t->n; c.n++)
		c.v[c.n] = one(t->v[c.n].name, t->v[c.n].prefix, t->v[c.n].digest,
			       t->v[c.n].problem);
	return c;
}

void toolchains_clear(struct toolchain_now *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].name);
		free(t->v[i].prefix);
		free(t->v[i].digest);
		free(t->v[i].problem);
	}
	free(t->v);
	free(t->problem);
	free(t->sandbox_problem);
	free(t->name);
	free(t->prefix);
	free(t->digest);
	*t = (struct toolchain_now) { .known = false };
}

bool toolchains_same(const struct toolchain_now *a, const struct toolchain_now *b)
{
	if (a->known != b->known || a->n != b->n || !ps_streq(a->problem, b->problem) ||
	    !ps_streq(a->digest, b->digest) || !ps_streq(a->prefix, b->prefix))
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct toolchain_one *other = NULL;

		for (size_t k = 0; k < b->n && !other; k++)	/* folders have no order */
			if (strcmp(a->v[i].name, b->v[k].name) == 0)
				other = &b->v[k];
		if (!other || !ps_streq(a->v[i].digest, other->digest) ||
		    !ps_streq(a->v[i].prefix, other->prefix) ||
		    !ps_streq(a->v[i].problem, other->problem))
			return false;
	}
	return true;
}

const struct toolchain_one *toolchains_by_name(const struct toolchain_now *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].digest && strcmp(t->v[i].name, name) == 0)
			return &t->v[i];
	return NULL;
}

const struct toolchain_one *toolchains_by_digest(const struct toolchain_now *t, const char *digest)
{
	for (size_t i = 0; i < t->n; i++)
		if (ps_streq(t->v[i].digest, digest))
			return &t->v[i];
	return NULL;
}

const struct toolchain_one *toolchains_by_prefix(const struct toolchain_now *t, const char *prefix)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].digest && ps_streq(t->v[i].prefix, prefix))
			return &t->v[i];
	return NULL;
}

static const char *problem_of(const struct toolchain_now *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->v[i].name, name) == 0)
			return t->v[i].problem;
	return NULL;
}

void toolchains_choose(struct toolchain_choice *out, const struct toolchain_now *t,
		       const struct config *cfg, const char *repo, const char *project,
		       const char *environment, const char *language)
{
	const struct conf_toolchain_rule *r =
		config_toolchain(cfg, repo, project, environment, language);
	const struct toolchain_one *found = r ? toolchains_by_name(t, r->use) : NULL;

	*out = (struct toolchain_choice) { .name = r ? r->use : t->name ? t->name : "default" };
	if (!r) {
		out->digest = t->digest;
		out->prefix = t->prefix;
		out->problem = t->digest ? NULL : t->problem;
	} else if (found) {
		out->digest = found->digest;
		out->prefix = found->prefix;
	} else {		/* a rule of a configuration that the build role has not told of */
		snprintf(out->text, sizeof(out->text), "toolchain %s: make it with penstock "
			 "toolchain make %s FILE", r->use, r->use);
		out->problem = problem_of(t, r->use);
		out->problem = out->problem ? out->problem : out->text;
	}
}

bool toolchains_any(const struct toolchain_now *t)
{
	if (t->digest)
		return true;
	for (size_t i = 0; i < t->n; i++)
		if (t->v[i].digest)
			return true;
	return false;
}

bool toolchains_all_there(const struct toolchain_now *t, const struct config *cfg)
{
	if (!t->digest && config_needs_default_toolchain(cfg))
		return false;
	for (size_t i = 0; i < cfg->ntoolchain_rules; i++)
		if (!toolchains_by_name(t, cfg->toolchain_rules[i].use))
			return false;
	return true;
}
