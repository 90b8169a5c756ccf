/* queue: what is under way, what waits, for what, since when, and how many are ahead. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/clock.h"

enum { OPT_N };

static const struct column cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "WHAT", "what", COL_NAME, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "AHEAD", "ahead", COL_TEXT, 2 },
	{ "WAITS ON", "blocked_by", COL_TEXT, 0 },
	{ "SINCE", "since", COL_TIME, 1 },
	{ "BECAUSE", "detail", COL_TEXT, 3 },
	{ 0 },
};

static json_int_t number(const json_t *doc, const char *key)
{
	return json_integer_value(json_object_get(doc, key));
}

static void heading(struct cli *cli, const json_t *doc)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%lld under way, %lld waiting", (long long)number(doc, "running"),
		 (long long)number(doc, "waiting"));
	if (*show_text(doc, "oldest")) {
		buf_adds(&b, ", the oldest since ");
		term_time(&b, &cli->out, show_text(doc, "oldest"), clock_wall_ms());
	}
	printf("%s; %lld of %lld builders busy\n\n", buf_str(&b), (long long)number(doc, "busy"),
	       (long long)number(doc, "slots"));
	buf_clear(&b);
}

/* The first that waits: how to lift that. */
static void last_line(struct cli *cli, const json_t *items)
{
	size_t i;
	json_t *item;

	json_array_foreach(items, i, item)
		if (*show_text(item, "lift")) {
			show_next(cli, show_text(item, "lift"));
			return;
		}
}

static int queue_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT, b = BUF_INIT;
	const json_t *items;
	json_t *doc;
	int code;

	buf_adds(&path, "/queue");
	client_param(&path, "limit", a->opt[OPT_N]);
	code = client_get(cli, buf_str(&path), &doc);
	buf_clear(&path);
	if (code)
		return code;
	items = json_object_get(doc, "items");
	if (cli->json) {
		show_json(doc);
	} else if (!json_array_size(items)) {
		printf("%sok:%s nothing waits, nothing is under way\n",
		       term_color(&cli->out, ROLE_GOOD), term_plain(&cli->out));
	} else {
		heading(cli, doc);
		term_table(&b, &cli->out, cols, items, clock_wall_ms());
		fputs(buf_str(&b), stdout);
		last_line(cli, items);
	}
	buf_clear(&b);
	json_decref(doc);
	return CLI_OK;
}

const struct cmd cmd_queue = {
	.name = "queue", .usage = "[-n N]", .group = "Look",
	.help = "Show what is under way and what waits: for what, since when, how many are ahead",
	.example = "queue", .needs = CMD_INSTANCE,
	.opts = { { "number", 'n', "N", "at most N of each kind (default 200)" } },
	.exec = queue_exec,
};
