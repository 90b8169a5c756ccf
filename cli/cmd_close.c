/* freeze, unfreeze, lock, unlock: close a fabric to deployments, and open it again. */
#include "config.h"

#include "cli/act.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/wait.h"
#include "common/base/clock.h"

enum { CLOSE_WHY, CLOSE_UNTIL };

static void tell(struct cli *cli, const json_t *doc)
{
	const json_t *item = json_array_get(json_object_get(doc, "items"), 0);

	(void)cli;
	printf("%s is %s%s%s: ", show_text(item, "id"), show_text(item, "state"),
	       *show_text(item, "what") ? " " : "", show_text(item, "what"));
	show_escaped(show_text(item, "reason"));
	putchar('\n');
}

/* A time as we print it, or how long from now on; 0: not given, -1: neither. */
static int64_t until_ms(const char *text)
{
	int64_t ms;

	if (!text)
		return 0;
	ms = wait_duration_ms(text);
	return ms > 0 ? clock_wall_ms() + ms : term_parse_time(text);
}

static int close_it(struct cli *cli, const struct cmd_args *a, const char *path, const char *until)
{
	int64_t ms = until_ms(until);

	if (!a->opt[CLOSE_WHY] || !*a->opt[CLOSE_WHY])
		return cli_fail(cli, CLI_USAGE, NULL,
				"say why: -m TEXT; all who wait will read it");
	if (ms < 0)
		return cli_fail(
			cli, CLI_USAGE, NULL,
			"--until takes a time like 2026-12-01T08:00:00Z, or how long: 90m, 8h");
	return act_post(cli, path,
			json_pack("{s:s, s:s, s:I}", "thing", a->arg[0], "why", a->opt[CLOSE_WHY],
				  "until_ms", (json_int_t)ms),
			tell);
}

static int freeze_exec(struct cli *cli, const struct cmd_args *a)
{
	return close_it(cli, a, "/freeze", a->opt[CLOSE_UNTIL]);
}

static int lock_exec(struct cli *cli, const struct cmd_args *a)
{
	return close_it(cli, a, "/lock", NULL);
}

static int unfreeze_exec(struct cli *cli, const struct cmd_args *a)
{
	return act_post(cli, "/unfreeze", json_pack("{s:s}", "thing", a->arg[0]), tell);
}

static int unlock_exec(struct cli *cli, const struct cmd_args *a)
{
	return act_post(cli, "/unlock", json_pack("{s:s}", "thing", a->arg[0]), tell);
}

const struct cmd cmd_freeze = {
	.name = "freeze",
	.usage = "FABRIC -m TEXT [--until T]",
	.group = "Steer",
	.help = "Let no deployment begin on a fabric, but emergencies and rollbacks",
	.more = "What is under way goes on, runs go on, and what waits says who froze it and why. "
		"For\n"
		"the fabric's owners, root and the agent's own user.",
	.example = "freeze production --until 2026-12-01T08:00:00Z -m 'end of the year'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why; shown to everybody who waits" },
		  { "until", 'u', "T", "a time (UTC), or how long: 90m, 8h; default: unfreeze" } },
	.exec = freeze_exec,
};

const struct cmd cmd_unfreeze = {
	.name = "unfreeze",
	.usage = "FABRIC",
	.group = "Steer",
	.help = "Let deployments begin on a frozen fabric again",
	.example = "unfreeze production",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.exec = unfreeze_exec,
};

const struct cmd cmd_lock = {
	.name = "lock",
	.usage = "FABRIC -m TEXT",
	.group = "Steer",
	.help = "Keep a fabric for yourself: no deployment begins, not even an emergency",
	.more = "For work by hand on the fabric. What is under way goes on. For the fabric's\n"
		"owners, root and the agent's own user.",
	.example = "lock production -m 'moving the warehouse'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why; shown to everybody who waits" } },
	.exec = lock_exec,
};

const struct cmd cmd_unlock = {
	.name = "unlock",
	.usage = "FABRIC",
	.group = "Steer",
	.help = "Give a locked fabric back",
	.example = "unlock production",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.exec = unlock_exec,
};
