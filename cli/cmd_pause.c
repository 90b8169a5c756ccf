/* pause, resume: stop what would begin, and let it go on. */
#include "config.h"

#include "cli/act.h"
#include "cli/cmd.h"
#include "cli/show.h"

enum { OPT_WHY }; /* of pause */
enum { OPT_ALL }; /* of resume */

static bool scope_fits(const struct cmd_args *a)
{
	static const struct {
		const char *word;
		size_t words;
	} scopes[] = {
		{ "environment", 2 },
		{ "fabric", 2 },
		{ "builder", 1 },
		{ "all", 1 },
	};

	for (size_t i = 0; i < PS_NELEM(scopes); i++)
		if (a->n && strcmp(a->arg[0], scopes[i].word) == 0)
			return a->n == scopes[i].words;
	return a->n == 0;
}

static int bad_scope(struct cli *cli, json_t *body)
{
	json_decref(body);
	return cli_fail(cli, CLI_USAGE, NULL,
			"what can be paused is: environment NAME, fabric NAME, "
			"builder, all");
}

/* Both words of the scope into body; nothing typed means all. */
static void put_scope(json_t *body, const struct cmd_args *a)
{
	json_object_set_new(body, "scope", json_string(a->n ? a->arg[0] : "all"));
	if (a->n > 1)
		json_object_set_new(body, "name", json_string(a->arg[1]));
}

static int pause_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body;

	if (!a->opt[OPT_WHY] || !*a->opt[OPT_WHY])
		return cli_fail(cli, CLI_USAGE, NULL,
				"say why: -m TEXT; all who wait will read it");
	body = json_pack("{s:s}", "why", a->opt[OPT_WHY]);
	if (!body)
		return cli_fail(cli, CLI_USAGE, NULL, "the reason is no UTF-8");
	if (!scope_fits(a))
		return bad_scope(cli, body);
	put_scope(body, a);
	return act_post(cli, "/pause", body, act_tell_text);
}

const struct cmd cmd_pause = {
	.name = "pause",
	.usage = "[environment E | fabric F | builder | all] -m TEXT",
	.group = "Steer",
	.help = "Let nothing new begin there; what is under way goes on",
	.more = "A fabric's pause stops deployments and runs there, an environment's its "
		"deployments, the\n"
		"builder's all builds and runs, all stops everything. Events are recorded all the "
		"same.\n"
		"For members of the team that owns the fabric; builder and all for root and the "
		"agent's "
		"user.\n"
		"It lasts until `penstock resume` of the same, also through a stop and start.",
	.example = "pause fabric production -m 'quarter end'",
	.needs = CMD_INSTANCE,
	.min = 0,
	.max = 2,
	.opts = { { "message", 'm', "TEXT", "why; shown to everybody who waits" } },
	.exec = pause_exec,
};

static int resume_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body = json_object();

	if (a->opt[OPT_ALL] && a->n) {
		json_decref(body);
		return cli_fail(cli, CLI_USAGE, NULL,
				"--all means everything: name nothing beside it");
	}
	if (!scope_fits(a))
		return bad_scope(cli, body);
	if (a->opt[OPT_ALL])
		json_object_set_new(body, "everything", json_true());
	else
		put_scope(body, a);
	return act_post(cli, "/resume", body, act_tell_text);
}

const struct cmd cmd_resume = {
	.name = "resume",
	.usage = "[environment E | fabric F | builder | all | --all]",
	.group = "Steer",
	.help = "Let go on what was paused",
	.more = "Without --all it lifts the pause of exactly what is named. --all lifts every "
		"pause,\n"
		"and ends the recovery of a store that was restored.",
	.example = "resume fabric production",
	.needs = CMD_INSTANCE,
	.min = 0,
	.max = 2,
	.opts = { { "all", 0, NULL, "every pause, whatever its scope" } },
	.exec = resume_exec,
};
