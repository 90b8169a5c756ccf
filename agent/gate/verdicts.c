/* verdicts – see verdicts.h. */
#include "config.h"

#include "agent/gate/verdicts.h"

#include <errno.h>
#include <lmdb.h>
#include <unistd.h>

#include "common/base/failpoint.h"
#include "common/base/fsutil.h"

struct verdicts {
	MDB_env *env;
	MDB_dbi db;
};

/* Some of its codes are those of errno. */
static int fail(struct ps_err *err, int code, const char *what, const char *dir)
{
	return ps_err_set(err, PS_EIO, "cannot %s the verdicts in '%s': %s", what, dir,
			  mdb_strerror(code));
}

static int open_db(struct verdicts *v)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);

	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, NULL, 0, &v->db);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* An LMDB code, 0 for success. NOMETASYNC: the last write may be lost with the power, no older one
 * and not the file. */
static int try_open(struct verdicts *v, const char *dir)
{
	int dead, rc = mdb_env_create(&v->env);

	if (rc)
		return rc;
	rc = mdb_env_set_mapsize(v->env, VERDICTS_MAX);
	if (!rc)
		rc = mdb_env_open(v->env, dir, MDB_NOMETASYNC | MDB_NOTLS, 0600);
	if (!rc)
		rc = mdb_reader_check(v->env, &dead);	/* of workers that were killed */
	if (!rc)
		rc = open_db(v);
	if (rc) {
		mdb_env_close(v->env);
		v->env = NULL;
	}
	return rc;
}

static bool is_no_such_file(int code)
{
	return code == MDB_INVALID || code == MDB_CORRUPTED || code == MDB_VERSION_MISMATCH ||
		code == MDB_PAGE_NOTFOUND || code == MDB_PANIC;
}

static void remove_files(const char *dir)
{
	static const char *const names[] = { "data.mdb", "lock.mdb" };

	for (size_t i = 0; i < PS_NELEM(names); i++) {
		char *path = fs_join(dir, names[i]);

		unlink(path);		/* what stays is told by the next try */
		free(path);
	}
}

int verdicts_open(struct verdicts **out, const char *dir, struct ps_err *err)
{
	struct verdicts *v = xcalloc(1, sizeof(*v));
	int rc = try_open(v, dir);

	if (is_no_such_file(rc)) {
		remove_files(dir);
		rc = try_open(v, dir);
	}
	if (rc) {
		free(v);
		return fail(err, rc, "open", dir);
	}
	*out = v;
	return 0;
}

bool verdicts_get(void *arg, const struct memo_key *k, struct buf *out)
{
	struct verdicts *v = arg;
	MDB_val key = { sizeof(k->b), (void *)(uintptr_t)k->b }, value;
	MDB_txn *txn;
	bool found;

	if (mdb_txn_begin(v->env, NULL, MDB_RDONLY, &txn))
		return false;		/* absent is always an answer */
	found = mdb_get(txn, v->db, &key, &value) == 0;
	if (found)
		buf_add(out, value.mv_data, value.mv_size);
	mdb_txn_abort(txn);
	return found;
}

struct writing { MDB_txn *txn; MDB_dbi db; int rc; size_t n; };

static void put(void *arg, const struct memo_key *k, const struct buf *value)
{
	struct writing *w = arg;
	MDB_val key = { sizeof(k->b), (void *)(uintptr_t)k->b },
		val = { value->len, (void *)(uintptr_t)buf_str(value) };

	w->n++;
	if (!w->rc)
		w->rc = mdb_put(w->txn, w->db, &key, &val, 0);
}

/* Full: what is in it may be years old. */
static int empty(struct verdicts *v)
{
	MDB_txn *txn;
	int rc = mdb_txn_begin(v->env, NULL, 0, &txn);

	if (rc)
		return rc;
	rc = mdb_drop(txn, v->db, 0);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

int verdicts_put(struct verdicts *v, struct memo *m, struct ps_err *err)
{
	struct writing w = { .db = v->db };
	const char *dir = "";
	int rc = mdb_env_get_path(v->env, &dir);

	if (!rc)
		rc = mdb_txn_begin(v->env, NULL, 0, &w.txn);
	if (rc)
		return fail(err, rc, "write", dir);
	memo_take_new(m, put, &w);
	if (w.rc || !w.n) {
		mdb_txn_abort(w.txn);
		rc = w.rc;
	} else if (FAIL_AT("gate.verdicts")) {
		mdb_txn_abort(w.txn);
		rc = errno;
	} else {
		rc = mdb_txn_commit(w.txn);
	}
	if (rc == MDB_MAP_FULL)
		rc = empty(v);
	return rc ? fail(err, rc, "write", dir) : 0;
}

void verdicts_close(struct verdicts *v)
{
	if (!v)
		return;
	mdb_env_close(v->env);
	free(v);
}
