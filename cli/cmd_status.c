/* status: what is live where, what waits and for what, what fails, what this installation cannot
 * do. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/wait.h"
#include "common/base/clock.h"
#include "common/base/escape.h"

static const struct column fabric_cols[] = {
	{ "FABRIC", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "RELEASE", "release", COL_ID, 0 },
	{ "VERSION", "version", COL_NAME, 4 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "WAITING", "waiting", COL_TEXT, 2 },
	{ "PROVIDER", "provider", COL_TEXT, 3 },
	{ "NOTE", "note", COL_TEXT, 5 },
	{ 0 },
};

static const struct column queue_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "WHAT", "what", COL_NAME, 0 },
	{ "AHEAD", "ahead", COL_TEXT, 2 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "WAITS ON", "detail", COL_TEXT, 0 },
	{ 0 },
};

static const struct column paused_cols[] = {
	{ "STOPPED", "id", COL_NAME, 0 },   { "HOW", "state", COL_TEXT, 0 },
	{ "BY", "who", COL_TEXT, 1 },
	{ "SINCE", "since", COL_TIME, 0 },  { "WHY", "why", COL_TEXT, 0 },
	{ "LIFTED BY", "lift", COL_ID, 2 }, { 0 },
};

static const struct column failing_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "WHAT", "what", COL_NAME, 0 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "CAUSE", "reason", COL_TEXT, 0 },
	{ 0 },
};

static void table(struct cli *cli, const char *heading, const struct column *cols,
		  const json_t *items)
{
	struct buf b = BUF_INIT;

	if (json_array_size(items) == 0)
		return;
	term_table(&b, &cli->out, cols, items, clock_wall_ms());
	printf("%s%s%s", heading, *heading ? "\n" : "", buf_str(&b));
	putchar('\n');
	buf_clear(&b);
}

static void notes(const char *prefix, const json_t *texts)
{
	size_t i;
	json_t *text;

	json_array_foreach(texts, i, text) {
		fputs(prefix, stdout);
		show_escaped(json_string_value(text) ? json_string_value(text) : "");
		putchar('\n');
	}
}

static void recovery_lines(struct cli *cli, const json_t *recovery)
{
	if (!json_is_object(recovery))
		return;
	printf("%sin recovery%s since %s: ", term_color(&cli->out, ROLE_BAD),
	       term_plain(&cli->out), show_text(recovery, "since"));
	show_escaped(show_text(recovery, "why"));
	printf("\nnothing deploys and no job runs until: penstock resume --all\n\n");
}

static void last_line(struct cli *cli, const json_t *doc)
{
	const json_t *failing = json_object_get(doc, "failing"),
		*queue = json_object_get(doc, "queue");
	const json_t *first = json_array_size(failing) ? json_array_get(failing, 0) :
		json_array_get(queue, 0);
	char *next;

	if (!first) {
		printf("%sok:%s nothing waits, nothing fails\n", term_color(&cli->out, ROLE_GOOD),
		       term_plain(&cli->out));
		return;
	}
	next = xasprintf("penstock why %s", show_text(first, "id"));
	show_next(cli, next);
	free(next);
}

static void print(struct cli *cli, const json_t *doc)
{
	const json_t *agent = json_object_get(doc, "agent");

	printf("penstock %s  ", show_text(agent, "version"));
	show_escaped(show_text(agent, "instance"));
	printf("\n\n");
	recovery_lines(cli, json_object_get(doc, "recovery"));
	table(cli, "", paused_cols, json_object_get(doc, "paused"));
	table(cli, "", fabric_cols, json_object_get(doc, "fabrics"));
	table(cli, "queue", queue_cols, json_object_get(doc, "queue"));
	table(cli, "failing", failing_cols, json_object_get(doc, "failing"));
	notes("warning: ", json_object_get(doc, "warnings"));
	notes("note: ", json_object_get(doc, "facts"));
	notes("not in this version: ", json_object_get(doc, "missing"));
	last_line(cli, doc);
}

/* ---- --watch ---- */

/* What people wait for; figures that move by themselves are no change. */
static char *essence(const json_t *doc)
{
	static const char *const parts[] = { "fabrics", "queue", "failing", "paused", "recovery",
					     "warnings" };
	json_t *o = json_object();
	char *text;

	for (size_t i = 0; i < PS_NELEM(parts); i++)
		json_object_set(o, parts[i], json_object_get(doc, parts[i]));
	text = doc ? json_dumps(o, JSON_COMPACT) : NULL;
	json_decref(o);
	return text ? text : xstrdup("");
}

/* A terminal is drawn anew; a log gets a block, and --json a line, for each change. */
static void draw(struct cli *cli, const json_t *doc)
{
	char now[CLOCK_TEXT];

	if (cli->json) {
		json_dumpf(doc ? doc : json_null(), stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	if (cli->out.tty)
		fputs("\033[H\033[2J", stdout);
	else
		printf("---- %s\n", clock_text(now, clock_wall_ms()));
	if (doc)
		print(cli, doc);
	else
		printf("the agent does not answer\n");
}

static int watch(struct cli *cli, int64_t every_ms)
{
	char *before = NULL;
	struct wait w;
	int code = 0;

	wait_begin(&w, -1);
	while (code == 0) {
		json_t *doc = client_status(cli);
		char *is = essence(doc);
		int64_t until = clock_boot_ns() + every_ms * 1000000;

		if (cli->out.tty || !before || strcmp(before, is) != 0)
			draw(cli, doc);
		if (fflush(stdout) != 0)
			code = CLI_NO;		/* nobody reads any more */
		free(before);
		before = is;
		json_decref(doc);
		while (code == 0 && clock_boot_ns() < until)
			code = wait_turn(&w);
	}
	free(before);
	if (code == CLI_INTERRUPTED)
		fprintf(stderr, "\nstopped watching; the work goes on. Again: %s status --watch\n",
			cli_self(cli));
	return code;
}

enum { OPT_WATCH, OPT_EVERY };
enum { EVERY_MS = 2000, EVERY_MIN_MS = 250 };

static int status_exec(struct cli *cli, const struct cmd_args *a)
{
	int64_t every;
	json_t *doc;
	int code = wait_timeout(cli, a->opt[OPT_EVERY], &every);

	if (code)
		return code;
	if (a->opt[OPT_WATCH] || a->opt[OPT_EVERY])
		return watch(cli, every < 0 ? EVERY_MS : every < EVERY_MIN_MS ? EVERY_MIN_MS :
			     every);
	code = client_get(cli, "/status", &doc);
	if (code)
		return code;
	if (cli->json)
		show_json(doc);
	else
		print(cli, doc);
	json_decref(doc);
	return CLI_OK;
}

const struct cmd cmd_status = {
	.name = "status", .usage = "[--watch] [--every T]", .group = "Look",
	.help = "Show what is live, what waits and why, what fails, and what this version lacks",
	.more = "With --watch again and again until Ctrl-C: a terminal is drawn anew, anything "
		"else gets what is there\n"
		"each time something has changed (with --json one line for each).",
	.example = "status --watch",
	.needs = CMD_INSTANCE,
	.opts = { [OPT_WATCH] = { "watch", 'w', NULL, "go on looking" },
		  [OPT_EVERY] = { "every", 0, "T", "look this often (default 2s)" } },
	.exec = status_exec,
};
