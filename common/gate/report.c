/* report – see report.h. */
#include "config.h"

#include "common/gate/report.h"

#include "common/base/escape.h"
#include "common/config/mapping.h"
#include "common/config/rights.h"
#include "common/gate/rules_push.h"

enum { WARNINGS_SHOWN = 3, NAMES_SHOWN = 3 };

static void add_safe(struct buf *out, const char *text)
{
	escape_buf(out, text, strlen(text), false);
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- where each ref maps: made whole first, because the budget of lines cuts it ---- */

struct lines {
	struct buf text;
	size_t n;
	struct gate_mapped mapped[GATE_LINES_MAX];
	size_t nmapped;
};

/* Does it map? */
static bool add_mapping(struct lines *l, const struct gate_input *in, const struct gate_ref *ref,
			const char *project)
{
	const struct conf_environment *env = mapping_find(in->config, in->repo_name, project,
							  ref->target, NULL);

	add_safe(&l->text, mapping_short_ref(ref->target));
	buf_adds(&l->text, ": ");
	add_safe(&l->text, project);
	if (env) {
		buf_addf(&l->text, " -> %s (%s)\n", env->name, conf_deploy_word(env->deploy));
	} else {
		buf_adds(&l->text, " maps nowhere: no rule of penstock.yml names ");
		add_safe(&l->text, ref->target);
		buf_addch(&l->text, '\n');
	}
	l->n++;
	return env != NULL;
}

static void add_note(struct lines *l, const struct gate_ref *ref, const char *note)
{
	add_safe(&l->text, mapping_short_ref(ref->target));
	buf_addf(&l->text, ": %s\n", note);
	l->n++;
}

static void mapping_lines(struct lines *l, const struct gate_input *in, const struct gate_result *r,
			  const struct project_paths *const *projects)
{
	for (size_t i = 0; i < r->nrefs; i++) {
		const struct gate_ref *ref = &r->refs[i];

		if (repo_oid_is_zero(in->commands[i].new_oid))
			add_note(l, ref, "deleted");
		else if (!projects[i] || !projects[i]->n)
			add_note(l, ref, "no project in it, nothing to build");
		for (size_t k = 0; in->config && projects[i] && k < projects[i]->n; k++)
			if (add_mapping(l, in, ref, projects[i]->v[k]) &&
			    l->nmapped < GATE_LINES_MAX)
				l->mapped[l->nmapped++] = (struct gate_mapped) { i, k, l->n - 1 };
	}
	if (!in->config) {
		buf_adds(&l->text, "no configuration: fabric ids and environments not looked at\n");
		l->n++;
	}
}

/* How many of them were shown. */
static size_t add_lines(struct buf *out, const struct lines *l, size_t room)
{
	const char *p = buf_str(&l->text);
	size_t shown = l->n <= room ? l->n : room - 1;

	for (size_t i = 0; i < shown; i++) {
		const char *nl = strchr(p, '\n');

		buf_add(out, p, (size_t)(nl - p) + 1);
		p = nl + 1;
	}
	if (shown < l->n)
		buf_addf(out, "and %zu more\n", l->n - shown);
	return shown;
}

/* ---- push options ---- */

/* What became of penstock.skip; how many lines that took. */
static size_t skip_line(struct buf *out, const struct gate_input *in, const struct gate_result *r)
{
	struct buf who = BUF_INIT;

	if (r->skipped)
		buf_adds(out, "warning: penstock.skip: findings do not count, the event is held "
			 "until an owner lets it go\n");
	if (!in->skip || r->skipped)
		return r->skipped;
	if (in->config) {
		rights_who_text(&who, in->config, in->who ? in->who->name : NULL);
		buf_adds(&who, " may not, it is for ");
		rights_these_text(&who, &in->config->repo.skip);
	}
	buf_adds(out, "warning: penstock.skip: ");
	add_safe(out, who.len ? buf_str(&who) : "no configuration says who may");
	buf_adds(out, "; judged as ever\n");
	buf_clear(&who);
	return 1;
}

/* git says of each ref that a hook declined it: whoever asked for that must not take it for a
 * fault. */
static void dry_run_line(struct buf *out, const struct gate_input *in, const struct gate_result *r)
{
	if (in->dry_run)
		buf_adds(out, r->verdict == GATE_ACCEPT ?
			 "hint: penstock.dry-run: nothing is wrong and nothing was changed; git "
			 "says declined because you asked for a dry run\n" :
			 "hint: penstock.dry-run: nothing was changed\n");
}

static void accepted(struct buf *out, const struct gate_input *in, struct gate_result *r,
		     const struct project_paths *const *projects)
{
	size_t warned = r->all.n ? 1 + (r->all.n < WARNINGS_SHOWN ? r->all.n : WARNINGS_SHOWN) : 0;
	struct lines l = { .text = BUF_INIT };
	size_t shown, before, taken = warned > WARNINGS_SHOWN ? warned + 1 : warned;

	buf_adds(out, "success: ");
	add_safe(out, in->repo_name);
	buf_addf(out, " %s, %zu ref%s\n", in->dry_run ? "would be accepted" : "accepted", r->nrefs,
		 plural(r->nrefs));
	before = 1 + skip_line(out, in, r);
	taken += before + in->dry_run;
	mapping_lines(&l, in, r, projects);
	/* post-receive has nothing to say of a dry run */
	shown = add_lines(out, &l, GATE_LINES_MAX + (in->dry_run ? GATE_LINES_POST : 0) - taken);
	for (size_t k = 0; k < l.nmapped && l.mapped[k].line < shown; k++) {
		r->mapped[r->nmapped] = l.mapped[k];
		r->mapped[r->nmapped++].line += before;
	}
	buf_clear(&l.text);
	if (r->all.n) {
		buf_addf(out, "warning: %zu finding%s that do%s not refuse\n", r->all.n,
			 plural(r->all.n), r->all.n == 1 ? "es" : "");
		diag_print(out, &r->all, WARNINGS_SHOWN);
	}
	dry_run_line(out, in, r);
}

/* Errors before warnings once not all fit, so that no error hides behind "and N more". */
static void add_findings(struct buf *out, const struct diag_list *all)
{
	struct diag_list errors = { .v = all->v, .n = 0 };
	struct diag *sorted;
	size_t n = 0;

	if (all->n <= GATE_DIAGS_MAX) {
		diag_print_source(out, all, 0);
		return;
	}
	sorted = xcalloc(all->n, sizeof(*sorted));
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < all->n; i++)
			if ((all->v[i].severity == DIAG_ERROR) == (pass == 0))
				sorted[n++] = all->v[i];
	errors.v = sorted;
	errors.n = n;
	diag_print_source(out, &errors, GATE_DIAGS_MAX);
	free(sorted);
}

