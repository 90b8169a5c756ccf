/* clean: the cleaner's round, now. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/clock.h"

enum { OPT_DRY };

static const struct column cols[] = {
	{ "KIND", "kind", COL_TEXT, 0 },
	{ "NAME", "id", COL_NAME, 0 },
	{ "STATE", "state", COL_TEXT, 1 },
	{ "BYTES", "size", COL_TEXT, 0 },
	{ 0 },
};

static int clean_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body = json_pack("{s:b}", "dry", a->opt[OPT_DRY] != NULL), *doc = NULL, *item;
	const json_t *items;
	struct buf b = BUF_INIT;
	json_int_t bytes = 0;
	size_t i;
	int code = client_post(cli, "/clean", body, &doc);

	json_decref(body);
	if (code)
		return code;
	items = json_object_get(doc, "items");
	json_array_foreach(items, i, item)
		bytes += json_integer_value(json_object_get(item, "size"));
	if (cli->json) {
		show_json(doc);
	} else {
		if (json_array_size(items))
			term_table(&b, &cli->out, cols, items, clock_wall_ms());
		printf("%s%zu files, %lld bytes %s\n", buf_str(&b), json_array_size(items),
		       (long long)bytes, a->opt[OPT_DRY] ? "would go" : "removed");
	}
	buf_clear(&b);
	json_decref(doc);
	return CLI_OK;
}

const struct cmd cmd_clean = {
	.name = "clean", .usage = "[--dry-run]", .group = "Administer",
	.help = "Remove now what penstock.yml does not keep any longer",
	.more = "Logs, artifacts, exports and what the spool set aside, by the rules of "
		"'retention:'. What a fabric\n"
		"runs, waits for or could roll back to is never removed. It also runs by itself.",
	.example = "clean --dry-run", .needs = CMD_INSTANCE,
	.opts = { { "dry-run", 'n', NULL, "only show what would go" } },
	.exec = clean_exec,
};
