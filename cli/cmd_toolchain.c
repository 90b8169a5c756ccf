/* toolchain make, list, check: the program penstock-build knows what a toolchain is. */
#include "config.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/toolchains.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"
#include "common/config/config.h"

static volatile sig_atomic_t maker, interrupted;

static void pass_on(int sig)
{
	interrupted = sig;
	if (maker > 0)
		kill((pid_t)maker, sig);
}

static int make_exec(struct cli *cli, const struct cmd_args *a)
{
	const struct sigaction sa = { .sa_handler = pass_on, .sa_flags = SA_RESTART };
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
	sigaction(SIGINT, &sa, NULL);	/* it clears away what it has begun, and we wait for that */
	sigaction(SIGTERM, &sa, NULL);
	pid = spawn_start(&s, &err);
	maker = pid > 0 ? pid : 0;
	if (pid > 0 && interrupted)
		kill(pid, interrupted);
	rc = pid < 0 ? (int)pid : spawn_wait(pid, &status, &err);
	free(program);
	if (rc < 0)
		return cli_fail_err(cli, &err, NULL);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && !cli->json)
		show_next(cli, "penstock toolchain list");
	if (WIFEXITED(status) && WEXITSTATUS(status) && interrupted == SIGINT)
		return CLI_INTERRUPTED;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);	/* it has said why; its codes are ours */
	return cli_fail(cli, CLI_NO, NULL, "making the toolchain ended by %s",
			spawn_status_text(text, status));
}

const struct cmd cmd_toolchain_make = {
	.name = "toolchain make", .usage = "NAME FILE", .group = "Administer",
	.help = "Make a toolchain for builds and runs from a requirements file "
		"(needs the package index)",
	.more = "FILE lists packages as pip reads them, and options like --find-links. The "
		"toolchain is made once,\n"
		"outside the sandbox, in the instance's folder toolchains/NAME; "
		"logs/toolchain-NAME.log keeps every line.\n"
		"One of that name is replaced when the new one is complete, and stays when that "
		"fails. The one called\n"
		"default is used where no rule of builders.toolchains names another, and a single "
		"one whatever its name.",
	.example = "toolchain make default toolchain.txt",
	.needs = CMD_INSTANCE, .min = 2, .max = 2, .exec = make_exec,
};

/* ---- list, check ---- */

static const struct column columns[] = {
	{ "TOOLCHAIN", "id", COL_NAME, 0 },   { "STATE", "state", COL_STATE, 0 },
	{ "DIGEST", "digest", COL_OID, 0 },   { "FOR", "for", COL_TEXT, 0 },
	{ "BUILDS", "builds", COL_TEXT, 0 },
	{ "WITH", "versions", COL_TEXT, 2 },  { "PREFIX", "prefix", COL_NAME, 1 },
	{ "NOTE", "reason", COL_TEXT, 0 },    { 0 },
};

static void add_texts(struct buf *out, const char *before, const struct conf_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		buf_addf(out, "%s%s", i ? ", " : before, names->v[i]);
}

/* Which rules of penstock.yml lead to it: what they take, and the line. */
static json_t *rules_of(const struct config *cfg, const char *name)
{
	json_t *l = json_array();

	for (size_t i = 0; cfg && i < cfg->ntoolchain_rules; i++) {
		const struct conf_toolchain_rule *r = &cfg->toolchain_rules[i];
		struct buf what = BUF_INIT;

		if (strcmp(r->use, name) != 0)
			continue;
		add_texts(&what, "", &r->projects);
		add_texts(&what, " in ", &r->languages);
		add_texts(&what, " to ", &r->environments);
		buf_addf(&what, " (line %u)", r->pos.line);
		json_array_append_new(l, show_string(buf_str(&what)));
		buf_clear(&what);
	}
	return l;
}

/* What is built with it: the projects that the rules send to it, or all that no rule takes. */
static void add_rules(const struct config *cfg, json_t *items)
{
	bool all = !cfg || config_needs_default_toolchain(cfg);
	json_t *item, *rule;
	size_t i, k;

	json_array_foreach(items, i, item) {
		const char *name = show_text(item, "id");
		json_t *rules = rules_of(cfg, name);
		bool is = strcmp(name, "default") == 0 || json_array_size(items) == 1;
		struct buf text = BUF_INIT;

		json_array_foreach(rules, k, rule)
			buf_addf(&text, "%s%s", k ? "; " : "", json_string_value(rule));
		if (all && is)
			buf_addf(&text, "%sall%s", text.len ? "; " : "",
				 cfg && cfg->ntoolchain_rules ? " that no rule takes" : "");
		json_object_set_new(item, "for", show_string(buf_str(&text)));
		json_object_set_new(item, "rules", rules);
		buf_clear(&text);
	}
}

