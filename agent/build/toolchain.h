/*
 * toolchain – which Python prefix builds and runs use, and the digest that names what it is.
 *
 * A toolchain is a venv the admin made: one that `penstock toolchain make` finished (a folder with
 * the marker, below the instance's toolchains/), or a prefix that penstock.yml names. The one
 * called `default` wins; a single one needs no name. The JVM is looked for outside the prefix and
 * bound beside it.
 *
 * The digest covers path, mode and bytes of every file of the prefix, byte-compiled files included:
 * they are what Python executes, `toolchain make` compiles everything beforehand, and the sandbox
 * binds the prefix read-only, so neither building nor running changes them. Of /usr, which is bound
 * without /usr/local, it covers name and version of the packages that a build stands on (every
 * python3-*, libc, what compresses and copies); without dpkg the files of those. A prefix whose
 * interpreter lies below /usr/local has all of /usr/local in its digest. Of the JVM it covers its
 * package, else its files, and its configuration below /etc.
 */
#ifndef PS_TOOLCHAIN_H
#define PS_TOOLCHAIN_H

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/config/config.h"

struct toolchain {
	char *name, *prefix;
	char *java; /* JAVA_HOME on this machine; NULL: none, Spark will not start */
};

/*
 * Looks for `name` (NULL: the one that builds use) among cfg's toolchains and the finished ones in
 * folder. False when there is none: problem says why and what to do.
 */
bool toolchain_find(const struct config *cfg, const char *folder, const char *name,
		    struct toolchain *out, struct buf *problem);
void toolchain_clear(struct toolchain *t);

/* Every toolchain there is: those of the configuration first, then what `toolchain make` has made
 * or begun (finished is false). Clear it. */
struct toolchain_place {
	char *name, *prefix;
	bool finished;
};
struct toolchain_places {
	struct toolchain_place *v;
	size_t n, cap;
};
struct toolchain_places toolchain_places(const struct config *cfg, const char *folder);
void toolchain_places_clear(struct toolchain_places *l);

/* JAVA_HOME by the java of /usr/bin, the environment, or the usual folders. free(); NULL: none. */
char *toolchain_java(void);

/* The folder below /etc in which Debian's JVM keeps its configuration. free(); NULL: none. */
char *toolchain_java_etc(const char *java);
/* Does bin/python of the prefix lead into /usr/local, which sandboxes else do not see? */
bool toolchain_is_local(const char *prefix);

/* The digest; cache (a folder of ours) keeps it as long as no file of the prefix changed. NULL: all
 * is read. */
int toolchain_digest(const struct toolchain *t, const char *cache, char hex[DIGEST_HEX],
		     struct ps_err *err) PS_MUSTCHECK;

#endif
