/*
 * pipeline – a pipeline's folder: what setup.py will call its wheel, and its config instances.
 */
#ifndef PS_PIPELINE_H
#define PS_PIPELINE_H

#include "common/tree/tree.h"

enum { SETUP_MAX = 1 << 20 };		/* bytes of setup.py that are read */

/* name= and version= of the setup() call, when they are plain string literals; else NULL. free()
 * both. */
void pipeline_setup_scan(const char *text, size_t n, char **name, char **version);
/* The file name that setuptools and wheel give: free() it. NULL when the version has a form whose
 * normalisation we do not know. */
char *pipeline_wheel(const char *name, const char *version);

struct pipeline_instance {
	char *name;			/* "prod" */
	char *path;			/* relative to the pipeline's folder */
	char oid[TREE_OID];
};
struct pipeline_instances { struct pipeline_instance *v; size_t n, cap; };

/*
 * The config instances of the pipeline at `folder` (from the top of the tree), sorted by name:
 * every *.json of a folder in code/configs/resources and, for Scala, of those folders at any depth
 * below code/src/main/resources that are called config or hold a *.conf, the defaults. What else
 * lies there are resources of the program.
 */
int pipeline_instances(struct tree *t, const char *folder, struct pipeline_instances *out,
		       struct ps_err *err) PS_MUSTCHECK;
void pipeline_instances_clear(struct pipeline_instances *l);
/* Has it the one that a task's `-i` names? By name, or by its way on the class path without .json,
 * as jobs of early versions of Prophecy have it. */
bool pipeline_has_instance(const struct pipeline_instances *l, const char *name);
/* Is it the default one, by either? A pipeline without default.json has its defaults all the
 * same. */
bool pipeline_instance_is_default(const char *name);

#endif
