/* check – the gate's rules over a folder or a revision, before a push; and the gate program. */
#include "config.h"

#include "cli/cmd_check.h"

#include <errno.h>

#include "cli/show.h"
#include "common/base/fsutil.h"
#include "common/config/policy.h"
#include "common/gate/gate.h"

enum { OPT_AGAINST, OPT_POLICY, OPT_PRE_RECEIVE, OPT_RESULT_FD, OPT_BUDGET };

static bool whole_number(const char *text, long min, long max, long *out)
{
	char *end;

	if (!text)
		return false;
	errno = 0;
	*out = strtol(text, &end, 10);
	return end != text && !*end && !errno && *out >= min && *out <= max;
}

static int pre_receive(struct cli *cli, const struct cmd_args *a)
{
	long fd, budget = 0;

	if (!a->opt[OPT_POLICY] || !whole_number(a->opt[OPT_RESULT_FD], 0, 1 << 20, &fd))
		return cli_fail(cli, CLI_USAGE, NULL,
				"--pre-receive needs --policy FILE and --result-fd N");
	if (a->opt[OPT_BUDGET] && !whole_number(a->opt[OPT_BUDGET], 1, 3600000, &budget))
		return cli_fail(cli, CLI_USAGE, NULL, "--budget is a number of milliseconds");
	return check_push(cli, a->opt[OPT_POLICY], (int)fd, budget);
}

/* The configuration to judge by: the policy file given, the instance's accepted one, its
 * penstock.yml. Without an instance *cfg stays NULL: what needs it is left out, and that is said.
 * */
static int find_config(struct cli *cli, const char *policy, struct config **cfg)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct ps_err err = { 0 };
	char *base = NULL;
	int rc = 0;

	*cfg = NULL;
	if (!policy && (cli->instance || fs_exists("/etc/penstock/penstock.yml"))) {
		rc = cli_instance(cli);
		if (rc)
			return rc;
		policy = fs_exists(cli->paths.policy) ? cli->paths.policy : NULL;
		if (!policy) {
			rc = config_load(cfg, cli->paths.config, &diags, &err);
			if (rc == 0 && !*cfg)
				rc = ps_err_set(&err, PS_ECONFIG, "'%s' has errors",
						cli->paths.config);
			diag_clear(&diags);
			return rc < 0 ? cli_fail_err(cli, &err, "penstock config check") : 0;
		}
	}
	if (policy)
		rc = policy_read_config(cfg, &base, policy, &err);
	else if (!cli->json)
		fprintf(stderr,
			"hint: no instance was chosen (-C DIR): fabric ids are not checked\n");
	free(base);
	return rc < 0 ? cli_fail_err(cli, &err, NULL) : 0;
}

static void print_findings(struct cli *cli, const struct diag_list *l, size_t projects,
			   const char *what)
{
	size_t warnings = l->n - l->errors;
	struct buf text = BUF_INIT;

	if (cli->json) {
		json_t *items = json_array(), *doc;

		for (size_t i = 0; i < l->n; i++)
			json_array_append_new(items, show_finding(&l->v[i]));
		doc = json_pack("{s:o}", "items", items);
		show_json(doc);
		json_decref(doc);
		return;
	}
	diag_print(&text, l, 0);
	fputs(buf_str(&text), stdout);
	fflush(stdout);
	buf_clear(&text);
	if (!projects)
		fprintf(stderr, "hint: no pbt_project.yml in '%s'\n", what);
	else
		fprintf(stderr, "%zu project%s, %zu error%s, %zu warning%s\n", projects,
			projects == 1 ? "" : "s", l->errors, l->errors == 1 ? "" : "s", warnings,
			warnings == 1 ? "" : "s");
}

static int check_exec(struct cli *cli, const struct cmd_args *a)
{
	const char *what = a->n ? a->arg[0] : ".";
	struct gate_check c = { .path = what, .against = a->opt[OPT_AGAINST] };
	struct diag_list l = DIAG_LIST_INIT;
	struct config *cfg;
	struct ps_err err = { 0 };
	size_t projects = 0;
	int rc;

	if (a->opt[OPT_PRE_RECEIVE])
		return pre_receive(cli, a);
	rc = find_config(cli, a->opt[OPT_POLICY], &cfg);
	if (rc)
		return rc;
	c.config = cfg;
	/* only objects are read: nothing of the repository is run or believed */
	repo_trust_owners();
	if (fs_exists(what)) {
		rc = gate_check_path(&c, &l, &projects, &err);
	} else {
		c.path = ".";
		c.rev = what;
		rc = gate_check_rev(&c, &l, &projects, &err);
	}
	if (rc < 0) {
		rc = cli_fail_err(cli, &err, NULL);
	} else {
		print_findings(cli, &l, projects, what);
		rc = l.errors ? CLI_NO : CLI_OK;
	}
	diag_clear(&l);
	config_free(cfg);
	return rc;
}

const struct cmd cmd_check = {
	.name = "check", .usage = "[FOLDER | REVISION]", .group = "Look",
	.help = "Check projects as a push would: every finding with its line and column",
	.more = "FOLDER (the current one) is checked as it is on disk, REVISION as it is "
		"committed.\n"
		"Findings are errors when a push that brings them would be refused. With "
			"--against,\n"
		"what the other revision has too is a warning, as in a push that starts from it.",
	.example = "-C DIR check --against origin/main", .needs = CMD_NOTHING, .max = 1,
	.opts = {
		[OPT_AGAINST] = { "against", 0, "REVISION",
				  "the old side: what it has too is only a warning" },
		[OPT_POLICY] = { "policy", 0, "FILE",
				 "judge by this policy file, not by an instance" },
		[OPT_PRE_RECEIVE] = { "pre-receive", 0, NULL,
				      "for hooks: judge the push on stdin" },
		[OPT_RESULT_FD] = { "result-fd", 0, "N", "for hooks: where the verdict goes" },
		[OPT_BUDGET] = { "budget", 0, "MS",
				 "for hooks: time for judging, in milliseconds" },
	},
	.exec = check_exec,
};