static void refused(struct buf *out, const struct gate_input *in, const struct gate_result *r)
{
	size_t named = 0, bad = 0;

	for (size_t i = 0; i < r->nrefs; i++)
		bad += r->refs[i].findings.errors > 0;
	buf_adds(out, "error: ");
	add_safe(out, in->repo_name);
	buf_addf(out, " refused, nothing was changed: %zu error%s in ", r->all.errors,
		 plural(r->all.errors));
	for (size_t i = 0; i < r->nrefs && named < NAMES_SHOWN; i++) {
		if (!r->refs[i].findings.errors)
			continue;
		buf_adds(out, named++ ? ", " : "");
		add_safe(out, mapping_short_ref(r->refs[i].target));
	}
	if (bad > named)
		buf_addf(out, " and %zu more", bad - named);
	buf_addch(out, '\n');
	skip_line(out, in, r);
	add_findings(out, &r->all);
	buf_adds(out, "hint: 'penstock check' prints these lines before a push\n");
	dry_run_line(out, in, r);
}

void report_text(struct buf *out, const struct gate_input *in, struct gate_result *r,
		 const struct project_paths *const *projects)
{
	switch (r->verdict) {
	case GATE_ACCEPT:
		accepted(out, in, r, projects);
		break;
	case GATE_REFUSE:
		refused(out, in, r);
		break;
	case GATE_UNDECIDED:
		buf_adds(out, "warning: not judged: ");
		add_safe(out, r->slow ? r->slow : "time budget spent");
		buf_addch(out, '\n');
		break;
	}
}
