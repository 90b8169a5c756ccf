/* complete_names – the names that there are now, of penstock.yml and of the agent. See
 * complete.h. */
#include "config.h"

#include "cli/complete.h"

#include <dirent.h>

#include "cli/client.h"
#include "cli/show.h"
#include "common/config/config.h"
#include "common/gate/rules.h"

/* Once per name; lists are short. */
static bool is_new(json_t *seen, const char *word)
{
	return *word && !json_object_get(seen, word) &&
		json_object_set_new(seen, word, json_true()) == 0;
}

/* Member `key` of each item of a list of the API; `what` is the member that explains it. */
static void put_items(struct cli *cli, const char *path, const char *key, const char *what,
		      const char *prefix)
{
	json_t *doc = client_peek(cli, path), *seen = json_object(), *item;
	size_t i;

	json_array_foreach(json_object_get(doc, "items"), i, item)
		if (is_new(seen, show_text(item, key)))
			complete_word(show_text(item, key), show_text(item, what), prefix);
	json_decref(seen);
	json_decref(doc);
}

static struct config *load(struct cli *cli)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;

	if (config_load(&cfg, cli->paths.config, &diags, NULL) < 0)
		cfg = NULL;
	diag_clear(&diags);
	return cfg;
}

static void put_environments(struct cli *cli, const char *prefix)
{
	struct config *cfg = load(cli);

	for (size_t i = 0; cfg && i < cfg->nenvironments; i++)
		complete_word(cfg->environments[i].name, "environment", prefix);
	config_free(cfg);
}

static void put_fabrics(struct cli *cli, const char *prefix)
{
	struct config *cfg = load(cli);

	for (size_t i = 0; cfg && i < cfg->nfabrics; i++)
		complete_word(cfg->fabrics[i].name, conf_provider_word(cfg->fabrics[i].provider),
			      prefix);
	config_free(cfg);
}

static void put_people(struct cli *cli, const char *prefix)
{
	struct config *cfg = load(cli);
	json_t *seen = json_object();

	for (size_t i = 0; cfg && i < cfg->nteams; i++)
		for (size_t k = 0; k < cfg->teams[i].members.n; k++)
			if (is_new(seen, cfg->teams[i].members.v[k]))
				complete_word(cfg->teams[i].members.v[k], cfg->teams[i].name,
					      prefix);
	json_decref(seen);
	config_free(cfg);
}

static void put_toolchains(struct cli *cli, const char *prefix)
{
	struct config *cfg = load(cli);
	DIR *made = opendir(cli->paths.toolchains);
	struct dirent *e;

	for (size_t i = 0; cfg && i < cfg->ntoolchains; i++)
		complete_word(cfg->toolchains[i].name, cfg->toolchains[i].prefix, prefix);
	while (made && (e = readdir(made)))
		if (e->d_name[0] != '.')
			complete_word(e->d_name, "made here", prefix);
	if (made)
		closedir(made);
	config_free(cfg);
}

/* Of every fabric: who types a job may name its fabric behind it. */
static void put_jobs(struct cli *cli, const char *prefix)
{
	struct config *cfg = load(cli);

	for (size_t i = 0; cfg && i < cfg->nfabrics; i++) {
		struct buf path = BUF_INIT;

		buf_adds(&path, "/fabrics");
		client_part(&path, cfg->fabrics[i].name);
		buf_adds(&path, "/jobs");
		put_items(cli, buf_str(&path), "id", "project", prefix);
		buf_clear(&path);
	}
	config_free(cfg);
}

static void put_releases(struct cli *cli, const char *prefix)
{
	json_t *doc = client_peek(cli, "/releases?limit=50"), *seen = json_object(), *item;
	char id[13];
	size_t i;

	json_array_foreach(json_object_get(doc, "items"), i, item) {
		if (is_new(seen, show_text(item, "version")))
			complete_word(show_text(item, "version"), show_text(item, "project"),
				      prefix);
		snprintf(id, sizeof(id), "%.12s", show_text(item, "id"));
		complete_word(id, show_text(item, "version"), prefix);
	}
	json_decref(seen);
	json_decref(doc);
}

void complete_names(struct cli *cli, enum complete_kind kind, const char *prefix)
{
	if (cli_instance(cli) != 0)
		return;
	switch (kind) {
	case COMPLETE_ENVIRONMENTS:
		put_environments(cli, prefix);
		break;
	case COMPLETE_PLACES:
		put_environments(cli, prefix);
		put_items(cli, "/approvals", "id", "environment", prefix);
		break;
	case COMPLETE_FABRICS:
		put_fabrics(cli, prefix);
		break;
	case COMPLETE_DEPLOYMENTS:
		put_items(cli, "/approvals", "id", "environment", prefix);
		break;
	case COMPLETE_RELEASES:
		put_releases(cli, prefix);
		break;
	case COMPLETE_EVENTS:
		put_items(cli, "/events?limit=50", "id", "ref", prefix);
		break;
	case COMPLETE_HELD:
		put_items(cli, "/events?limit=50&state=held", "id", "ref", prefix);
		break;
	case COMPLETE_BUILDS:
		put_items(cli, "/builds?limit=50", "id", "pipeline", prefix);
		break;
	case COMPLETE_WORK:
		put_items(cli, "/queue?limit=50", "id", "what", prefix);
		put_items(cli, "/builds?limit=20", "id", "pipeline", prefix);
		put_items(cli, "/runs?limit=20", "id", "job", prefix);
		put_items(cli, "/events?limit=20", "id", "ref", prefix);
		break;
	case COMPLETE_JOBS:
		put_jobs(cli, prefix);
		break;
	case COMPLETE_REPOSITORIES:
		put_items(cli, "/events?limit=200", "repository", NULL, prefix);
		break;
	case COMPLETE_REFS:
		put_items(cli, "/events?limit=200", "ref", "repository", prefix);
		break;
	case COMPLETE_PROJECTS:
		put_items(cli, "/releases?limit=200", "project", "repository", prefix);
		break;
	case COMPLETE_PEOPLE:
		put_people(cli, prefix);
		break;
	case COMPLETE_RULES:
		for (size_t i = 0; i < RULE_COUNT; i++)
			complete_word(rule_table[i].code, rule_table[i].text, prefix);
		break;
	case COMPLETE_TOOLCHAINS:
		put_toolchains(cli, prefix);
		break;
	case COMPLETE_OUTBOX:
		put_items(cli, "/outbox?limit=50", "id", "state", prefix);
		break;
	case COMPLETE_TOKENS:
		put_items(cli, "/tokens", "id", "name", prefix);
		break;
	case COMPLETE_NOTHING:
	case COMPLETE_FILES:
	case COMPLETE_FOLDERS:
		break;
	}
}
