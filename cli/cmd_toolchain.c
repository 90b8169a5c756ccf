/* toolchain make, list, check: the program penstock-build knows what a toolchain is. */
#include "config.h"

#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/toolchains.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"

static int make_exec(struct cli *cli, const struct cmd_args *a)
{
	char *program = fs_find_program("penstock-build"), text[64];
	const char *argv[] = { program, "--make-toolchain", cli->paths.system ? "-" :
			       cli->paths.base, a->arg[0], a->arg[1], NULL };
	struct spawn s = { .argv = argv, .env = (const char *const *)environ, .in = -1,
			   .out = STDOUT_FILENO, .errout = STDERR_FILENO };
	struct ps_err err = { 0 };
	int status = 0, rc;
	pid_t pid;

	if (!program)
		return cli_fail(cli, CLI_NO,
				NULL, "the program 'penstock-build' is not beside penstock: "
				"installed in part?");
	pid = spawn_start(&s, &err);
	rc = pid < 0 ? (int)pid : spawn_wait(pid, &status, &err);
	free(program);
	if (rc < 0)
		return cli_fail_err(cli, &err, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !cli->json)
		show_next(cli, "penstock toolchain list");
	if (WIFEXITED(status))
		return WEXITSTATUS(status);	/* it has said why; its codes are ours */
	return cli_fail(cli, CLI_NO, NULL, "making the toolchain ended by %s",
			spawn_status_text(text, status));
}

const struct cmd cmd_toolchain_make = {
	.name = "toolchain make", .usage = "NAME FILE", .group = "Administer",
	.help = "Make a toolchain for builds and runs from a requirements file "
		"(needs the package index)",
	.more = "FILE lists packages as pip reads them. The toolchain is made once, outside the "
		"sandbox, in the\n"
		"instance's folder toolchains/NAME; logs/toolchain-NAME.log keeps every line. The "
		"one called default is\n"
		"used, and a single one whatever its name.",
	.example = "toolchain make default toolchain.txt",
	.needs = CMD_INSTANCE, .min = 2, .max = 2, .exec = make_exec,
};

/* ---- list, check ---- */

static const struct column columns[] = {
	{ "TOOLCHAIN", "id", COL_NAME, 0 },   { "STATE", "state", COL_STATE, 0 },
	{ "DIGEST", "digest", COL_OID, 0 },   { "BUILDS", "builds", COL_TEXT, 0 },
	{ "WITH", "versions", COL_TEXT, 2 },  { "PREFIX", "prefix", COL_NAME, 1 },
	{ "NOTE", "reason", COL_TEXT, 0 },    { 0 },
};

/* How many of the newest builds were made with it; null where no agent says so. */
static void count_builds(struct cli *cli, json_t *items)
{
	json_t *doc = client_agent_up(cli) ? NULL : json_null(), *item, *build;
	size_t i, k;

	if (!doc && client_get(cli, "/builds?limit=1000", &doc) != 0)
		doc = NULL;
	json_array_foreach(items, i, item) {
		const char *digest = show_text(item, "digest");
		json_int_t n = 0;

		json_array_foreach(json_object_get(doc, "items"), k, build)
			n += *digest && strcmp(show_text(build, "toolchain"), digest) == 0;
		json_object_set_new(item, "builds", json_is_object(doc) ? json_integer(n) :
				    json_null());
	}
	json_decref(doc);
}

/* What the agent holds of its toolchain, beside what was read now. */
static void compare(json_t *items, const json_t *status)
{
	const json_t *now = json_object_get(status, "toolchain");
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const char *digest = show_text(item, "digest"), *made = show_text(item, "made");
		const char *held = show_text(now, "digest");
		bool is = strcmp(show_text(now, "prefix"), show_text(item, "prefix")) == 0;

		if (*digest && is && *held && strcmp(held, digest) != 0)
			json_object_set_new(item, "reason", json_string(
				"its files have changed and the agent has not seen it: penstock "
				"reload"));
		else if (*digest && *made && strcmp(made, digest) != 0)
			json_object_set_new(item, "reason", json_string(
				"not as it was made: a file, the JVM or a package of the machine "
				"is another; what is pushed next is built anew"));
	}
}

static int show(struct cli *cli, struct toolchains *t, int code, const char *next)
{
	struct buf text = BUF_INIT;

	if (cli->json) {
		json_t *doc = json_pack("{s:O}", "items", t->items);

		show_json(doc);
		json_decref(doc);
	} else {
		term_table(&text, &cli->out, columns, t->items, clock_wall_ms());
		fputs(buf_str(&text), stdout);
		show_next(cli, next);
	}
	buf_clear(&text);
	return code;
}

static int none(struct cli *cli, const char *name)
{
	if (name)
		return cli_fail(cli, CLI_NO, "penstock toolchain list",
				"no toolchain is called '%s'", name);
	return cli_fail(cli, CLI_NO, "penstock toolchain make default FILE",
			"there is no toolchain; builds wait for one");
}

static int list_exec(struct cli *cli, const struct cmd_args *a)
{
	struct toolchains t;
	struct ps_err err = { 0 };
	int code;

	(void)a;
	if (toolchains_look(&t, cli, NULL, NULL, &err) < 0)
		return cli_fail_err(cli, &err, NULL);
	if (json_array_size(t.items) == 0 && !cli->json) {
		code = none(cli, NULL);
	} else {
		count_builds(cli, t.items);
		code = show(cli, &t, CLI_OK, "penstock toolchain check");
	}
	toolchains_clear(&t);
	return code;
}

const struct cmd cmd_toolchain_list = {
	.name = "toolchain list", .usage = "", .group = "Administer",
	.help = "Show the toolchains: what is in each, its digest, how many builds used it",
	.more = "BUILDS counts among the newest 1,000, and needs the agent.",
	.example = "toolchain list", .needs = CMD_INSTANCE, .exec = list_exec,
};

static int check_exec(struct cli *cli, const struct cmd_args *a)
{
	struct toolchains t;
	struct ps_err err = { 0 };
	json_t *status, *item;
	int code = CLI_OK;
	size_t i;

	if (toolchains_look(&t, cli, a->arg[0], "--anew", &err) < 0)
		return cli_fail_err(cli, &err, NULL);
	json_array_foreach(t.items, i, item)
		if (strcmp(show_text(item, "state"), "ready") != 0)
			code = CLI_NO;
	if (json_array_size(t.items) == 0) {
		code = none(cli, a->arg[0]);
	} else {
		status = client_status(cli);
		compare(t.items, status);
		count_builds(cli, t.items);
		code = show(cli, &t, code, code ? "penstock toolchain make NAME FILE" :
			    "penstock builds");
		json_decref(status);
	}
	toolchains_clear(&t);
	return code;
}

const struct cmd cmd_toolchain_check = {
	.name = "toolchain check", .usage = "[NAME]", .group = "Administer",
	.help = "Read every byte of the toolchains anew and say what has changed or is missing",
	.more = "Python is started, and asked for what builds and tests need. The digest is read "
		"anew and compared with\n"
		"the one it had when it was made and the one the agent holds. Exit code 1: one "
		"cannot be used.",
	.example = "toolchain check default",
	.needs = CMD_INSTANCE, .max = 1, .exec = check_exec,
};
