/* audit – what people and core decided: listed, exported, and whether it is whole. */
#include "config.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/chain.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"
#include "common/plan/canon.h"

extern char **environ;

enum { OPT_N, OPT_WHO, OPT_WHAT, OPT_THING };
enum { PAGE = 1000, LINE_LIMIT = 1 << 20 };

static const struct column audit_cols[] = {
	{ "NUMBER", "id", COL_ID, 0 },
	{ "WHEN", "at", COL_TIME, 0 },
	{ "STATE", "state", COL_STATE, 3 },
	{ "WHO", "who", COL_NAME, 0 },
	{ "WHAT", "what", COL_ID, 0 },
	{ "THING", "thing", COL_NAME, 0 },
	{ "WHY", "why", COL_TEXT, 1 },
	{ "POLICY", "policy", COL_OID, 2 },
	{ 0 },
};

static int audit_exec(struct cli *cli, const struct cmd_args *a)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/audit");
	client_param(&path, "limit", a->opt[OPT_N]);
	client_param(&path, "who", a->opt[OPT_WHO]);
	client_param(&path, "what", a->opt[OPT_WHAT]);
	client_param(&path, "thing", a->opt[OPT_THING]);
	code = show_list(cli, buf_str(&path), audit_cols, "no such decision is in the audit");
	buf_clear(&path);
	return code;
}

const struct cmd cmd_audit = {
	.name = "audit", .usage = "[--who W] [--what W] [--thing T] [-n N]", .group = "Releases",
	.help = "List what people decided, were refused, and what core decided by rules",
	.more = "Newest first. --who kim finds \"root (as kim)\" too; what core decided by itself "
		"is by \"penstock\".",
	.example = "audit --what release-hold",
	.needs = CMD_INSTANCE,
	.opts = { { "number", 'n', "N", "at most N, newest first (default 50)" },
		  { "who", 0, "W", "only what this person decided" },
		  { "what", 0, "W", "only this decision: cancel, pause, held, ..." },
		  { "thing", 0, "T", "only about this: e88, \"fabric production\"" } },
	.exec = audit_exec,
};

/* ---- one entry, from JSON of the agent or of a file ---- */

struct entry { struct chain_row row; struct buf details; };

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

/* The strings stay o's. outcome: what the member is called. */
static int entry_read(struct entry *e, const json_t *o, const char *outcome, struct ps_err *err)
{
	const json_t *details = json_object_get(o, "details");
	const json_t *number = json_object_get(o, "number");
	const char *id = text(o, "id");

	buf_reset(&e->details);
	e->row = (struct chain_row) {
		.number = number ? json_integer_value(number) : id ? strtoll(id, NULL, 10) : 0,
		.at_ms = json_integer_value(json_object_get(o, "at_ms")), .who = text(o, "who"),
		.what = text(o, "what"), .outcome = text(o, outcome), .thing = text(o, "thing"),
		.why = text(o, "why"), .policy = text(o, "policy"), .prev = text(o, "prev"),
		.hash = text(o, "hash"),
	};
	if (!json_is_object(details))
		return 0;		/* the chain says that something is missing */
	if (canon_write(details, &e->details, err) < 0)
		return err->code;
	e->row.details = buf_str(&e->details);
	return 0;
}

/* ---- export ---- */

static int export_page(struct cli *cli, int64_t *after, bool *more)
{
	char *path = xasprintf("/audit?limit=%d&after=%" PRId64, PAGE, *after);
	struct entry e = { .details = BUF_INIT };
	struct buf line = BUF_INIT;
	struct ps_err err = { 0 };
	json_t *doc, *one;
	int code = client_get(cli, path, &doc);
	size_t i;

	free(path);
	if (code)
		return code;
	json_array_foreach(json_object_get(doc, "items"), i, one) {
		if (entry_read(&e, one, "state", &err) < 0) {
			code = cli_fail_err(cli, &err, NULL);
			break;
		}
		buf_reset(&line);
		chain_text(&e.row, true, &line);
		puts(buf_str(&line));
		*after = e.row.number;
	}
	*more = i && json_is_true(json_object_get(doc, "more"));
	buf_clear(&line);
	buf_clear(&e.details);
	json_decref(doc);
	return code;
}

