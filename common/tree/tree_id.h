/*
 * tree_id – the object name git would give to a folder on disk, without git and without libgit2.
 *
 * The build role computes it again for what the gate exported, and so need not believe the gate.
 */
#ifndef PS_TREE_ID_H
#define PS_TREE_ID_H

#include "common/base/err.h"

/*
 * digits: of the repository's object names, 40 (SHA-1) or 64 (SHA-256); oid: 65 bytes. Regular
 * files count as 100755 when the owner may execute them, else 100644; symbolic links as 120000;
 * empty folders do not exist for git and are left out (an entirely empty one gives git's empty
 * tree). Any other kind of file is PS_EINVAL. No attribute applies.
 */
int tree_id_of_dir(const char *path, size_t digits, char oid[65], struct ps_err *err) PS_MUSTCHECK;
/* The blob's object name of one file. */
int tree_id_of_file(const char *path, size_t digits, char oid[65], struct ps_err *err) PS_MUSTCHECK;

#endif
