/* reconcile: look at the refs of repositories now. adopt: make an event of what was there. */
#include "config.h"

#include <stdlib.h>

#include "cli/act.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"

/* A name as the agent knows it, or a path as typed here: the agent has another working folder. */
static json_t *repository_of(const char *typed)
{
	char *real = realpath(typed, NULL);
	json_t *text = json_string(real ? real : typed);

	free(real);
	return text;
}

static long long number(const json_t *doc, const char *key)
{
	return json_integer_value(json_object_get(doc, key));
}

/* While it lasts; on standard error, so that --json stays clean. */
static void tell(struct cli *cli)
{
	json_t *status = client_status(cli);
	const json_t *now = json_object_get(status, "reconcile");

	if (number(now, "of"))
		fprintf(stderr, "penstock: still looking: %lld of %lld repositories so far\n",
			number(now, "at"), number(now, "of"));
	else
		fprintf(stderr, "penstock: still looking\n");
	json_decref(status);
}

static int reconcile_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body = json_pack("{s:b, s:o?}", "full", a->opt[0] != NULL, "repository",
				 a->n ? repository_of(a->arg[0]) : NULL), *doc, *item;
	size_t i;
	int code = client_post_long(cli, "/reconcile", body, tell, &doc);

	json_decref(body);
	if (code)
		return code;
	if (cli->json) {
		show_json(doc);
	} else {
		printf("looked at %lld repositories, listed the refs of %lld, made %lld events\n",
		       number(doc, "repositories"), number(doc, "listed"), number(doc, "events"));
		json_array_foreach(json_object_get(doc, "trouble"), i, item) {
			show_escaped(show_text(item, "reason"));
			putchar('\n');
		}
		if (number(doc, "problems"))
			printf("%lld could not be read\n", number(doc, "problems"));
		if (number(doc, "problems") || number(doc, "events"))
			show_next(cli, number(doc, "problems") ? "penstock status" :
				  "penstock events");
	}
	json_decref(doc);
	return CLI_OK;
}

const struct cmd cmd_reconcile = {
	.name = "reconcile", .usage = "[--full] [REPO]", .group = "Administer",
	.help = "Look now whether refs have moved without a word from a hook",
	.more = "Without REPO all repositories are asked whether anything has changed, and those "
		"that have are\n"
		"listed; new ones below the roots are found. The agent does the same by itself "
		"every minute\n"
		"(repositories.default.look_every). With --full all are listed. A movement that no "
		"hook saw is held.",
	.example = "reconcile sales/etl",
	.needs = CMD_INSTANCE, .max = 1,
	.opts = { { "full", 'f', NULL, "list the refs of every repository, changed or not" } },
	.exec = reconcile_exec,
};

static void tell_adopted(struct cli *cli, const json_t *doc)
{
	act_tell_text(cli, doc);
	show_next(cli, "penstock events");
}

static int adopt_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *body = json_pack("{s:o, s:s}", "repository", repository_of(a->arg[0]), "ref",
				 a->arg[1]);

	return act_post(cli, "/adopt", body, tell_adopted);
}

const struct cmd cmd_adopt = {
	.name = "adopt", .usage = "REPO REF", .group = "Administer",
	.help = "Make an event of a ref that was there before penstock was",
	.more = "The refs of a repository at the first look are a baseline and make no event. This "
		"makes one, as\n"
		"if the ref had just been pushed by you. A ref that has an event already is left "
		"alone.",
	.example = "adopt /srv/git/sales/etl.git refs/heads/main",
	.needs = CMD_INSTANCE, .min = 2, .max = 2, .exec = adopt_exec,
};
