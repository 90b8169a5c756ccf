/* store – the two threads, the batch that becomes one commit, and the way back to the loop. What the
 * statements say is in the files of the nouns; see store.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "agent/store/audit_head.h"
#include "agent/store/recovery.h"
#include "agent/store/reserve.h"
#include "agent/store/seal.h"
#include "agent/store/sql.h"
#include "agent/store/tx.h"
#include "common/base/buf.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"

enum {
	BATCH_MAX = 512,	/* operations of one commit: bounds how long the first of them waits */
	BUSY_MS = 5000,		/* somebody looks at the file with another program */
};

struct op {
	store_run_fn *run;
	store_done_fn *done;
	void *arg;
	enum store_sync sync;
	int rc;
	struct ps_err err;
	struct op *next;
};

struct op_list { struct op *first, **last; size_t n; };

struct lane {			/* a thread, its connection, its queue */
	struct store *st;
	struct store_tx tx;
	pthread_t thread;
	bool started;
	pthread_cond_t more;
	struct op_list queue;	/* under st->lock */
};

struct store {
	pthread_mutex_t lock;
	bool closing;
	struct op_list finished;	/* for store_poll() */
	store_wake_fn *wake;
	void *wake_arg;
	struct lane writer, reader;
	int sync_now;			/* PRAGMA synchronous of the writer; the writer's own */
	size_t batch_max;
	struct seal seal;		/* the writer's own, and so is: */
	struct audit_file audit;
	char *path, *reserve;		/* of the database; of the file beside it */
	int64_t reserve_want;		/* written by the loop while none is asked for */
	bool reserve_asked;		/* one is on its way; the loop's */
};

static void list_init(struct op_list *l)
{
	*l = (struct op_list) { .first = NULL };
	l->last = &l->first;
}

static void list_add(struct op_list *l, struct op *op)
{
	op->next = NULL;
	*l->last = op;
	l->last = &op->next;
	l->n++;
}

static struct op *list_take(struct op_list *l)
{
	struct op *op = l->first;

	if (op) {
		l->first = op->next;
		l->n--;
		if (!l->first)
			l->last = &l->first;
	}
	return op;
}

/* PRAGMA synchronous does not change inside a transaction, so it is set before BEGIN. */
static int set_sync(struct store *st, enum store_sync want, struct ps_err *err)
{
	int rc;

	if (st->sync_now == (int)want)
		return 0;
	rc = tx_exec(&st->writer.tx, want == STORE_FULL ? "PRAGMA synchronous = FULL" :
		     "PRAGMA synchronous = NORMAL", err);
	st->sync_now = rc == 0 ? (int)want : -1;
	return rc;
}

/* One operation inside its savepoint. Negative: the whole transaction is lost. */
static int run_one(struct store_tx *tx, struct op *op, struct ps_err *err)
{
	int rc = tx_step(tx, "SAVEPOINT op", err);

	if (rc < 0)
		return rc;
	op->rc = op->run(tx, op->arg, &op->err);
	tx_release_all(tx);
	if (sqlite3_get_autocommit(tx->db))	/* disk full and the like: SQLite has rolled back all */
		return ps_err_set(err, PS_ESTORE, "the batch was rolled back: %s",
				  ps_err_msg(&op->err, op->rc));
	if (op->rc < 0)
		rc = tx_step(tx, "ROLLBACK TO op", err);
	return rc < 0 ? rc : tx_step(tx, "RELEASE op", err);
}

static int commit(struct store_tx *tx, struct ps_err *err)
{
	int rc;

	if (FAIL_AT("store.commit"))
		return ps_err_errno(err, "cannot commit to the store");
	rc = tx_step(tx, "COMMIT", err);
	if (rc == 0 && FAIL_AT("store.committed"))
		log_warn("store", NULL, "failpoint after a commit: nothing is left to fail");
	return rc;
}

