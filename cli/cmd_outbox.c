/* outbox, outbox resend: what people were told, and what could not be. */
#include "config.h"

#include "cli/act.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"

static const struct column cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "TO", "to", COL_NAME, 0 },
	{ "WHAT", "kind", COL_ID, 0 },
	{ "OF", "thing", COL_ID, 0 },
	{ "ENVIRONMENT", "environment", COL_NAME, 3 },
	{ "TRIES", "tries", COL_TEXT, 2 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "PROBLEM", "problem", COL_TEXT, 4 },
	{ 0 },
};

static int outbox_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/outbox");
	client_param(&path, "limit", a->opt[0]);
	client_param(&path, "state", a->opt[1]);
	code = show_list(cli, buf_str(&path), cols,
			 "nothing was to be told yet; see notify in penstock.yml(5)");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_outbox = {
	.name = "outbox",
	.usage = "[--state S] [-n N]",
	.group = "Administer",
	.help = "List what people were told by webhook and mail, and what could not be",
	.more = "A letter is queued, running, done, or failed: refused by its receiver, or tried "
		"as often as notify says.",
	.example = "outbox --state failed",
	.needs = CMD_INSTANCE,
	.opts = { { "number", 'n', "N", "at most N, newest first (default 50)" },
		  { "state", 's', "STATE", "only those in this state" } },
	.exec = outbox_exec,
};

static int resend_exec(struct cli *cli, const struct cmd_args *a)
{
	return act_verb(cli, "outbox", a->arg[0], "resend", "is sent again");
}

const struct cmd cmd_outbox_resend = {
	.name = "outbox resend",
	.usage = "ID",
	.group = "Administer",
	.help = "Send a failed letter again, from its first try on",
	.more = "Its receiver may have got it before: it has the same Penstock-Id. For root and "
		"the agent's user.",
	.example = "outbox resend o12",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.exec = resend_exec,
};
