/*
 * fold – what a whole tree holds, folder by folder: its projects, and what rules say of single
 * files wherever they lie. Each folder is remembered by its object name, so that of a tree of ten
 * thousand files only the folders on the way to a change are read again.
 */
#ifndef PS_FOLD_H
#define PS_FOLD_H

#include "common/gate/rules.h"

/*
 * The folders at or below within ("": anywhere) that hold a pbt_project.yml, sorted, "." for the
 * top, none below `.prophecy`; and to r->found what is wrong with files of these projects.
 * PS_ELIMIT past the bounds of tree.h or PROJECTS_MAX.
 */
int fold_tree(struct rules *r, const char *within, struct project_paths *projects,
	      struct ps_err *err) PS_MUSTCHECK;

/*
 * What rules have to say of one entry of the folder `dir` ("": the top), rules_files.c: they call
 * rule_hit() with the path from the top. They look at nothing else.
 */
int rules_file(struct rules *r, const char *dir, const struct tree_entry *e,
	       struct ps_err *err) PS_MUSTCHECK;
/* Will a rule most likely read a file of this name? */
bool rules_file_is_read(const char *name);
/* The same of what the listing of the folder tells: its folders' names, and names side by side. */
void rules_folder(struct rules *r, const char *dir, const struct tree_list *l);

#endif
