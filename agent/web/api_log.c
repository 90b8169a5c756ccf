/*
 * api_log – logs by byte offset, read on the store's reader thread so that the loop waits on no
 * disk.
 *
 * The state is read before the file: a log whose writer had ended by then is complete, so "ended"
 * with an empty rest really is the end and no tail is lost. The log of a run is that of its tasks
 * in order, each under a heading; a task's part begins only when those before it have ended, so an
 * offset keeps its meaning while the run goes on.
 *
 * GET .../log?offset=N answers with bytes from N on, as many as fit; ?tail=N with the last N lines.
 * Headers: Penstock-Next, the offset to ask for next; Penstock-Elided, how many bytes behind N are
 * not kept any more (the bytes that come begin behind them); Penstock-Length, of all that was ever
 * written; Penstock-Ended 1, when nothing will
 * come any more and all of it has been read; Penstock-State.
 */
#include "config.h"

#include "agent/web/api_parts.h"
#include "common/base/id.h"
#include "common/base/logfile.h"

enum { CHUNK = 256 * 1024, TAIL_MAX = 1 << 20 };

/*
 * A window over several pieces: bytes [from, from + out.len) of all that was offered to it. `from`
 * is where it was asked to begin, or the first byte behind it that is still kept. A gap behind its
 * first byte ends it; with `last` set it begins anew there, so it holds the newest bytes.
 */
struct window {
	struct buf *out;
	int64_t from, pos;		/* pos: length of what was offered so far */
	size_t max;
	bool last, closed;
};

static bool wants(const struct window *w)
{
	return !w->closed && w->out->len < w->max;
}

/* Bytes up to `to` are not kept any more. */
static void offer_gap(struct window *w, int64_t to)
{
	if (to <= w->from + (int64_t)w->out->len)
		return;
	if (w->out->len && !w->last) {
		w->closed = true;
		return;
	}
	buf_reset(w->out);
	w->from = to;
}

static void offer_bytes(struct window *w, const char *p, size_t n)
{
	int64_t skip = w->from + (int64_t)w->out->len - w->pos;

	w->pos += (int64_t)n;
	if (skip >= (int64_t)n || !wants(w))
		return;
	n -= (size_t)skip;
	if (n > w->max - w->out->len)
		n = w->max - w->out->len;
	buf_add(w->out, p + skip, n);
}

/* The log's part of the window. */
static int offer_file(struct window *w, const char *path, struct ps_err *err)
{
	struct logfile f;
	int rc = logfile_open(&f, path, err);
	int64_t base = w->pos;

	if (rc < 0)
		return rc;
	w->pos += f.length;
	while (rc == 0 && wants(w)) {
		int64_t at = w->from + (int64_t)w->out->len - base;
		size_t want = w->max - w->out->len;
		ssize_t n;

		if (at >= f.length)
			break;
		offer_gap(w, base + logfile_kept(&f, at));
		at = w->from + (int64_t)w->out->len - base;
		if (!wants(w) || at >= f.length)
			break;
		n = logfile_read(&f, at, buf_room(w->out, want), want, err);
		if (n <= 0) {
			rc = (int)n;
			w->closed = true;
			break;
		}
		buf_grew(w->out, (size_t)n);
	}
	logfile_close(&f);
	return rc;
}

static bool has_ended(const char *state)
{
	static const char *const going[] = { "queued", "claimed", "running" };

	for (size_t i = 0; i < PS_NELEM(going); i++)
		if (ps_streq(state, going[i]))
			return false;
	return true;
}

static const char *state_of(const json_t *row)
{
	const char *s = json_string_value(json_object_get(row, "state"));

	return s ? s : "unknown";
}

static int offer_task(struct window *w, const struct request *r, const json_t *task, bool heading,
		      struct ps_err *err)
{
	const char *key = json_string_value(json_object_get(task, "id"));
	char *path, *head;
	int rc;

	if (!key)
		return ps_err_set(err, PS_EINVAL, "this task has no name");
	path = logfile_of_task(r->logs, key);
	head = xasprintf("== %s\n", key);
	if (heading)
		offer_bytes(w, head, strlen(head));
	rc = offer_file(w, path, err);
	free(head);
	free(path);
	return rc;
}

/* What there is of a run's log, or of one task's. *over: nothing will be added to it. */
static int offer_run(struct window *w, struct request *r, const json_t *run, bool *over,
		     struct ps_err *err)
{
	const json_t *tasks = json_object_get(run, "tasks");
	const char *provider = json_string_value(json_object_get(run, "provider"));
	bool found = false, before_ended = true;
	int64_t n;
	int rc = 0;

	/* the deploy role keeps what a provider has of it */
	if (!ps_streq(provider, "local") && id_parse(r->id, 'x', &n)) {
		free(r->logs);
		r->logs = ps_paths_run_outputs(r->core->paths, n);
	}
	for (size_t i = 0; i < json_array_size(tasks) && rc == 0 && before_ended; i++) {
		const json_t *task = json_array_get(tasks, i);
		const char *key = json_string_value(json_object_get(task, "id"));

		if (r->task && !ps_streq(r->task, key))
			continue;
		found = true;
		snprintf(r->end_state, sizeof(r->end_state), "%s", state_of(r->task ? task : run));
		if (!r->task)
			before_ended = has_ended(state_of(task));
		if (!r->task && strcmp(state_of(task), "queued") == 0)
			break;
		*over = has_ended(state_of(r->task ? task : run));
		rc = offer_task(w, r, task, !r->task, err);
	}
	if (rc == 0 && !found && r->task)
		rc = ps_err_set(err, PS_ENOENT, "%s has no task '%s'", r->id, r->task);
	if (!found && !r->task) {
		snprintf(r->end_state, sizeof(r->end_state), "%s", state_of(run));
		*over = has_ended(state_of(run));
	}
	return rc;
}

