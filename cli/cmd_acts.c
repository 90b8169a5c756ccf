/* cancel, retry, bump, build --check, drain: what people do to work that is there. */
#include "config.h"

#include "cli/act.h"
#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "cli/wait.h"

enum {
	CANCEL_WHY,
	CANCEL_QUEUED,
	CANCEL_REF,
	CANCEL_REPO,
	CANCEL_ALL,
	CANCEL_TIMEOUT,
	CANCEL_NO_WAIT
};
enum { RETRY_WHY, RETRY_FRESH };
enum { BUMP_WHY };
enum { BUILD_CHECK, BUILD_TIMEOUT, BUILD_NO_WAIT };
enum { DRAIN_WHY, DRAIN_WAIT, DRAIN_TIMEOUT };
enum { CANCEL_WAIT_MS = 60000 };

/* One line of what was done: "b31 cancelled: cancelled by kim: wrong branch". */
static void print_item(struct cli *cli, const json_t *item)
{
	struct buf b = BUF_INIT;

	term_state(&b, &cli->out, show_text(item, "state"), NULL);
	printf("%s %s", show_text(item, "id"), buf_str(&b));
	if (*show_text(item, "what")) {
		fputs("  ", stdout);
		show_escaped(show_text(item, "what"));
	}
	if (*show_text(item, "reason")) {
		fputs(": ", stdout);
		show_escaped(show_text(item, "reason"));
	}
	putchar('\n');
	buf_clear(&b);
}

static void print_items(struct cli *cli, const json_t *doc)
{
	size_t i;
	json_t *item;

	if (cli->json) {
		show_json(doc);
		return;
	}
	json_array_foreach(json_object_get(doc, "items"), i, item) print_item(cli, item);
}

static int post_thing(struct cli *cli, const char *path, const char *thing, const char *why,
		      const char *flag, json_t **doc)
{
	json_t *body = json_pack("{s:s, s:s*}", "thing", thing, "why", why);

	if (body && flag)
		json_object_set_new(body, flag, json_true());
	return act_ask(cli, path, body, doc);
}

/* ---- cancel ---- */

/* The row of a build, test or run as it is now. */
static int look_at(struct cli *cli, const char *id, json_t **row)
{
	struct buf path = BUF_INIT;
	json_t *doc = NULL, *items;
	int code;

	buf_adds(&path, *id == 'x' ? "/runs" : *id == 't' ? "/tests" : "/builds");
	client_part(&path, id);
	code = client_get(cli, buf_str(&path), &doc);
	buf_clear(&path);
	items = json_object_get(doc, "items"); /* a test is a list of one */
	*row = items ? json_incref(json_array_get(items, 0)) : json_incref(doc);
	json_decref(doc);
	return code;
}

/* What was under way ends when its processes have; its line is of that moment. */
static int wait_for_end(struct cli *cli, json_t *item, const struct wait *w)
{
	const char *id = show_text(item, "id");
	int code;

	for (;;) {
		json_t *row = NULL;

		code = look_at(cli, id, &row);
		if (code)
			return code;
		json_object_set(item, "state", json_object_get(row, "state"));
		json_object_set(item, "reason", json_object_get(row, "reason"));
		json_decref(row);
		if (state_ended(show_text(item, "state")))
			return CLI_OK;
		code = wait_turn(w);
		if (code) {
			fprintf(stderr, "%s; %s is still being ended; next: %s why %s\n",
				code == CLI_NO ? "the time is up" : "\nstopped waiting", id,
				cli_self(cli), id);
			return code;
		}
	}
}

static int wait_for_ends(struct cli *cli, const json_t *doc, const struct wait *w)
{
	size_t i;
	json_t *item;
	int code = CLI_OK;

	json_array_foreach(json_object_get(doc, "items"), i, item)
	{
		const char *id = show_text(item, "id");

		if (strchr("btx", *id) && !state_ended(show_text(item, "state")) &&
		    code == CLI_OK)
			code = wait_for_end(cli, item, w);
	}
	return code;
}

