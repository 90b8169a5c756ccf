/* rules_derive – what the environment that a ref goes to makes of the project's jobs: is the one
 * there that another is derived from, and does the project have the derived one itself? What config
 * instances and definitions come to, the plan says. */
#include "config.h"

#include "common/gate/rules_push.h"

#include "common/config/mapping.h"

static void look_at(const struct push_subject *s, const struct rules_project *p,
		    const struct conf_environment *e, const struct conf_derive *d,
		    struct diag_list *out)
{
	const struct conf_fabric *f = config_fabric(s->config, e->fabric);
	const struct rules_entry *own = outline_find(&p->outline, PROJECT_JOBS, d->as);

	const struct doc_pos top = { 1, 1 };

	if (!outline_find(&p->outline, PROJECT_JOBS, d->from)) {
		if (rules_push_hit(s, RULE_DERIVED_FROM, out, p->file, top,
				   "environment %s derives '%s' from '%s' (penstock.yml:%u), which "
				   "the project does not have",
				   e->name, d->as, d->from, d->pos.line))
			diag_hint(out, "the push is let in; its release cannot be deployed to %s",
				  e->name);
	} else if (e->jobs_own && own && f && own->fabric == f->id) {
		rules_push_hit(s, RULE_DERIVED_TWICE, out, p->file, own->at,
			       "'%s' is a job of the project on fabric %lld, and environment %s "
			       "derives one of that key there from '%s' (penstock.yml:%u)", d->as,
			       (long long)f->id, e->name, d->from, d->pos.line);
	}
}

void rules_derive(const struct push_subject *s, struct diag_list *out)
{
	if (!s->judged || !s->repo)
		return;
	for (size_t i = 0; i < s->judged->rules.nprojects; i++) {
		const struct rules_project *p = &s->judged->rules.projects[i];
		const struct conf_environment *e = mapping_find(s->config, s->repo, p->path, s->ref,
								NULL);

		for (size_t k = 0; p->outline.usable && e && k < e->nderive; k++)
			look_at(s, p, e, &e->derive[k], out);
	}
}
