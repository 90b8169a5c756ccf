/* config check, which: the configuration on disk, read here; the agent is not asked. */
#include "config.h"

#include <fcntl.h>

#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/escape.h"
#include "common/base/fsutil.h"
#include "common/config/policy.h"
#include "common/config/policy_file.h"
#include "common/config/which.h"
#include "common/plan/profile.h"

/* A rule may name a toolchain before anybody made it: then its builds wait. */
static void check_toolchains(const struct cli *cli, const struct config *cfg, const char *file,
			     struct diag_list *out)
{
	const char *slash = strrchr(file, '/');

	for (size_t i = 0; i < cfg->ntoolchain_rules; i++) {
		const struct conf_toolchain_rule *r = &cfg->toolchain_rules[i];
		char *marker = xasprintf("%s/%s/" TOOLCHAIN_MARKER, cli->paths.toolchains, r->use);
		bool there = fs_exists(marker);

		for (size_t k = 0; k < cfg->ntoolchains && !there; k++)
			there = strcmp(cfg->toolchains[k].name, r->use) == 0;
		if (!there)
			diag_add(out, DIAG_WARNING, slash ? slash + 1 : file, r->pos.line,
				 r->pos.col, "PS-CONF-033", "toolchain %s: make it with penstock "
				 "toolchain make %s FILE; until then the builds of this rule wait",
				 r->use, r->use);
		free(marker);
	}
}

static int check_exec(struct cli *cli, const struct cmd_args *a)
{
	const char *file = a->n ? a->arg[0] : cli->paths.config;
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err = { 0 };
	struct buf text = BUF_INIT;
	int rc = config_load(&cfg, file, &diags, &err);

	if (rc == 0 && cfg)
		check_toolchains(cli, cfg, file, &diags);
	diag_sort(&diags);
	if (rc < 0) {
		rc = cli_fail_err(cli, &err, NULL);
	} else if (cli->json) {
		json_t *items = json_array();

		for (size_t i = 0; i < diags.n; i++)
			json_array_append_new(items, show_finding(&diags.v[i]));
		items = json_pack("{s:o}", "items", items);
		show_json(items);
		json_decref(items);
	} else {
		diag_print(&text, &diags, 0);
		fputs(buf_str(&text), stdout);
		if (diags.errors)
			printf("%zu error%s\n", diags.errors, diags.errors == 1 ? "" : "s");
		else
			printf("ok: %zu environments, %zu fabrics, %zu warning%s\n",
			       cfg->nenvironments, cfg->nfabrics, diags.n, diags.n == 1 ? "" : "s");
	}
	if (rc == 0 && diags.errors)
		rc = CLI_NO;
	buf_clear(&text);
	diag_clear(&diags);
	config_free(cfg);
	return rc;
}

const struct cmd cmd_config_check = {
	.name = "config check", .usage = "[FILE]", .group = "Administer",
	.help = "Check penstock.yml and print every mistake with its line and column",
	.example = "config check", .needs = CMD_INSTANCE, .max = 1, .exec = check_exec,
};

/* What hooks read is what a developer's `penstock check --policy` needs: it names no credential. */
static int export_exec(struct cli *cli, const struct cmd_args *a)
{
	struct config *cfg = NULL;
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	char *base = NULL;
	int rc = policy_read_config(&cfg, &base, cli->paths.policy, &err);

	if (rc == 0)
		rc = fs_read(&b, AT_FDCWD, cli->paths.policy, POLICY_BYTES_MAX, &err);
	if (rc == 0 && a->n)
		rc = fs_write_file(AT_FDCWD, a->arg[0], buf_str(&b), b.len, 0644, &err);
	else if (rc == 0 && (fwrite(buf_str(&b), 1, b.len, stdout) != b.len || fflush(stdout)))
		rc = ps_err_errno(&err, "cannot write to stdout");
	if (rc < 0)
		rc = cli_fail_err(cli, &err, NULL);
	else if (a->n)
		fprintf(stderr, "next: penstock check --policy %s\n", a->arg[0]);
	config_free(cfg);
	buf_clear(&b);
	free(base);
	return rc;
}

