/* plan: what a release would change where an environment deploys to. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/config/mapping.h"

enum { PLAN_REFRESH, PLAN_EXIT_CODE, PLAN_REPO, PLAN_PROJECT };
enum { CLI_CHANGES = 4 };	/* --exit-code */

static const struct {
	const char *state, *sign;
	enum role role;
} signs[] = {
	{ "new", "+", ROLE_GOOD },
	{ "changed", "~", ROLE_WAIT },
	{ "orphan", "-", ROLE_BAD },
	{ "unchanged", "=", ROLE_IDLE },
};

static void print_job(struct cli *cli, const json_t *item)
{
	size_t i = 0;

	while (i + 1 < PS_NELEM(signs) && strcmp(signs[i].state, show_text(item, "state")) != 0)
		i++;
	printf("%s%s%s ", term_color(&cli->out, signs[i].role), signs[i].sign,
	       term_plain(&cli->out));
	show_escaped(show_text(item, "id"));
	if (strcmp(signs[i].state, "orphan") == 0)
		fputs("  orphan: the release does not have it, it stays there paused", stdout);
	if (*show_text(item, "takes_over"))
		printf("  takes over job %s there", show_text(item, "takes_over"));
	if (json_is_true(json_object_get(item, "drifted")))
		fputs("  changed on the fabric since it was deployed", stdout);
	putchar('\n');
	show_fields(cli, item);
}

static void print_head(const json_t *doc)
{
	show_escaped(show_text(doc, "repository"));
	if (strcmp(show_text(doc, "project"), ".") != 0) {
		putchar(':');
		show_escaped(show_text(doc, "project"));
	}
	putchar(' ');
	show_escaped(mapping_short_ref(show_text(doc, "ref")));
	printf(" (release %.12s) to %s, fabric %s", show_text(doc, "release"),
	       show_text(doc, "environment"), show_text(doc, "fabric"));
	if (*show_text(doc, "seen"))
		printf(", seen %s", show_text(doc, "seen"));
	putchar('\n');
}

static void print_plan(struct cli *cli, const json_t *doc)
{
	size_t i;
	json_t *one;

	print_head(doc);
	json_array_foreach(json_object_get(doc, "items"), i, one)
		print_job(cli, one);
	json_array_foreach(json_object_get(doc, "problems"), i, one) {
		fputs("error: ", stdout);
		show_escaped(json_string_value(one));
		putchar('\n');
	}
	if (json_array_size(json_object_get(doc, "problems")))
		fputs("cannot be deployed: nothing would be changed\n", stdout);
	else
		printf("%s\ndigest %.12s\n", show_text(doc, "summary"), show_text(doc, "digest"));
	if (*show_text(doc, "next"))
		show_next(cli, show_text(doc, "next"));
}

static int plan_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	const char *state;
	json_t *doc;
	int code;

	buf_adds(&path, "/plan");
	client_param(&path, "environment", a->arg[0]);
	client_param(&path, "thing", a->arg[1]);
	client_param(&path, "repository", a->opt[PLAN_REPO]);
	client_param(&path, "project", a->opt[PLAN_PROJECT]);
	client_param(&path, "refresh", a->opt[PLAN_REFRESH] ? "1" : NULL);
	code = client_get(cli, buf_str(&path), &doc);
	buf_clear(&path);
	if (code)
		return code;
	if (cli->json)
		show_json(doc);
	else
		print_plan(cli, doc);
	state = show_text(doc, "state");
	code = strcmp(state, "failed") == 0				  ? CLI_NO
	       : a->opt[PLAN_EXIT_CODE] && strcmp(state, "changed") == 0 ? CLI_CHANGES
									  : CLI_OK;
	json_decref(doc);
	return code;
}

const struct cmd cmd_plan = {
	.name = "plan",
	.usage = "ENVIRONMENT [LABEL|RELEASE] [--refresh] [--exit-code] [--repo R] [--project P]",
	.group = "Releases",
	.help = "Say what a release would change where an environment deploys to",
	.more = "LABEL is a version, a tag or a branch as `penstock releases` shows it; RELEASE\n"
		"the first digits of its id. Without it: the newest label that goes there.\n"
		"+ a new job, ~ one that changes and its fields, - one that the release does not\n"
		"have (an orphan: it stays, paused), = one that stays. The digest is what an\n"
		"approval is bound to. Compared is what was deployed there, or seen there since.",
	.example = "plan production v1.0.0 --refresh",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 2,
	.opts = { { "refresh", 0, NULL, "look at the fabric first" },
		  { "exit-code", 0, NULL, "end with 4 when there are changes" },
		  { "repo", 'R', "REPO", "of this repository" },
		  { "project", 'p', "PATH", "of this project" } },
	.exec = plan_exec,
};
