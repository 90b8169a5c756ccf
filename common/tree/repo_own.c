/* repo_own – what penstock writes into a repository: refs below refs/penstock/, and its id. */
#include "config.h"

#include "common/tree/repo_git.h"

#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/failpoint.h"

static const char ours[] = "refs/penstock/";
static const char keep[] = "refs/penstock/keep/";

enum { OLD_LOCK_S = 60 };

bool repo_is_own_ref(const char *name)
{
	return ps_starts(name, ours);
}

/*
 * A process of ours that was killed in the middle leaves its lock, and nobody else ever locks these
 * refs. What was made by a holder lasts milliseconds, so an old one is nobody's.
 */
static bool dropped_old_lock(struct repo *r, const char *name)
{
	char *lock = xasprintf("%s%s.lock", r->dir, name);
	struct stat st;
	bool old = lstat(lock, &st) == 0 && st.st_mtime + OLD_LOCK_S < clock_wall_ms() / 1000;
	bool dropped = old && unlink(lock) == 0;

	free(lock);
	return dropped;
}

int repo_keep(struct repo *r, const char *oid, struct ps_err *err)
{
	char *ref = xasprintf("%s%s", keep, oid);
	int rc;

	if (!digest_is_hex(oid, r->digits)) {
		rc = ps_err_set(err, PS_EINVAL, "'%.70s' is not an object name", oid);
	} else if (FAIL_AT("repo.keep")) {
		rc = ps_err_errno(err, "cannot keep %.12s", oid);
	} else {
		rc = r->ops->keep(r, ref, oid, err);
		if (rc == PS_EBUSY && dropped_old_lock(r, ref))
			rc = r->ops->keep(r, ref, oid, err);
	}
	free(ref);
	return rc;
}

int repo_unkeep(struct repo *r, const char *oid, struct ps_err *err)
{
	char *ref = xasprintf("%s%s", keep, oid);
	int rc;

	if (!digest_is_hex(oid, r->digits)) {
		rc = ps_err_set(err, PS_EINVAL, "'%.70s' is not an object name", oid);
	} else if (FAIL_AT("repo.unkeep")) {
		rc = ps_err_errno(err, "cannot let go of %.12s", oid);
	} else {
		rc = r->ops->unkeep(r, ref, err);
		if (rc == PS_EBUSY && dropped_old_lock(r, ref))
			rc = r->ops->unkeep(r, ref, err);
	}
	free(ref);
	return rc;
}

static int read_id(git_config *cfg, char id[REPO_ID])
{
	git_config *now = NULL;
	git_buf b = { 0 };
	int rc = git_config_snapshot(&now, cfg);	/* reads the file again */

	if (rc == 0)
		rc = git_config_get_string_buf(&b, now, "penstock.id");
	if (rc == 0 && !digest_is_hex(b.ptr, REPO_ID - 1))
		rc = GIT_EINVALID;
	if (rc == 0)
		memcpy(id, b.ptr, REPO_ID);
	git_buf_dispose(&b);
	git_config_free(now);
	return rc;
}

/* The config file is locked while we look again and write, so two that try get the same id. */
static int make_id(git_config *cfg, char id[REPO_ID])
{
	git_transaction *tx = NULL;
	char fresh[REPO_ID];
	int rc = git_config_lock(&tx, cfg);

	if (rc == 0 && (rc = read_id(cfg, id)) == GIT_ENOTFOUND) {
		random_hex(fresh, (REPO_ID - 1) / 2);
		rc = git_config_set_string(cfg, "penstock.id", fresh);
		if (rc == 0)
			rc = git_transaction_commit(tx);
		if (rc == 0)
			memcpy(id, fresh, REPO_ID);
	}
	git_transaction_free(tx);
	return rc;
}

int repo_id(struct repo *r, bool create, char id[REPO_ID], struct ps_err *err)
{
	char *path = xasprintf("%sconfig", r->dir);
	git_config *cfg;
	int rc = repo_config(r, &cfg);

	if (rc == 0)
		rc = read_id(cfg, id);
	if (rc == GIT_ENOTFOUND && !create) {
		rc = ps_err_set(err, PS_ENOENT, "the repository has no penstock.id yet");
	} else if (rc == GIT_ENOTFOUND && FAIL_AT("repo.id")) {
		rc = ps_err_errno(err, "cannot write penstock.id");
	} else {
		if (rc == GIT_ENOTFOUND)
			rc = make_id(cfg, id);
		if (rc == GIT_ELOCKED)		/* somebody else is making it now */
			rc = ps_err_set(err, PS_EBUSY,
					"'%s' is locked by another process; when none is at "
					"work there, remove '%s.lock'", path, path);
		else if (rc == GIT_EINVALID)
			rc = ps_err_set(err, PS_EINVAL,
					"penstock.id in '%s' is not 32 hex digits; remove the "
					"line and penstock makes a new one", path);
		else if (rc < 0)
			rc = repo_git_err(err, rc, "cannot read or write penstock.id in '%s'",
					  path);
	}
	free(path);
	return rc;
}
