/*
 * reserve – a file that holds room on the disk for the moment when there is none.
 *
 * When a write of the store finds the disk full, the file goes and what hooks say next can be kept:
 * a report in the store or in the spool. It is made again when there is room for twice its size.
 */
#ifndef PS_STORE_RESERVE_H
#define PS_STORE_RESERVE_H

#include "agent/store/store.h"

/* Makes the file with this many bytes that are really there, unless it is. PS_EBUSY: no room yet.
 * It may take as long as the disk takes. */
int reserve_make(const char *path, int64_t size, struct ps_err *err) PS_MUSTCHECK;
bool reserve_is_made(const char *path, int64_t size);
/* How many bytes were given back: 0 when there was none. */
int64_t reserve_free(const char *path);
/* Of what is asked for, as much as fits a disk of this size: a 16th. */
int64_t reserve_size(int64_t wanted, int64_t disk);

#endif