/* The seal rises with a batch that is synced anyway; *raised: it is in there. */
static int raise_seal(struct store *st, enum store_sync sync, int before, bool *raised, struct ps_err *err)
{
	int rc = 0;

	if (sqlite3_total_changes(st->writer.tx.db) != before)
		st->seal.dirty = true;
	*raised = sync == STORE_FULL && seal_due(&st->seal) == 0;
	if (*raised)
		rc = seal_raise(&st->seal, &st->writer.tx, err);
	return rc;
}

/* The disk is full: the reserve goes, and so does the log as far as it is in the database. */
static void make_room(struct store *st)
{
	struct ps_err err = { 0 };
	int64_t freed = reserve_free(st->reserve);

	st->writer.tx.full = false;
	if (freed)
		log_warn("store", NULL, "the disk is full: the reserve of %lld bytes was freed for what "
			 "hooks say", (long long)freed);
	if (tx_exec(&st->writer.tx, "PRAGMA wal_checkpoint(TRUNCATE)", &err) < 0)
		log_debug("store", NULL, "the log stays: %s", err.msg);
	st->writer.tx.full = false;
}

/* Only what is durable: the file must never be ahead. */
static void write_audit_head(struct store *st)
{
	if (st->writer.tx.audited)
		audit_file_write(&st->audit, &st->writer.tx);
	st->writer.tx.audited = false;
}

/* What is left to do behind a commit: in files beside the store, and nobody waits for it. */
struct behind { bool raised, synced; };

static void write_behind(struct store *st, const struct behind *b)
{
	if (b->raised)
		seal_write(&st->seal);
	if (b->synced)
		write_audit_head(st);
}

