/* The commands that list one kind of thing: a path of the API and a row of columns each. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"

enum { OPT_N, OPT_STATE, OPT_REPO, OPT_REF, OPT_PROJECT = OPT_REF };

#define LIST_OPTS                                                                  \
	{ "number", 'n', "N", "at most N, newest first (default 50)" },           \
	{ "state", 's', "STATE", "only those in this state" },                    \
	{ "repo", 'R', "REPO", "only those of this repository" }

static void list_params(struct buf *path, const struct cmd_args *a)
{
	client_param(path, "limit", a->opt[OPT_N]);
	client_param(path, "state", a->opt[OPT_STATE]);
	client_param(path, "repository", a->opt[OPT_REPO]);
}

static const struct column event_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "REPOSITORY", "repository", COL_NAME, 4 },
	{ "REF", "ref", COL_NAME, 0 },
	{ "OLD", "old", COL_OID, 1 },
	{ "NEW", "new", COL_OID, 0 },
	{ "PUSHER", "pusher", COL_NAME, 3 },
	{ "WHEN", "at", COL_TIME, 2 },
	{ "REASON", "reason", COL_TEXT, 5 },
	{ 0 },
};

static int events_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/events");
	list_params(&path, a);
	client_param(&path, "ref", a->opt[OPT_REF]);
	code = show_list(cli, buf_str(&path), event_cols,
			 "no event yet; next: git push to an installed repository");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_events = {
	.name = "events", .usage = "[--repo R] [--ref REF] [--state S] [-n N]", .group = "Look",
	.help = "List the movements of refs, newest first",
	.example = "events --ref refs/heads/main -n 5",
	.needs = CMD_INSTANCE,
	.opts = { LIST_OPTS, { "ref", 'r', "REF", "only movements of this ref" } },
	.exec = events_exec,
};

static const struct column build_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "REPOSITORY", "repository", COL_NAME, 4 },
	{ "PROJECT", "project", COL_NAME, 5 },
	{ "PIPELINE", "pipeline", COL_NAME, 0 },
	{ "COMMIT", "commit", COL_OID, 3 },
	{ "ARTIFACT", "name", COL_NAME, 2 },
	{ "TESTS", "tests", COL_TEXT, 4 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "TOOK", "took_ms", COL_SPAN, 1 },
	{ "CHECKS", "check_of", COL_ID, 6 },
	{ 0 },
};

static int builds_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/builds");
	list_params(&path, a);
	code = show_list(cli, buf_str(&path), build_cols, "nothing was built yet");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_builds = {
	.name = "builds", .usage = "[--repo R] [--state S] [-n N]", .group = "Look",
	.help = "List builds with their state and what they wait for, newest first",
	.example = "builds --state failed",
	.needs = CMD_INSTANCE, .opts = { LIST_OPTS }, .exec = builds_exec,
};

static const struct column release_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "REPOSITORY", "repository", COL_NAME, 4 },
	{ "PROJECT", "project", COL_NAME, 3 },
	{ "VERSION", "version", COL_NAME, 0 },
	{ "REF", "ref", COL_NAME, 0 },
	{ "COMMIT", "commit", COL_OID, 2 },
	{ "FABRICS", "fabrics", COL_LIST, 5 },
	{ "SIGNED BY", "signed_by", COL_ID, 6 },
	{ "MADE", "created", COL_TIME, 1 },
	{ 0 },
};

static int releases_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/releases");
	list_params(&path, a);
	client_param(&path, "project", a->opt[OPT_PROJECT]);
	code = show_list(cli, buf_str(&path), release_cols, "nothing was released yet");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_releases = {
	.name = "releases", .usage = "[--repo R] [--project P] [--state S] [-n N]",
	.group = "Releases",
	.help = "List releases and the newest label of each, newest first",
	.example = "releases -n 10",
	.needs = CMD_INSTANCE,
	.opts = { LIST_OPTS, { "project", 'p', "PROJECT", "only those of this project" } },
	.exec = releases_exec,
};

static const struct column fabric_cols[] = {
	{ "FABRIC", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "RELEASE", "release", COL_ID, 0 },
	{ "VERSION", "version", COL_NAME, 4 },
	{ "SINCE", "since", COL_TIME, 2 },
	{ "PINNED", "pinned", COL_TEXT, 3 },
	{ "WAITING", "waiting", COL_TEXT, 3 },
	{ "UID", "fabric_id", COL_TEXT, 1 },
	{ "PROVIDER", "provider", COL_TEXT, 5 },
	{ "OWNER", "owner", COL_TEXT, 6 },
	{ "NOTE", "note", COL_TEXT, 7 },
	{ 0 },
};

static int fabrics_exec(struct cli *cli, const struct cmd_args *a)
{
	(void)a;
	return show_list(cli, "/fabrics", fabric_cols, "the configuration names no fabric");
}

const struct cmd cmd_fabrics = {
	.name = "fabrics", .usage = "", .group = "Releases",
	.help = "List the fabrics and what is live on each",
	.example = "fabrics", .needs = CMD_INSTANCE, .exec = fabrics_exec,
};

static const struct column history_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "REPOSITORY", "repository", COL_NAME, 3 },
	{ "PROJECT", "project", COL_NAME, 4 },
	{ "RELEASE", "release", COL_ID, 0 },
	{ "VERSION", "version", COL_NAME, 5 },
	{ "REF", "ref", COL_NAME, 0 },
	{ "VERIFIED", "verification", COL_TEXT, 3 },
	{ "PUSHER", "pusher", COL_NAME, 2 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "TOOK", "took_ms", COL_SPAN, 1 },
	{ 0 },
};

static int history_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/fabrics");
	client_part(&path, a->arg[0]);
	buf_adds(&path, "/history");
	client_param(&path, "limit", a->opt[OPT_N]);
	code = show_list(cli, buf_str(&path), history_cols, "nothing was deployed there yet");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_history = {
	.name = "history", .usage = "FABRIC [-n N]", .group = "Releases",
	.help = "List the deployments of a fabric, newest first",
	.example = "history development",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "number", 'n', "N", "at most N, newest first (default 50)" } },
	.exec = history_exec,
};
