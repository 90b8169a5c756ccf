/* backup – see backup.h. SQLite's own online copy, from the reader's snapshot. */
#include "config.h"

#include "agent/store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/store/sql.h"
#include "agent/store/tx.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"

static int refused(sqlite3 *db, const char *what, struct ps_err *err)
{
	return ps_err_set(err, PS_ESTORE, "cannot %s: %s", what, db ? sqlite3_errmsg(db) : "out of memory");
}

static int copy_pages(sqlite3 *to, struct store_tx *from, struct ps_err *err)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from->db, "main");
	int rc;

	if (!b)
		return refused(to, "begin the copy", err);
	rc = sqlite3_backup_step(b, -1);
	if (sqlite3_backup_finish(b) != SQLITE_OK || rc != SQLITE_DONE)
		return refused(to, "copy the store", err);
	return 0;
}

static int first_is_ok(void *arg, int n, char **values, char **names)
{
	(void)names;
	*(bool *)arg = n > 0 && values[0] && strcmp(values[0], "ok") == 0;
	return 0;
}

/* One file, checked, and it says what it is. The text has no quote. */
static int finish_copy(sqlite3 *to, struct ps_err *err)
{
	char now[CLOCK_TEXT], *sql;
	bool ok = false;
	int rc = 0;

	sql = xasprintf("PRAGMA journal_mode = DELETE; INSERT INTO meta (name, value) VALUES ('restored',"
			" 'the store is the backup of %s') ON CONFLICT (name) DO UPDATE SET"
			" value = excluded.value", clock_text(now, clock_wall_ms()));
	if (sqlite3_exec(to, sql, NULL, NULL, NULL) != SQLITE_OK)
		rc = refused(to, "mark the copy", err);
	else if (sqlite3_exec(to, "PRAGMA quick_check(1)", first_is_ok, &ok, NULL) != SQLITE_OK || !ok)
		rc = ps_err_set(err, PS_ESTORE, "the copy is damaged, so the store is: restore an older backup");
	free(sql);
	return rc;
}

static int fill(struct store_tx *tx, const char *path, struct ps_err *err)
{
	sqlite3 *to = NULL;
	int rc = sqlite3_open_v2(path, &to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK ?
		 copy_pages(to, tx, err) : refused(to, "open the copy", err);

	if (rc == 0)
		rc = finish_copy(to, err);
	if (sqlite3_close(to) != SQLITE_OK && rc == 0)
		rc = refused(to, "close the copy", err);
	return rc;
}

static int publish(int dfd, const char *tmp, const char *name, int fd, int64_t *bytes, struct ps_err *err)
{
	struct stat st;
	int rc = fs_publish(dfd, tmp, name, fd, err);

	if (rc == 0 && fstat(fd, &st) < 0)
		rc = ps_err_errno(err, "cannot look at the copy");
	*bytes = rc == 0 ? st.st_size : 0;
	return rc;
}

/* With roles that are users it is core's account that writes, not who asked. */
static int cannot_write(const char *dir, struct ps_err *err)
{
	struct passwd pw, *found = NULL;
	char room[4096], number[24];
	const char *user = number;
	int no = errno;

	if (no != EACCES && no != EPERM)
		return ps_err_errno(err, "the agent cannot write into '%s'", dir);
	snprintf(number, sizeof(number), "%u", (unsigned)geteuid());
	if (getpwuid_r(geteuid(), &pw, room, sizeof(room), &found) == 0 && found)
		user = pw.pw_name;
	return ps_err_set(err, PS_EIO, "the agent writes the backup as '%s', which may not write into '%s'; give it "
			  "a folder of its own there and name that: install -d -o %s -m 0700 %s/penstock",
			  user, dir, user, dir);
}

int store_backup(struct store_tx *tx, const char *path, int64_t *bytes, struct ps_err *err)
{
	char *dir = xstrdup(path), *name = strrchr(dir, '/'), tmp[64], *full = NULL;
	int dfd = -1, fd = -1, rc = 0;

	if (!name || name == dir || !name[1])
		rc = ps_err_set(err, PS_EINVAL, "'%s' is no absolute path of a file", path);
	else if (fs_exists(path))
		rc = ps_err_set(err, PS_EEXIST, "'%s' is there already: nothing is overwritten", path);
	if (rc < 0)
		goto out;
	*name++ = '\0';
	fs_tmp_name(tmp, sizeof(tmp));
	full = fs_join(dir, tmp);
	dfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dfd >= 0)
		fd = openat(dfd, tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		rc = cannot_write(dir, err);
		goto out;
	}
	rc = fill(tx, full, err);
	if (rc == 0)
		rc = publish(dfd, tmp, name, fd, bytes, err);
	if (rc < 0)
		unlinkat(dfd, tmp, 0);		/* may be renamed already: then there is none */
out:
	if (fd >= 0)
		close(fd);
	if (dfd >= 0)
		close(dfd);
	free(full);
	free(dir);
	return rc;
}