static bool any_refused(const json_t *doc)
{
	size_t i;
	json_t *item;

	json_array_foreach(json_object_get(doc, "items"), i,
			   item) if (json_is_true(json_object_get(item, "refused"))) return true;
	return false;
}

static json_t *cancel_body(const struct cmd_args *a)
{
	json_t *body = json_pack("{s:s*, s:s*, s:s*, s:s*}", "thing", a->n ? a->arg[0] : NULL,
				 "why", a->opt[CANCEL_WHY], "ref", a->opt[CANCEL_REF], "repository",
				 a->opt[CANCEL_REPO]);

	if (body && a->opt[CANCEL_QUEUED])
		json_object_set_new(body, "queued", json_true());
	if (body && a->opt[CANCEL_ALL])
		json_object_set_new(body, "all_demands", json_true());
	return body;
}

static int cancel_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *doc = NULL;
	struct wait wait;
	int64_t timeout;
	int code = wait_timeout(cli, a->opt[CANCEL_TIMEOUT], &timeout);

	if (code)
		return code;
	if (!a->n == !a->opt[CANCEL_QUEUED])
		return cli_fail(cli, CLI_USAGE, NULL,
				"say what: an id (e88, b31, t31, d12, x7), or --queued alone");
	if (!a->opt[CANCEL_QUEUED] && (a->opt[CANCEL_REF] || a->opt[CANCEL_REPO]))
		return cli_fail(cli, CLI_USAGE, NULL,
				"--ref and --repo narrow --queued; an id needs neither");
	wait_begin(&wait, timeout < 0 ? CANCEL_WAIT_MS : timeout);
	code = act_ask(cli, "/cancel", cancel_body(a), &doc);
	if (code)
		return code;
	if (!a->opt[CANCEL_NO_WAIT])
		code = wait_for_ends(cli, doc, &wait);
	print_items(cli, doc);
	if (json_array_size(json_object_get(doc, "items")) == 0)
		fprintf(stderr, "nothing that is queued fits\n");
	if (code == CLI_OK && any_refused(doc))
		code = CLI_NO;
	json_decref(doc);
	return code;
}

const struct cmd cmd_cancel = {
	.name = "cancel",
	.usage = "ID | --queued [--ref PATTERN] [--repo R] [-m TEXT] [--all-demands] [--timeout T] "
		 "[--no-wait]",
	.group = "Steer",
	.help = "End an event's work, a build, a run, or what is queued for some refs",
	.more = "ID is e88 (what its push asked for), b31, t31 (its tests), x7, or d12 while it\n"
		"waits. A build that others need too goes on when one event is cancelled;\n"
		"cancelling such a build needs --all-demands. What runs is killed with its\n"
		"sandbox, and the command waits for that (--no-wait: not). A deployment that\n"
		"is changing its fabric is not interrupted. PATTERN is a ref, branch or tag,\n"
		"with * within a part and ** across. For the pusher of the event, members of\n"
		"the team that owns the fabric, root and the agent's own user; a run also for\n"
		"who asked for it.",
	.example = "cancel --queued --ref 'feature/*' -m 'superseded by the release'",
	.needs = CMD_INSTANCE,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why; shown with what was cancelled" },
		  { "queued", 'q', NULL, "all that waits and has not started" },
		  { "ref", 'r', "PATTERN", "with --queued: only for these refs" },
		  { "repo", 'R', "REPO", "with --queued: only of this repository" },
		  { "all-demands", 0, NULL, "a build, although several demands need it" },
		  { "timeout", 't', "T", "longest wait for what runs to end (default 60s)" },
		  { "no-wait", 'n', NULL, "do not wait for what runs to end" } },
	.exec = cancel_exec,
};

/* ---- retry, bump ---- */

static int tell_thing(struct cli *cli, const char *path, const char *thing, const char *why,
		      const char *flag)
{
	json_t *doc = NULL;
	int code = post_thing(cli, path, thing, why, flag, &doc);

	if (code)
		return code;
	print_items(cli, doc);
	if (!cli->json)
		act_next_why(cli, doc);
	json_decref(doc);
	return CLI_OK;
}

