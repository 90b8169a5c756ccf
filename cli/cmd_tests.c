/* tests: what the unit tests of a build came to, and each that failed. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/escape.h"
#include "common/base/id.h"

enum { OPT_ALL, OPT_TRACE };

static const struct column test_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "REPOSITORY", "repository", COL_NAME, 4 },
	{ "PROJECT", "project", COL_NAME, 5 },
	{ "PIPELINE", "pipeline", COL_NAME, 0 },
	{ "BUILD", "build", COL_ID, 3 },
	{ "RESULT", "summary", COL_TEXT, 0 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "TOOK", "took_ms", COL_SPAN, 2 },
	{ 0 },
};

static void print_lines(const char *indent, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		char *line = xstrndup(text, n);

		fputs(indent, stdout);
		show_escaped(line);
		putchar('\n');
		free(line);
		text += n + (text[n] == '\n');
	}
}

/* "✗ failed  path", its message below; flaky behind the state. */
static void print_case(struct cli *cli, const json_t *c, bool trace)
{
	const char *message = show_text(c, "message"), *text = show_text(c, "trace");
	bool flaky = json_is_true(json_object_get(c, "flaky"));
	struct buf b = BUF_INIT;
	char *first;

	buf_adds(&b, "  ");
	term_state(&b, &cli->out, show_text(c, "state"), NULL);
	buf_adds(&b, flaky ? ", flaky: only when tried again  " : "  ");
	escape_buf(&b, show_text(c, "id"), strlen(show_text(c, "id")), false);
	printf("%s\n", buf_str(&b));
	buf_clear(&b);
	first = xstrndup(message, strcspn(message, "\n"));
	if (*first)
		print_lines("      ", first);
	if (trace && *text)
		print_lines("      | ", text);
	free(first);
}

static bool is_good(const json_t *c)
{
	const char *state = show_text(c, "state");

	return (strcmp(state, "passed") == 0 && !json_is_true(json_object_get(c, "flaky"))) ||
	       strcmp(state, "skipped") == 0;
}

/* One line for all, then what is not good. */
static void print_test(struct cli *cli, const json_t *t, bool all, bool trace)
{
	const char *reason = show_text(t, "reason");
	struct buf b = BUF_INIT;
	size_t i;
	json_t *c;

	buf_addf(&b, "%s ", show_text(t, "id"));
	term_state(&b, &cli->out, show_text(t, "state"),
		   state_ended(show_text(t, "state")) ? NULL : reason);
	buf_addf(&b, "  %s: ", show_text(t, "build"));
	escape_buf(&b, show_text(t, "pipeline"), strlen(show_text(t, "pipeline")), false);
	buf_addf(&b, "  %s", show_text(t, "summary"));
	if (json_is_integer(json_object_get(t, "took_ms"))) {
		buf_adds(&b, "  ");
		term_span(&b, json_integer_value(json_object_get(t, "took_ms")));
	}
	printf("%s\n", buf_str(&b));
	buf_clear(&b);
	if (*reason)
		print_lines("  ", reason);
	json_array_foreach(json_object_get(t, "cases"), i, c)
		if (all || !is_good(c))
			print_case(cli, c, trace);
	print_lines("  | ", show_text(t, "last_lines"));
}

static void print_none(const char *id)
{
	fprintf(stderr, "%s has no tests: a pipeline's are in its code/test/TestSuite.py, and they "
			"run when it was built\n", id);
}

/* t31 → /tests/t31, b31 → /builds/b31/tests, e88 → /events/e88/tests. */
static bool tests_path(struct buf *path, const char *id)
{
	char kind = id_kind(id);

	if (kind == 't')
		buf_addf(path, "/tests/%s", id);
	else if (kind == 'b')
		buf_addf(path, "/builds/%s/tests", id);
	else if (kind == 'e')
		buf_addf(path, "/events/%s/tests", id);
	return kind && path->len;
}

static int one(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	json_t *doc, *t;
	const char *failed = NULL;
	char *failed_log = NULL;
	size_t i;
	int code;

	if (!tests_path(&path, a->arg[0])) {
		buf_clear(&path);
		return cli_fail(cli, CLI_USAGE, "penstock builds",
				"'%s' has no tests: say t31, a build b31 or an event e88",
				a->arg[0]);
	}
	code = client_get(cli, buf_str(&path), &doc);
	buf_clear(&path);
	if (code)
		return code;
	json_array_foreach(json_object_get(doc, "items"), i, t) {
		if (!failed && strcmp(show_text(t, "state"), "failed") == 0)
			failed = show_text(t, "id");
		if (!cli->json)
			print_test(cli, t, a->opt[OPT_ALL] != NULL, a->opt[OPT_TRACE] != NULL);
	}
	failed_log = failed ? xasprintf("penstock log %s", failed) : NULL;
	if (cli->json)
		show_json(doc);
	else if (i == 0)
		print_none(a->arg[0]);
	else if (failed)
		show_next(cli, failed_log);
	free(failed_log);
	json_decref(doc);
	return CLI_OK;
}

static int tests_exec(struct cli *cli, const struct cmd_args *a)
{
	return a->n ? one(cli, a)
		    : show_list(cli, "/tests", test_cols, "no test was run yet");
}

const struct cmd cmd_tests = {
	.name = "tests", .usage = "[BUILD|TEST|EVENT] [--all] [--trace]", .group = "Look",
	.help = "Show what the unit tests of a build came to, and each that failed",
	.more = "What is named is a test (t31), a build (b31) or an event (e88: the tests of all "
		"that it needs).\nWithout a name: all tests, newest first.",
	.example = "tests b31 --trace",
	.needs = CMD_INSTANCE, .max = 1,
	.opts = { { "all", 'a', NULL, "those that passed or were skipped too" },
		  { "trace", 't', NULL, "the first lines of each trace" } },
	.exec = tests_exec,
};
