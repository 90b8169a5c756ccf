/* log: what a build, a run or one task of a run printed; by byte offset, so nothing comes twice. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/escape.h"
#include "common/base/id.h"

enum { OPT_FOLLOW, OPT_RAW };
enum { POLL_MS = 150 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signum)
{
	(void)signum;
	interrupted = 1;
}

/* b31 → /builds/b31/log, x7 and x7/TASK → /runs/x7/log. False when it is no such thing. */
static bool log_path(struct buf *path, const char *thing)
{
	size_t len = strcspn(thing, "/");
	char *id = xstrndup(thing, len);
	char kind = id_kind(id);

	if (kind == 'b' && !thing[len])
		buf_addf(path, "/builds/%s/log", id);
	else if (kind == 'x')
		buf_addf(path, "/runs/%s/log", id);
	if (kind == 'x' && thing[len])
		client_param(path, "task", thing + len + 1);
	free(id);
	return path->len > 0;
}

/* Prints what came; without --raw only up to the last whole character, unless it is the end. */
static void print_bytes(struct client_log *log, bool raw)
{
	struct buf text = BUF_INIT;
	size_t n = log->bytes.len, whole = n;

	if (raw) {
		fwrite(log->bytes.data, 1, n, stdout);
	} else {
		for (size_t back = 1; back <= 3 && back <= n && !log->ended; back++) {
			unsigned char c = (unsigned char)log->bytes.data[n - back];

			if (c >= 0xc0 && utf8_len((unsigned char *)log->bytes.data + n - back,
						  back) == 0)
				whole = n - back;	/* its rest comes with the next read */
		}
		escape_buf(&text, buf_str(&log->bytes), whole, true);
		fwrite(buf_str(&text), 1, text.len, stdout);
	}
	buf_drain(&log->bytes, whole);
	buf_clear(&text);
	fflush(stdout);
}

static int read_all(struct cli *cli, const char *base, struct client_log *log, bool follow,
		    bool raw, bool print)
{
	while (!interrupted) {
		struct buf path = BUF_INIT;
		char offset[24];
		int64_t before = log->next;
		int code;

		snprintf(offset, sizeof(offset), "%lld", (long long)log->next);
		buf_adds(&path, base);
		client_param(&path, "offset", offset);
		code = client_log_read(cli, buf_str(&path), log);
		buf_clear(&path);
		if (code)
			return code;
		if (print)
			print_bytes(log, raw);
		if (log->ended || (!follow && log->next == before))
			return CLI_OK;
		if (log->next == before)
			nanosleep(&(struct timespec) { .tv_nsec = POLL_MS * 1000000L }, NULL);
	}
	return CLI_INTERRUPTED;
}

static int log_exec(struct cli *cli, const struct cmd_args *a)
{
	struct client_log log = { .bytes = BUF_INIT };
	struct buf path = BUF_INIT;
	bool follow = a->opt[OPT_FOLLOW] != NULL;
	int code;

	if (!log_path(&path, a->arg[0])) {
		code = cli_fail(cli, CLI_USAGE, "penstock builds",
				"'%s' has no log: give a build (b31), a run (x7) "
				"or a task of a run (x7/TASK)", a->arg[0]);
		buf_clear(&path);
		return code;
	}
	sigaction(SIGINT, &(struct sigaction) { .sa_handler = on_interrupt }, NULL);
	code = read_all(cli, buf_str(&path), &log, follow, a->opt[OPT_RAW] != NULL, !cli->json);
	if (code == CLI_OK && cli->json) {
		struct buf text = BUF_INIT;
		json_t *doc;

		escape_buf(&text, buf_str(&log.bytes), log.bytes.len, true);
		doc = json_pack("{s:s, s:s, s:b, s:I, s:s#}", "id", a->arg[0], "state", log.state,
				"ended", log.ended,
				"next", (json_int_t)log.next, "text", buf_str(&text), text.len);
		show_json(doc);
		json_decref(doc);
		buf_clear(&text);
	}
	if (code == CLI_INTERRUPTED)
		fprintf(stderr, "\nstopped watching; %s goes on; next: %s log -f %s\n", a->arg[0],
			cli_self(cli), a->arg[0]);
	if (code == CLI_OK && !log.ended && !cli->json)
		fprintf(stderr, "%s is %s; next: %s log -f %s\n", a->arg[0], log.state,
			cli_self(cli), a->arg[0]);
	buf_clear(&log.bytes);
	buf_clear(&path);
	return code;
}

const struct cmd cmd_log = {
	.name = "log", .usage = "ID [-f] [--raw]", .group = "Look",
	.help = "Print the log of a build (b31), a run (x7) or one task (x7/TASK)",
	.more = "Control characters in a log are printed as \\xNN; "
		"--raw passes the bytes as they are.",
	.example = "log -f b31",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "follow", 'f', NULL, "go on until the thing has ended" },
		  { "raw", 0, NULL, "bytes as they are, for a file" } },
	.exec = log_exec,
};