static int export_exec(struct cli *cli, const struct cmd_args *a)
{
	int64_t after = 0;
	bool more = true;
	int code = CLI_OK;

	(void)a;
	while (more && code == CLI_OK)
		code = export_page(cli, &after, &more);
	return code;
}

const struct cmd cmd_audit_export = {
	.name = "audit export", .usage = "", .group = "Releases",
	.help = "Write the whole audit as JSON lines, oldest first",
	.more = "A line is an entry as its hash is over it, and the hash. Kept elsewhere, it shows "
		"later what\nthe agent's own files cannot: `audit verify FILE` needs no agent.",
	.example = "audit export > audit.jsonl",
	.needs = CMD_INSTANCE, .exec = export_exec,
};

/* ---- verify ---- */

/* "17:3fa2…", what somebody noted once: number and the beginning of its hash. */
struct noted { int64_t number; const char *hash; bool seen; };

static bool noted_read(struct noted *n, const char *given)
{
	char *behind;

	*n = (struct noted) { .seen = true };
	if (!given)
		return true;
	n->number = strtoll(given, &behind, 10);
	n->hash = behind + 1;
	n->seen = false;
	return n->number > 0 && *behind == ':' && strlen(n->hash) >= 8;
}

static void noted_pass(struct noted *n, struct chain_check *c)
{
	if (n->seen || c->last != n->number)
		return;
	n->seen = true;
	if (!ps_starts(c->hash, n->hash))
		chain_break(c, c->last, "it is another one than was noted");
}

static int verify_lines(FILE *f, const char *path, struct chain_check *c, struct noted *n,
			struct ps_err *err)
{
	struct entry e = { .details = BUF_INIT };
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int rc = 0;

	while (rc == 0 && !c->bad && (len = getline(&line, &cap, f)) > 0) {
		json_t *o = NULL;

		if (len > LINE_LIMIT || canon_read(&o, line, (size_t)len, path, NULL) < 0)
			chain_break(c, c->last + 1, "its line cannot be read");
		else if ((rc = entry_read(&e, o, "outcome", err)) == 0 && chain_next(c, &e.row))
			noted_pass(n, c);
		json_decref(o);
	}
	if (rc == 0 && ferror(f))
		rc = ps_err_errno(err, "cannot read '%s'", path);
	if (rc == 0 && !c->bad && !c->last)	/* every agent has written one */
		chain_break(c, 1, "there is none in this file");
	free(line);
	buf_clear(&e.details);
	return rc;
}

/* The answer of both: an object like the agent's. */
static int verify_file(struct cli *cli, const char *path, struct noted *n, json_t **doc)
{
	struct chain_check c;
	struct ps_err err = { 0 };
	FILE *f = fopen(path, "re");
	int rc = f ? 0 : ps_err_errno(&err, "cannot open '%s'", path);

	chain_init(&c);
	if (rc == 0)
		rc = verify_lines(f, path, &c, n, &err);
	if (f)
		fclose(f);
	if (rc < 0)
		return cli_fail_err(cli, &err, NULL);
	*doc = json_pack("{s:s, s:s, s:I, s:s, s:o, s:o}", "id", "audit", "state",
			 c.bad ? "broken" : "whole", "entries", (json_int_t)c.last, "hash", c.hash,
			 "bad", c.bad ? json_integer(c.bad) : json_null(), "problem",
			 c.bad ? json_string(c.why) : json_null());
	return 0;
}

