/* import pbt: the configuration that Prophecy's own tool deploys by, as text for penstock.yml; and
 * the ids of its jobs, so that the first deployment writes to them and makes no second ones. */
#include "config.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/escape.h"
#include "common/config/config.h"
#include "common/project/pbtconf.h"

enum { OPT_REPOSITORY, OPT_PROJECT, OPT_TEAM, OPT_DRY };

static const char *env_of(const char *name)
{
	return getenv(name);
}

/* ---- reading ---- */

static void tell_findings(struct diag_list *l)
{
	struct buf text = BUF_INIT;

	diag_sort(l);
	diag_print(&text, l, 0);
	fputs(buf_str(&text), stderr);
	buf_clear(&text);
}

static int read_folder(struct cli *cli, const char *dir, struct pbtconf **out)
{
	struct diag_list findings = DIAG_LIST_INIT;
	struct ps_err err = { 0 };
	int rc = pbtconf_read(out, dir, env_of, &findings, &err);
	int code = CLI_OK;

	tell_findings(&findings);
	if (rc < 0)
		code = cli_fail_err(cli, &err, NULL);
	else if (findings.errors)
		code = cli_fail(cli, CLI_NO, NULL, "nothing was imported: %zu error%s in '%s'",
				findings.errors, findings.errors == 1 ? "" : "s", dir);
	diag_clear(&findings);
	return code;
}

/* ---- the text ---- */

/* Folder of penstock.yml, absolute: there credentials may lie. */
static char *config_folder(const struct cli *cli)
{
	char *slash, *at = cli->paths.config[0] == '/' ? xstrdup(cli->paths.config) : NULL;
	char *here = at ? NULL : getcwd(NULL, 0);

	if (!at)
		at = xasprintf("%s/%s", here ? here : "", cli->paths.config);
	free(here);
	slash = strrchr(at, '/');
	if (slash != at)
		*slash = '\0';
	return at;
}

/* What we print is read as penstock.yml before it is printed: no user shall find out for us. */
static int check_text(struct cli *cli, const struct buf *text)
{
	struct diag_list findings = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err = { 0 };
	int rc = config_parse(&cfg, "penstock.yml", buf_str(text), text->len, &findings, &err);
	int code = CLI_OK;

	if (rc < 0)
		code = cli_fail_err(cli, &err, NULL);
	if (rc == 0 && findings.errors) {
		tell_findings(&findings);
		code = cli_fail(cli, CLI_NO, NULL, "penstock.yml cannot say what these files do");
	}
	diag_clear(&findings);
	config_free(cfg);
	return code;
}

static int make_text(struct cli *cli, const struct pbtconf *c, const struct cmd_args *a,
		     struct buf *text)
{
	const struct passwd *pw = getpwuid(geteuid());
	char *folder = config_folder(cli);

	pbtconf_write(
		text, c,
		&(struct pbtconf_to){ .dir = a->arg[0],
				      .secrets = folder,
				      .member = pw ? pw->pw_name : "root",
				      .team = a->opt[OPT_TEAM] ? a->opt[OPT_TEAM] : "deployers" });
	free(folder);
	return pbtconf_carried(c) ? check_text(cli, text) : CLI_OK;
}

/* ---- the ids ---- */

static json_t *ids_of(const struct pbtconf *c, const struct cmd_args *a)
{
	json_t *hosts = json_object(), *jobs = json_array();
	const char *project = a->opt[OPT_PROJECT];

	for (size_t i = 0; i < c->nfabrics; i++)
		if (c->fabrics[i].kind == PBTCONF_DATABRICKS)
			json_object_set_new(hosts, c->fabrics[i].uid,
					    show_string(c->fabrics[i].host));
	for (size_t i = 0; i < c->njobs; i++)
		json_array_append_new(jobs, json_pack("{sI ss ss ss}", "fabric",
						      (json_int_t)c->jobs[i].fabric->id, "job",
						      c->jobs[i].job, "name", c->jobs[i].name, "id",
						      c->jobs[i].id));
	return json_pack("{ss ss so so sb}", "repository", a->opt[OPT_REPOSITORY], "project",
			 project && *project ? project : ".", "hosts", hosts, "jobs", jobs, "dry",
			 a->opt[OPT_DRY] != NULL);
}

