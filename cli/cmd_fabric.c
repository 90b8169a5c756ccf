/* jobs, rollback, pin, unpin, prune: what a fabric has, and what its owners do to it. */
#include "config.h"

#include "cli/act.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"

static const struct column job_cols[] = {
	{ "JOB", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "REPOSITORY", "repository", COL_NAME, 3 },
	{ "PROJECT", "project", COL_NAME, 4 },
	{ "NAME", "name", COL_NAME, 5 },
	{ "RELEASE", "release", COL_ID, 0 },
	{ "VERSION", "version", COL_NAME, 2 },
	{ "BY", "deployment", COL_ID, 1 },
	{ "SINCE", "since", COL_TIME, 2 },
	{ 0 },
};

static int jobs_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/fabrics");
	client_part(&path, a->arg[0]);
	buf_adds(&path, "/jobs");
	client_param(&path, "limit", a->opt[0]);
	client_param(&path, "state", a->opt[1]);
	code = show_list(cli, buf_str(&path), job_cols, "nothing of ours is there");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_jobs = {
	.name = "jobs",
	.usage = "FABRIC [--state live|orphan] [-n N]",
	.group = "Releases",
	.help = "List the jobs that a fabric has, each with the release it is of",
	.more = "An orphan is a job that the newer release does not have any more: it stays,\n"
		"paused, until `penstock prune`.",
	.example = "jobs production --state orphan",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "number", 'n', "N", "at most N (default 50)" },
		  { "state", 's', "STATE", "live or orphan" } },
	.exec = jobs_exec,
};

/* ---- what changes something ---- */

enum { OPT_WHY, OPT_REPO, OPT_PROJECT, OPT_MORE };

#define WHY { "message", 'm', "TEXT", "why; history and the audit keep it" }
#define WHERE                                                                     \
	{ "repo", 'R', "REPO", "of this repository, when several are there" }, \
	{ "project", 'p', "PATH", "of this project, when several are there" }

static void tell(struct cli *cli, const json_t *doc)
{
	const char *event = NULL;
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(doc, "items"), i, item)
	{
		const char *id = show_text(item, "id"), *what = show_text(item, "what");

		/* a movement that is open again is known by its number: e88 */
		if (strcmp(show_text(item, "state"), "open") == 0)
			event = id;
		show_escaped(id);
		putchar(' ');
		show_escaped(event == id ? show_text(item, "reason") : show_text(item, "state"));
		if (*what) {
			fputs(": ", stdout);
			show_escaped(what);
		}
		putchar('\n');
	}
	if (event)
		printf("next: %s why %s\n", cli_self(cli), event);
}

static int act(struct cli *cli, const struct cmd_args *a, const char *path, const char *more)
{
	json_t *body = json_pack("{s:s, s:s*, s:s*, s:s*}", "thing", a->arg[0], "why",
				 a->opt[OPT_WHY], "repository", a->opt[OPT_REPO], "project",
				 a->opt[OPT_PROJECT]);

	if (body && more && a->opt[OPT_MORE] &&
	    json_object_set_new(body, more, json_string(a->opt[OPT_MORE])) < 0) {
		json_decref(body);
		body = NULL;
	}
	return act_post(cli, path, body, tell);
}

static int rollback_exec(struct cli *cli, const struct cmd_args *a)
{
	return act(cli, a, "/rollback", "ref");
}

const struct cmd cmd_rollback = {
	.name = "rollback",
	.usage = "FABRIC -m TEXT [--to LABEL] [--repo R] [--project P]",
	.group = "Steer",
	.help = "Put the last release back that was verified on a fabric, and pin it",
	.more = "An emergency: without second person and without windows, for the team that\n"
		"owns the fabric, and in the audit. What comes for the fabric afterwards waits\n"
		"with reason pinned until `penstock unpin`. Jobs that the newer release made stay\n"
		"as paused orphans. Nothing about data is undone: tables that the newer release\n"
		"wrote stay as they are.",
	.example = "rollback production -m 'wrong totals since 14:00'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { WHY, WHERE,
		  { "to", 't', "LABEL", "another one that was verified there" } },
	.exec = rollback_exec,
};

static int pin_exec(struct cli *cli, const struct cmd_args *a)
{
	return act(cli, a, "/pin", NULL);
}

const struct cmd cmd_pin = {
	.name = "pin",
	.usage = "FABRIC -m TEXT",
	.group = "Steer",
	.help = "Let a fabric keep what it has; what comes for it waits",
	.more = "For the team that owns the fabric. Only a rollback goes to a pinned one.",
	.example = "pin production -m 'audit week'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { WHY },
	.exec = pin_exec,
};

static int unpin_exec(struct cli *cli, const struct cmd_args *a)
{
	return act(cli, a, "/unpin", NULL);
}

const struct cmd cmd_unpin = {
	.name = "unpin",
	.usage = "FABRIC [-m TEXT]",
	.group = "Steer",
	.help = "Let deployments to a pinned fabric go on: of each project only the newest",
	.more = "What waited before the newest is superseded. For the team that owns the fabric.",
	.example = "unpin production",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { WHY },
	.exec = unpin_exec,
};

static int prune_exec(struct cli *cli, const struct cmd_args *a)
{
	return act(cli, a, "/prune", "job");
}

const struct cmd cmd_prune = {
	.name = "prune",
	.usage = "FABRIC [--job J] [-m TEXT] [--repo R] [--project P]",
	.group = "Steer",
	.help = "Remove orphans from a fabric: jobs that no release there has any more",
	.more = "Live jobs are not touched. `penstock jobs FABRIC --state orphan` lists what\n"
		"would go. For the team that owns the fabric.",
	.example = "prune production --job job_reports",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { WHY, WHERE, { "job", 'j', "J", "only this one, by key or its last part" } },
	.exec = prune_exec,
};
