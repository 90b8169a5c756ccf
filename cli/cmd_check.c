/* check – the gate's rules over a folder or a revision, before a push; and the gate program. */
#include "config.h"

#include "cli/cmd_check.h"

#include <errno.h>

#include "cli/check_format.h"
#include "common/base/digest.h"
#include "common/base/escape.h"
#include "common/base/fsutil.h"
#include "common/config/policy.h"
#include "common/gate/gate.h"

enum { OPT_AGAINST, OPT_NEW, OPT_REF, OPT_REPOSITORY, OPT_POLICY, OPT_FORMAT, OPT_FRESH, OPT_TIMING,
       OPT_PRE_RECEIVE, OPT_RESULT_FD, OPT_BUDGET, OPT_PUSHER, OPT_DRY_RUN, OPT_SKIP };

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
	return check_push(cli, &(struct check_push) {
		.policy = a->opt[OPT_POLICY], .fd = (int)fd, .budget_ms = budget,
		.pusher = a->opt[OPT_PUSHER], .as = cli->as,
		.dry_run = a->opt[OPT_DRY_RUN] != NULL, .skip = a->opt[OPT_SKIP] != NULL,
	});
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
	else
		fprintf(stderr, "hint: no policy was given (-C DIR or --policy FILE): fabric ids "
			"[PS-JOB-101] and the admin's levels were not looked at\n");
	free(base);
	return rc < 0 ? cli_fail_err(cli, &err, NULL) : 0;
}

static void print_summary(const struct gate_checked *c, const char *what)
{
	const struct diag_list *l = &c->found;
	size_t warnings = l->n - l->errors;
	const char *name = !c->nprojects ? what : c->against ? c->against : "";
	struct buf safe = BUF_INIT;

	escape_buf(&safe, name, strlen(name), false);
	if (!c->nprojects)
		fprintf(stderr, "hint: no pbt_project.yml in '%s'\n", buf_str(&safe));
	else
		fprintf(stderr, "%zu project%s, %zu error%s, %zu warning%s%s%s\n", c->nprojects,
			c->nprojects == 1 ? "" : "s", l->errors, l->errors == 1 ? "" : "s",
			warnings, warnings == 1 ? "" : "s", c->against ? ", against " : "",
			buf_str(&safe));
	buf_clear(&safe);
}

static void print_timing(const struct gate_checked *c)
{
	const struct rules_counts *n = &c->counts;

	fprintf(stderr, "timing: %.1f ms for looking at files, %.1f ms for this side, %.1f ms for "
		"the old one; %zu trees, %zu units (%zu as remembered), %zu folders listed, %zu "
		"files read (%zu bytes), %zu searched for secrets, %zu project files parsed\n",
		(double)c->look_ns / 1e6, (double)c->now_ns / 1e6, (double)c->old_ns / 1e6,
		n->trees, n->units, n->known, n->folders, n->reads, n->bytes, n->scans, n->parsed);
	fprintf(stderr, "timing: of the disk: %zu folders listed, %zu files looked at, %zu opened"
		"%s%s\n", c->asked.listed, c->asked.stats, c->asked.opened,
		c->not_kept ? "; nothing is remembered: " : "", c->not_kept ? c->not_kept : "");
}

static int judge(struct cli *cli, const struct cmd_args *a, struct config *cfg,
		 enum check_format format)
{
	const char *what = a->n ? a->arg[0] : ".";
	bool folder = fs_exists(what);
	struct gate_who who = { cli->as };
	struct gate_check c = {
		.path = folder ? what : ".", .rev = folder ? NULL : what, .config = cfg,
		.against = a->opt[OPT_AGAINST], .all_new = a->opt[OPT_NEW] != NULL,
		.ref = a->opt[OPT_REF], .who = cli->as ? &who : NULL,
		.repo_name = a->opt[OPT_REPOSITORY], .fresh = a->opt[OPT_FRESH] != NULL,
	};
	struct gate_checked out;
	struct ps_err err = { 0 };
	int rc;

