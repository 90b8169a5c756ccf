/* approvals, approve, reject: what waits for people, and what they say. */
#include "config.h"

#include "cli/act.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/plan/plan.h"

enum { APPROVE_WHY, APPROVE_EMERGENCY };
enum { REJECT_WHY };
enum { LIST_MINE };

static const struct column cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "REPOSITORY", "repository", COL_NAME, 3 },
	{ "PROJECT", "project", COL_NAME, 2 },
	{ "VERSION", "version", COL_NAME, 0 },
	{ "ENVIRONMENT", "environment", COL_NAME, 0 },
	{ "TEAM", "team", COL_NAME, 1 },
	{ "APPROVED BY", "approved_by", COL_LIST, 0 },
	{ "COULD", "could", COL_LIST, 0 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ 0 },
};

static int approvals_exec(struct cli *cli, const struct cmd_args *a)
{
	(void)a;
	return show_list(cli, "/approvals", cols, "nothing waits for an approval");
}

const struct cmd cmd_approvals = {
	.name = "approvals",
	.usage = "",
	.group = "Releases",
	.help = "List the deployments that wait for an approval, and by whom",
	.more = "Who could: members of the team that owns the fabric who cannot have pushed what\n"
		"is deployed and have not approved its plan already.",
	.example = "approvals",
	.needs = CMD_INSTANCE,
	.exec = approvals_exec,
};

/* What an approval would be of: "d2 sales:. v1.0.0 to production", and the plan's lines. */
static void print_plan(const json_t *row)
{
	char *text = json_dumps(json_object_get(row, "plan"), JSON_COMPACT);
	struct plan plan = { 0 };
	struct buf b = BUF_INIT;

	printf("%s ", show_text(row, "id"));
	show_escaped(show_text(row, "repository"));
	putchar(':');
	show_escaped(show_text(row, "project"));
	putchar(' ');
	show_escaped(show_text(row, "version"));
	printf(" to %s, fabric %s\n", show_text(row, "environment"), show_text(row, "fabric"));
	if (text && plan_read(&plan, text, strlen(text), NULL) == 0) {
		plan_print(&plan, &b);
		fputs(buf_str(&b), stdout);
		plan_clear(&plan);
	}
	if (*show_text(row, "changed")) {
		fputs("since it was approved: ", stdout);
		show_escaped(show_text(row, "changed"));
		putchar('\n');
	}
	buf_clear(&b);
	free(text);
}

/* "a1 approved: the plan of d2; d2 goes on", and how to see what comes of it. */
static void tell(struct cli *cli, const json_t *doc)
{
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(doc, "items"), i, item)
	{
		printf("%s ", show_text(item, "id"));
		show_escaped(show_text(item, "reason"));
		fputs("; ", stdout);
		show_escaped(show_text(item, "what"));
		putchar('\n');
	}
	act_next_why(cli, doc);
}

/* The plan is shown, and the approval is of that one: it is refused when it changed meanwhile. */
static int approve_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	json_t *row = NULL, *body;
	int code;

	buf_adds(&path, "/approvals");
	client_part(&path, a->arg[0]);
	code = client_get(cli, buf_str(&path), &row);
	buf_clear(&path);
	if (code)
		return code;
	if (!cli->json && json_is_object(json_object_get(row, "plan")))
		print_plan(row);
	body = json_pack("{s:s, s:s*, s:b, s:O*}", "thing", a->arg[0], "why", a->opt[APPROVE_WHY],
			 "emergency", a->opt[APPROVE_EMERGENCY] != NULL, "plan",
			 json_is_string(json_object_get(row, "plan_digest"))
				 ? json_object_get(row, "plan_digest")
				 : NULL);
	code = act_post(cli, "/approve", body, tell);
	json_decref(row);
	return code;
}

const struct cmd cmd_approve = {
	.name = "approve",
	.usage = "DEPLOYMENT [-m TEXT] [--emergency]",
	.group = "Releases",
	.help = "Approve a deployment's plan",
	.more = "For members of the team that owns the fabric, but for those who may have pushed\n"
		"what is deployed. It counts for the plan that is shown: when the plan is another "
		"at\n"
		"the start, the deployment waits again and says what changed. --emergency: for\n"
		"members of the fabric's emergency team, alone and whatever they pushed, at any\n"
		"time; it needs a reason and is in the audit as what it is.",
	.example = "approve d12 -m 'tested on qa'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why; kept with the approval" },
		  { "emergency", 0, NULL, "alone, and outside of windows and freezes" } },
	.exec = approve_exec,
};

static int reject_exec(struct cli *cli, const struct cmd_args *a)
{
	if (!a->opt[REJECT_WHY] || !*a->opt[REJECT_WHY])
		return cli_fail(cli, CLI_USAGE, NULL, "say why: -m TEXT");
	return act_post(cli, "/reject",
			json_pack("{s:s, s:s}", "thing", a->arg[0], "why", a->opt[REJECT_WHY]),
			tell);
}

const struct cmd cmd_reject = {
	.name = "reject",
	.usage = "DEPLOYMENT -m TEXT",
	.group = "Releases",
	.help = "End a waiting deployment of a release that is not wanted there",
	.more = "What waits of the same release for the same environment ends with it. For\n"
		"members of the team that owns the fabric. The release may be promoted anew.",
	.example = "reject d12 -m 'the totals are wrong'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why; shown to who pushed it" } },
	.exec = reject_exec,
};
