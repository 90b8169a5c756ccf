/*
 * toolchain_make – what `penstock toolchain make NAME FILE` does: a venv, filled by pip, sealed by
 * a marker. Runs as the admin, by `penstock-build --make-toolchain INSTANCE NAME FILE`, outside any
 * sandbox.
 *
 * A venv cannot be moved, so it is made in place; the marker is written last and durably, and a
 * folder without it is no toolchain: the next make of that name begins anew. pip's index, proxies,
 * CA and cache are those of the caller's environment and pip's own configuration.
 */
#ifndef PS_TOOLCHAIN_MAKE_H
#define PS_TOOLCHAIN_MAKE_H

#include "common/base/err.h"

/* Each line of progress, without its newline; may be NULL. */
typedef void toolchain_log_fn(void *arg, const char *line);

/*
 * Makes folder/name from requirements_file. PS_EEXIST when a finished one is there, PS_EBUSY when
 * another make is at work in folder, PS_EINVAL for a name that is no file name.
 */
int toolchain_make(const char *folder, const char *name, const char *requirements_file,
		   toolchain_log_fn *log, void *arg, struct ps_err *err) PS_MUSTCHECK;

#endif
