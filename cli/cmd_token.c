/* token – what a person may show instead of his account: made, listed, revoked. */
#include "config.h"

#include "cli/act.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/wait.h"

enum { OPT_SCOPE, OPT_EXPIRES, OPT_NAME };

/* The token alone on stdout: a script keeps it, a terminal shows it under what is said of it. */
static void say_made(struct cli *cli, const json_t *doc)
{
	(void)cli;
	fprintf(stderr, "%s (%s) until %s; it is not shown again:\n", show_text(doc, "id"),
		show_text(doc, "scope"), show_text(doc, "expires"));
	puts(show_text(doc, "token"));
}

static int create_exec(struct cli *cli, const struct cmd_args *a)
{
	int64_t ms = a->opt[OPT_EXPIRES] ? wait_duration_ms(a->opt[OPT_EXPIRES]) : 0;
	json_t *body;

	if (ms < 0)
		return cli_fail(cli, CLI_USAGE, NULL, "'%s' is no time: give 90d, 12h or 30m",
				a->opt[OPT_EXPIRES]);
	body = json_pack("{s:s*, s:s*}", "scope", a->opt[OPT_SCOPE], "name", a->opt[OPT_NAME]);
	if (body && a->opt[OPT_EXPIRES])
		json_object_set_new(body, "expires_ms", json_integer(ms));
	return act_post(cli, "/tokens", body, say_made);
}

const struct cmd cmd_token_create = {
	.name = "token create", .usage = "[--scope read|act] [--expires 90d] [-m NAME]",
	.group = "Administer",
	.help = "Make a token that speaks for you, and show it once",
	.more = "Whoever shows it has your rights as a member of teams: to look (read, the "
		"default) or to act as well,\nnever those of root or of the agent's own user. "
		"Only its SHA-256 is kept. PENSTOCK_TOKEN or\n--token-file gives it to a "
		"command, PENSTOCK_URL says where the agent listens (api: listen).",
	.example = "token create --scope act --expires 30d -m 'release robot' > token",
	.needs = CMD_INSTANCE,
	.opts = { { "scope", 0, "S", "read: only to look; act: all that you may as a member" },
		  { "expires", 0, "T", "how long it is good: 12h, 90d (the default)" },
		  { "message", 'm', "NAME", "what it is for" } },
	.exec = create_exec,
};

static const struct column token_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "OWNER", "owner", COL_NAME, 0 },
	{ "SCOPE", "scope", COL_ID, 0 },
	{ "NAME", "name", COL_TEXT, 2 },
	{ "EXPIRES", "expires", COL_TIME, 0 },
	{ "USED", "used", COL_TIME, 1 },
	{ "MADE", "made", COL_TIME, 3 },
	{ 0 },
};

static int list_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/tokens");
	client_param(&path, "limit", a->opt[0]);
	code = show_list(cli, buf_str(&path), token_cols,
			 "no token; next: penstock token create");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_token_list = {
	.name = "token list", .usage = "[-n N]", .group = "Administer",
	.help = "List your tokens; root and the agent's own user see everybody's",
	.example = "token list", .needs = CMD_INSTANCE,
	.opts = { { "number", 'n', "N", "at most N, newest first (default 50)" } },
	.exec = list_exec,
};

static int revoke_exec(struct cli *cli, const struct cmd_args *a)
{
	return act_verb(cli, "tokens", a->arg[0], "revoke", "is revoked");
}

const struct cmd cmd_token_revoke = {
	.name = "token revoke", .usage = "ID", .group = "Administer",
	.help = "End a token: at once, for good",
	.more = "Your own, or anybody's for root and the agent's own user.",
	.example = "token revoke k3", .needs = CMD_INSTANCE, .min = 1, .max = 1,
	.exec = revoke_exec,
};
