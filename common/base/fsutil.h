/*
 * fsutil – files the way penstock wants them: bounded reads, whole writes, careful removal.
 *
 * Durable writing has one order and one place: temporary name, write, fsync, rename, fsync of the
 * folder. Temporary names begin with ".tmp-", so a cleaner can tell them at start.
 */
#ifndef PS_FSUTIL_H
#define PS_FSUTIL_H

#include <sys/stat.h>
#include <sys/types.h>

#include "common/base/err.h"

struct buf;

/* Appends the whole file to out. PS_ELIMIT when it is larger than max bytes, PS_ENOENT if
 * absent. */
int fs_read(struct buf *out, int dirfd, const char *path, size_t max,
	    struct ps_err *err) PS_MUSTCHECK;
int fs_read_fd(struct buf *out, int fd, size_t max, struct ps_err *err) PS_MUSTCHECK;
int fs_write_all(int fd, const void *p, size_t n, struct ps_err *err) PS_MUSTCHECK;

/*
 * fsync(fd), rename tmp → name in dirfd, fsync(dirfd). fd stays the caller's; after an error the
 * caller removes tmp. Failpoints fs.fsync, fs.rename, fs.fsyncdir.
 */
int fs_publish(int dirfd, const char *tmp, const char *name, int fd,
	       struct ps_err *err) PS_MUSTCHECK;
/* Writes name whole and durably (temporary file and fs_publish); replaces what was there. */
int fs_write_file(int dirfd, const char *name, const void *p, size_t n, mode_t mode,
		  struct ps_err *err) PS_MUSTCHECK;
/* A fresh temporary name of the form .tmp-<pid>-<random> into out (at least 32 bytes). */
void fs_tmp_name(char *out, size_t size);

int fs_mkdirs(const char *path, mode_t mode, struct ps_err *err) PS_MUSTCHECK;
/* Removes path and everything below, never following links or crossing into another file system. */
int fs_remove_tree(int dirfd, const char *path, struct ps_err *err) PS_MUSTCHECK;
/* Removes the temporary files (".tmp-…") right in the folder `path`: what a killed process left.
 * Only while nobody writes there. A folder that is not there has none. */
int fs_sweep_tmp(const char *path, struct ps_err *err) PS_MUSTCHECK;
/* The same while others write: only of processes that are no more. Both leave in a sticky folder
 * what is another user's. */
int fs_sweep_dead(const char *path, struct ps_err *err) PS_MUSTCHECK;
/* fsync of every file and folder below path, deepest first: for a folder that will be renamed. */
int fs_sync_tree(const char *path, struct ps_err *err) PS_MUSTCHECK;
int fs_fsync_dir(const char *path, struct ps_err *err) PS_MUSTCHECK;
/* a/b joined with exactly one '/'; free() the result. */
char *fs_join(const char *a, const char *b);
bool fs_exists(const char *path);
/* True for a relative path without empty, "." or ".." parts, control characters or backslash. */
bool fs_is_clean_relative(const char *path);
/* The absolute path of a sibling program: beside our own binary, else ../libexec/penstock, else
 * the compiled-in libexec folder. free() the result; NULL when it is nowhere. */
char *fs_find_program(const char *name);

/*
 * Content store: DIR/<first 2 hex>/<rest>, files 0444 named by their SHA-256.
 * cas_put is idempotent; cas_path only makes the name. cas_open checks that the file exists and is
 * regular; reading it through cas_read also proves the digest (PS_ECONFLICT when bytes differ).
 */
int cas_put_bytes(const char *dir, const void *p, size_t n, char hex[65],
		  struct ps_err *err) PS_MUSTCHECK;
/* Copies fd (from its start) in; *size may be NULL. */
int cas_put_fd(const char *dir, int fd, char hex[65], uint64_t *size,
	       struct ps_err *err) PS_MUSTCHECK;
/* fd or PS_E* */
int cas_open(const char *dir, const char *hex, struct ps_err *err) PS_MUSTCHECK;
int cas_read(struct buf *out, const char *dir, const char *hex, size_t max,
	     struct ps_err *err) PS_MUSTCHECK;
/* Writes the content to the descriptor `to`. PS_ECONFLICT when its bytes were not those of hex:
 * then what was written must be thrown away. */
int cas_copy(int to, const char *dir, const char *hex, struct ps_err *err) PS_MUSTCHECK;
bool cas_has(const char *dir, const char *hex);
char *cas_path(const char *dir, const char *hex);
/* The whole digest of the one content whose digest begins so (at least 16 digits); false: there is
 * none, or more than one. */
bool cas_find(const char *dir, const char *digits, char hex[65]);

#endif
