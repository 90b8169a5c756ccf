/* runs, run show: what ran, and one of them with its tasks. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/log.h"
#include "cli/show.h"
#include "common/base/clock.h"

enum { TAIL_LINES = 10 };

static const struct column task_cols[] = {
	{ "TASK", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "STARTED", "started", COL_TIME, 2 },
	{ "TOOK", "took_ms", COL_SPAN, 1 },
	{ "LAST LINE", "last", COL_TEXT, 0 },
	{ 0 },
};

static const struct column run_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "JOB", "job", COL_NAME, 0 },
	{ "FABRIC", "fabric", COL_ID, 0 },
	{ "CONFIG", "config", COL_NAME, 4 },
	{ "RELEASE", "release", COL_ID, 3 },
	{ "WHO", "who", COL_NAME, 2 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "TOOK", "took_ms", COL_SPAN, 1 },
	{ 0 },
};

static void show_params(const json_t *params)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)params, name, value) {
		printf("  %-10s ", "param");
		show_escaped(name);
		putchar('=');
		show_escaped(json_string_value(value));
		putchar('\n');
	}
}

/* The end of what each failed task has printed, and its page. */
static int show_failures(struct cli *cli, const json_t *run)
{
	const json_t *tasks = json_object_get(run, "tasks"), *task;
	int code = CLI_OK;
	size_t i;

	json_array_foreach(tasks, i, task) {
		const char *url = show_text(task, "url");
		char *thing;

		if (strcmp(show_text(task, "state"), "failed") != 0 || code != CLI_OK)
			continue;
		thing = xasprintf("%s/%s", show_text(run, "id"), show_text(task, "id"));
		putchar('\n');
		show_escaped(thing);
		if (*url) {
			fputs("  ", stdout);
			show_escaped(url);
		}
		putchar('\n');
		code = log_tail(cli, thing, TAIL_LINES);
		free(thing);
	}
	return code;
}

static int one_run(struct cli *cli, const char *id)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	json_t *doc;
	int code;

	buf_adds(&path, "/runs");
	client_part(&path, id);
	code = client_get(cli, buf_str(&path), &doc);
	buf_clear(&path);
	if (code)
		return code;
	if (cli->json) {
		show_json(doc);
	} else {
		term_state(&text, &cli->out, show_text(doc, "state"), show_text(doc, "reason"));
		printf("%s  %s\n", show_text(doc, "id"), buf_str(&text));
		show_field(cli, "job", doc, "job");
		show_field(cli, "fabric", doc, "fabric");
		show_field(cli, "config", doc, "config");
		show_params(json_object_get(doc, "params"));
		show_field(cli, "release", doc, "release");
		show_field(cli, "who", doc, "who");
		show_field(cli, json_is_true(json_object_get(doc, "repair")) ? "repairs"
								     : "retry of",
			   doc, "retry_of");
		show_field(cli, "page", doc, "url");
		show_field(cli, "since", doc, "since");
		show_field(cli, "cause", doc, "reason");
		show_field(cli, "", doc, "detail");
		putchar('\n');
		buf_reset(&text);
		term_table(&text, &cli->out, task_cols, json_object_get(doc, "tasks"),
			   clock_wall_ms());
		fputs(buf_str(&text), stdout);
		code = show_failures(cli, doc);
		printf("next: %s log %s\n", cli_self(cli), show_text(doc, "id"));
	}
	buf_clear(&text);
	json_decref(doc);
	return code;
}

static int show_exec(struct cli *cli, const struct cmd_args *a)
{
	return one_run(cli, a->arg[0]);
}

static int runs_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	if (a->n)
		return one_run(cli, a->arg[0]);
	buf_adds(&path, "/runs");
	client_param(&path, "limit", a->opt[0]);
	client_param(&path, "state", a->opt[1]);
	code = show_list(cli, buf_str(&path), run_cols,
			 "nothing was run yet; next: penstock run JOB --fabric F");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_runs = {
	.name = "runs", .usage = "[ID] [--state S] [-n N]", .group = "Releases",
	.help = "List runs, or show one with its tasks",
	.example = "runs x7",
	.needs = CMD_INSTANCE, .max = 1,
	.opts = { { "number", 'n', "N", "at most N, newest first (default 50)" },
		  { "state", 's', "STATE", "only those in this state" } },
	.exec = runs_exec,
};

const struct cmd cmd_run_show = {
	.name = "run show", .usage = "ID", .group = "Releases",
	.help = "Show a run: its tasks, its page at the provider, what failed tasks printed last",
	.example = "run show x7",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.exec = show_exec,
};
