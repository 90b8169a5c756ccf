/*
 * retain – which of the files that may go do go: by age, and the oldest first when they are too
 * many bytes together. Pure; and the hands that list and remove them (retain_files.c).
 */
#ifndef PS_RETAIN_H
#define PS_RETAIN_H

#include "common/base/err.h"

/* Younger ones stay whatever the rule: somebody may be about to name them. */
enum { RETAIN_YOUNG_MS = 3600 * 1000 };

struct retain_file {
	char *name;
	int64_t size, mtime_ms;
	bool needed;		/* stays */
	bool goes;		/* out */
};

struct retain_files { struct retain_file *v; size_t n, cap; };

struct retain_rule {
	int64_t before_ms;	/* older ones go */
	int64_t max;		/* bytes of all together, needed ones too; 0: no limit */
	int64_t now_ms;
};

void retain_pick(struct retain_files *l, const struct retain_rule *r);
void retain_clear(struct retain_files *l);
/* Sets needed for what is named; both are sorted on the way. */
void retain_need(struct retain_files *l, const char *const *names, size_t n);

/* What is there: contents by digest; entries of a folder whose name begins with one of `kinds` and
 * a digit (NULL: every name but temporary ones). A folder's size is that of what is in it. */
int retain_list_contents(struct retain_files *l, const char *dir, struct ps_err *err) PS_MUSTCHECK;
int retain_list_folder(struct retain_files *l, const char *dir, const char *kinds,
		       struct ps_err *err) PS_MUSTCHECK;
/*
 * Removes it, unless it was touched after mtime_ms. 1: removed, 0: it stays or is gone already. A
 * content is taken from its name first and looked at then, so that one which is put again at this
 * moment is there in the end.
 */
int retain_remove_content(const char *dir, const struct retain_file *f,
			  struct ps_err *err) PS_MUSTCHECK;
int retain_remove_entry(const char *dir, const struct retain_file *f,
			struct ps_err *err) PS_MUSTCHECK;

#endif
