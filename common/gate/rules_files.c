/* rules_files – rules about single files, wherever they lie in a project. */
#include "config.h"

#include "common/gate/fold.h"

int rules_file(struct rules *r, const char *dir, const struct tree_entry *e, struct ps_err *err)
{
	(void)err;
	if (e->kind == TREE_LINK || e->kind == TREE_SUBMODULE) {
		char *path = *dir ? xasprintf("%s/%s", dir, e->name) : xstrdup(e->name);

		rule_hit(r, RULE_LINK, path, (struct doc_pos) { 1, 1 }, path, "%s",
			 e->kind == TREE_LINK ? "a symbolic link" : "a submodule");
		free(path);
	}
	return 0;
}
