/* config_check – what can only be judged when the whole file is read: references, names twice,
 * circles; and, for a file without error, the warnings. */
#include <config.h>

#include "common/config/config_read.h"
#include "common/config/window.h"

#include <ctype.h>

#include "common/base/buf.h"
#include "common/config/mapping.h"

static const struct { const char *what, *code; } sorts[] = {
	[CONF_A_TEAM] = { "team", "PS-CONF-015" },
	[CONF_A_FABRIC] = { "fabric", "PS-CONF-016" },
	[CONF_AN_ENVIRONMENT] = { "environment", "PS-CONF-017" },
	[CONF_A_FABRIC_ID] = { "fabric id", "PS-CONF-018" },
	[CONF_A_ROOT] = { "root", "PS-CONF-018" },
	[CONF_A_TOOLCHAIN] = { "toolchain", "PS-CONF-018" },
};

static void check_clock(struct conf_reader *r, const struct conf_node *node, const char *key,
			const char *text)
{
	const struct conf_node *at = conf_node_get(node, key);
	unsigned minute;

	if (text && !window_clock(text, &minute))
		conf_error(r, at ? at->pos : node->pos, "PS-CONF-020",
			   "'%s' must be a time of the day like 09:30, not '%s'", key, text);
}

void conf_check_window(struct conf_reader *r, const struct conf_node *node, const void *base)
{
	const struct conf_node *zone = conf_node_get(node, "zone");
	const struct conf_window *w = base;
	struct ps_err err = { 0 };
	struct zone *z = NULL;

	check_clock(r, node, "from", w->from);
	check_clock(r, node, "to", w->to);
	if (w->from && ps_streq(w->from, w->to))
		conf_error(r, node->pos, "PS-CONF-020",
			   "a window that ends when it begins is none");
	if (w->zone && zone && zone_open(&z, w->zone, &err) < 0)
		conf_error(r, zone->pos, "PS-CONF-020", "%s; say one like Europe/Berlin or UTC",
			   err.msg);
	zone_free(z);
}

static bool is_loopback(const char *text)
{
	const char *host = ps_starts(text, "[::1]:") ? text + strlen("[::1]") : NULL;
	unsigned a, b, c;
	int at = 0;
	long port;
	char *end;

	if (!host && sscanf(text, "127.%3u.%3u.%3u%n", &a, &b, &c, &at) == 3 && a < 256 &&
	    b < 256 && c < 256)
		host = text + at;
	if (!host || *host != ':' || host[1] < '1' || host[1] > '9')
		return false;
	port = strtol(host + 1, &end, 10);
	return *end == '\0' && port < 65536;
}

/* A token in the clear must not leave the machine; further away there is a proxy's TLS. */
void conf_check_api(struct conf_reader *r, const struct conf_node *node, const void *base)
{
	const struct conf_node *listen = conf_node_get(node, "listen");

	(void)base;
	if (listen && listen->kind == CONF_TEXT && !is_loopback(listen->text))
		conf_error(r, listen->pos, "PS-CONF-022",
			   "'listen' must be an address of this machine alone, like "
			   "127.0.0.1:8730 or [::1]:8730, not '%s'", listen->text);
}

/* One way to tell somebody; and no address that a mail program would take for an option or more
 * than one line. */
static bool is_address(const char *s)
{
	return *s != '-' && strchr(s, '@') && !strpbrk(s, "\r\n\t <>,");
}

void conf_check_notify(struct conf_reader *r, const struct conf_node *node, const void *base)
{
	const struct conf_node *webhook = conf_node_get(node, "webhook");
	const struct conf_node *mail = conf_node_get(node, "mail");
	const struct conf_notify *n = base;
	bool bad = n->from && !is_address(n->from);

	if (!webhook == !mail)
		conf_error(r, webhook ? mail->pos : node->pos,
			   webhook ? "PS-CONF-023" : "PS-CONF-008",
			   "a notification needs 'webhook' or 'mail', %s",
			   webhook ? "not both" : "and has none");
	for (size_t i = 0; i < n->to.n; i++)
		bad = bad || !is_address(n->to.v[i]);
	if (mail && bad)
		conf_error(r, mail->pos, "PS-CONF-020",
			   "an address is plain: oncall@example.net");
}

