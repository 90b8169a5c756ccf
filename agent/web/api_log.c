/*
 * api_log – logs by byte offset, read on the store's reader thread so that the loop waits on no
 * disk.
 *
 * The state is read before the file: a log whose writer had ended by then is complete, so "ended"
 * with an empty rest really is the end and no tail is lost. The log of a run is that of its tasks
 * in order, each under a heading; a task's part begins only when those before it have ended, so an
 * offset keeps its meaning while the run goes on.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/web/api_parts.h"
#include "common/base/fsutil.h"
#include "common/base/id.h"

enum { CHUNK = 256 * 1024 };

/* A window over several pieces: bytes [offset, offset + CHUNK) of all that was offered to it. */
struct window {
	struct buf *out;
	int64_t offset, pos;		/* pos: length of what was offered so far */
};

static void offer_bytes(struct window *w, const char *p, size_t n)
{
	int64_t skip = w->offset - w->pos;

	w->pos += (int64_t)n;
	if (skip < 0)
		skip = 0;
	if (skip >= (int64_t)n || w->out->len >= CHUNK)
		return;
	n -= (size_t)skip;
	if (n > CHUNK - w->out->len)
		n = CHUNK - w->out->len;
	buf_add(w->out, p + skip, n);
}

/* The file's part of the window. A file that is not there is empty. */
static int offer_file(struct window *w, const char *path, struct ps_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc = 0;
	int64_t skip = w->offset > w->pos ? w->offset - w->pos : 0;
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : ps_err_errno(err, "cannot open the log '%s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return ps_err_set(err, PS_EIO, "the log '%s' is no regular file", path);
	}
	w->pos += st.st_size;
	while (skip < st.st_size && w->out->len < CHUNK) {
		size_t want = CHUNK - w->out->len;
		ssize_t n = pread(fd, buf_room(w->out, want), want, skip);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = ps_err_errno(err, "cannot read the log '%s'", path);
		if (n <= 0)
			break;
		buf_grew(w->out, (size_t)n);
		skip += n;
	}
	close(fd);
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

	if (!key || strchr(key, '/') || key[0] == '.')
		return ps_err_set(err, PS_EINVAL, "this task has no name that a file could have");
	path = xasprintf("%s/%s.log", r->logs, key);
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
	bool found = false, before_ended = true;
	int rc = 0;

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

static int read_log(struct store_tx *tx, struct request *r, bool is_build, struct ps_err *err)
{
	struct window w = { .out = &r->bytes, .offset = r->offset };
	json_t *row = NULL;
	bool over = false;
	int rc = is_build ? view_build(tx, &r->ask, &row, err) : view_run(tx, &r->ask, &row, err);

	if (rc == 0)
		rc = offer_all(&w, r, row, is_build, &over, err);
	if (rc == 0 && w.pos < r->offset) {	/* a new attempt writes the log anew */
		buf_reset(&r->bytes);
		w = (struct window) { .out = &r->bytes };
		r->offset = 0;
		rc = offer_all(&w, r, row, is_build, &over, err);
	}
	r->next = r->offset + (int64_t)r->bytes.len;
	r->ended = over && r->next >= w.pos;
	json_decref(row);
	return rc;
}

static int read_build(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return read_log(tx, arg, true, err);
}

static int read_run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return read_log(tx, arg, false, err);
}

static void log_done(void *arg, int rc, const struct ps_err *err)
{
	struct request *r = arg;
	char next[24];

	if (rc < 0) {
		request_fail(r, rc, ps_err_msg(err, rc), NULL);
		return;
	}
	snprintf(next, sizeof(next), "%lld", (long long)r->next);
	http_set(r->call, "Penstock-Next", next);
	http_set(r->call, "Penstock-Ended", r->ended ? "1" : "0");
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

void log_run(struct request *r)
{
	int64_t n;

	if (id_parse(r->id, 'x', &n))
		r->logs = ps_paths_run_logs(r->core->paths, n);
	store_read(r->core->store, read_run, log_done, r);
}
