#include "config.h"

#include "cli/cmd.h"

enum { ARGS_MIN = 8 };		/* places that are there also when nothing was typed */

extern const struct cmd cmd_adopt;
extern const struct cmd cmd_approvals;
extern const struct cmd cmd_approve;
extern const struct cmd cmd_audit;
extern const struct cmd cmd_audit_export;
extern const struct cmd cmd_audit_verify;
extern const struct cmd cmd_backup;
extern const struct cmd cmd_build;
extern const struct cmd cmd_builds;
extern const struct cmd cmd_bump;
extern const struct cmd cmd_cancel;
extern const struct cmd cmd_check;
extern const struct cmd cmd_clean;
extern const struct cmd cmd_complete;
extern const struct cmd cmd_config_check;
extern const struct cmd cmd_deploy;
extern const struct cmd cmd_doctor;
extern const struct cmd cmd_drain;
extern const struct cmd cmd_events;
extern const struct cmd cmd_fabrics;
extern const struct cmd cmd_freeze;
extern const struct cmd cmd_history;
extern const struct cmd cmd_import_pbt;
extern const struct cmd cmd_init;
extern const struct cmd cmd_install;
extern const struct cmd cmd_install_hooks;
extern const struct cmd cmd_key_export;
extern const struct cmd cmd_key_list;
extern const struct cmd cmd_key_rotate;
extern const struct cmd cmd_job_derive;
extern const struct cmd cmd_lock;
extern const struct cmd cmd_jobs;
extern const struct cmd cmd_log;
extern const struct cmd cmd_outbox;
extern const struct cmd cmd_outbox_resend;
extern const struct cmd cmd_pause;
extern const struct cmd cmd_pin;
extern const struct cmd cmd_plan;
extern const struct cmd cmd_policy_export;
extern const struct cmd cmd_promote;
extern const struct cmd cmd_prune;
extern const struct cmd cmd_queue;
extern const struct cmd cmd_reconcile;
extern const struct cmd cmd_drift, cmd_drift_adopt, cmd_drift_restore;
extern const struct cmd cmd_redeploy;
extern const struct cmd cmd_reject;
extern const struct cmd cmd_release_hold;
extern const struct cmd cmd_release_show;
extern const struct cmd cmd_releases;
extern const struct cmd cmd_reload;
extern const struct cmd cmd_repair;
extern const struct cmd cmd_restore;
extern const struct cmd cmd_resume;
extern const struct cmd cmd_retry;
extern const struct cmd cmd_rollback;
extern const struct cmd cmd_rules;
extern const struct cmd cmd_run;
extern const struct cmd cmd_run_show;
extern const struct cmd cmd_runs;
extern const struct cmd cmd_status;
extern const struct cmd cmd_stop;
extern const struct cmd cmd_tests;
extern const struct cmd cmd_token_create;
extern const struct cmd cmd_token_list;
extern const struct cmd cmd_token_revoke;
extern const struct cmd cmd_toolchain_check;
extern const struct cmd cmd_toolchain_list;
extern const struct cmd cmd_toolchain_make;
extern const struct cmd cmd_unfreeze;
extern const struct cmd cmd_uninstall;
extern const struct cmd cmd_unlock;
extern const struct cmd cmd_verify;
extern const struct cmd cmd_unpin;
extern const struct cmd cmd_which;
extern const struct cmd cmd_why;

