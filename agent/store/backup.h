/*
 * backup – a copy of the store as it is at one moment, while it is in use.
 */
#ifndef PS_STORE_BACKUP_H
#define PS_STORE_BACKUP_H

#include "agent/store/store.h"

/*
 * A run function's work, for store_read(): copies what this reader sees to the file `path`, which
 * must not be there, whole and synced, mode 0600. It is one file with no log beside it, checked, and
 * says of itself that whatever starts from it is in recovery. *bytes: its size. PS_EEXIST.
 */
int store_backup(struct store_tx *tx, const char *path, int64_t *bytes, struct ps_err *err) PS_MUSTCHECK;

#endif
