/*
 * profile – what every sandbox looks like from inside. The one source for two readers: the sandbox
 * sets exactly this, the build key (buildkey.h) digests exactly this; so what is in the key and
 * what is set cannot drift apart.
 *
 * A change of meaning of a path, a mount, the command of a recipe or the seccomp filter raises
 * PROFILE_REVISION; a change of the environment changes the key by itself.
 *
 * One thing inside is not in the key: the numeric uid (one per slot as root, so that process limits
 * bind). No wheel holds it.
 */
#ifndef PS_PROFILE_H
#define PS_PROFILE_H

#include "common/base/ps.h"

#define PROFILE_REVISION 2

/* Recipes: a change of a recipe's command or meaning raises its revision. */
#define PROFILE_RECIPE_PYTHON "python-wheel"
#define PROFILE_RECIPE_PYTHON_REVISION 1
/* How a language's tests are run, likewise: suite.py and its pytest. */
#define PROFILE_SUITE_PYTHON "python-pytest"
#define PROFILE_SUITE_PYTHON_REVISION 1

/* Where things are inside. Host paths never show, so the same trees look the same everywhere. */
#define PROFILE_BUILD "/build"   /* tmpfs: the writable copy of the export */
#define PROFILE_EXPORT "/export" /* read-only: what the copy is made from */
#define PROFILE_OUT "/out"       /* the one folder that is read afterwards */
#define PROFILE_TOOLCHAIN "/toolchain"
#define PROFILE_JAVA "/java"
#define PROFILE_FILESTORE "/dbfs/FileStore"
#define PROFILE_DATA "/dbfs/data"
#define PROFILE_TASK "/task.py"
#define PROFILE_ARTIFACT "/artifact" /* tests: the sealed artifact, a file */
#define PROFILE_SUITE "/suite.py"
#define PROFILE_HOST "penstock"
#define PROFILE_USER "build" /* name of the uid in the synthetic /etc/passwd: Spark asks for it */

/* Times of files and of zip entries: 1980-01-01, the first that a zip can say. */
#define PROFILE_EPOCH "315532800"

/* Sorted by name. PYTHONUNBUFFERED: the last line of a task is readable while it runs. */
#define PROFILE_ENV(X)                                                                             \
	X("HOME", "/tmp")                                                                          \
	X("JAVA_HOME", PROFILE_JAVA)                                                               \
	X("LC_ALL", "C.UTF-8")                                                                     \
	X("PATH", PROFILE_TOOLCHAIN "/bin:" PROFILE_JAVA "/bin:/usr/bin:/bin")                     \
	X("PYSPARK_PYTHON", PROFILE_TOOLCHAIN "/bin/python")                                       \
	X("PYSPARK_SUBMIT_ARGS", "--conf spark.ui.enabled=false "                                  \
				 "--conf spark.ui.showConsoleProgress=false pyspark-shell")        \
	X("PYTHONHASHSEED", "0")                                                                   \
	X("PYTHONUNBUFFERED", "1")                                                                 \
	X("SOURCE_DATE_EPOCH", PROFILE_EPOCH)                                                      \
	X("SPARK_LOCAL_IP", "127.0.0.1")                                                           \
	X("TZ", "UTC")

/* uids as root: small enough for a container that maps 65,536 of them, and free on Debian. */
enum {
	PROFILE_UID_RUN = 60600,  /* every task of every run: they share a fabric's data folder */
	PROFILE_UID_SLOT = 60601, /* + slot */
	PROFILE_SLOTS_MAX = 500,
};

/* A folder with this file is a finished toolchain; written last. One line: "penstock-toolchain 1".
 */
#define TOOLCHAIN_MARKER ".penstock-toolchain"
#define TOOLCHAIN_MARKER_TEXT "penstock-toolchain 1\n"

#endif