/* In the order of `penstock --help`. */
const struct cmd *const cmd_table[] = {
	&cmd_status,
	&cmd_queue,
	&cmd_why,
	&cmd_events,
	&cmd_builds,
	&cmd_log,
	&cmd_tests,
	&cmd_which,
	&cmd_check,
	&cmd_rules,
	&cmd_job_derive,
	&cmd_releases,
	&cmd_release_show,
	&cmd_verify,
	&cmd_fabrics,
	&cmd_plan,
	&cmd_history,
	&cmd_jobs,
	&cmd_run_show,
	&cmd_drift_adopt,
	&cmd_drift_restore,
	&cmd_drift,
	&cmd_run,
	&cmd_runs,
	&cmd_approvals,
	&cmd_approve,
	&cmd_reject,
	&cmd_promote,
	&cmd_deploy,
	&cmd_redeploy,
	&cmd_rollback,
	&cmd_pin,
	&cmd_unpin,
	&cmd_prune,
	&cmd_release_hold,
	&cmd_audit_verify,
	&cmd_audit_export,
	&cmd_audit,
	&cmd_cancel,
	&cmd_retry,
	&cmd_repair,
	&cmd_bump,
	&cmd_build,
	&cmd_freeze,
	&cmd_unfreeze,
	&cmd_lock,
	&cmd_unlock,
	&cmd_pause,
	&cmd_resume,
	&cmd_drain,
	&cmd_doctor,
	&cmd_init,
	&cmd_install,
	&cmd_install_hooks,
	&cmd_uninstall,
	&cmd_toolchain_make,
	&cmd_toolchain_list,
	&cmd_toolchain_check,
	&cmd_token_create,
	&cmd_token_list,
	&cmd_token_revoke,
	&cmd_config_check,
	&cmd_policy_export,
	&cmd_outbox_resend,
	&cmd_outbox,
	&cmd_key_rotate,
	&cmd_key_list,
	&cmd_key_export,
	&cmd_backup,
	&cmd_restore,
	&cmd_clean,
	&cmd_adopt,
	&cmd_import_pbt,
	&cmd_reconcile,
	&cmd_reload,
	&cmd_stop,
	&cmd_complete,
	NULL,
};

const struct cmd *cmd_find(int argc, char *const *argv, int *words)
{
	for (size_t i = 0; argc > 0 && cmd_table[i]; i++) {
		const char *name = cmd_table[i]->name, *blank = strchr(name, ' ');
		size_t first = blank ? (size_t)(blank - name) : strlen(name);

		if (strlen(argv[0]) != first || strncmp(argv[0], name, first) != 0)
			continue;
		if (blank && (argc < 2 || strcmp(argv[1], blank + 1) != 0))
			continue;
		*words = blank ? 2 : 1;
		return cmd_table[i];
	}
	return NULL;
}

/* Number of letters to insert, drop or change (Levenshtein), names of at most 31 letters. */
static size_t distance(const char *a, const char *b)
{
	size_t row[32], m = strlen(b);

	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[m];
}

const char *cmd_nearest(const char *typed)
{
	size_t best = 3;	/* farther is no suggestion but a guess */
	const char *name = NULL;

	for (size_t i = 0; cmd_table[i]; i++) {
		size_t d = strlen(cmd_table[i]->name) < 32 ? distance(typed, cmd_table[i]->name) :
			best;

		if (d < best || (d > 0 && ps_starts(cmd_table[i]->name, typed) && !name)) {
			best = d < best ? d : best;
			name = cmd_table[i]->name;
		}
	}
	return name;
}

static int find_opt(const struct cmd *c, const char *name, size_t len, char letter)
{
	for (int i = 0; i < CMD_OPTS_MAX && c->opts[i].name; i++)
		if (letter ? c->opts[i].letter == letter
			   : strlen(c->opts[i].name) == len &&
		    strncmp(c->opts[i].name, name, len) == 0)
			return i;
	return -1;
}

/* One option at argv[*i]; moves *i past a value that stands in the next word. */
static int take_opt(struct cli *cli, const struct cmd *c, int argc, char *const *argv, int *i,
		    struct cmd_args *a)
{
	const char *word = argv[*i], *value = NULL;
	bool is_long = word[1] == '-';
	size_t len = is_long ? strcspn(word + 2, "=") : 1;
	int at = find_opt(c, word + 2, len, is_long ? 0 : word[1]);