/* Loopback addresses apart, a credential never goes out in clear. */
static bool stays_here(const char *address)
{
	static const char *const hosts[] = { "127.0.0.1", "localhost", "[::1]" };
	const char *host = address + strlen("http://");

	for (size_t i = 0; i < PS_NELEM(hosts); i++) {
		size_t n = strlen(hosts[i]);

		if (strncmp(host, hosts[i], n) == 0 && (!host[n] || strchr(":/?#", host[n])))
			return true;
	}
	return false;
}

static void check_host(struct conf_reader *r, const struct conf_node *block,
		       const struct conf_fabric *f)
{
	const struct conf_node *host = conf_node_get(block, "host");

	bool clear = host && f->host && ps_starts(f->host, "http://") && !stays_here(f->host);

	if (clear && f->provider == CONF_DATABRICKS)
		conf_error(r, host->pos, "PS-CONF-022",
			   "'host' would get the credential in clear: write https://");
	else if (clear && (f->token.kind || f->client_secret.kind))
		conf_warning(r, host->pos, "PS-CONF-022",
			     "'host' gets the credential in clear: https:// keeps it");
}

/* As the workspace names them: up to 128 letters, digits, and "-_.@". */
static bool is_scope_name(const char *s)
{
	size_t n = 0;

	while (s && (isalnum((unsigned char)s[n]) || (s[n] && strchr("-_.@", s[n]))))
		n++;
	return n && !s[n] && n <= 128;
}

static void check_scoped(struct conf_reader *r, const struct conf_fabric *f)
{
	if (f->nscoped > CONF_SCOPED_MAX)
		conf_error(r, f->scoped[CONF_SCOPED_MAX].pos, "PS-CONF-009",
			   "a fabric has at most %d 'secrets'", CONF_SCOPED_MAX);
	for (size_t i = 0; i < f->nscoped; i++) {
		const struct conf_scoped *s = &f->scoped[i];

		if (!is_scope_name(s->scope) || !is_scope_name(s->key))
			conf_error(r, s->pos, "PS-CONF-009",
				   "'scope' and 'key' are up to 128 letters, digits, and '-_.@'");
		for (size_t k = 0; k < i; k++)
			if (ps_streq(s->scope, f->scoped[k].scope) &&
			    ps_streq(s->key, f->scoped[k].key))
				conf_error(r, s->pos, "PS-CONF-018",
					   "the secret '%s' of '%s' is there twice, first in "
					   "line %u",
					   s->key, s->scope, f->scoped[k].pos.line);
	}
}

static void check_databricks(struct conf_reader *r, const struct conf_node *block,
			     const struct conf_fabric *f)
{
	const struct conf_node *token = conf_node_get(block, "token");
	const struct conf_node *oauth = conf_node_get(block, "oauth");
	const struct conf_node *volume = conf_node_get(block, "volume");
	size_t slashes = 0;

	check_scoped(r, f);
	for (const char *s = f->volume; s && *s; s++)
		slashes += *s == '/';
	if (volume && f->volume &&
	    (!ps_starts(f->volume, "/Volumes/") || slashes < 4 || ps_ends(f->volume, "/") ||
	     strstr(f->volume, "//") || strstr(f->volume, "/.")))
		conf_error(r, volume->pos, "PS-CONF-021",
			   "'volume' must be a volume or a folder in one: "
			   "/Volumes/CATALOG/SCHEMA/VOLUME");
	if (!token == !oauth)
		conf_error(r, block->pos, token ? "PS-CONF-023" : "PS-CONF-008",
			   "'databricks' needs 'token' or 'oauth', %s",
			   token ? "not both" : "and has none");
}

/* Where archives go, and who takes them there. */
static void check_dags(struct conf_reader *r, const struct conf_node *block,
		       const struct conf_fabric *f)
{
	const struct conf_node *dags = conf_node_get(block, "dags");
	const struct conf_node *uploader = conf_node_get(block, "uploader");
	const char *far = uploader ? "hdfs://" : "sftp://";

	if (dags && f->dags && f->dags[0] != '/' && !ps_starts(f->dags, far))
		conf_error(r, dags->pos, "PS-CONF-021", "'dags' must be an absolute path, or %s",
			   uploader ? "hdfs://HOST/PATH; with an 'uploader' nothing else"
				    : "sftp://USER@HOST/PATH");
	if (!uploader)
		return;
	if (!dags)
		conf_error(r, uploader->pos, "PS-CONF-008",
			   "'uploader' needs 'dags': the folder that it shall write into");
	if (!f->uploader_user != !f->uploader_password.kind)
		conf_error(r, uploader->pos, "PS-CONF-008", "'uploader' has '%s' without '%s'",
			   f->uploader_user ? "user" : "password",
			   f->uploader_user ? "password" : "user");
	else if (f->uploader && f->uploader_user && ps_starts(f->uploader, "http://") &&
		 !stays_here(f->uploader))
		conf_warning(r, uploader->pos, "PS-CONF-022",
			     "'uploader' gets the credential in clear: https:// keeps it");
}

