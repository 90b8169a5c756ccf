/* api_status – what the store cannot know of the status: roles, walls, what this version lacks. */
#include "config.h"

#include <unistd.h>

#include "agent/flow/clean.h"
#include "agent/flow/disk.h"
#include "agent/web/api.h"
#include "agent/web/api_parts.h"
#include "common/base/clock.h"

/* Named so that nobody waits for it. */
static const char *const missing[] = {
	"Scala and SQL projects: they are not built",
	"pages",
};

int status_view(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	json_t *fabrics = NULL, *queue = NULL, *failing = NULL, *pauses = NULL,
	       *recovery = NULL;
	int rc = view_fabrics(tx, a, &fabrics, err);

	if (rc == 0)
		rc = view_queue(tx, a, &queue, err);
	if (rc == 0)
		rc = view_failing(tx, a, &failing, err);
	if (rc == 0)
		rc = view_pauses(tx, a, &pauses, err);
	if (rc == 0)
		rc = view_recovery(tx, a, &recovery, err);
	if (rc == 0)
		*out = json_pack("{s:O, s:O, s:O, s:O, s:O}", "fabrics",
				 json_object_get(fabrics, "items"), "queue", queue, "failing",
				 failing, "paused", pauses, "recovery", recovery);
	json_decref(fabrics);
	json_decref(queue);
	json_decref(failing);
	json_decref(pauses);
	json_decref(recovery);
	return rc;
}

static void add(json_t *array, const char *fmt, ...) PS_PRINTF(2, 3);
static void add(json_t *array, const char *fmt, ...)
{
	json_t *text;
	va_list ap;

	va_start(ap, fmt);
	text = json_vsprintf(fmt, ap);
	va_end(ap);
	if (text)		/* not UTF-8: a role told nonsense */
		json_array_append_new(array, text);
}

static json_t *roles_of(const struct core *c, json_t *warnings)
{
	static const char *const names[CORE_ROLES] = { "gate", "build", "deploy" };
	json_t *roles = json_array();

	json_array_append_new(roles, json_pack("{s:s, s:s, s:I}", "id", "core", "state", "running",
					       "pid", (json_int_t)getpid()));
	for (int i = 0; i < CORE_ROLES; i++) {
		bool up = c->roles[i].peer != NULL;

		json_array_append_new(roles, json_pack("{s:s, s:s, s:I}", "id", names[i], "state",
						       up ? "running" : "unknown", "pid",
						       (json_int_t)c->roles[i].pid));
		if (!up)
			add(warnings, "the %s role is not running", names[i]);
	}
	return roles;
}

static json_t *facts_of(const struct core *c, const struct config *cfg)
{
	json_t *facts = json_array();

	if (c->role->apart)
		for (size_t i = 0; i < cfg->nroles; i++)
			add(facts, "the %s role runs as %s", cfg->roles[i].name,
			    cfg->roles[i].user);
	else
		add(facts, "all roles run as %s: the walls between roles are conventions%s",
		    geteuid() == 0 ? "root" : "one user",
		    cfg->nroles ? "; the users under 'roles' need an agent that root starts" : "");
	if (c->role->missing)
		add(facts, "core: %s", c->role->missing);
	if (cfg->trusted_caller)
		add(facts, "trusted_caller is on: the agent's own user may speak as any member");
	for (size_t i = 0; i < cfg->nfabrics; i++)
		if (cfg->fabrics[i].self_approval)
			add(facts, "self_approval is on for fabric %s", cfg->fabrics[i].name);
	for (int i = 0; i < CORE_ROLES; i++)
		for (size_t k = 0; k < c->roles[i].nfacts; k++)
			add(facts, "%s", c->roles[i].facts[k]);
	return facts;
}

/* A path may be any bytes. */
static json_t *text_or_null(const char *s)
{
	json_t *t = s ? json_string(s) : NULL;

	return t ? t : json_null();
}