const struct cmd cmd_policy_export = {
	.name = "policy export", .usage = "[FILE]", .group = "Administer",
	.help = "Write the accepted configuration for 'penstock check --policy FILE' elsewhere",
	.more = "It holds teams, fabrics, environments and levels of rules, and no credential.",
	.example = "policy export penstock.policy", .needs = CMD_INSTANCE, .max = 1,
	.exec = export_exec,
};

enum { OPT_REPO, OPT_PROJECT, OPT_ALL };

/* "main" as git would say it in a push; a full name stays. */
static char *full_ref(const char *ref)
{
	return ps_starts(ref, "refs/") ? xstrdup(ref) : xasprintf("refs/heads/%s", ref);
}

static json_t *rule(const struct cli *cli, const struct which_row *r)
{
	const struct conf_environment *e = r->env;
	char *at = xasprintf("%s:%u:%u", cli->paths.config, e->pos.line, e->pos.col);
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s?, s:s}", "id", e->name,
			      "state", r->taken ? "taken" : "passed over", "fabric", e->fabric,
			      "deploy", conf_deploy_word(e->deploy), "rule", (json_int_t)r->number,
			      "at", at, "pattern", r->pattern, "why", r->why);

	free(at);
	return o;
}

static void show_rules(const struct cli *cli, const struct which *w, bool all)
{
	json_t *items = json_array(), *doc;

	for (size_t i = 0; i < w->n; i++)
		if (all || w->rows[i].taken)
			json_array_append_new(items, rule(cli, &w->rows[i]));
	doc = json_pack("{s:s, s:s, s:s, s:o}", "ref", w->ref, "repository", w->repo,
			"project", w->project, "items", items);
	show_json(doc);
	json_decref(doc);
}

static int show_which(struct cli *cli, const struct config *cfg, const struct cmd_args *a,
		      const char *ref)
{
	const char *repo = a->opt[OPT_REPO] ? a->opt[OPT_REPO] : "repository";
	const char *project = a->opt[OPT_PROJECT] ? a->opt[OPT_PROJECT] : ".";
	bool all = a->opt[OPT_ALL] != NULL;
	struct buf text = BUF_INIT, safe = BUF_INIT;
	struct which w;
	int rc;

	which_make(&w, cfg, repo, project, ref);
	which_text(&text, &w, cli->paths.config, all);
	escape_buf(&safe, text.data, text.len, true);
	if (cli->json)
		show_rules(cli, &w, all);
	else
		fputs(buf_str(&safe), stdout);
	rc = w.taken ? CLI_OK : CLI_NO;
	which_clear(&w);
	buf_clear(&text);
	buf_clear(&safe);
	return rc;
}

static int which_exec(struct cli *cli, const struct cmd_args *a)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err = { 0 };
	struct buf text = BUF_INIT;
	char *ref = full_ref(a->arg[0]);
	int rc = config_load(&cfg, cli->paths.config, &diags, &err);

	if (rc < 0) {
		rc = cli_fail_err(cli, &err, NULL);
	} else if (!cfg) {
		diag_sort(&diags);
		diag_print(&text, &diags, 0);
		fputs(buf_str(&text), stderr);
		rc = cli_fail(cli, CLI_NO, "penstock config check", "the configuration has errors");
	} else {
		rc = show_which(cli, cfg, a, ref);
	}
	buf_clear(&text);
	diag_clear(&diags);
	config_free(cfg);
	free(ref);
	return rc;
}

const struct cmd cmd_which = {
	.name = "which", .usage = "[--repo R] [--project P] [--all] REF", .group = "Look",
	.help = "Say which environment a ref goes to, and by which rule of penstock.yml",
	.more = "The first rule that matches wins. In patterns * stays within one part of a path, "
		"** crosses '/'.\n"
		"Without --repo and --project only rules for every project can be told.",
	.example = "which --repo sales/etl refs/tags/v1.4.0",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "repo", 'R', "REPO", "name of the repository below its root, without .git" },
		  { "project", 'p', "PATH", "folder of the project; '.' for the top (default)" },
		  { "all", 'a', NULL, "every rule, with why it was passed over" } },
	.exec = which_exec,
};
