/*
 * audit_head – where the audit ends, in a file beside the store: audit.head. For store.c, and
 * audit_check.c, which reads it.
 *
 * A line "<number> <hash>" is appended after each commit that made audit rows durable, and at the
 * start when the last one is not there. So the file is behind by what a crash kept from being
 * written, never ahead: a line that the table does not have says that the end of the table was cut
 * off, that an older copy was put back, or that a row and all behind it were written anew. It begins
 * with "0 000…"; a file that was begun later says so in the audit.
 */
#ifndef PS_STORE_AUDIT_HEAD_H
#define PS_STORE_AUDIT_HEAD_H

#include "agent/store/store.h"
#include "common/base/buf.h"
#include "common/base/digest.h"

struct audit_head { int64_t number; char hash[DIGEST_HEX]; };

/* What meta says; number 0 and zeros: no row yet. */
int audit_head_get(struct store_tx *tx, struct audit_head *h, struct ps_err *err) PS_MUSTCHECK;
/* One line of the file; false: it is none. *next: where the one after it begins. */
bool audit_head_line(const char *line, const char **next, struct audit_head *h);

struct audit_file {
	char *path;		/* NULL: this store has none */
	struct audit_head last;	/* its last line */
	bool odd;		/* at the start the table did not have that */
};

/*
 * At the start, inside a transaction that will be synced: reads the file, takes off what a crash left
 * half-written, begins one that is missing. restored: why the store is a copy (NULL: it is not). What
 * the file has and the table does not is then said in the audit, with the file's last line, so that
 * audit_check() can tell a copy that was put back openly from one that was not.
 */
int audit_file_open(struct audit_file *f, struct store_tx *tx, const char *path, const char *restored,
		    struct ps_err *err) PS_MUSTCHECK;
/* After a synced commit. A failure is logged: then the file stays behind, until the next one. */
void audit_file_write(struct audit_file *f, struct store_tx *tx);
void audit_file_close(struct audit_file *f);

#endif