static int retry_exec(struct cli *cli, const struct cmd_args *a)
{
	return tell_thing(cli, "/retry", a->arg[0], a->opt[RETRY_WHY],
			  a->opt[RETRY_FRESH] ? "fresh" : NULL);
}

const struct cmd cmd_retry = {
	.name = "retry",
	.usage = "ID [--fresh] [-m TEXT]",
	.group = "Steer",
	.help = "Do again what failed or was cancelled, with the same inputs",
	.more = "ID is e88, b31, d12 or x7. The same tree, key and toolchain, never the branch's "
		"tip: what passed\n"
		"is not built again. An event of a branch that a newer push superseded is refused. "
		"--fresh forgets\n"
		"that tests of these builds passed before.",
	.example = "retry e88",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why" },
		  { "fresh", 0, NULL, "run tests again that are remembered as passed" } },
	.exec = retry_exec,
};

static int repair_exec(struct cli *cli, const struct cmd_args *a)
{
	return tell_thing(cli, "/repair", a->arg[0], a->opt[RETRY_WHY], NULL);
}

const struct cmd cmd_repair = {
	.name = "repair",
	.usage = "ID [-m TEXT]",
	.group = "Steer",
	.help = "Let a run that did not pass go on from the tasks that failed",
	.more = "ID is x7. A new run: what passed stays passed, the rest runs again, with the same "
		"parameters. At a\nprovider it is the provider's own run that goes on; where one "
		"cannot do that, `penstock retry` runs\nthe whole job again.",
	.example = "repair x7",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why" } },
	.exec = repair_exec,
};

static int bump_exec(struct cli *cli, const struct cmd_args *a)
{
	return tell_thing(cli, "/bump", a->arg[0], a->opt[BUMP_WHY], NULL);
}

const struct cmd cmd_bump = {
	.name = "bump",
	.usage = "ID [-m TEXT]",
	.group = "Steer",
	.help = "Put an event's work or a build to the front of the queue",
	.more = "ID is e88 or b31. Before everything else that waits; the latest bump goes first. "
		"What is under\n"
		"way is not touched.",
	.example = "bump e88 -m 'the fix everybody waits for'",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "message", 'm', "TEXT", "why" } },
	.exec = bump_exec,
};

/* ---- build --check ---- */

static int print_check(struct cli *cli, const json_t *row)
{
	const char *state = show_text(row, "state"), *id = show_text(row, "id");

	if (cli->json) {
		show_json(row);
	} else {
		show_escaped(*show_text(row, "reason") ? show_text(row, "reason") : state);
		printf("\nnext: %s log %s\n", cli_self(cli), id);
	}
	return state_good(state) ? CLI_OK : CLI_NO;
}

static int wait_for_check(struct cli *cli, const char *id, const struct wait *w)
{
	int code;

	for (;;) {
		json_t *row = NULL;

		code = look_at(cli, id, &row);
		if (code)
			return code;
		if (state_ended(show_text(row, "state"))) {
			code = print_check(cli, row);
			json_decref(row);
			return code;
		}
		json_decref(row);
		code = wait_turn(w);
		if (code) {
			fprintf(stderr, "%s; %s goes on; next: %s why %s\n",
				code == CLI_NO ? "the time is up" : "\nstopped waiting", id,
				cli_self(cli), id);
			return code;
		}
	}
}

static int build_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *doc = NULL;
	struct wait wait;
	int64_t timeout;
	char id[32];
	int code = wait_timeout(cli, a->opt[BUILD_TIMEOUT], &timeout);

	if (code)
		return code;
	if (!a->opt[BUILD_CHECK])
		return cli_fail(
			cli, CLI_USAGE, NULL,
			"builds come from pushes; --check builds a sealed one again to compare");
	wait_begin(&wait, timeout);
	code = post_thing(cli, "/check", a->opt[BUILD_CHECK], NULL, NULL, &doc);
	if (code)
		return code;
	snprintf(id, sizeof(id), "%s",
		 show_text(json_array_get(json_object_get(doc, "items"), 0), "id"));
	if (a->opt[BUILD_NO_WAIT])
		print_items(cli, doc);
	else
		code = wait_for_check(cli, id, &wait);
	json_decref(doc);
	return code;
}