static int offer_all(struct window *w, struct request *r, const json_t *row, bool is_build,
		     bool *over, struct ps_err *err)
{
	if (!is_build)
		return offer_run(w, r, row, over, err);
	snprintf(r->end_state, sizeof(r->end_state), "%s", state_of(row));
	*over = has_ended(state_of(row));
	return offer_file(w, r->logs, err);
}

/* The last n lines of the window are what is asked for. torn: it begins within a line. */
static void keep_lines(struct window *w, int64_t n, bool torn)
{
	const char *text = buf_str(w->out), *nl;
	size_t at = w->out->len;

	if (at && text[at - 1] == '\n')
		at--;
	for (; at > 0; at--)
		if (text[at - 1] == '\n' && --n <= 0)
			break;
	if (at == 0 && torn && (nl = memchr(text, '\n', w->out->len)))
		at = (size_t)(nl + 1 - text);
	buf_drain(w->out, at);
	w->from += (int64_t)at;
}

/* Where the last lines begin: as far back as TAIL_MAX bytes. */
static int read_tail(struct request *r, const json_t *row, bool is_build, struct window *w,
		     bool *over, struct ps_err *err)
{
	int64_t from;
	int rc;

	*w = (struct window) { .out = &r->bytes };	/* wants nothing: only counts */
	rc = offer_all(w, r, row, is_build, over, err);
	from = w->pos > TAIL_MAX ? w->pos - TAIL_MAX : 0;
	*w = (struct window) { .out = &r->bytes, .max = TAIL_MAX, .last = true, .from = from };
	if (rc == 0)
		rc = offer_all(w, r, row, is_build, over, err);
	keep_lines(w, r->tail, from && w->from == from);
	r->offset = w->from;
	return rc;
}

/* Who is behind gets whole lines: what follows may be given up before he asks again. */
static void end_with_line(struct buf *b)
{
	const char *nl = memrchr(b->data, '\n', b->len);

	if (nl) {
		b->len = (size_t)(nl + 1 - b->data);
		b->data[b->len] = '\0';
	}
}

/* is_build: one file, as that of tests; else one for each task of a run. */
static int read_log(struct store_tx *tx, struct request *r, view_fn *view, bool is_build,
		    struct ps_err *err)
{
	struct window w = { .out = &r->bytes, .from = r->offset, .max = CHUNK };
	json_t *row = NULL;
	bool over = false;
	int rc = view(tx, &r->ask, &row, err);

	if (rc == 0)
		rc = r->tail ? read_tail(r, row, is_build, &w, &over, err) :
			offer_all(&w, r, row, is_build, &over, err);
	if (rc == 0 && w.pos < r->offset) {	/* what was read from is gone: this is another */
		buf_reset(&r->bytes);
		w = (struct window) { .out = &r->bytes, .max = CHUNK };
		r->offset = 0;
		rc = offer_all(&w, r, row, is_build, &over, err);
	}
	if (r->bytes.len == CHUNK)
		end_with_line(&r->bytes);
	r->elided = w.from - r->offset;
	r->length = w.pos;
	r->next = w.from + (int64_t)r->bytes.len;
	r->ended = over && r->next >= w.pos;
	json_decref(row);
	return rc;
}

static int read_build(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return read_log(tx, arg, view_build, true, err);
}

static int read_test(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return read_log(tx, arg, view_test, true, err);
}

static int read_run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return read_log(tx, arg, view_run, false, err);
}

static void log_done(void *arg, int rc, const struct ps_err *err)
{
	struct request *r = arg;
	const struct { const char *name; int64_t value; } numbers[] = {
		{ "Penstock-Next", r->next },
		{ "Penstock-Elided", r->elided },
		{ "Penstock-Length", r->length },
		{ "Penstock-Ended", r->ended },
	};
	char text[24];

	if (rc < 0) {
		request_fail(r, rc, ps_err_msg(err, rc), NULL);
		return;
	}
	for (size_t i = 0; i < PS_NELEM(numbers); i++) {
		snprintf(text, sizeof(text), "%lld", (long long)numbers[i].value);
		http_set(r->call, numbers[i].name, text);
	}
	http_set(r->call, "Penstock-State", r->end_state);
	request_bytes(r, "application/octet-stream");
}

void log_build(struct request *r)
{
	int64_t n;

	if (id_parse(r->id, 'b', &n))
		r->logs = ps_paths_build_log(r->core->paths, n);
	store_read(r->core->store, read_build, log_done, r);
}

void log_test(struct request *r)
{
	int64_t n;

	if (id_parse(r->id, 't', &n))
		r->logs = ps_paths_test_log(r->core->paths, n);
	store_read(r->core->store, read_test, log_done, r);
}

void log_run(struct request *r)
{
	int64_t n;

	if (id_parse(r->id, 'x', &n))
		r->logs = ps_paths_run_logs(r->core->paths, n);
	store_read(r->core->store, read_run, log_done, r);
}
