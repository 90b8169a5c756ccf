/* key rotate, list, export: the keys that sign releases, in the folder of the instance. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/clock.h"
#include "common/config/keys.h"

static json_t *when(int64_t ms)
{
	char text[CLOCK_TEXT];

	return ms ? json_string(clock_text_ms(text, ms)) : json_null();
}

static json_t *key_item(const struct key_known *k)
{
	return json_pack("{ss ss so so}", "id", k->pub.id, "state",
			 k->in_force ? "in force" : "retired", "made", when(k->made_ms), "retired",
			 when(k->retired_ms));
}

static int rotate_exec(struct cli *cli, const struct cmd_args *a)
{
	struct ps_err err = { 0 };
	char id[SIGN_ID];
	json_t *doc = NULL;
	int code;

	(void)a;
	if (keys_rotate(cli->paths.keys, id, &err) < 0)
		return cli_fail_err(cli, &err, NULL);
	code = client_post_quiet(cli, "/reload", NULL, &doc);
	json_decref(doc);
	if (cli->json) {
		doc = json_pack("{s[{ss ss sb}]}", "items", "id", id, "state", "in force", "taken",
				code == CLI_OK);
		show_json(doc);
		json_decref(doc);
	} else {
		printf("the key %s signs releases from now on; what the earlier one signed stays "
		       "good\n",
		       id);
		if (code == CLI_NO_AGENT)
			printf("no agent runs here: it takes the key when it starts\n");
	}
	if (code == CLI_OK || code == CLI_NO_AGENT)
		return CLI_OK;
	return cli_fail(cli, CLI_NO, "penstock reload",
			"the key is made, but the agent has not taken it: it signs with the "
			"earlier one until it is reloaded");
}

const struct cmd cmd_key_rotate = {
	.name = "key rotate",
	.usage = "",
	.group = "Administer",
	.help = "Make a new key that signs releases from now on",
	.more = "The public halves of earlier keys stay in the folder keys/: releases that they "
		"signed are verified and\n"
		"deployed as before. To trust an earlier key no more, remove its file ID.pub "
		"there. Where there is no key\n"
		"one is made.",
	.example = "key rotate",
	.needs = CMD_INSTANCE,
	.exec = rotate_exec,
};

static const struct column key_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "MADE", "made", COL_TIME, 0 },
	{ "RETIRED", "retired", COL_TIME, 0 },
	{ 0 },
};

static int list_exec(struct cli *cli, const struct cmd_args *a)
{
	struct ps_err err = { 0 };
	struct keys_known l;
	json_t *items, *doc;
	struct buf text = BUF_INIT;

	(void)a;
	if (keys_list(&l, cli->paths.keys, &err) < 0)
		return cli_fail_err(cli, &err, NULL);
	items = json_array();
	for (size_t i = 0; i < l.n; i++)
		json_array_append_new(items, key_item(&l.v[i]));
	keys_clear(&l);
	doc = json_pack("{s:o}", "items", items);
	if (cli->json) {
		show_json(doc);
	} else if (json_array_size(items) == 0) {
		fprintf(stderr, "there is no key; next: penstock key rotate\n");
	} else {
		term_table(&text, &cli->out, key_cols, items, clock_wall_ms());
		fputs(buf_str(&text), stdout);
	}
	buf_clear(&text);
	json_decref(doc);
	return CLI_OK;
}

const struct cmd cmd_key_list = {
	.name = "key list",
	.usage = "",
	.group = "Administer",
	.help = "List the keys that have signed releases, newest first",
	.example = "key list",
	.needs = CMD_INSTANCE,
	.exec = list_exec,
};

/* By id, or the one in force. */
static const struct key_known *wanted(const struct keys_known *l, const char *id)
{
	if (id)
		return keys_find(l, id);
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].in_force)
			return &l->v[i];
	return NULL;
}

static int put_public(struct cli *cli, const struct key_known *k)
{
	struct buf pem = BUF_INIT;
	struct ps_err err = { 0 };
	json_t *item;

	if (sign_public_pem(&k->pub, &pem, &err) < 0)
		return cli_fail_err(cli, &err, NULL);
	if (cli->json) {
		item = key_item(k);
		json_object_set_new(item, "public", json_string(buf_str(&pem)));
		show_json(item);
		json_decref(item);
	} else {
		fputs(buf_str(&pem), stdout);
	}
	buf_clear(&pem);
	return CLI_OK;
}

static int export_exec(struct cli *cli, const struct cmd_args *a)
{
	const struct key_known *k;
	struct ps_err err = { 0 };
	struct keys_known l;
	int code;

	if (keys_list(&l, cli->paths.keys, &err) < 0)
		return cli_fail_err(cli, &err, NULL);
	k = wanted(&l, a->n ? a->arg[0] : NULL);
	code = k ? put_public(cli, k)
		 : cli_fail(cli, CLI_NO, a->n ? "penstock key list" : "penstock key rotate",
			    "there is no key%s%s", a->n ? " " : "", a->n ? a->arg[0] : "");
	keys_clear(&l);
	return code;
}

const struct cmd cmd_key_export = {
	.name = "key export",
	.usage = "[ID]",
	.group = "Administer",
	.help = "Print the public half of a key; without ID of the one in force",
	.example = "key export > release.pub",
	.needs = CMD_INSTANCE,
	.max = 1,
	.exec = export_exec,
};
