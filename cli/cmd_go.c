/* promote, deploy, redeploy: what sends a release somewhere. */
#include "config.h"

#include "cli/act.h"
#include "cli/cmd.h"
#include "cli/show.h"

enum { PROMOTE_WHY, PROMOTE_REPO, PROMOTE_PROJECT };

/* "e88 v1.0.0 (d5a1c9...) to production: promoted by kim", and how to see what comes of it. */
static void tell(struct cli *cli, const json_t *doc)
{
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(doc, "items"), i, item)
	{
		printf("%s ", show_text(item, "id"));
		show_escaped(show_text(item, "what"));
		fputs(": ", stdout);
		show_escaped(show_text(item, "reason"));
		putchar('\n');
	}
	act_next_why(cli, doc);
}

static int promote_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body = json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "thing", a->arg[0], "environment",
				 a->arg[1], "why", a->opt[PROMOTE_WHY], "repository",
				 a->opt[PROMOTE_REPO], "project", a->opt[PROMOTE_PROJECT]);

	return act_post(cli, "/promote", body, tell);
}

const struct cmd cmd_promote = {
	.name = "promote",
	.usage = "LABEL|RELEASE ENVIRONMENT [-m TEXT] [--repo R] [--project P]",
	.group = "Releases",
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

/* ---- deploy, redeploy ---- */

enum { GO_WHY, GO_JOBS, GO_REPO, GO_PROJECT };

/* "a,jobs/b" as a list of keys; NULL: not given. */
static json_t *keys_of(const char *text)
{
	json_t *list = text ? json_array() : NULL;

	for (const char *at = text; at && *at;) {
		size_t n = strcspn(at, ",");
		char *key = xasprintf("%s%.*s", ps_starts(at, "jobs/") ? "" : "jobs/", (int)n, at);

		if (n)
			json_array_append_new(list, json_string(key));
		free(key);
		at += n + (at[n] == ',');
	}
	return list;
}

static int go(struct cli *cli, const struct cmd_args *a, const char *path)
{
	json_t *body = json_pack("{s:s, s:s*, s:o*, s:s*, s:s*}", "thing", a->arg[0], "why",
				 a->opt[GO_WHY], "jobs", keys_of(a->opt[GO_JOBS]), "repository",
				 a->opt[GO_REPO], "project", a->opt[GO_PROJECT]);

	return act_post(cli, path, body, tell);
}

static int deploy_exec(struct cli *cli, const struct cmd_args *a)
{
	return go(cli, a, "/deploy");
}

static int redeploy_exec(struct cli *cli, const struct cmd_args *a)
{
	return go(cli, a, "/redeploy");
}

#define GO_OPTS                                                                              \
	{ "message", 'm', "TEXT", "why; kept with the deployment" },                        \
	{ "jobs", 'j', "A,B", "only these jobs; the others stay as they are" },             \
	{ "repo", 'R', "REPO", "with an environment: only of this repository" },            \
	{ "project", 'p', "PATH", "with an environment: only this project" }

const struct cmd cmd_deploy = {
	.name = "deploy",
	.usage = "DEPLOYMENT|ENVIRONMENT [--jobs A,B] [-m TEXT] [--repo R] [--project P]",
	.group = "Releases",
	.help = "Let go what waits for being deployed by hand",
	.more = "Where the environment says `deploy: manual`: one deployment, or all that wait\n"
		"there for it. With --jobs it is deployed in part, which never satisfies another\n"
		"environment's `after`. For members of the team that owns the fabric.",
	.example = "deploy d12 --jobs jobs/job_nightly",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { GO_OPTS },
	.exec = deploy_exec,
};

const struct cmd cmd_redeploy = {
	.name = "redeploy",
	.usage = "DEPLOYMENT|ENVIRONMENT [--jobs A,B] [-m TEXT] [--repo R] [--project P]",
	.group = "Releases",
	.help = "Deploy once more what was deployed",
	.more = "The release of a deployment, or what was deployed last to an environment, once\n"
		"more through all of its gates: after a change of the configuration, or when\n"
		"somebody changed the fabric by hand. For whoever may push to the environment.",
	.example = "redeploy production -m 'another warehouse'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { GO_OPTS },
	.exec = redeploy_exec,
};
