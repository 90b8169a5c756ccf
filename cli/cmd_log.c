/* log: what a build, a run or one task of a run printed; by byte offset, so nothing comes twice. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/log.h"
#include "cli/show.h"
#include "common/base/clock.h"
#include "common/base/escape.h"
#include "common/base/id.h"
#include "common/base/logfile.h"

enum { OPT_FOLLOW, OPT_TIMES, OPT_TAIL, OPT_OFFSET, OPT_RAW };
/* GONE: how long a follower waits for an agent that is started again. */
enum { POLL_MS = 150, POLL_MAX_MS = 600, GONE_MS = 120000, STAMP = LOGFILE_STAMP };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum)
{
	(void)signum;
	interrupted = 1;
}

/* b31 → /builds/b31/log, t31 → /tests/t31/log, x7 and x7/TASK → /runs/x7/log. False when it is no
 * such thing. */
static bool log_path(struct buf *path, const char *thing)
{
	size_t len = strcspn(thing, "/");
	char *id = xstrndup(thing, len);
	char kind = id_kind(id);

	if (kind == 'b' && !thing[len])
		buf_addf(path, "/builds/%s/log", id);
	else if (kind == 't' && !thing[len])
		buf_addf(path, "/tests/%s/log", id);
	else if (kind == 'x')
		buf_addf(path, "/runs/%s/log", id);
	if (kind == 'x' && thing[len])
		client_param(path, "task", thing + len + 1);
	free(id);
	return path->len > 0;
}

/* ---- bytes of a log to text ---- */

struct printer {
	bool raw, times, ascii;
	bool within;		/* the line that is printed has begun */
	struct buf text;
};

/* What a line begins with; "0" stands for any digit. */
static bool is_stamp(const char *p)
{
	static const char form[] = "0000-00-00T00:00:00.000Z ";

	for (size_t i = 0; i < STAMP; i++)
		if (form[i] == '0' ? !isdigit((unsigned char)p[i]) : p[i] != form[i])
			return false;
	return true;
}

/* Length of text without the beginning of a character whose rest comes with the next read. */
static size_t whole_chars(const char *text, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = (unsigned char)text[n - back];

		if (c < 0x80)
			break;
		if (c >= 0xc0)
			return utf8_len((const unsigned char *)text + n - back, back) ? n :
				n - back;
	}
	return n;
}

/* Makes text of what can be said already; with `all` of everything. Returns how much that was. */
static size_t print_bytes(struct printer *p, const char *bytes, size_t n, bool all)
{
	size_t at = 0;

	while (at < n) {
		const char *line = bytes + at, *nl = memchr(line, '\n', n - at);
		size_t len = nl ? (size_t)(nl + 1 - line) : n - at;

		if (!p->within && !nl && !all && len < STAMP)
			break;
		if (!p->within && !p->times && len >= STAMP && is_stamp(line)) {
			at += STAMP;
			p->within = true;
			continue;
		}
		if (!nl && !all)
			len = whole_chars(line, len);
		escape_buf(&p->text, line, len, true);
		p->within = nl == NULL;
		at += len;
		if (!nl)
			break;
	}
	return at;
}

/* "… 38.2 MB elided …" on a line of its own, where those bytes were. */
static void print_gap(struct printer *p, int64_t n)
{
	const char *dots = p->ascii ? "..." : "…";

	buf_addf(&p->text, "%s%s ", p->within ? "\n" : "", dots);
	if (n < 100000)
		buf_addf(&p->text, "%lld bytes", (long long)n);
	else
		buf_addf(&p->text, "%lld.%lld MB", (long long)n / 1000000,
			 (long long)n / 100000 % 10);
	buf_addf(&p->text, " elided %s\n", dots);
	p->within = false;
}

/* What the last read brought; what cannot be said yet stays in log->bytes, `before` of it from
 * earlier reads. */
static void print_read(struct printer *p, struct client_log *log, size_t before)
{
	size_t n = 0;

	if (log->elided) {
		print_bytes(p, log->bytes.data, before, true);
		buf_drain(&log->bytes, before);
		print_gap(p, log->elided);
	}
	if (p->raw) {
		n = log->bytes.len;
		buf_add(&p->text, buf_str(&log->bytes), n);
		if (n)
			p->within = log->bytes.data[n - 1] != '\n';
	} else if (log->bytes.len) {
		n = print_bytes(p, log->bytes.data, log->bytes.len, log->ended);
	}
	buf_drain(&log->bytes, n);
}

