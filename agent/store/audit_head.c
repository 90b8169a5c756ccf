/* audit_head – see audit_head.h. */
#include "config.h"

#include "agent/store/audit_head.h"

#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "agent/store/audit.h"
#include "agent/store/sql.h"
#include "common/base/chain.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

enum { LINE_MAX_BYTES = 96 };		/* 19 digits, a blank, 64 digits, a newline: 85 */

int audit_head_get(struct store_tx *tx, struct audit_head *h, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT value FROM meta WHERE name = 'audit_head'", "");
	int rc = sql_next(tx, q, err);

	*h = (struct audit_head) { .number = 0 };
	memcpy(h->hash, chain_start, sizeof(h->hash));
	if (rc > 0 && sscanf(sql_text(q, 0), "%" SCNd64 " %64[0-9a-f]", &h->number, h->hash) != 2)
		rc = ps_err_set(err, PS_ESTORE, "the store does not say where its audit ends");
	sql_done(q);
	return rc < 0 ? rc : 0;
}

bool audit_head_line(const char *line, const char **next, struct audit_head *h)
{
	const char *end = strchr(line, '\n');
	char *behind;

	if (!end || *line < '0' || *line > '9')
		return false;
	h->number = strtoll(line, &behind, 10);
	if (*behind != ' ' || end - behind != DIGEST_HEX)
		return false;
	snprintf(h->hash, sizeof(h->hash), "%.64s", behind + 1);
	*next = end + 1;
	return digest_is_hex(h->hash, DIGEST_HEX - 1);
}

/* The last whole line of an open file into *h, number -1 when there is none; cuts off what follows. */
static int read_last(int fd, const char *path, struct audit_head *h, struct ps_err *err)
{
	char room[2 * LINE_MAX_BYTES + 1] = "", *at;
	off_t size = lseek(fd, 0, SEEK_END), from = size > 2 * LINE_MAX_BYTES ? size - 2 * LINE_MAX_BYTES : 0;
	ssize_t n = size < 0 ? -1 : pread(fd, room, sizeof(room) - 1, from);
	const char *next;

	*h = (struct audit_head) { .number = -1 };
	if (n < 0)
		return ps_err_errno(err, "cannot read '%s'", path);
	room[n] = '\0';
	at = strrchr(room, '\n');
	if (size && (!at || at[1]) && ftruncate(fd, at ? from + (at + 1 - room) : 0) < 0)
		return ps_err_errno(err, "cannot take off what a crash left at the end of '%s'", path);
	if (!at)
		return 0;
	at[1] = '\0';
	while (at > room && at[-1] != '\n')
		at--;
	if (!audit_head_line(at, &next, h))
		h->number = -1;
	return 0;
}

static int append(const char *path, bool begins, const struct audit_head *h, struct ps_err *err)
{
	char line[LINE_MAX_BYTES];
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (begins ? O_CREAT | O_TRUNC : 0), 0600);
	int n = snprintf(line, sizeof(line), "%" PRId64 " %s\n", h->number, h->hash), rc;

	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", path);
	rc = FAIL_AT("audit.head") ? ps_err_errno(err, "cannot write '%s'", path) :
				     fs_write_all(fd, line, (size_t)n, err);
	close(fd);
	return rc;
}

static int table_has(struct store_tx *tx, const struct audit_head *h, bool *has, struct ps_err *err)
{
	sqlite3_stmt *q = sql_query(tx, err, "SELECT 1 FROM audit WHERE number = ? AND hash = ?", "it", h->number,
				    h->hash);
	int rc = sql_next(tx, q, err);

	*has = rc > 0 || h->number == 0;
	sql_done(q);
	return rc < 0 ? rc : 0;
}

/* Before the audit says anything: the table's own end is what the new file begins with. */
static int begin(struct audit_file *f, struct store_tx *tx, struct ps_err *err)
{
	int rc = audit_head_get(tx, &f->last, err);

	if (rc == 0)
		rc = append(f->path, true, &f->last, err);
	if (rc == 0 && f->last.number)
		rc = audit_put(tx, &(struct audit) { .who = AUDIT_CORE, .what = "audit", .thing = "audit.head",
			       .why = "the file audit.head was not there or is damaged, and was begun anew" }, err);
	return rc;
}

static int tell_restored(struct audit_file *f, struct store_tx *tx, const char *why, struct ps_err *err)
{
	char *details = xasprintf("{\"audit_head\":\"%" PRId64 " %s\"}", f->last.number, f->last.hash);
	int rc = audit_put(tx, &(struct audit) { .who = AUDIT_CORE, .what = "recovery", .why = why,
						 .details = details }, err);

	free(details);
	return rc;
}

int audit_file_open(struct audit_file *f, struct store_tx *tx, const char *path, const char *restored,
		    struct ps_err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW), rc;
	bool has = true;

	f->path = xstrdup(path);
	f->last.number = -1;
	if (fd < 0 && access(path, F_OK) == 0)
		return ps_err_errno(err, "cannot open '%s'", path);
	rc = fd < 0 ? 0 : read_last(fd, path, &f->last, err);
	if (fd >= 0)
		close(fd);
	if (rc == 0 && f->last.number < 0)
		rc = begin(f, tx, err);
	if (rc == 0)
		rc = table_has(tx, &f->last, &has, err);
	if (rc == 0 && restored)
		rc = tell_restored(f, tx, restored, err);
	f->odd = rc == 0 && !restored && !has;
	if (f->odd)
		log_error("audit", NULL, "the file audit.head has entry %" PRId64 " and the store does not, or "
			  "another one; next: penstock audit verify", f->last.number);
	return rc;
}

void audit_file_write(struct audit_file *f, struct store_tx *tx)
{
	struct audit_head now;
	struct ps_err err = { 0 };
	int rc = f->path ? audit_head_get(tx, &now, &err) : 0;

	if (!f->path || (rc == 0 && (now.number == 0 || strcmp(now.hash, f->last.hash) == 0)))
		return;
	if (rc == 0)
		rc = append(f->path, false, &now, &err);
	if (rc == 0)
		f->last = now;
	else
		log_warn("audit", NULL, "that the end of the audit is cut off may not be noticed: %s",
			 ps_err_msg(&err, rc));
}

void audit_file_close(struct audit_file *f)
{
	PS_FREE(f->path);
}
