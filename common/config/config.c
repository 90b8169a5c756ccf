/* config – see config.h: parse, load, free, and the questions asked of a configuration. */
#include <config.h>

#include "common/config/config.h"

#include <fcntl.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/config/config_read.h"
#include "common/config/mapping.h"

static void read_document(struct conf_reader *r, const struct conf_doc *doc)
{
	const struct conf_node *trusted;

	if (!doc->root || conf_node_is_null(doc->root)) {
		conf_error(r, (struct conf_pos) { 1, 1 }, "PS-CONF-008",
			   "the file is empty: nothing is configured");
		return;
	}
	conf_read_table(r, &conf_top, doc->root, r->cfg);
	trusted = conf_node_get(conf_node_get(doc->root, "identity"), "trusted_caller");
	if (trusted)
		r->cfg->trusted_pos = trusted->pos;
	conf_check(r);
}

int config_parse(struct config **cfg, const char *path, const char *bytes, size_t n,
		 struct diag_list *out, struct ps_err *err)
{
	struct conf_reader r = { .path = path, .out = out,
				 .cfg = xcalloc(1, sizeof(struct config)) };
	size_t before = out->errors;
	struct conf_doc doc;

	/* findings say it all; kept for a reader that can fail itself */
	(void)err;
	*cfg = NULL;
	digest_bytes(r.cfg->digest, bytes, n);
	if (conf_doc_parse(&doc, path, bytes, n, out))
		read_document(&r, &doc);
	if (out->errors == before) {
		conf_warn(&r);
		*cfg = r.cfg;
	} else {
		config_free(r.cfg);
	}
	free(r.mentions);
	conf_doc_clear(&doc);
	return 0;
}

int config_load(struct config **cfg, const char *path, struct diag_list *out, struct ps_err *err)
{
	const char *slash = strrchr(path, '/');
	struct buf bytes = BUF_INIT;
	int rc;

	*cfg = NULL;
	/* One byte past the bound is read, so that "too large" becomes a finding as well. */
	rc = fs_read(&bytes, AT_FDCWD, path, CONF_BYTES_MAX + 1, err);
	if (rc == 0)
		rc = config_parse(cfg, slash ? slash + 1 : path, buf_str(&bytes), bytes.len, out,
				  err);
	buf_clear(&bytes);
	return rc;
}

void config_free(struct config *c)
{
	if (!c)
		return;
	conf_free_table(&conf_top, c);
	free(c->secrets);
	free(c);
}

void conf_names_clear(struct conf_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
	*names = (struct conf_names) { NULL, 0 };
}

bool conf_names_has(const struct conf_names *names, const char *name)
{
	for (size_t i = 0; i < names->n; i++)
		if (ps_streq(names->v[i], name))
			return true;
	return false;
}

const struct conf_team *config_team(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nteams; i++)
		if (ps_streq(c->teams[i].name, name))
			return &c->teams[i];
	return NULL;
}

const struct conf_fabric *config_fabric(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nfabrics; i++)
		if (ps_streq(c->fabrics[i].name, name))
			return &c->fabrics[i];
	return NULL;
}

const struct conf_fabric *config_fabric_by_id(const struct config *c, int64_t id)
{
	for (size_t i = 0; i < c->nfabrics; i++)
		if (c->fabrics[i].id == id)
			return &c->fabrics[i];
	return NULL;
}

const struct conf_environment *config_environment(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nenvironments; i++)
		if (ps_streq(c->environments[i].name, name))
			return &c->environments[i];
	return NULL;
}

const struct conf_notify *config_notify(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nnotify; i++)
		if (ps_streq(c->notify[i].name, name))
			return &c->notify[i];
	return NULL;
}

const struct conf_project *config_project(const struct config *c, const char *repo,
					  const char *project)
{
	for (size_t i = 0; i < c->nprojects; i++)
		if (mapping_project(c->projects[i].pattern, repo, project))
			return &c->projects[i];
	return NULL;
}

static bool none_or_has(const struct conf_names *names, const char *name)
{
	return !names->n || (name && conf_names_has(names, name));
}

const struct conf_toolchain_rule *config_toolchain(const struct config *c, const char *repo,
						   const char *project, const char *environment,
						   const char *language)
{
	for (size_t i = 0; i < c->ntoolchain_rules; i++) {
		const struct conf_toolchain_rule *r = &c->toolchain_rules[i];

		if (!none_or_has(&r->environments, environment) ||
		    !none_or_has(&r->languages, language))
			continue;
		for (size_t k = 0; k < r->projects.n; k++)
			if (mapping_project(r->projects.v[k], repo, project))
				return r;
	}
	return NULL;
}

bool config_needs_default_toolchain(const struct config *c)
{
	for (size_t i = 0; i < c->ntoolchain_rules; i++) {
		const struct conf_toolchain_rule *r = &c->toolchain_rules[i];

		for (size_t k = 0; k < r->projects.n; k++)
			if (!r->environments.n && !r->languages.n &&
			    mapping_project_covers(r->projects.v[k], "**:**"))
				return false;
	}
	return true;
}

/* seen: a team reached by two ways is looked at once. */
static bool in_team(const struct config *c, const struct conf_team *t, const char *login,
		    bool *seen)
{
	if (!t || seen[t - c->teams])
		return false;
	seen[t - c->teams] = true;
	if (conf_names_has(&t->members, login))
		return true;
	for (size_t i = 0; i < t->includes.n; i++)
		if (in_team(c, config_team(c, t->includes.v[i]), login, seen))
			return true;
	return false;
}

enum conf_level config_rule_level(const struct config *c, const char *code, const char *ref,
				  enum conf_level fallback)
{
	for (size_t i = 0; i < c->nrules; i++) {
		const struct conf_rule *r = &c->rules[i];

		if (!conf_names_has(&r->codes, code))
			continue;
		for (size_t k = 0; k < r->refs.n; k++)
			if (ref ? mapping_glob(r->refs.v[k], ref) :
			    strcmp(r->refs.v[k], "refs/**") == 0)
				return r->level;
	}
	return fallback;
}

bool config_rule_is_named(const struct config *c, const char *code)
{
	for (size_t i = 0; i < c->nrules; i++)
		if (c->rules[i].level != CONF_LEVEL_OFF && conf_names_has(&c->rules[i].codes, code))
			return true;
	return false;
}

bool config_is_member(const struct config *c, const char *team, const char *login)
{
	bool *seen = xcalloc(c->nteams + 1, sizeof(bool));
	bool in = in_team(c, config_team(c, team), login, seen);

	free(seen);
	return in;
}