/* ---- reading ---- */

struct reading {
	struct cli *cli;
	const char *thing, *base;	/* path of the log without offset */
	const char *tail;		/* --tail; NULL */
	bool follow;
	int (*turn)(void *arg);		/* between two reads; NULL */
	void *turn_arg;
	struct client_log log;
	struct printer out;
};

static void nap(int64_t ms)
{
	nanosleep(&(struct timespec) { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static int read_once(struct reading *r, bool first, bool patient)
{
	struct buf path = BUF_INIT;
	char offset[24];
	int code;

	snprintf(offset, sizeof(offset), "%lld", (long long)r->log.next);
	buf_adds(&path, r->base);
	if (first && r->tail)
		client_param(&path, "tail", r->tail);
	else
		client_param(&path, "offset", offset);
	code = client_log_read(r->cli, buf_str(&path), patient, &r->log);
	buf_clear(&path);
	return code;
}

/* A follower outlives a restart of the agent. */
static int read_patiently(struct reading *r)
{
	int64_t until = clock_boot_ns() + GONE_MS * INT64_C(1000000);
	int code = read_once(r, false, true);

	if (code != CLI_NO_AGENT)
		return code;
	fprintf(stderr, "the agent does not answer; waiting for it\n");
	while (code == CLI_NO_AGENT && !interrupted && clock_boot_ns() < until) {
		nap(POLL_MAX_MS);
		code = read_once(r, false, true);
	}
	return code == CLI_NO_AGENT && !interrupted ? read_once(r, false, false) : code;
}

static int read_all(struct reading *r)
{
	int64_t end = -1, wait = POLL_MS;

	while (!interrupted) {
		int64_t from = r->log.next;
		size_t before = r->log.bytes.len;
		int code = r->follow && end >= 0 ? read_patiently(r) : read_once(r, end < 0, false);

		if (code == 0 && r->turn)
			code = r->turn(r->turn_arg);
		if (code)
			return interrupted ? CLI_INTERRUPTED : code;
		if (end < 0)
			end = r->log.length;
		print_read(&r->out, &r->log, before);
		if (!r->cli->json) {
			fwrite(buf_str(&r->out.text), 1, r->out.text.len, stdout);
			fflush(stdout);
			buf_reset(&r->out.text);
		}
		if (r->log.ended || (!r->follow && (r->log.next >= end || r->log.next == from)))
			return CLI_OK;
		wait = r->log.next != from ? POLL_MS : wait * 2 > POLL_MAX_MS ? POLL_MAX_MS :
			wait * 2;
		if (r->log.next >= r->log.length)
			nap(wait);
	}
	return CLI_INTERRUPTED;
}

static void reading_clear(struct reading *r)
{
	buf_clear(&r->out.text);
	buf_clear(&r->log.bytes);
}

int log_follow(struct cli *cli, const char *thing, int (*turn)(void *arg), void *arg)
{
	struct buf path = BUF_INIT;
	struct reading r = { .cli = cli, .thing = thing, .follow = true, .turn = turn,
			     .turn_arg = arg, .log = { .bytes = BUF_INIT },
			     .out = { .ascii = cli->out.ascii } };
	int code = CLI_USAGE;

	if (log_path(&path, thing)) {
		sigaction(SIGINT, &(struct sigaction) { .sa_handler = on_interrupt }, NULL);
		r.base = buf_str(&path);
		code = read_all(&r);
	}
	reading_clear(&r);
	buf_clear(&path);
	return code;
}

int log_tail(struct cli *cli, const char *thing, unsigned n)
{
	char count[16];
	struct buf path = BUF_INIT;
	struct reading r = { .cli = cli, .thing = thing, .tail = count,
			     .log = { .bytes = BUF_INIT } };
	int code = CLI_USAGE;

	snprintf(count, sizeof(count), "%u", n);
	if (log_path(&path, thing)) {
		r.base = buf_str(&path);
		code = read_once(&r, true, false);
	}
	if (code == CLI_OK) {
		print_bytes(&r.out, buf_str(&r.log.bytes), r.log.bytes.len, true);
		for (const char *p = buf_str(&r.out.text); *p;) {
			int len = (int)strcspn(p, "\n");

			printf("  %.*s\n", len, p);
			p += len + (p[len] == '\n');
		}
	}
	reading_clear(&r);
	buf_clear(&path);
	return code;
}

static void print_json(struct reading *r)
{
	json_t *doc = json_pack("{s:s, s:s, s:b, s:I, s:s#}", "id", r->thing, "state",
				r->log.state, "ended", r->log.ended, "next",
				(json_int_t)r->log.next, "text", buf_str(&r->out.text),
				r->out.text.len);

	show_json(doc);
	json_decref(doc);
}

/* What a person is told behind the log; the exit code. */
static int conclude(struct reading *r, int code)
{
	const char *self = cli_self(r->cli);

	if (code == CLI_INTERRUPTED)
		fprintf(stderr, "\nstopped watching; %s goes on; next: %s log -f %s\n", r->thing,
			self, r->thing);
	if (code != CLI_OK)
		return code;
	if (!r->log.ended && !r->cli->json)
		fprintf(stderr, "%s is %s; next: %s log -f %s\n", r->thing, r->log.state, self,
			r->thing);
	if (!r->follow || state_good(r->log.state))
		return CLI_OK;
	if (!r->cli->json)
		fprintf(stderr, "%s %s; next: %s why %.*s\n", r->thing, r->log.state, self,
			(int)strcspn(r->thing, "/"), r->thing);
	return CLI_NO;
}

/* A count of bytes or lines; false when it is none. NULL is fine. */
static bool is_count(const char *text)
{
	size_t n = text ? strspn(text, "0123456789") : 1;

	return n > 0 && n < 18 && (!text || !text[n]);
}

static int log_exec(struct cli *cli, const struct cmd_args *a)
{
	const char *tail = a->opt[OPT_TAIL], *offset = a->opt[OPT_OFFSET];
	struct buf path = BUF_INIT;
	struct reading r = {
		.cli = cli, .thing = a->arg[0], .follow = a->opt[OPT_FOLLOW] != NULL, .tail = tail,
		.log = { .bytes = BUF_INIT, .next = offset ? strtoll(offset, NULL, 10) : 0 },
		.out = { .raw = a->opt[OPT_RAW] != NULL,
			 .times = a->opt[OPT_TIMES] || cli->json, .ascii = cli->out.ascii },
	};
	int code;

	if (!log_path(&path, a->arg[0])) {
		code = cli_fail(cli, CLI_USAGE, "penstock builds",
				"'%s' has no log: give a build (b31), a run (x7) "
				"or a task of a run (x7/TASK)", a->arg[0]);
	} else if (!is_count(tail) || !is_count(offset) || (tail && offset)) {
		code = cli_fail(cli, CLI_USAGE, NULL, tail && offset ?
				"--tail and --offset are two places to begin at: give one" :
				"--tail takes a number of lines, --offset one of bytes");
	} else {
		sigaction(SIGINT, &(struct sigaction) { .sa_handler = on_interrupt }, NULL);
		r.base = buf_str(&path);
		code = read_all(&r);
		if (code == CLI_OK && cli->json)
			print_json(&r);
		code = conclude(&r, code);
	}
	reading_clear(&r);
	buf_clear(&path);
	return code;
}

const struct cmd cmd_log = {
	.name = "log", .usage = "ID [-f] [--times] [--tail N | --offset N] [--raw]",
	.group = "Look",
	.help = "Print the log of a build (b31), a run (x7) or one task (x7/TASK)",
	.more = "With -f until the thing has ended: exit 0 when it passed, 1 when not; also over a "
		"restart of the agent.\nOf a very long log the middle is not kept; a line says how "
		"much. Control characters are printed as \\xNN;\n--raw passes all bytes as they "
		"are in the file, times included.",
	.example = "log -f b31",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "follow", 'f', NULL, "go on until the thing has ended" },
		  { "times", 't', NULL, "with each line's time (UTC)" },
		  { "tail", 'n', "N", "begin with the last N lines (at most 1 MB)" },
		  { "offset", 0, "N", "begin at this byte, as --json says in next" },
		  { "raw", 0, NULL, "bytes as they are, for a file" } },
	.exec = log_exec,
};