	/* only objects are read: nothing of the repository is run or believed */
	repo_trust_owners();
	if (gate_check(&c, &out, &err) < 0) {
		rc = cli_fail_err(cli, &err, NULL);
	} else {
		check_print(&out, format);
		if (format == CHECK_TEXT)
			print_summary(&out, what);
		if (a->opt[OPT_TIMING])
			print_timing(&out);
		rc = out.found.errors ? CLI_NO : CLI_OK;
	}
	gate_checked_clear(&out);
	return rc;
}

static int check_exec(struct cli *cli, const struct cmd_args *a)
{
	enum check_format format = a->opt[OPT_FORMAT] ? check_format_of(a->opt[OPT_FORMAT]) :
		cli->json ? CHECK_JSON : CHECK_TEXT;
	struct config *cfg;
	int rc;

	digest_alone();
	if (a->opt[OPT_PRE_RECEIVE])
		return pre_receive(cli, a);
	if (format == CHECK_FORMATS)
		return cli_fail(cli, CLI_USAGE, NULL,
				"--format is text, json, sarif or github, not '%s'",
				a->opt[OPT_FORMAT]);
	if (a->opt[OPT_NEW] && a->opt[OPT_AGAINST])
		return cli_fail(cli, CLI_USAGE, NULL, "--new has no old side, --against names one");
	rc = find_config(cli, a->opt[OPT_POLICY], &cfg);
	if (rc == 0)
		rc = judge(cli, a, cfg, format);
	config_free(cfg);
	return rc;
}

const struct cmd cmd_check = {
	.name = "check", .usage = "[FOLDER | REVISION]", .group = "Look",
	.help = "Check projects as a push would: every finding with its line and column",
	.more = "FOLDER (the current one) is checked as it is on disk, REVISION as it is "
		"committed.\n"
		"Findings are errors when a push that brings them would be refused. What the "
		"upstream\nof the branch has too (or the revision of --against) is a warning, as "
		"in a push to it;\nwith neither, or with --new, all counts as new.\nWith --as NAME "
		"and a ref it is said, too, whether NAME may push there.",
	.example = "check --against origin/main", .needs = CMD_NOTHING, .max = 1,
	.opts = {
		[OPT_AGAINST] = { "against", 0, "REVISION",
				  "the old side, instead of the upstream branch" },
		[OPT_NEW] = { "new", 0, NULL, "no old side: all counts as new" },
		[OPT_REF] = { "ref", 0, "REF", "as if pushed to this ref (refs/heads/main)" },
		[OPT_REPOSITORY] = { "repository", 0, "NAME",
				     "as if to this repository, for rules that are not for all "
				     "of them" },
		[OPT_POLICY] = { "policy", 0, "FILE",
				 "judge by this policy file, not by an instance" },
		[OPT_FORMAT] = { "format", 0, "WORD", "text, json, sarif or github" },
		[OPT_FRESH] = { "fresh", 0, NULL,
				"judge all of it anew, and remember nothing" },
		[OPT_TIMING] = { "timing", 0, NULL, "say on stderr where the time went" },
		[OPT_PRE_RECEIVE] = { "pre-receive", 0, NULL,
				      "for hooks: judge the push on stdin" },
		[OPT_RESULT_FD] = { "result-fd", 0, "N", "for hooks: where the verdict goes" },
		[OPT_BUDGET] = { "budget", 0, "MS",
				 "for hooks: time for judging, in milliseconds" },
		[OPT_PUSHER] = { "pusher", 0, "NAME", "for hooks: who pushes, as the host says" },
		[OPT_DRY_RUN] = { "dry-run", 0, NULL, "for hooks: penstock.dry-run" },
		[OPT_SKIP] = { "skip", 0, NULL, "for hooks: penstock.skip" },
	},
	.exec = check_exec,
};