const struct cmd cmd_build = {
	.name = "build",
	.usage = "--check ID|KEY [--timeout T] [--no-wait]",
	.group = "Steer",
	.help = "Build a sealed artifact once more and compare the bytes",
	.more = "b31, or a key (whole, or its first digits) of a build that passed. Exit 0: "
		"reproducible. Exit 1:\n"
		"not reproducible, with the first entry of the wheel that differs and how. The "
		"sealed artifact\n"
		"is never replaced; the result stays with the build (`penstock why b31`).",
	.example = "build --check b31",
	.needs = CMD_INSTANCE,
	.opts = { { "check", 'c', "ID|KEY", "the build whose artifact is compared" },
		  { "timeout", 't', "T", "longest wait, as 90s, 30m, 2h; the build goes on" },
		  { "no-wait", 'n', NULL, "queue it and return" } },
	.exec = build_exec,
};

/* ---- drain ---- */

/* Until nothing is under way. Says what is, when that changes. */
static int wait_for_nothing(struct cli *cli, const struct wait *w, json_t **last)
{
	size_t said = SIZE_MAX;
	int code;

	for (;;) {
		size_t n;

		json_decref(*last);
		code = client_get(cli, "/drain", last);
		if (code)
			return code;
		n = json_array_size(json_object_get(*last, "items"));
		if (n == 0)
			return CLI_OK;
		if (n != said)
			fprintf(stderr, "%zu under way, %s first\n", n,
				show_text(json_array_get(json_object_get(*last, "items"), 0),
					  "id"));
		said = n;
		code = wait_turn(w);
		if (code) {
			fprintf(stderr, "%s; nothing new starts; next: %s resume all\n",
				code == CLI_NO ? "the time is up" : "\nstopped waiting",
				cli_self(cli));
			return code;
		}
	}
}

static int drain_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *doc = NULL;
	struct wait wait;
	int64_t timeout;
	int code = wait_timeout(cli, a->opt[DRAIN_TIMEOUT], &timeout);

	if (code)
		return code;
	if (a->opt[DRAIN_TIMEOUT] && !a->opt[DRAIN_WAIT])
		return cli_fail(cli, CLI_USAGE, NULL, "--timeout is for --wait");
	wait_begin(&wait, timeout);
	code = act_ask(cli, "/drain", json_pack("{s:s*}", "why", a->opt[DRAIN_WHY]), &doc);
	if (code == 0 && a->opt[DRAIN_WAIT])
		code = wait_for_nothing(cli, &wait, &doc);
	if (doc && cli->json)
		show_json(doc);
	else if (code == 0 && a->opt[DRAIN_WAIT])
		printf("nothing is under way\nnext: %s stop\n", cli_self(cli));
	else if (code == 0)
		printf("draining: nothing new starts\nnext: %s drain --wait\n", cli_self(cli));
	json_decref(doc);
	return code;
}

const struct cmd cmd_drain = {
	.name = "drain",
	.usage = "[--wait] [--timeout T] [-m TEXT]",
	.group = "Steer",
	.help = "Let nothing new start, and wait until nothing runs",
	.more = "What is under way goes on; pushes are recorded and wait. With --wait: exit 0 when "
		"nothing runs (a\n"
		"stop interrupts nothing then), 1 when the time is up. `penstock resume all` ends "
		"it; a stop and\n"
		"start does not. For root and the agent's own user.",
	.example = "drain --wait --timeout 30m",
	.needs = CMD_INSTANCE,
	.opts = { { "message", 'm', "TEXT", "why; shown to everybody who waits" },
		  { "wait", 'w', NULL, "until nothing is under way" },
		  { "timeout", 't', "T", "longest wait, as 90s, 30m, 2h" } },
	.exec = drain_exec,
};
