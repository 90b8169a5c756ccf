/*
 * toolchain_make – what `penstock toolchain make NAME FILE` does: a venv, filled by pip, sealed by
 * a marker. Runs as the admin, by `penstock-build --make-toolchain INSTANCE NAME FILE`, outside any
 * sandbox.
 *
 * A venv cannot be moved, so each is made where it will be, in a folder .NAME.N; the marker is
 * written last and durably, and then NAME becomes a link to it, in one step. So a make that fails,
 * or is ended or killed in the middle, leaves the toolchain as it was; what it left is removed by
 * itself, or else by the next make. pip's index, proxies,
 * CA and cache are those of the caller's environment and pip's own configuration.
 */
#ifndef PS_TOOLCHAIN_MAKE_H
#define PS_TOOLCHAIN_MAKE_H

#include "common/base/err.h"

/* Each line of progress, without its newline; may be NULL. */
typedef void toolchain_log_fn(void *arg, const char *line);

/*
 * Makes folder/name from requirements_file, anew when there is one. PS_EBUSY when another make is
 * at work in folder, PS_EINVAL for a name that is no file name. Takes SIGINT, SIGTERM and SIGHUP:
 * they end pip and make it fail.
 */
int toolchain_make(const char *folder, const char *name, const char *requirements_file,
		   toolchain_log_fn *log, void *arg, struct ps_err *err) PS_MUSTCHECK;

#endif
