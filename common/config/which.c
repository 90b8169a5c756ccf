/* which – see which.h. */
#include <config.h>

#include "common/config/which.h"

#include "common/base/buf.h"

static void add_list(struct buf *out, const struct conf_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		buf_addf(out, "%s'%s'", i ? ", " : "", names->v[i]);
}

/* A rule is passed over for its refs first: that is what people look for. */
static char *reason(const struct mapping_step *s, size_t number, size_t taken)
{
	struct buf why = BUF_INIT;

	if (!s->ref_matches) {
		buf_addf(&why, "the ref %s ", s->env->refs.n == 1 ? "does not match" :
			 "matches none of");
		add_list(&why, &s->env->refs);
	} else if (!s->project_matches) {
		buf_addf(&why, "the project %s ", s->env->projects.n == 1 ? "does not match" :
			 "matches none of");
		add_list(&why, &s->env->projects);
	} else {
		buf_addf(&why, "matches '%s'", s->pattern);
		if (number != taken)
			buf_addf(&why, ", but rule %zu comes first", taken);
	}
	return buf_steal(&why);
}

void which_make(struct which *w, const struct config *c, const char *repo, const char *project,
		const char *ref)
{
	struct mapping_step *steps = xcalloc(c->nenvironments + 1, sizeof(*steps));

	*w = (struct which) { .repo = repo, .project = project, .ref = ref };
	(void)mapping_find(c, repo, project, ref, &w->taken);
	mapping_explain(c, repo, project, ref, steps);
	w->n = c->nenvironments;
	w->rows = xcalloc(w->n + 1, sizeof(*w->rows));
	for (size_t i = 0; i < w->n; i++)
		w->rows[i] = (struct which_row) {
			.number = i + 1, .env = steps[i].env, .taken = i + 1 == w->taken,
			.pattern = steps[i].pattern, .why = reason(&steps[i], i + 1, w->taken),
		};
	free(steps);
}

void which_clear(struct which *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->rows[i].why);
	free(w->rows);
	*w = (struct which) { 0 };
}

void which_rule_text(struct buf *out, const struct conf_environment *env, size_t number,
		     const char *file)
{
	const char *slash = strrchr(file, '/');

	buf_addf(out, "%s (rule %zu, %s:%u)", env->name, number, slash ? slash + 1 : file,
		 env->pos.line);
}

void which_text(struct buf *out, const struct which *w, const char *file, bool all)
{
	const char *slash = strrchr(file, '/');

	if (w->taken) {
		const struct which_row *r = &w->rows[w->taken - 1];

		which_rule_text(out, r->env, r->number, file);
		buf_addf(out, " -> fabric %s, deploy %s\n", r->env->fabric,
			 conf_deploy_word(r->env->deploy));
	} else {
		buf_addf(out, "nowhere: no rule of %s takes '%s' of '%s:%s'\n",
			 slash ? slash + 1 : file, w->ref, w->repo, w->project);
	}
	for (size_t i = 0; all && i < w->n; i++) {
		buf_addf(out, "  %s ", w->rows[i].taken ? "*" : " ");
		which_rule_text(out, w->rows[i].env, w->rows[i].number, file);
		buf_addf(out, ": %s\n", w->rows[i].why);
	}
}