static json_t *spool_of(const struct core *c, json_t *warnings)
{
	json_t *aside = json_array();
	struct flow_spool_facts f;
	const char *path, *why;

	flow_spool_facts(c, &f);
	for (size_t i = 0; i < f.told; i++) {
		json_t *item = json_object();

		json_object_set_new(item, "id", text_or_null(f.names[i]));
		json_object_set_new(item, "state", json_string("aside"));
		json_object_set_new(item, "reason", text_or_null(f.why[i]));
		json_array_append_new(aside, item);
	}
	if (f.aside)
		add(warnings, "%zu entries of the spool were set aside, the first: %s; they lie in "
		    "%s/aside", f.aside, f.told ? f.why[0] : "see there", c->paths->spool);
	for (size_t i = 0; flow_spool_waits(c, i, &path, &why); i++) {
		json_t *item = json_object();

		json_object_set_new(item, "id", text_or_null(path));
		json_object_set_new(item, "state", json_string("waiting"));
		json_object_set_new(item, "reason", text_or_null(why));
		json_array_append_new(aside, item);
		add(warnings, "what hooks said waits in the spool: %s", why);
	}
	return json_pack("{s:I, s:I, s:o}", "waiting", (json_int_t)f.waiting, "aside",
			 (json_int_t)f.aside, "entries", aside);
}

json_t *trouble_of(const struct flow_trouble *t, json_t *warnings)
{
	const char *name = t->name ? t->name : t->path;
	int64_t since = t->gone_ms ? t->gone_ms : t->taken_ms;
	json_t *item = json_object();
	char text[CLOCK_TEXT], *why;

	clock_text_ms(text, since);
	if (t->gone_ms)
		why = xasprintf("repository %s is not there since %s: nothing of it is taken into "
				"work until '%s' is back", name, text, t->path);
	else if (t->taken)
		why = xasprintf("repository %s is taken by another agent since %s, %s: nothing of "
				"it is taken into work here; stop that agent, or take '%s' "
				"out of repositories.roots of one of the two", name, text,
				t->taken, t->path);
	else
		why = xasprintf("repository %s: %s", name, t->problem);
	json_object_set_new(item, "id", text_or_null(name));
	json_object_set_new(item, "state", json_string(t->gone_ms ? "gone" : t->taken ? "held" :
						       "unknown"));
	json_object_set_new(item, "path", text_or_null(t->path));
	json_object_set_new(item, "since", text_or_null(since ? text : NULL));
	json_object_set_new(item, "reason", text_or_null(why));
	if (warnings)
		add(warnings, "%s", why);
	free(why);
	return item;
}

static json_t *reconcile_of(const struct core *c, json_t *warnings)
{
	const struct flow_reconcile_facts *f = flow_reconcile_facts(c);
	json_t *trouble = json_array();
	char last[CLOCK_TEXT];
	struct flow_trouble t;

	for (size_t at = 0; flow_reconcile_trouble(c, &at, &t);)
		json_array_append_new(trouble, trouble_of(&t, warnings));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?, s:o}", "at",
			 (json_int_t)f->at, "of", (json_int_t)f->of, "passes",
			 (json_int_t)f->passes, "frames", (json_int_t)f->frames, "statted",
			 (json_int_t)f->statted, "listed", (json_int_t)f->listed, "events",
			 (json_int_t)f->events, "last_repositories",
			 (json_int_t)f->last.repositories, "last_listed",
			 (json_int_t)f->last.listed, "last",
			 f->last_ms ? clock_text_ms(last, f->last_ms) : NULL, "repositories",
			 trouble);
}

/* How many rules name it. */
static size_t named_by(const struct config *cfg, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < cfg->ntoolchain_rules; i++)
		n += strcmp(cfg->toolchain_rules[i].use, name) == 0;
	return n;
}

static json_t *toolchains_of(const struct toolchain_now *t, const struct config *cfg,
			     json_t *warnings)
{
	json_t *l = json_array();

	for (size_t i = 0; i < t->n; i++) {
		const struct toolchain_one *o = &t->v[i];
		size_t rules = named_by(cfg, o->name);

		json_array_append_new(l, json_pack("{s:s, s:s, s:s?, s:s?, s:s?, s:I}", "id",
						   o->name, "state", o->digest ? "ready" : "none",
						   "prefix", o->prefix, "digest", o->digest,
						   "reason", o->problem, "rules",
						   (json_int_t)rules));
		if (rules && o->problem)
			add(warnings, "%s", o->problem);
	}
	return l;
}