/* A store, put aside or copied: only core can read it. */
static bool is_store(const char *path)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool is = fd >= 0 && read(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
		  memcmp(head, magic, sizeof(magic)) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

/* What the program prints, parsed; NULL: it has said why not. */
static int run_core(const char *const *argv, json_t **doc, struct ps_err *err)
{
	struct spawn s = { .argv = argv, .env = (const char *const *)environ, .in = -1, .out = -1,
			   .errout = STDERR_FILENO };
	struct buf out = BUF_INIT;
	int status = 0, rc = spawn_capture(&s, &out, LINE_LIMIT, &status, err);

	if (rc == 0)
		*doc = status ? NULL : json_loadb(buf_str(&out), out.len, 0, NULL);
	buf_clear(&out);
	return rc;
}

static int verify_store(struct cli *cli, const char *path, json_t **doc)
{
	char *program = fs_find_program("penstock-core");
	const char *argv[] = { program, "--audit", path, NULL };
	struct ps_err err = { 0 };
	int rc = program ? run_core(argv, doc, &err) : 0;

	if (!program)
		return cli_fail(cli, CLI_NO, NULL, "the program 'penstock-core' is not beside "
				"penstock: installed in part?");
	free(program);
	return rc < 0 ? cli_fail_err(cli, &err, NULL) : *doc ? 0 : CLI_NO;
}

/* What was noted, in the agent's own audit. */
static int check_noted(struct cli *cli, struct noted *n, json_t *doc)
{
	char *path = xasprintf("/audit?limit=1&after=%" PRId64, n->number - 1);
	json_t *page;
	int code = client_get(cli, path, &page);

	free(path);
	if (code)
		return code;
	if (json_array_size(json_object_get(page, "items"))) {
		n->seen = true;
		if (!ps_starts(show_text(json_array_get(json_object_get(page, "items"), 0), "hash"),
			       n->hash)) {
			json_object_set_new(doc, "state", json_string("broken"));
			json_object_set_new(doc, "bad", json_integer(n->number));
			json_object_set_new(doc, "problem",
					    json_string("it is another one than was noted"));
		}
	}
	json_decref(page);
	return 0;
}

static int say(struct cli *cli, const json_t *doc)
{
	bool whole = strcmp(show_text(doc, "state"), "whole") == 0;

	if (cli->json) {
		show_json(doc);
	} else if (whole) {
		printf("the audit is whole: %" PRIdMAX " entries, the last has hash %s\n",
		       (intmax_t)json_integer_value(json_object_get(doc, "entries")),
		       show_text(doc, "hash"));
	} else {
		cli_fail(cli, CLI_NO, NULL, "the audit is broken at entry %" PRIdMAX ": %s",
			 (intmax_t)json_integer_value(json_object_get(doc, "bad")),
			 show_text(doc, "problem"));
	}
	return whole ? CLI_OK : CLI_NO;
}

static int verify_exec(struct cli *cli, const struct cmd_args *a)
{
	struct noted noted;
	json_t *doc = NULL;
	int code;

	if (!noted_read(&noted, a->opt[0]))
		return cli_fail(cli, CLI_USAGE, NULL, "--entry is NUMBER:HASH, with 8 digits of "
				"the hash or more, not '%s'", a->opt[0]);
	if (a->n && is_store(a->arg[0])) {
		if (!noted.seen)
			return cli_fail(cli, CLI_USAGE, NULL,
					"--entry asks an agent or an export, not a store");
		code = verify_store(cli, a->arg[0], &doc);
	} else if (a->n) {
		code = verify_file(cli, a->arg[0], &noted, &doc);
	} else {
		code = cli_instance(cli);
		if (code == 0)
			code = client_get(cli, "/audit/verify", &doc);
		if (code == 0 && !noted.seen)
			code = check_noted(cli, &noted, doc);
	}
	if (code == 0 && !noted.seen && json_is_null(json_object_get(doc, "bad"))) {
		json_object_set_new(doc, "state", json_string("broken"));
		json_object_set_new(doc, "bad", json_integer(noted.number));
		json_object_set_new(doc, "problem",
				    json_string("it is missing: it was noted once"));
	}
	if (code == 0)
		code = say(cli, doc);
	json_decref(doc);
	return code;
}

const struct cmd cmd_audit_verify = {
	.name = "audit verify", .usage = "[FILE] [--entry NUMBER:HASH]", .group = "Releases",
	.help = "Is all there that was ever written to the audit, as it was written?",
	.more = "Exits 1 and names the first entry that was changed, is missing, was moved or put "
		"in between; also\nwhen its end was cut off or an older copy was put back. With "
		"FILE it reads what `audit export`\nwrote, or a store that was put aside or "
		"copied, without an agent. --entry: what you "
		"noted once must be in it.",
	.example = "audit verify",
	.needs = CMD_NOTHING, .max = 1,
	.opts = { { "entry", 0, "N:HASH", "the audit must have this entry" } },
	.exec = verify_exec,
};