static void tell_ids(const json_t *items, bool dry)
{
	static const struct {
		const char *state, *done, *dry;
	} words[] = {
		{ "new", "stored", "would be stored" },
		{ "changed", "stored in place of another", "would be stored in place of another" },
		{ "same", "stored already", "stored already" },
		{ "deployed", "penstock has deployed it", "penstock has deployed it" },
	};
	const json_t *item;
	size_t i;

	json_array_foreach((json_t *)items, i, item)
	{
		char job[512], fabric[512];

		for (size_t k = 0; k < PS_NELEM(words); k++)
			if (strcmp(show_text(item, "state"), words[k].state) == 0)
				fprintf(stderr, "%s on %s is job %s: %s\n",
					escape_line(job, sizeof(job), show_text(item, "id")),
					escape_line(fabric, sizeof(fabric),
						    show_text(item, "fabric")),
					show_text(item, "remote"),
					dry ? words[k].dry : words[k].done);
	}
}

/* *items: what became of each id; NULL: nothing was asked for. */
static int store_ids(struct cli *cli, const struct pbtconf *c, const struct cmd_args *a,
		     json_t **items)
{
	json_t *body, *doc = NULL;
	int code;

	if (!c->njobs)
		return CLI_OK;
	if (!a->opt[OPT_REPOSITORY]) {
		char *dir = cli_quote(a->arg[0]);

		fprintf(stderr,
			"%zu job id%s not stored: they belong to a project; next, with these "
			"fabrics in penstock.yml and reloaded: %s import pbt %s --repo NAME "
			"[--project PATH]\n",
			c->njobs, c->njobs == 1 ? " is" : "s are", cli_self(cli), dir);
		free(dir);
		return CLI_OK;
	}
	body = ids_of(c, a);
	code = body ? client_post(cli, "/import", body, &doc)
		    : cli_fail(cli, CLI_USAGE, NULL, "a name is no UTF-8");
	json_decref(body);
	*items = json_incref(json_object_get(doc, "items"));
	json_decref(doc);
	if (code)
		fprintf(stderr, "no job id was stored\n");
	else
		tell_ids(*items, a->opt[OPT_DRY] != NULL);
	return code;
}

/* ---- the command ---- */

static void show_all(const struct pbtconf *c, const struct buf *text, json_t *items)
{
	json_t *left = json_array(), *doc;

	for (size_t i = 0; i < c->nleft; i++)
		json_array_append_new(left,
				      json_pack("{so so so}", "at", show_string(c->left[i].where),
						"what", show_string(c->left[i].what), "reason",
						show_string(c->left[i].why)));
	doc = json_pack("{so so sO?}", "config", show_string(buf_str(text)), "left", left, "items",
			items);
	show_json(doc);
	json_decref(doc);
}

static int import_exec(struct cli *cli, const struct cmd_args *a)
{
	struct pbtconf *c = NULL;
	struct buf text = BUF_INIT;
	json_t *items = NULL;
	int code = read_folder(cli, a->arg[0], &c);

	if (code == CLI_OK)
		code = make_text(cli, c, a, &text);
	if (code == CLI_OK && !cli->json)
		fwrite(buf_str(&text), 1, text.len, stdout);
	if (code == CLI_OK && !pbtconf_carried(c))
		code = cli_fail(cli, CLI_NO, NULL, "no fabric of it can be carried over");
	if (code == CLI_OK)
		code = store_ids(cli, c, a, &items);
	if (code == CLI_OK && cli->json)
		show_all(c, &text, items);
	json_decref(items);
	buf_clear(&text);
	pbtconf_free(c);
	return code;
}

const struct cmd cmd_import_pbt = {
	.name = "import pbt",
	.usage = "DIR [--repo REPO [--project PATH]]",
	.group = "Administer",
	.help = "Take over what Prophecy's own tool is configured by, and the jobs that it made",
	.more = "DIR is what `pbt deploy-v2 --conf-dir` gets: fabrics.yml, state.yml, system.yml,\n"
		"override.yml. On stdout comes the text of a penstock.yml with their fabrics, an\n"
		"environment for each, the commands that store the credentials, and what is not\n"
		"carried over. With --repo the job ids of state.yml are stored, all or none: the\n"
		"first deployment of such a job to its fabric writes to that job. For that the\n"
		"fabrics must be in force: once without, put the text in, reload, then with it.\n"
		"Asked again it changes nothing. Ids are stored for root and the agent's user.",
	.example = "import pbt conf --repo sales",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = {
		{ "repo", 'R', "REPO", "name of the repository whose jobs these are" },
		{ "project", 'p', "PATH", "of the project in it; without: its top" },
		{ "team", 't', "NAME", "owner of the fabrics in the text; without: deployers" },
		{ "dry-run", 'n', NULL, "stores nothing, and says what would be stored" },
	},
	.exec = import_exec,
};
