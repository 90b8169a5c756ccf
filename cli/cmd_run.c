/* run, runs: start a deployed job on a fabric and watch its tasks. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/wait.h"
#include "common/base/clock.h"
#include "common/base/escape.h"

enum { OPT_FABRIC, OPT_CONFIG, OPT_PROJECT, OPT_REPO, OPT_TIMEOUT, OPT_NO_WAIT };
enum { STILL_MS = 30000 };

static const struct column task_cols[] = {
	{ "TASK", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "STARTED", "started", COL_TIME, 2 },
	{ "TOOK", "took_ms", COL_SPAN, 1 },
	{ "LAST LINE", "last", COL_TEXT, 0 },
	{ 0 },
};

/* One line for what has changed since the last look: whole lines, so a CI log can keep them. */
static void line_of(struct cli *cli, const char *run, const json_t *item, const char *what)
{
	struct buf b = BUF_INIT;
	char now[CLOCK_TEXT];
	const char *reason = show_text(item, "reason"), *last = show_text(item, "last");
	const json_t *took = json_object_get(item, "took_ms");
	bool ended = state_ended(show_text(item, "state"));

	buf_addf(&b, "%s %s ", clock_text(now, clock_wall_ms()) + strlen("2026-11-23T"), run);
	if (what)
		escape_buf(&b, what, strlen(what), false);
	buf_adds(&b, what ? " " : "");
	term_state(&b, &cli->err, show_text(item, "state"), reason);
	if (ended && json_is_integer(took)) {
		buf_addch(&b, ' ');
		term_span(&b, json_integer_value(took));
	}
	if (ended && !state_good(show_text(item, "state")) && (*reason || *last)) {
		buf_adds(&b, ": ");
		escape_buf(&b, *reason ? reason : last, strlen(*reason ? reason : last), false);
	}
	fprintf(stderr, "%s\n", buf_str(&b));
	buf_clear(&b);
}

struct watch {
	const char *id;
	json_t *last;		/* the answer before, to see what changed */
	int64_t quiet_ns;	/* since when nothing was printed */
};

static const char *state_before(const json_t *last, size_t task)
{
	return show_text(json_array_get(json_object_get(last, "tasks"), task), "state");
}

static void tell_changes(struct cli *cli, struct watch *w, json_t *doc)
{
	const json_t *tasks = json_object_get(doc, "tasks");
	bool said = false;
	size_t i;
	json_t *task;

	json_array_foreach(tasks, i, task) {
		const char *state = show_text(task, "state");

		if (strcmp(state, "queued") == 0 || strcmp(state_before(w->last, i), state) == 0)
			continue;
		line_of(cli, w->id, task, show_text(task, "id"));
		said = true;
	}
	if (strcmp(show_text(w->last, "state"), show_text(doc, "state")) != 0 ||
	    strcmp(show_text(w->last, "reason"), show_text(doc, "reason")) != 0) {
		line_of(cli, w->id, doc, NULL);
		said = true;
	}
	if (!said && clock_boot_ns() - w->quiet_ns > STILL_MS * 1000000LL) {
		fprintf(stderr, "%s still %s\n", w->id, show_text(doc, "state"));
		said = true;
	}
	if (said)
		w->quiet_ns = clock_boot_ns();
	json_decref(w->last);
	w->last = json_incref(doc);
}

/* Until the run has ended, the time is up or Ctrl-C. *end: the last answer. Returns an exit
 * code. */
static int watch_run(struct cli *cli, const char *id, const struct wait *wait,
		     json_t **end)
{
	struct watch w = { .id = id, .quiet_ns = clock_boot_ns() };
	char *path = xasprintf("/runs/%s", id);
	int code = CLI_OK;

	*end = NULL;
	for (;;) {
		json_t *doc;

		code = client_get(cli, path, &doc);
		if (code)
			break;
		tell_changes(cli, &w, doc);
		json_decref(doc);
		if (state_ended(show_text(w.last, "state"))) {
			code = state_good(show_text(w.last, "state")) ? CLI_OK : CLI_NO;
			break;
		}
		code = wait_turn(wait);
		if (code) {
			fprintf(stderr, "%s; %s goes on; next: %s runs %s\n",
				code == CLI_NO ? "the time is up" : "\nstopped watching", id,
				cli_self(cli), id);
			break;
		}
	}
	*end = w.last;
	free(path);
	return code;
}

static int run_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body, *doc = NULL, *end = NULL;
	int64_t timeout;
	struct wait wait;
	char id[32];
	int code = wait_timeout(cli, a->opt[OPT_TIMEOUT], &timeout);

	if (code)
		return code;
	if (!a->opt[OPT_FABRIC])
		return cli_fail(cli, CLI_USAGE, "penstock fabrics",
				"--fabric is missing: where shall '%s' run", a->arg[0]);
	wait_begin(&wait, timeout);
	body = json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "job", a->arg[0], "fabric",
			 a->opt[OPT_FABRIC],
			 "config", a->opt[OPT_CONFIG], "project", a->opt[OPT_PROJECT], "repository",
			 a->opt[OPT_REPO]);
	code = body ? client_post(cli, "/runs", body, &doc) :
		cli_fail(cli, CLI_USAGE, NULL, "the arguments are not UTF-8");
	json_decref(body);
	if (code)
		return code;
	snprintf(id, sizeof(id), "%s", show_text(doc, "id"));
	if (a->opt[OPT_NO_WAIT])
		end = json_incref(doc);
	else
		code = watch_run(cli, id, &wait, &end);
	if (cli->json && end)
		show_json(end);
	else if (a->opt[OPT_NO_WAIT])
		printf("%s queued\nnext: %s runs %s\n", id, cli_self(cli), id);
	else if (code == CLI_OK)
		printf("%s passed\nnext: %s log %s\n", id, cli_self(cli), id);
	else if (code == CLI_NO && end && state_ended(show_text(end, "state")))
		printf("%s %s\nnext: %s log %s\n", id, show_text(end, "state"), cli_self(cli), id);
	json_decref(end);
	json_decref(doc);
	return code;
}

const struct cmd cmd_run = {
	.name = "run",
		.usage =
		"JOB --fabric F [--config I] [--project P] [--repo R] [--timeout T] [--no-wait]",
	.group = "Releases",
	.help = "Run a deployed job on a fabric and wait for its end",
	.more = "JOB is a key (jobs/job_development) or its last part. Exit 0 when it passed, 1 "
		"when it failed or the\n"
		"time was up. Ctrl-C ends the watching, not the run.",
	.example = "run job_development --fabric development --config prod",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "fabric", 'f', "F", "where it runs" },
		  { "config", 'i', "I",
		    "config instance of the pipelines; default: the job's own" },
		  { "project", 'p', "PATH", "the project, where several have such a job" },
		  { "repo", 'R', "REPO", "the repository, where several have such a job" },
		  { "timeout", 't', "T", "longest wait, as 90s, 30m, 2h; the run goes on" },
		  { "no-wait", 0, NULL, "return once it is queued" } },
	.exec = run_exec,
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
		show_field(cli, "release", doc, "release");
		show_field(cli, "who", doc, "who");
		show_field(cli, "since", doc, "since");
		show_field(cli, "cause", doc, "reason");
		show_field(cli, "", doc, "detail");
		putchar('\n');
		buf_reset(&text);
		term_table(&text, &cli->out, task_cols, json_object_get(doc, "tasks"),
			   clock_wall_ms());
		fputs(buf_str(&text), stdout);
		printf("next: %s log %s\n", cli_self(cli), show_text(doc, "id"));
	}
	buf_clear(&text);
	json_decref(doc);
	return CLI_OK;
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