/* A server that asks nobody who he is needs none of these. */
static void check_airflow(struct conf_reader *r, const struct conf_node *block,
			  const struct conf_fabric *f)
{
	const struct conf_node *token = conf_node_get(block, "token");
	const struct conf_node *user = conf_node_get(block, "user");
	const struct conf_node *password = conf_node_get(block, "password");

	if (!user != !password)
		conf_error(r, block->pos, "PS-CONF-008", "'airflow' has '%s' without '%s'",
			   user ? "user" : "password", user ? "password" : "user");
	else if (user && token)
		conf_error(r, token->pos, "PS-CONF-023",
			   "'airflow' takes 'token' or 'user' with 'password', not both");
	check_dags(r, block, f);
}

/* The provider's own block, no other, and what signs in there. */
void conf_check_fabric(struct conf_reader *r, const struct conf_node *node, const void *base)
{
	const struct conf_node *provider = conf_node_get(node, "provider"), *block;
	const struct conf_fabric *f = base;
	const char *word;

	if (!provider || provider->kind != CONF_TEXT)
		return;
	word = conf_provider_word(f->provider);
	if (!ps_streq(provider->text, word))
		return;			/* a finding already */
	for (enum conf_provider p = CONF_DATABRICKS; p < CONF_PROVIDER_COUNT; p++) {
		block = conf_node_get(node, conf_provider_word(p));
		if (block && p != f->provider)
			conf_error(r, block->pos, "PS-CONF-023",
				   "'%s' does not belong to a fabric of provider '%s'",
				   conf_provider_word(p), word);
		else if (!block && p == f->provider)
			conf_error(r, node->pos, "PS-CONF-008",
				   "a fabric has no '%s' for its provider", word);
	}
	block = conf_node_get(node, word);
	if (!block || block->kind != CONF_MAP)
		return;
	check_host(r, block, f);
	if (f->provider == CONF_DATABRICKS)
		check_databricks(r, block, f);
	else if (f->provider == CONF_AIRFLOW)
		check_airflow(r, block, f);
}

static bool same(const struct conf_mention *a, const struct conf_mention *b)
{
	return a->sort == b->sort && strcmp(a->text, b->text) == 0;
}

/* Is it defined? If not, what is one spelling away. */
static void check_reference(struct conf_reader *r, const struct conf_mention *m)
{
	char near[320] = "";

	for (size_t i = 0; i < r->n; i++) {
		const struct conf_mention *d = &r->mentions[i];

		if (!d->defines || d->sort != m->sort)
			continue;
		if (same(d, m))
			return;
		if (!near[0])
			conf_nearest(near, m->text, &d->text, 1);
	}
	conf_error(r, m->pos, sorts[m->sort].code, "unknown %s '%s'%s", sorts[m->sort].what,
		   m->text, near);
}

static void check_twice(struct conf_reader *r, size_t at)
{
	const struct conf_mention *m = &r->mentions[at];

	for (size_t i = 0; i < at; i++)
		if (r->mentions[i].defines && same(&r->mentions[i], m)) {
			conf_error(r, m->pos, "PS-CONF-018",
				   "%s '%s' is given twice, first in line %u", sorts[m->sort].what,
				   m->text, r->mentions[i].pos.line);
			return;
		}
}

/* A walk over "a names b": the same for teams (includes) and environments (after). */
struct walk {
	struct conf_reader *r;
	size_t n;
	const char *(*name)(const struct config *c, size_t i);
	struct conf_pos (*pos)(const struct config *c, size_t i);
	const char *(*next)(const struct config *c, size_t i, size_t k);	/* NULL: no more */
	const char *what;
	enum { NEW, OPEN, DONE } *state;
	size_t *path, depth;
};

