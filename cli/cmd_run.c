/* run: start a deployed job on a fabric and watch its tasks. */
#include "config.h"

#include "cli/act.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/log.h"
#include "cli/show.h"
#include "cli/wait.h"
#include "common/base/clock.h"
#include "common/base/escape.h"

enum { OPT_FABRIC, OPT_CONFIG, OPT_PARAM, OPT_FOLLOW, OPT_PROJECT, OPT_REPO, OPT_TIMEOUT,
       OPT_NO_WAIT };
enum { STILL_MS = 30000 };

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
	struct cli *cli;
	const struct wait *wait;
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

/* One look. CLI_OK: it goes on, or has ended. */
static int look(struct cli *cli, struct watch *w)
{
	char *path = xasprintf("/runs/%s", w->id);
	json_t *doc;
	int code = client_get(cli, path, &doc);

	free(path);
	if (code)
		return code;
	tell_changes(cli, w, doc);
	json_decref(doc);
	return CLI_OK;
}

static bool is_over(const struct watch *w)
{
	return w->last && state_ended(show_text(w->last, "state"));
}

/* Between two reads of its output. */
static int turn(void *arg)
{
	struct watch *w = arg;
	int code = w->last && is_over(w) ? CLI_OK : look(w->cli, w);

	if (code == CLI_NO_AGENT)
		return CLI_OK; /* the reading waits for it */
	return code ? code : is_over(w) ? CLI_OK : wait_turn(w->wait);
}

/* Until the run has ended, the time is up or Ctrl-C. Returns an exit code. */
static int watch_run(struct cli *cli, struct watch *w, bool follow)
{
	int code = follow ? log_follow(cli, w->id, turn, w) : look(cli, w);

	while (code == CLI_OK && !is_over(w)) {
		code = wait_turn(w->wait);
		if (code == CLI_OK)
			code = look(cli, w);
	}
	if (code == CLI_OK)
		return state_good(show_text(w->last, "state")) ? CLI_OK : CLI_NO;
	if (code == CLI_NO || code == CLI_INTERRUPTED)
		fprintf(stderr, "%s; %s goes on; next: %s runs %s\n",
			code == CLI_NO ? "the time is up" : "\nstopped watching", w->id,
			cli_self(cli), w->id);
	return code;
}

/* "K=V" of each --param. NULL (said): one is none. */
static json_t *params_of(struct cli *cli, const struct cmd_args *a)
{
	json_t *o = json_object();

	for (size_t i = 0; i < a->nmany; i++) {
		const char *eq = strchr(a->many[i], '=');
		char *name = eq ? xstrndup(a->many[i], (size_t)(eq - a->many[i])) : NULL;
		bool bad = !name || !*name ||
			   json_object_set_new(o, name, json_string(eq + 1)) < 0;

		free(name);
		if (bad) {
			cli_fail(cli, CLI_USAGE, NULL, "--param takes NAME=VALUE, not '%s'",
				 a->many[i]);
			json_decref(o);
			return NULL;
		}
	}
	return o;
}

static void print_end(struct cli *cli, const struct watch *w, int code)
{
	const char *url = show_text(w->last, "url"), *self = cli_self(cli);

	if (!is_over(w) || (code != CLI_OK && code != CLI_NO))
		return;
	printf("%s %s\n", w->id, show_text(w->last, "state"));
	if (*url) {
		fputs("at ", stdout);
		show_escaped(url);
		putchar('\n');
	}
	printf("next: %s log %s\n", self, w->id);
}

static int run_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body, *params, *doc = NULL;
	int64_t timeout;
	struct wait wait;
	struct watch w = { .cli = cli, .wait = &wait };
	int code = wait_timeout(cli, a->opt[OPT_TIMEOUT], &timeout);

	if (code)
		return code;
	if (!a->opt[OPT_FABRIC])
		return cli_fail(cli, CLI_USAGE, "penstock fabrics",
				"--fabric is missing: where shall '%s' run", a->arg[0]);
	if (a->opt[OPT_FOLLOW] && a->opt[OPT_NO_WAIT])
		return cli_fail(cli, CLI_USAGE, NULL, "--follow waits and --no-wait does not");
	params = params_of(cli, a);
	if (!params)
		return CLI_USAGE;
	wait_begin(&wait, timeout);
	body = json_pack("{s:s, s:s, s:s*, s:s*, s:s*, s:o}", "job", a->arg[0], "fabric",
			 a->opt[OPT_FABRIC], "config", a->opt[OPT_CONFIG], "project",
			 a->opt[OPT_PROJECT], "repository", a->opt[OPT_REPO], "params", params);
	code = act_ask(cli, "/runs", body, &doc);
	if (code)
		return code;
	w.id = show_text(doc, "id");
	w.quiet_ns = clock_boot_ns();
	if (!a->opt[OPT_NO_WAIT])
		code = watch_run(cli, &w, a->opt[OPT_FOLLOW] && !cli->json);
	if (cli->json && (w.last || a->opt[OPT_NO_WAIT]))
		show_json(w.last ? w.last : doc);
	else if (a->opt[OPT_NO_WAIT])
		printf("%s queued\nnext: %s runs %s\n", w.id, cli_self(cli), w.id);
	else
		print_end(cli, &w, code);
	json_decref(w.last);
	json_decref(doc);
	return code;
}

const struct cmd cmd_run = {
	.name = "run",
	.many = "param",
	.usage = "JOB --fabric F [--config I] [--param K=V ...] [-f] [--project P] [--repo R] "
		 "[--timeout T] [--no-wait]",
	.group = "Releases",
	.help = "Run a deployed job on a fabric and wait for its end",
	.more = "JOB is a key (jobs/job_development) or its last part. Exit 0 when it passed, 1 "
		"when it failed or the\n"
		"time was up. Ctrl-C ends the watching, not the run. K is a parameter of the whole "
		"job; on a local\n"
		"fabric the job must declare it. A run at a provider goes on there whatever "
		"becomes of the agent.",
	.example = "run job_development --fabric development --config prod -f",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "fabric", 0, "F", "where it runs" },
		  { "config", 'i', "I",
		    "config instance of the pipelines; default: the job's own" },
		  { "param", 'P', "K=V", "value of a parameter of the job; may come again" },
		  { "follow", 'f', NULL, "print what its tasks print" },
		  { "project", 'p', "PATH", "the project, where several have such a job" },
		  { "repo", 'R', "REPO", "the repository, where several have such a job" },
		  { "timeout", 't', "T", "longest wait, as 90s, 30m, 2h; the run goes on" },
		  { "no-wait", 0, NULL, "return once it is queued" } },
	.exec = run_exec,
};
