/* rights – see rights.h. */
#include <config.h>

#include "common/config/rights.h"

#include "common/base/buf.h"
#include "common/config/mapping.h"

enum { TEAMS_SHOWN = 3 };

bool rights_is_one(const struct config *c, const struct conf_who *who, const char *login)
{
	if (!login)
		return false;
	return who->team ? config_is_member(c, who->team, login) :
		conf_names_has(&who->people, login);
}

static bool is_given(const struct conf_who *who)
{
	return who->team || who->people.n;
}

bool rights_may(const struct config *c, const struct conf_environment *e, const char *login)
{
	if (is_given(&e->push))
		return rights_is_one(c, &e->push, login);
	if (e->deploy != CONF_DEPLOY_AUTO || !login)
		return true;
	return config_is_member(c, config_fabric(c, e->fabric)->owner, login);
}

/* ---- which environments may take a ref, whatever is in its tree ---- */

/* The environments that may take the ref, in their order; behind one that takes all, none does.
 * *i: where to go on, from 0. */
static const struct conf_environment *next_that_may(const struct rights_ask *q, size_t *i,
						    enum mapping_reach *reach)
{
	while (*i < q->config->nenvironments) {
		const struct conf_environment *e = &q->config->environments[(*i)++];

		*reach = mapping_reach(e, q->repo, q->ref);
		if (*reach == MAPPING_ALL)
			*i = q->config->nenvironments;
		if (*reach != MAPPING_NONE)
			return e;
	}
	return NULL;
}

bool rights_is_mapped(const struct rights_ask *q)
{
	enum mapping_reach reach;
	size_t i = 0;

	return next_that_may(q, &i, &reach) != NULL;
}

bool rights_in_doubt(const struct rights_ask *q)
{
	const struct conf_environment *e;
	enum mapping_reach reach;

	for (size_t i = 0; (e = next_that_may(q, &i, &reach));)
		if (!rights_may(q->config, e, q->login))
			return true;
	return false;
}

/* ---- with what is in the tree ---- */

static bool takes_one_of(const struct conf_environment *e, const struct rights_ask *q,
			 const char *const *projects, size_t n)
{
	const char *repo = q->repo ? q->repo : "?";	/* a name that no narrow pattern has */

	for (size_t i = 0; i < n; i++)
		if (mapping_find(q->config, repo, projects[i], q->ref, NULL) == e)
			return true;
	return false;
}

const struct conf_environment *rights_against(const struct rights_ask *q,
					      const char *const *projects, size_t n)
{
	const struct conf_environment *e;
	enum mapping_reach reach;

	for (size_t i = 0; (e = next_that_may(q, &i, &reach));) {
		bool takes = !projects || takes_one_of(e, q, projects, n) ||
			(!n && reach == MAPPING_ALL && is_given(&e->push));

		if (takes && !rights_may(q->config, e, q->login))
			return e;
	}
	return NULL;
}

bool rights_takes(const struct rights_ask *q, const char *const *projects, size_t n)
{
	const struct conf_environment *e;
	enum mapping_reach reach;

	for (size_t i = 0; (e = next_that_may(q, &i, &reach));)
		if (!projects || takes_one_of(e, q, projects, n))
			return true;
	return false;
}

/* ---- texts ---- */

void rights_these_text(struct buf *out, const struct conf_who *who)
{
	if (!is_given(who))
		buf_adds(out, "nobody");
	if (who->team)
		buf_adds(out, who->team);
	for (size_t i = 0; i < who->people.n; i++)
		buf_addf(out, "%s%s", i ? ", " : "", who->people.v[i]);
}

void rights_whom_text(struct buf *out, const struct config *c, const struct conf_environment *e)
{
	if (is_given(&e->push))
		rights_these_text(out, &e->push);
	else
		buf_adds(out, e->deploy == CONF_DEPLOY_AUTO ? config_fabric(c, e->fabric)->owner :
			 "anyone");
}

void rights_who_text(struct buf *out, const struct config *c, const char *login)
{
	size_t n = 0;

	if (!login) {
		buf_adds(out, "an unknown pusher");
		return;
	}
	buf_addf(out, "%s (", login);
	for (size_t i = 0; i < c->nteams; i++) {
		if (!conf_names_has(&c->teams[i].members, login))
			continue;
		if (n < TEAMS_SHOWN)
			buf_addf(out, "%s%s", n ? ", " : "", c->teams[i].name);
		n++;
	}
	if (n > TEAMS_SHOWN)
		buf_addf(out, " and %zu more", n - TEAMS_SHOWN);
	buf_adds(out, n ? ")" : "in no team)");
}

static void add_name(struct buf *b, bool *first, const char *kind, const char *name)
{
	buf_addf(b, "%s%s%s", *first ? "" : ", ", kind, name);
	*first = false;
}

void rights_team_text(struct buf *out, const struct config *c, const char *team)
{
	const struct conf_team *t = config_team(c, team);
	bool first = true;

	buf_addf(out, "team %s (", team);
	for (size_t i = 0; t && i < t->members.n; i++)
		add_name(out, &first, "", t->members.v[i]);
	for (size_t i = 0; t && i < t->includes.n; i++)
		add_name(out, &first, "team ", t->includes.v[i]);
	buf_adds(out, first ? "nobody)" : ")");
}