static void report_circle(struct walk *w, size_t to)
{
	const struct config *c = w->r->cfg;
	struct buf text = BUF_INIT;
	size_t from = w->depth;

	while (w->path[from - 1] != to)
		from--;
	for (size_t i = from - 1; i < w->depth; i++)
		buf_addf(&text, "%s, ", w->name(c, w->path[i]));
	conf_error(w->r, w->pos(c, to), "PS-CONF-019", "%s in a circle: %s%s", w->what,
		   buf_str(&text), w->name(c, to));
	buf_clear(&text);
}

static void visit(struct walk *w, size_t i)
{
	const struct config *c = w->r->cfg;
	const char *next;

	w->state[i] = OPEN;
	w->path[w->depth++] = i;
	for (size_t k = 0; (next = w->next(c, i, k)) != NULL; k++)
		for (size_t j = 0; j < w->n; j++) {
			if (!ps_streq(w->name(c, j), next))
				continue;
			if (w->state[j] == OPEN)
				report_circle(w, j);
			else if (w->state[j] == NEW)
				visit(w, j);
			break;
		}
	w->depth--;
	w->state[i] = DONE;
}

static void check_circles(struct walk *w)
{
	w->state = xcalloc(w->n + 1, sizeof(*w->state));
	w->path = xcalloc(w->n + 1, sizeof(*w->path));
	for (size_t i = 0; i < w->n; i++)
		if (w->state[i] == NEW)
			visit(w, i);
	free(w->state);
	free(w->path);
}

static const char *team_name(const struct config *c, size_t i)
{
	return c->teams[i].name;
}

static struct conf_pos team_pos(const struct config *c, size_t i)
{
	return c->teams[i].pos;
}

static const char *team_next(const struct config *c, size_t i, size_t k)
{
	return k < c->teams[i].includes.n ? c->teams[i].includes.v[k] : NULL;
}

static const char *environment_name(const struct config *c, size_t i)
{
	return c->environments[i].name;
}

static struct conf_pos environment_pos(const struct config *c, size_t i)
{
	return c->environments[i].pos;
}

static const char *environment_next(const struct config *c, size_t i, size_t k)
{
	return k == 0 ? c->environments[i].after : NULL;
}

/* One key is one job on a fabric. */
static void check_derived(struct conf_reader *r, const struct conf_environment *e)
{
	for (size_t i = 0; i < e->nderive; i++)
		for (size_t k = 0; k < i; k++)
			if (ps_streq(e->derive[i].as, e->derive[k].as)) {
				conf_error(r, e->derive[i].pos, "PS-CONF-018",
					   "'%s' is derived twice, first in line %u",
					   e->derive[i].as, e->derive[k].pos.line);
				break;
			}
}

/* Walls with a hole are none; and who speaks as any member has no use for them. */
static void check_roles(struct conf_reader *r)
{
	const struct config *c = r->cfg;

	if (c->nroles && c->nroles < CONF_ROLES)
		conf_error(r, c->roles[0].pos, "PS-CONF-024",
			   "'roles' names the user of %zu of core, gate, build and deploy; name "
			   "all four, or leave 'roles' out", c->nroles);
	if (c->nroles && c->trusted_caller)
		conf_error(r, c->trusted_pos, "PS-CONF-024",
			   "'trusted_caller' is for one person's own instance and has no place "
			   "beside 'roles' (line %u); remove one of them", c->roles[0].pos.line);
}

void conf_check(struct conf_reader *r)
{
	struct walk teams = {
		.r = r, .n = r->cfg->nteams, .name = team_name, .pos = team_pos, .next = team_next,
		.what = "teams that include each other",
	};
	struct walk environments = {
		.r = r, .n = r->cfg->nenvironments, .name = environment_name,
			.pos = environment_pos,
		.next = environment_next, .what = "environments that come after each other",
	};

	for (size_t i = 0; i < r->n; i++) {
		if (r->mentions[i].defines)
			check_twice(r, i);
		else
			check_reference(r, &r->mentions[i]);
	}
	check_circles(&teams);
	check_circles(&environments);
	for (size_t i = 0; i < r->cfg->nenvironments; i++)
		check_derived(r, &r->cfg->environments[i]);
	check_roles(r);
}

