/* act – see act.h. */
#include "config.h"

#include "cli/act.h"

#include "cli/client.h"
#include "cli/show.h"

int act_ask(struct cli *cli, const char *path, json_t *body, json_t **out)
{
	int code;

	*out = NULL;
	if (!body)
		return cli_fail(cli, CLI_USAGE, NULL, "the arguments are not UTF-8");
	code = client_post(cli, path, body, out);
	json_decref(body);
	return code;
}

int act_post(struct cli *cli, const char *path, json_t *body, act_tell_fn *tell)
{
	json_t *doc;
	int code = act_ask(cli, path, body, &doc);

	if (code == CLI_OK && cli->json)
		show_json(doc);
	else if (code == CLI_OK)
		tell(cli, doc);
	json_decref(doc);
	return code;
}

int act_verb(struct cli *cli, const char *noun, const char *id, const char *verb, const char *says)
{
	struct buf path = BUF_INIT;
	json_t *doc = NULL;
	int code;

	buf_addf(&path, "/%s", noun);
	client_part(&path, id);
	buf_addf(&path, "/%s", verb);
	code = client_post(cli, buf_str(&path), NULL, &doc);
	buf_clear(&path);
	if (code == CLI_OK && cli->json)
		show_json(doc);
	else if (code == CLI_OK)
		printf("%s %s\n", show_text(doc, "id"), says);
	json_decref(doc);
	return code;
}

void act_tell_text(struct cli *cli, const json_t *doc)
{
	(void)cli;
	show_escaped(show_text(doc, "text"));
	putchar('\n');
}

void act_next_why(struct cli *cli, const json_t *doc)
{
	const json_t *first = json_array_get(json_object_get(doc, "items"), 0);

	printf("next: %s why %s\n", cli_self(cli), show_text(first, "id"));
}