/* An empty one is for the seal alone. */
static void write_batch(struct store *st, struct op_list *batch, struct behind *behind)
{
	struct store_tx *tx = &st->writer.tx;
	enum store_sync sync = batch->n ? STORE_NORMAL : STORE_FULL;
	int before = sqlite3_total_changes(tx->db);
	struct ps_err err = { 0 };
	bool raised = false;
	int rc;

	for (struct op *op = batch->first; op; op = op->next)
		if (op->sync == STORE_FULL)
			sync = STORE_FULL;
	rc = set_sync(st, sync, &err);
	if (rc == 0)
		rc = tx_step(tx, "BEGIN IMMEDIATE", &err);
	for (struct op *op = batch->first; rc == 0 && op; op = op->next)
		rc = run_one(tx, op, &err);
	if (rc == 0)
		rc = raise_seal(st, sync, before, &raised, &err);
	if (rc == 0)
		rc = commit(tx, &err);
	*behind = (struct behind) { rc == 0 && raised, rc == 0 && sync == STORE_FULL };
	if (rc == 0 && tx->full)		/* one of them failed by it, alone */
		make_room(st);
	if (rc == 0)
		return;
	if (!sqlite3_get_autocommit(tx->db) && sqlite3_exec(tx->db, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		log_error("store", NULL, "cannot roll back: %s", sqlite3_errmsg(tx->db));
	log_error("store", NULL, "a batch of %zu was not kept: %s", batch->n, ps_err_msg(&err, rc));
	seal_failed(&st->seal);
	for (struct op *op = batch->first; op; op = op->next) {
		if (op->rc < 0)
			continue;		/* it failed by itself and keeps its own reason */
		op->rc = rc;
		op->err = err;
	}
	if (tx->full)
		make_room(st);
}

/* A snapshot of its own for each reader: what it sees is of one moment. */
static void read_batch(struct lane *l, struct op_list *batch)
{
	for (struct op *op = batch->first; op; op = op->next) {
		op->rc = tx_step(&l->tx, "BEGIN", &op->err);
		if (op->rc < 0)
			continue;
		op->rc = op->run(&l->tx, op->arg, &op->err);
		tx_release_all(&l->tx);
		if (sqlite3_exec(l->tx.db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
			log_error("store", NULL, "cannot end a read: %s", sqlite3_errmsg(l->tx.db));
	}
}

/* Until there is more or, with ms >= 0, that time is over: then false. */
static bool wait_more(struct lane *l, int64_t ms)
{
	struct timespec until;

	if (ms < 0)
		return pthread_cond_wait(&l->more, &l->st->lock) == 0;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (ms + 999) / 1000;
	return pthread_cond_timedwait(&l->more, &l->st->lock, &until) == 0;
}

/* Waits for work; false when the store closes and nothing is queued any more. With a seal that has to
 * rise the batch may be empty. */
static bool next_batch(struct lane *l, struct op_list *batch, size_t max, const struct seal *seal)
{
	struct store *st = l->st;
	bool due = false;

	list_init(batch);
	pthread_mutex_lock(&st->lock);
	while (!l->queue.first && !st->closing && !due) {
		int64_t ms = seal ? seal_due(seal) : -1;

		due = ms == 0 || !wait_more(l, ms);
	}
	while (batch->n < max && l->queue.first)
		list_add(batch, list_take(&l->queue));
	pthread_mutex_unlock(&st->lock);
	return batch->n > 0 || due;
}

static void give_back(struct store *st, struct op_list *batch)
{
	struct op *op;

	pthread_mutex_lock(&st->lock);
	while ((op = list_take(batch)))
		list_add(&st->finished, op);
	pthread_mutex_unlock(&st->lock);
	if (st->wake)
		st->wake(st->wake_arg);
}

static void *writer_run(void *arg)
{
	struct lane *l = arg;
	struct op_list batch;
	struct behind behind;

	tx_enter(&l->tx);
	while (next_batch(l, &batch, l->st->batch_max, &l->st->seal)) {
		write_batch(l->st, &batch, &behind);
		if (batch.n)
			give_back(l->st, &batch);
		write_behind(l->st, &behind);
	}
	if (seal_due(&l->st->seal) >= 0) {
		l->st->seal.raised_ns = 0;	/* now, however young the last one is */
		write_batch(l->st, &batch, &behind);
		write_behind(l->st, &behind);
	}
	return NULL;
}

static void *reader_run(void *arg)
{
	struct lane *l = arg;
	struct op_list batch;

	tx_enter(&l->tx);
	while (next_batch(l, &batch, 1, NULL)) {
		read_batch(l, &batch);
		give_back(l->st, &batch);
	}
	return NULL;
}

static void enqueue(struct store *st, struct lane *l, struct op op)
{
	struct op *mine = xmemdup(&op, sizeof(op));

	pthread_mutex_lock(&st->lock);
	if (st->closing) {
		mine->rc = ps_err_set(&mine->err, PS_ESTORE, "the store is closing");
		list_add(&st->finished, mine);
	} else {
		list_add(&l->queue, mine);
		pthread_cond_signal(&l->more);
	}
	pthread_mutex_unlock(&st->lock);
}

void store_write(struct store *st, enum store_sync sync, store_run_fn *run, store_done_fn *done, void *arg)
{
	enqueue(st, &st->writer, (struct op) { .run = run, .done = done, .arg = arg, .sync = sync });
}

void store_read(struct store *st, store_run_fn *run, store_done_fn *done, void *arg)
{
	enqueue(st, &st->reader, (struct op) { .run = run, .done = done, .arg = arg });
}

size_t store_poll(struct store *st)
{
	struct op_list due;
	struct op *op;
	size_t n = 0;

	list_init(&due);
	pthread_mutex_lock(&st->lock);
	while ((op = list_take(&st->finished)))
		list_add(&due, op);
	pthread_mutex_unlock(&st->lock);
	while ((op = list_take(&due))) {	/* a done may queue more: that is for the next poll */
		if (op->done)
			op->done(op->arg, op->rc, &op->err);
		free(op);
		n++;
	}
	return n;
}

static int run_reserve(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct store *st = arg;

	(void)tx;
	return reserve_make(st->reserve, st->reserve_want, err);
}

static void reserve_done(void *arg, int rc, const struct ps_err *err)
{
	struct store *st = arg;

	st->reserve_asked = false;
	if (rc < 0 && rc != PS_EBUSY)
		log_warn("store", NULL, "%s", ps_err_msg(err, rc));
	else if (rc == 0)
		log_info("store", NULL, "a reserve of %lld bytes is kept for a full disk",
			 (long long)st->reserve_want);
}

void store_reserve(struct store *st, int64_t bytes)
{
	struct statvfs fs;

	if (st->reserve_asked || statvfs(st->path, &fs) < 0)
		return;
	st->reserve_want = reserve_size(bytes, (int64_t)(fs.f_blocks * fs.f_frsize));
	if (st->reserve_want <= 0) {
		reserve_free(st->reserve);
		return;
	}
	if (reserve_is_made(st->reserve, st->reserve_want))
		return;
	st->reserve_asked = true;
	store_write(st, STORE_NORMAL, run_reserve, reserve_done, st);
}

static int lane_connect(struct lane *l, const char *path, int flags, struct ps_err *err)
{
	int rc;

	if (sqlite3_open_v2(path, &l->tx.db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return ps_err_set(err, PS_ESTORE, "cannot open the store '%s': %s", path,
				  l->tx.db ? sqlite3_errmsg(l->tx.db) : "out of memory");
	sqlite3_busy_timeout(l->tx.db, BUSY_MS);
	rc = tx_exec(&l->tx, "PRAGMA foreign_keys = ON", err);
	if (rc == 0 && (flags & SQLITE_OPEN_READWRITE))
		rc = tx_exec(&l->tx, "PRAGMA journal_mode = WAL", err);
	return rc < 0 ? ps_err_prefix(err, "cannot use the store '%s'", path) : 0;
}

/* The file is core's alone, whatever the umask; SQLite gives the log beside it the same mode. */
static int make_private(const char *path, struct ps_err *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), rc = 0;

	if (fd < 0)
		return ps_err_errno(err, "cannot open the store '%s'", path);
	if (fchmod(fd, 0600) < 0)
		rc = ps_err_errno(err, "cannot keep the store '%s' from other users", path);
	close(fd);
	return rc;
}

/* Signals are the loop's business: these threads block them all. */
static int lane_start(struct lane *l, void *(*run)(void *), struct ps_err *err)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0)
		return ps_err_set(err, PS_ESTORE, "cannot start a thread of the store: %s", strerror(rc));
	l->started = true;
	return 0;
}

static void lane_init(struct lane *l, struct store *st)
{
	pthread_condattr_t monotonic;

	l->st = st;
	list_init(&l->queue);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

static void lane_end(struct lane *l)
{
	if (l->started)
		pthread_join(l->thread, NULL);
	tx_clear(&l->tx);
	pthread_cond_destroy(&l->more);
}

/* A backup says so itself; any other copy is told by its seal. */
static int find_restored(struct store_tx *tx, char **why, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT value FROM meta WHERE name = 'restored'", "");
	int rc = sql_next(tx, q, err);

	if (rc > 0) {
		free(*why);
		*why = xstrdup(sql_text(q, 0));
	}
	sql_done(q);
	return rc < 0 ? rc : 0;
}

/* Before any thread runs. What a copy must forget, it forgets in the transaction that seals it. */
static int open_seal(struct store *st, const char *file, const char *audit, char **why, struct ps_err *err)
{
	struct store_tx *tx = &st->writer.tx;
	int rc = seal_open(&st->seal, tx, file, why, err);

	if (rc == 0)
		rc = find_restored(tx, why, err);
	if (rc == 0)
		rc = set_sync(st, STORE_FULL, err);
	if (rc == 0)
		rc = tx_exec(tx, "BEGIN IMMEDIATE", err);
	if (rc < 0)
		return rc;
	if (*why)
		rc = recovery_enter(tx, *why, err);
	if (rc == 0)
		rc = audit_file_open(&st->audit, tx, audit, *why, err);
	if (rc == 0)
		rc = seal_raise(&st->seal, tx, err);
	tx_release_all(tx);
	if (rc == 0)
		rc = tx_exec(tx, "COMMIT", err);
	if (rc == 0) {
		seal_write(&st->seal);
		st->writer.tx.audited = true;	/* a crash may have kept the last from the file */
		write_audit_head(st);
	} else if (!sqlite3_get_autocommit(tx->db)) {
		sqlite3_exec(tx->db, "ROLLBACK", NULL, NULL, NULL);	/* the first error counts */
	}
	return rc;
}

/* A benchmark compares with one commit for each operation. */
static size_t batch_max(void)
{
	size_t n = BATCH_MAX;
#ifdef PENSTOCK_FAILPOINTS
	const char *given = getenv("PENSTOCK_STORE_BATCH");

	if (given && atoi(given) > 0)
		n = (size_t)atoi(given);
#endif
	return n;
}

static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	return xasprintf("%.*s%s", (int)(slash ? slash - path + 1 : 0), path, name);
}

int store_open(struct store **out, const char *path, store_wake_fn *wake, void *wake_arg,
	       struct ps_err *err)
{
	return store_open_sealed(out, path, NULL, wake, wake_arg, NULL, err);
}

int store_open_sealed(struct store **out, const char *path, const char *seal, store_wake_fn *wake,
		      void *wake_arg, char **restored, struct ps_err *err)
{
	struct store *st = xcalloc(1, sizeof(*st));
	char *audit = beside(path, "audit.head");
	int rc;

	pthread_mutex_init(&st->lock, NULL);
	list_init(&st->finished);
	lane_init(&st->writer, st);
	lane_init(&st->reader, st);
	st->wake = wake;
	st->wake_arg = wake_arg;
	st->path = xstrdup(path);
	st->reserve = beside(path, "reserve");
	st->sync_now = -1;
	st->batch_max = batch_max();
	tx_enter(&st->writer.tx);
	rc = make_private(path, err);
	if (rc == 0)
		rc = lane_connect(&st->writer, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
	if (rc == 0)
		rc = store_migrate(&st->writer.tx, path, err);
	if (rc == 0 && seal)
		rc = open_seal(st, seal, audit, restored, err);
	free(audit);
	if (rc == 0)
		rc = lane_connect(&st->reader, path, SQLITE_OPEN_READONLY, err);
	if (rc == 0)
		rc = lane_start(&st->writer, writer_run, err);
	if (rc == 0)
		rc = lane_start(&st->reader, reader_run, err);
	if (rc < 0) {
		store_close(st);
		return rc;
	}
	*out = st;
	return 0;
}

/* A copy has no log, and SQLite would make one to read it; immutable says not to. */
static char *uri_of(const char *path)
{
	struct buf b = BUF_INIT;
	char *log = xasprintf("%s-wal", path);
	bool alone = access(log, F_OK) < 0;

	buf_adds(&b, "file:");
	for (const char *at = path; *at; at++)
		buf_addf(&b, strchr("%?#", *at) ? "%%%02X" : "%c", *at);
	buf_adds(&b, alone ? "?immutable=1" : "");
	free(log);
	return buf_steal(&b);
}

bool store_audit_is_odd(const struct store *st)
{
	return st->audit.odd;
}

int store_look(const char *path, store_run_fn *run, void *arg, struct ps_err *err)
{
	struct lane l = { .st = NULL };
	char *uri = uri_of(path);
	int rc;

	tx_enter(&l.tx);
	rc = access(path, R_OK) < 0 ? ps_err_errno(err, "cannot read '%s'", path) :
				      lane_connect(&l, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
	if (rc == 0)
		rc = tx_exec(&l.tx, "BEGIN", err);
	if (rc == 0)
		rc = run(&l.tx, arg, err);
	tx_release_all(&l.tx);
	tx_clear(&l.tx);		/* and what was begun */
	free(uri);
	return rc;
}

void store_close(struct store *st)
{
	if (!st)
		return;
	pthread_mutex_lock(&st->lock);
	st->closing = true;
	pthread_cond_signal(&st->writer.more);
	pthread_cond_signal(&st->reader.more);
	pthread_mutex_unlock(&st->lock);
	lane_end(&st->reader);		/* before the writer: the last connection folds the WAL in */
	lane_end(&st->writer);
	while (store_poll(st))
		;
	seal_close(&st->seal);
	audit_file_close(&st->audit);
	free(st->path);
	free(st->reserve);
	pthread_mutex_destroy(&st->lock);
	free(st);
}