/* The first earlier rule that takes everything this pair of patterns could match, or NULL. */
static const struct conf_environment *covering(const struct config *c, size_t before,
					       const char *project, const char *ref)
{
	for (size_t i = 0; i < before; i++) {
		const struct conf_environment *e = &c->environments[i];
		bool projects = false, refs = false;

		for (size_t k = 0; k < e->projects.n && !projects; k++)
			projects = mapping_project_covers(e->projects.v[k], project);
		for (size_t k = 0; k < e->refs.n && !refs; k++)
			refs = mapping_covers(e->refs.v[k], ref);
		if (projects && refs)
			return e;
	}
	return NULL;
}

/* Warns only when it is certain: each pair of its patterns lies inside one earlier rule. */
static void warn_shadowed(struct conf_reader *r, size_t at)
{
	const struct conf_environment *e = &r->cfg->environments[at], *by = NULL;

	for (size_t p = 0; p < e->projects.n; p++)
		for (size_t f = 0; f < e->refs.n; f++)
			if (!(by = covering(r->cfg, at, e->projects.v[p], e->refs.v[f])))
				return;
	if (by)
		conf_warning(r, e->pos, "PS-CONF-031",
			     "environment '%s' is never reached: '%s' (line %u) "
			     "takes its refs first", e->name, by->name, by->pos.line);
}

static void warn_shadowed_project(struct conf_reader *r, size_t at)
{
	const struct conf_project *all = r->cfg->projects;

	for (size_t i = 0; i < at; i++)
		if (mapping_project_covers(all[i].pattern, all[at].pattern)) {
			conf_warning(r, all[at].pos, "PS-CONF-031",
				     "'%s' is never reached: '%s' (line %u) takes "
				     "its projects first", all[at].pattern, all[i].pattern,
				     all[i].pos.line);
			return;
		}
}

/* Does a list of rule `by` (none: all) take all that a list of a later one takes? */
static bool takes_all(const struct conf_names *by, const struct conf_names *later)
{
	if (!by->n || !later->n)
		return !by->n;
	for (size_t i = 0; i < later->n; i++)
		if (!conf_names_has(by, later->v[i]))
			return false;
	return true;
}

static bool takes_projects(const struct conf_names *by, const struct conf_names *later)
{
	for (size_t i = 0; i < later->n; i++) {
		bool taken = false;

		for (size_t k = 0; k < by->n && !taken; k++)
			taken = mapping_project_covers(by->v[k], later->v[i]);
		if (!taken)
			return false;
	}
	return true;
}

static void warn_shadowed_toolchain(struct conf_reader *r, size_t at)
{
	const struct conf_toolchain_rule *all = r->cfg->toolchain_rules;

	for (size_t i = 0; i < at; i++)
		if (takes_projects(&all[i].projects, &all[at].projects) &&
		    takes_all(&all[i].environments, &all[at].environments) &&
		    takes_all(&all[i].languages, &all[at].languages)) {
			conf_warning(r, all[at].pos, "PS-CONF-031",
				     "toolchain '%s' is never reached by this rule: '%s' "
				     "(line %u) takes its projects first", all[at].use,
				     all[i].use, all[i].pos.line);
			return;
		}
}

static void warn_auto(struct conf_reader *r, const struct conf_environment *e)
{
	const struct config *c = r->cfg;
	const char *owner = config_fabric(c, e->fabric)->owner;

	if (e->deploy != CONF_DEPLOY_AUTO)
		return;
	for (size_t t = 0; t < c->nteams; t++)
		for (size_t m = 0; m < c->teams[t].members.n; m++) {
			const char *login = c->teams[t].members.v[m];

			if (config_is_member(c, owner, login))
				continue;
			conf_warning(r, e->pos, "PS-CONF-032",
				     "environment '%s' deploys without approval to "
				     "fabric '%s', whose owners '%s' are not everybody: '%s' is "
				     "none of them", e->name, e->fabric, owner, login);
			return;
		}
}

void conf_warn(struct conf_reader *r)
{
	for (size_t i = 0; i < r->cfg->nenvironments; i++) {
		warn_shadowed(r, i);
		warn_auto(r, &r->cfg->environments[i]);
	}
	for (size_t i = 0; i < r->cfg->nprojects; i++)
		warn_shadowed_project(r, i);
	for (size_t i = 0; i < r->cfg->ntoolchain_rules; i++)
		warn_shadowed_toolchain(r, i);
}