static json_t *toolchain_of(const struct toolchain_now *t, const struct config *cfg,
			    json_t *warnings)
{
	json_t *o = json_object();

	if (t->problem && config_needs_default_toolchain(cfg))
		add(warnings, "no toolchain: %s", t->problem);
	if (t->sandbox_problem)
		add(warnings, "no sandbox: %s", t->sandbox_problem);
	json_object_set_new(o, "id", t->name ? json_string(t->name) : json_null());
	json_object_set_new(o, "state", json_string(t->digest ? "ready" : t->known ? "none" :
						    "unknown"));
	json_object_set_new(o, "prefix", t->prefix ? json_string(t->prefix) : json_null());
	json_object_set_new(o, "digest", t->digest ? json_string(t->digest) : json_null());
	return o;
}

static json_t *disks_of(const struct core *c, json_t *warnings)
{
	static const char *const words[] = { "ok", "builds wait", "only intake writes" };
	const struct disk_place *places;
	size_t n = c->disk ? disk_places(c->disk, &places) : 0;
	json_t *disks = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct disk_place *p = &places[i];

		json_array_append_new(disks, json_pack("{s:s, s:s, s:i, s:I, s:I}", "id", p->path,
						       "state", words[p->level], "used",
						       (int)p->percent, "free", (json_int_t)p->free,
						       "total", (json_int_t)p->total));
		if (p->level)
			add(warnings,
			    "the disk of %s is %u %% full: %s; make room, or: penstock clean",
			    p->path, p->percent, words[p->level]);
	}
	return disks;
}

static json_t *cleaned_of(const struct core *c, json_t *warnings)
{
	const struct clean_report *last = c->clean ? clean_last(c->clean) : NULL;
	char at[CLOCK_TEXT];

	if (last && *last->problem)
		add(warnings, "the cleaner: %s", last->problem);
	if (!last || !last->at_ms)
		return json_null();
	return json_pack("{s:s, s:I, s:I}", "at", clock_text_ms(at, last->at_ms), "files",
			 (json_int_t)last->files, "bytes", (json_int_t)last->bytes);
}

/* What nobody would look for until it is needed. */
static void add_api(const struct core *c, json_t *warnings)
{
	const char *problem = c->api ? api_problem(c->api) : NULL;

	if (problem)
		add(warnings, "api: listen: %s", problem);
	if (store_audit_is_odd(c->store))
		add(warnings, "at the start the end of the audit was not as it was left; see: "
		    "penstock audit verify");
}

static bool is_draining(const json_t *pauses)
{
	size_t i;
	json_t *one;

	json_array_foreach(pauses, i, one)
		if (ps_streq(json_string_value(json_object_get(one, "kind")), "drain"))
			return true;
	return false;
}

void status_finish(struct request *r)
{
	const struct core *c = r->core;
	const struct config *cfg = r->policy->cfg;
	json_t *warnings = json_array(), *lacks = json_array(), *busy = json_array(), *agent, *item;
	char since[CLOCK_TEXT];
	size_t i;

	agent = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "id", "agent", "state",
			  is_draining(json_object_get(r->out, "paused")) ? "draining" : "running",
			  "version", PACKAGE_VERSION, "instance", c->paths->base, "policy_digest",
			  cfg->digest,
			  "since", clock_text_ms(since, c->started_ms), "slots",
			  (json_int_t)cfg->builder.slots);
	for (i = 0; i < PS_NELEM(missing); i++)
		add(lacks, "%s", missing[i]);
	json_object_set_new(r->out, "agent", agent ? agent : json_object());
	json_object_set_new(r->out, "roles", roles_of(c, warnings));
	json_object_set_new(r->out, "toolchain", toolchain_of(&c->toolchain, cfg, warnings));
	json_object_set_new(r->out, "toolchains", toolchains_of(&c->toolchain, cfg, warnings));
	json_object_set_new(r->out, "disks", disks_of(c, warnings));
	json_object_set_new(r->out, "spool", spool_of(c, warnings));
	json_object_set_new(r->out, "reconcile", reconcile_of(c, warnings));
	json_object_set_new(r->out, "cleaned", cleaned_of(c, warnings));
	add_api(c, warnings);
	json_object_set_new(r->out, "warnings", warnings);
	json_object_set_new(r->out, "facts", facts_of(c, cfg));
	json_object_set_new(r->out, "missing", lacks);
	json_array_foreach(json_object_get(r->out, "queue"), i, item) {
		const char *id = json_string_value(json_object_get(item, "id"));
		const char *state = json_string_value(json_object_get(item, "state"));

		if (id && *id == 'b' && state && strcmp(state, "queued") != 0)
			json_array_append(busy, json_object_get(item, "id"));
	}
	json_object_set_new(r->out, "building", busy);
}
