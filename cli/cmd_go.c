/* promote: what sends a release somewhere. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"

enum { PROMOTE_WHY, PROMOTE_REPO, PROMOTE_PROJECT };

/* "e88 v1.0.0 (d5a1c9...) to production: promoted by kim", and how to see what comes of it. */
static int tell(struct cli *cli, json_t *doc)
{
	size_t i;
	json_t *item;

	if (cli->json) {
		show_json(doc);
		return CLI_OK;
	}
	json_array_foreach(json_object_get(doc, "items"), i, item)
	{
		printf("%s ", show_text(item, "id"));
		show_escaped(show_text(item, "what"));
		fputs(": ", stdout);
		show_escaped(show_text(item, "reason"));
		putchar('\n');
	}
	printf("next: %s why %s\n", cli_self(cli),
	       show_text(json_array_get(json_object_get(doc, "items"), 0), "id"));
	return CLI_OK;
}

static int promote_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *doc = NULL;
	json_t *body = json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "thing", a->arg[0], "environment",
				 a->arg[1], "why", a->opt[PROMOTE_WHY], "repository",
				 a->opt[PROMOTE_REPO], "project", a->opt[PROMOTE_PROJECT]);
	int code = body ? client_post(cli, "/promote", body, &doc)
			: cli_fail(cli, CLI_USAGE, NULL, "the arguments are not UTF-8");

	json_decref(body);
	if (code == CLI_OK)
		code = tell(cli, doc);
	json_decref(doc);
	return code;
}

const struct cmd cmd_promote = {
	.name = "promote",
	.usage = "LABEL|RELEASE ENVIRONMENT [-m TEXT] [--repo R] [--project P]",
	.group = "Steer",
	.help = "Send a release that exists to another environment",
	.more = "LABEL is a version, a tag or a branch as `penstock releases` shows it; RELEASE\n"
		"the first digits of its id. Nothing is built or tested again: the same bytes go\n"
		"through the environment's gates (after, approval, windows). For whoever may\n"
		"push to the refs of the environment (`push:`), root and the agent's own user.",
	.example = "promote v1.0.0 production -m 'as agreed on Monday'",
	.needs = CMD_INSTANCE,
	.min = 2,
	.max = 2,
	.opts = { { "message", 'm', "TEXT", "why; shown with the deployment" },
		  { "repo", 'R', "REPO", "of this repository, when several have the label" },
		  { "project", 'p', "PATH", "of this project, when several have the label" } },
	.exec = promote_exec,
};