/* Rules may name what nobody has made yet: those builds wait. */
static void add_missing(const struct config *cfg, json_t *items)
{
	for (size_t i = 0; cfg && i < cfg->ntoolchain_rules; i++) {
		const char *name = cfg->toolchain_rules[i].use;
		bool there = false;
		char *why;
		json_t *item;
		size_t k;

		json_array_foreach(items, k, item)
			there = there || strcmp(show_text(item, "id"), name) == 0;
		if (there)
			continue;
		why = xasprintf("make it with penstock toolchain make %s FILE", name);
		json_array_append_new(items, json_pack(
			"{s:s, s:s, s:n, s:n, s:n, s:n, s:s}", "id", name, "state", "missing",
			"prefix", "digest", "made", "versions", "reason", why));
		free(why);
	}
}

/* The configuration on disk, without its findings; NULL when it has errors. */
static struct config *rules_now(struct cli *cli)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err;

	if (config_load(&cfg, cli->paths.config, &diags, &err) < 0)
		cfg = NULL;
	diag_clear(&diags);
	return cfg;
}

/* Which projects were built with it among the newest builds, each once. */
static void add_project(json_t *projects, const json_t *build)
{
	char *name = xasprintf("%s:%s", show_text(build, "repository"),
			       show_text(build, "project"));
	json_t *have;
	size_t i;

	json_array_foreach(projects, i, have)
		if (ps_streq(json_string_value(have), name)) {
			free(name);
			return;
		}
	json_array_append_new(projects, show_string(name));
	free(name);
}

/* How many of the newest builds were made with it; null where no agent says so. */
static void count_builds(struct cli *cli, json_t *items)
{
	json_t *doc = client_agent_up(cli) ? NULL : json_null(), *item, *build;
	size_t i, k;

	if (!doc && client_get(cli, "/builds?limit=1000", &doc) != 0)
		doc = NULL;
	json_array_foreach(items, i, item) {
		const char *digest = show_text(item, "digest");
		json_t *projects = json_array();
		json_int_t n = 0;

		json_array_foreach(json_object_get(doc, "items"), k, build)
			if (*digest && strcmp(show_text(build, "toolchain"), digest) == 0) {
				add_project(projects, build);
				n++;
			}
		json_object_set_new(item, "builds", json_is_object(doc) ? json_integer(n) :
				    json_null());
		json_object_set_new(item, "projects", projects);
	}
	json_decref(doc);
}

/* What the agent holds of this one; "" where it does not say. */
static const char *held_of(const json_t *status, const char *prefix)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(status, "toolchains"), i, one)
		if (strcmp(show_text(one, "prefix"), prefix) == 0)
			return show_text(one, "digest");
	return "";
}

/* What the agent holds of its toolchains, beside what was read now. */
static void compare(json_t *items, const json_t *status)
{
	json_t *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const char *digest = show_text(item, "digest"), *made = show_text(item, "made");
		const char *held = held_of(status, show_text(item, "prefix"));

		if (*digest && *held && strcmp(held, digest) != 0)
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
	struct config *cfg;
	struct toolchains t;
	struct ps_err err = { 0 };
	int code;

	(void)a;
	if (toolchains_look(&t, cli, NULL, NULL, &err) < 0)
		return cli_fail_err(cli, &err, NULL);
	cfg = rules_now(cli);
	add_missing(cfg, t.items);
	if (json_array_size(t.items) == 0 && !cli->json) {
		code = none(cli, NULL);
	} else {
		add_rules(cfg, t.items);
		count_builds(cli, t.items);
		code = show(cli, &t, CLI_OK, "penstock toolchain check");
	}
	config_free(cfg);
	toolchains_clear(&t);
	return code;
}

const struct cmd cmd_toolchain_list = {
	.name = "toolchain list", .usage = "", .group = "Administer",
	.help = "Show the toolchains: what is in each, its digest, what is built with it",
	.more = "FOR are the rules of builders.toolchains in penstock.yml that lead to it, with "
		"their lines. BUILDS counts\n"
		"among the newest 1,000, and needs the agent; --json names their projects.",
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
		struct config *cfg = rules_now(cli);

		add_rules(cfg, t.items);
		config_free(cfg);
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
