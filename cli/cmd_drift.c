/* drift: what was changed on the fabrics behind our back; taken over, or put back. */
#include "config.h"

#include "cli/act.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"

enum { DRIFT_EXIT_CODE };
enum { CLI_DRIFTED = 4 };	/* --exit-code */

static void print_item(struct cli *cli, const json_t *item)
{
	const char *by = show_text(item, "changed_by");

	printf("%s~%s ", term_color(&cli->out, ROLE_WAIT), term_plain(&cli->out));
	show_escaped(show_text(item, "fabric"));
	putchar(' ');
	show_escaped(show_text(item, "id"));
	printf("  %s", strcmp(show_text(item, "state"), "gone") == 0 ? "gone" : "changed");
	if (*by) {
		fputs(" by ", stdout);
		show_escaped(by);
	}
	printf(", seen since %s\n", show_text(item, "since"));
	show_fields(cli, item);
}

static int get(struct cli *cli, const char *fabric, const char *job, bool adopt, json_t **doc)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/drift");
	client_param(&path, "fabric", fabric);
	client_param(&path, "job", job);
	client_param(&path, "adopt", adopt ? "1" : NULL);
	code = client_get(cli, buf_str(&path), doc);
	buf_clear(&path);
	return code;
}

static int drift_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *doc = NULL, *items, *item;
	size_t i;
	int code = get(cli, a->arg[0], NULL, false, &doc);

	if (code)
		return code;
	items = json_object_get(doc, "items");
	if (cli->json)
		show_json(doc);
	else if (!json_array_size(items))
		puts("as far as anybody has looked, all is as it was deployed");
	json_array_foreach(items, i, item)
		if (!cli->json)
			print_item(cli, item);
	if (!cli->json && json_array_size(items))
		show_next(cli, "penstock drift restore FABRIC");
	code = a->opt[DRIFT_EXIT_CODE] && json_array_size(items) ? CLI_DRIFTED : CLI_OK;
	json_decref(doc);
	return code;
}

/* ---- adopt ---- */

static int adopt_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *doc = NULL;
	const char *rule;
	char *patch;
	int code = get(cli, a->opt[0], a->arg[0], true, &doc);

	if (code)
		return code;
	if (cli->json) {
		show_json(doc);
		json_decref(doc);
		return CLI_OK;
	}
	/* what a program reads is alone on stdout */
	rule = show_text(doc, "derived");
	if (*rule)
		fprintf(stderr, "add to 'patch' of the derived job '%s' in penstock.yml:\n", rule);
	else
		fprintf(stderr, "merge into %s (RFC 7386):\n", show_text(doc, "file"));
	patch = json_dumps(json_object_get(doc, "patch"), JSON_INDENT(2) | JSON_SORT_KEYS);
	puts(patch ? patch : "{}");
	free(patch);
	json_decref(doc);
	return CLI_OK;
}

/* ---- restore ---- */

/* What one deployment put there goes back in one request. */
static int restore_of(struct cli *cli, const json_t *items, const char *deployment,
		      const char *why, json_t *done)
{
	json_t *jobs = json_array(), *doc = NULL, *item, *body;
	size_t i;
	int code;

	json_array_foreach((json_t *)items, i, item)
		if (strcmp(show_text(item, "deployment"), deployment) == 0)
			json_array_append(jobs, json_object_get(item, "id"));
	body = json_pack("{s:s, s:s, s:o}", "thing", deployment, "why", why, "jobs", jobs);
	code = act_ask(cli, "/redeploy", body, &doc);
	json_array_extend(done, json_object_get(doc, "items"));
	json_decref(doc);
	return code;
}

static bool is_first(const json_t *items, size_t at)
{
	const char *own = show_text(json_array_get(items, at), "deployment");

	for (size_t i = 0; i < at; i++)
		if (strcmp(show_text(json_array_get(items, i), "deployment"), own) == 0)
			return false;
	return true;
}

static int restore_exec(struct cli *cli, const struct cmd_args *a)
{
	bool is_job = ps_starts(a->arg[0], "jobs/");
	const char *why = a->opt[0] ? a->opt[0] : "put back what was changed on the fabric";
	json_t *doc = NULL, *items, *item, *done = json_array();
	size_t i;
	int code = get(cli, is_job ? a->opt[1] : a->arg[0], is_job ? a->arg[0] : NULL, false,
		       &doc);

	items = json_object_get(doc, "items");
	if (code == CLI_OK && !json_array_size(items))
		code = cli_fail(cli, CLI_NO, NULL,
				"as far as anybody has looked, '%s' is as it was deployed",
				a->arg[0]);
	json_array_foreach(items, i, item)
		if (code == CLI_OK && is_first(items, i))
			code = restore_of(cli, items, show_text(item, "deployment"), why, done);
	if (code == CLI_OK && cli->json) {
		json_t *out = json_pack("{s:O, s:b}", "items", done, "more", 0);

		show_json(out);
		json_decref(out);
	}
	json_array_foreach(done, i, item)
		if (!cli->json) {
			printf("%s ", show_text(item, "id"));
			show_escaped(show_text(item, "what"));
			printf("\nnext: %s why %s\n", cli_self(cli), show_text(item, "id"));
		}
	json_decref(done);
	json_decref(doc);
	return code;
}

const struct cmd cmd_drift = {
	.name = "drift",
	.usage = "[FABRIC] [--exit-code]",
	.group = "Releases",
	.help = "List jobs that somebody changed on a fabric since they were deployed",
	.more = "Each with the fields as they were deployed and as they are. Looked is as often\n"
		"as the fabric's `drift` says, before each deployment, and by `plan --refresh`.",
	.example = "drift production",
	.needs = CMD_INSTANCE,
	.max = 1,
	.opts = { { "exit-code", 0, NULL, "end with 4 when there are some" } },
	.exec = drift_exec,
};

const struct cmd cmd_drift_adopt = {
	.name = "drift adopt",
	.usage = "JOB [--fabric F]",
	.group = "Releases",
	.help = "Print what makes the repository as somebody made the job on the fabric",
	.more = "An RFC 7386 merge patch: for the job's databricks-job.json, in which\n"
		"placeholders stay; of a derived job for `patch` of its rule. Lists are in it\n"
		"whole. Once it is pushed, the job stays as it is there.",
	.example = "drift adopt jobs/job_nightly",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "fabric", 'F', "NAME", "on this fabric" } },
	.exec = adopt_exec,
};

const struct cmd cmd_drift_restore = {
	.name = "drift restore",
	.usage = "FABRIC|jobs/JOB [-m TEXT] [--fabric F]",
	.group = "Releases",
	.help = "Put back what somebody changed on a fabric",
	.more = "A deployment of these jobs alone, as they were deployed last, through all gates\n"
		"of its environment. For whoever may push to the environment.",
	.example = "drift restore production -m 'nobody knows who did that'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why; kept with the deployment" },
		  { "fabric", 'F', "NAME", "with a job: on this fabric" } },
	.exec = restore_exec,
};
