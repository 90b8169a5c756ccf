/* why: one chain, the top is what you see, the bottom is the cause you can act on. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/clock.h"
#include "common/base/escape.h"

static void node_line(struct cli *cli, const json_t *node)
{
	struct buf b = BUF_INIT;
	const char *what = show_text(node, "what"), *state = show_text(node, "state");
	const char *since = show_text(node, "since");

	escape_buf(&b, what, strlen(what), false);
	if (*state) {
		buf_adds(&b, *what ? "  " : "");
		term_state(&b, &cli->out, state, show_text(node, "reason"));
	}
	if (*since) {
		buf_adds(&b, cli->out.tty ? "  since " : "  ");
		term_time(&b, &cli->out, since, clock_wall_ms());
	}
	printf("%s\n", buf_str(&b));
	buf_clear(&b);
}

static void lines_below(struct cli *cli, const json_t *lines, const char *indent, bool more)
{
	const char *bar = cli->out.ascii ? "|" : "│";
	size_t i;
	json_t *line;

	json_array_foreach(lines, i, line) {
		printf("%s%s ", indent, more ? bar : " ");
		show_escaped(json_string_value(line) ? json_string_value(line) : "");
		putchar('\n');
	}
}

static void tree(struct cli *cli, const json_t *node, const char *indent)
{
	const json_t *children = json_object_get(node, "children");
	size_t i, n = json_array_size(children);
	json_t *child;

	lines_below(cli, json_object_get(node, "lines"), indent, n > 0);
	json_array_foreach(children, i, child) {
		bool last = i + 1 == n;
		char *next = xasprintf("%s%s", indent, last ? "   " : cli->out.ascii ? "|  " :
				       "│  ");

		printf("%s%s ", indent, cli->out.ascii ? (last ? "`-" : "|-") : last ? "└─" : "├─");
		node_line(cli, child);
		tree(cli, child, next);
		free(next);
	}
}

static int why_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	json_t *doc;
	int code;

	buf_adds(&path, "/why");
	client_param(&path, "thing", a->arg[0]);
	client_param(&path, "repository", a->opt[0]);
	code = client_get(cli, buf_str(&path), &doc);
	buf_clear(&path);
	if (code)
		return code;
	if (cli->json) {
		show_json(doc);
	} else {
		node_line(cli, doc);
		tree(cli, doc, "");
		if (*show_text(doc, "next"))
			show_next(cli, show_text(doc, "next"));
	}
	json_decref(doc);
	return CLI_OK;
}

const struct cmd cmd_why = {
	.name = "why", .usage = "THING [--repo R]", .group = "Look",
	.help = "Say why a ref, event, build, deployment, run or release is as it is",
	.more = "THING is a ref (refs/heads/main or main: its newest event), an id as other "
		"commands print it\n"
		"(e88 event, b31 build, d12 deployment, x7 run), or a release (first 12 of its id, "
			"or a label).",
	.example = "why refs/heads/main",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "repo", 'R', "REPO", "the repository of the ref" } },
	.exec = why_exec,
};