	if (at < 0)
		return cli_fail(cli, CLI_USAGE, NULL, "'%s' has no option '%s'", c->name, word);
	if (is_long && word[2 + len] == '=')
		value = word + 3 + len;
	else if (!is_long && word[2])
		value = word + 2;
	if (!c->opts[at].arg) {
		if (value)
			return cli_fail(cli, CLI_USAGE, NULL, "'%s' takes no value", word);
		a->opt[at] = "";
		return 0;
	}
	if (!value && *i + 1 < argc)
		value = argv[++*i];
	if (!value)
		return cli_fail(cli, CLI_USAGE, NULL, "'%s' needs a value: %s", word,
				c->opts[at].arg);
	a->opt[at] = value;
	if (ps_streq(c->opts[at].name, c->many) && a->nmany == CMD_MANY_MAX)
		return cli_fail(cli, CLI_USAGE, NULL, "'%s' is given more than %d times", word,
				CMD_MANY_MAX);
	if (ps_streq(c->opts[at].name, c->many))
		a->many[a->nmany++] = value;
	return 0;
}

int cmd_parse(struct cli *cli, const struct cmd *c, int argc, char *const *argv, struct cmd_args *a)
{
	bool only_args = false;

	memset(a, 0, sizeof(*a));
	a->arg = xcalloc((size_t)argc + ARGS_MIN, sizeof(*a->arg));
	for (int i = 0; i < argc; i++) {
		if (!only_args && strcmp(argv[i], "--") == 0) {
			only_args = true;
		} else if (!only_args && argv[i][0] == '-' && argv[i][1]) {
			int rc = take_opt(cli, c, argc, argv, &i, a);

			if (rc)
				return rc;
		} else if (a->n == c->max) {
			return cli_fail(cli, CLI_USAGE, NULL,
					"'%s' is one argument too many; usage: penstock %s %s",
					argv[i], c->name, c->usage);
		} else {
			a->arg[a->n++] = argv[i];
		}
	}
	if (a->n < c->min)
		return cli_fail(cli, CLI_USAGE, NULL, "something is missing; usage: penstock %s %s",
				c->name, c->usage);
	return 0;
}

bool cmd_help_group(FILE *out, const char *word)
{
	bool any = false;

	for (size_t i = 0; cmd_table[i]; i++)
		if (ps_starts(cmd_table[i]->name, word) &&
		    cmd_table[i]->name[strlen(word)] == ' ') {
			fputs(any ? "\n" : "", out);
			cmd_help(out, cmd_table[i]);
			any = true;
		}
	return any;
}

void cmd_help(FILE *out, const struct cmd *c)
{
	fprintf(out, "usage: penstock %s%s%s\n\n%s.\n", c->name, *c->usage ? " " : "", c->usage,
		c->help);
	if (c->more)
		fprintf(out, "\n%s\n", c->more);
	if (c->opts[0].name)
		fprintf(out, "\noptions:\n");
	for (size_t i = 0; i < CMD_OPTS_MAX && c->opts[i].name; i++) {
		char *left = xasprintf("%s%c%s--%s%s%s", c->opts[i].letter ? "-" : "",
				       c->opts[i].letter ? c->opts[i].letter : ' ',
				       c->opts[i].letter ? ", " : "   ", c->opts[i].name,
				       c->opts[i].arg ? " " : "", c->opts[i].arg ? c->opts[i].arg :
				       "");

		fprintf(out, "  %-24s %s\n", left, c->opts[i].help);
		free(left);
	}
	fprintf(out, "\nexample: penstock %s\n", c->example);
}

void cmd_help_all(FILE *out)
{
	fprintf(out, "usage: penstock [-C DIR] [--json] [--as NAME] "
		"[--color always|never] COMMAND ...\n");
	for (size_t i = 0; cmd_table[i]; i++) {
		const struct cmd *c = cmd_table[i];
		char *left;

		if (!c->group)
			continue;
		if (i == 0 || strcmp(cmd_table[i - 1]->group, c->group) != 0)
			fprintf(out, "\n%s\n", c->group);
		left = xasprintf("%s %s", c->name, c->usage);
		if (strlen(left) > 34)
			fprintf(out, "  %s\n  %-34s %s\n", left, "", c->help);
		else
			fprintf(out, "  %-34s %s\n", left, c->help);
		free(left);
	}
	fprintf(out, "\n-C DIR chooses the instance; without it PENSTOCK_INSTANCE, else the "
		"system's.\n"
		     "next: penstock help COMMAND\n");
}
