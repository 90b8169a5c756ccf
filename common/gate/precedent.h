/*
 * precedent – the tree that was judged last in a repository (of a push with several the first of
 * them): what is the same again in the next one needs no judging.
 *
 * Whatever else is remembered (memo.h) is found by a key of all that it depends on: a digest and a
 * question for each pipeline, however little of them a push has touched. The precedent is one value
 * for a whole tree: which tree that was, and of every entry of its project files what it came to
 * and which paths it had looked at. The next tree is compared with that one folder by folder, and
 * an entry none of whose paths is among what differs is the same again. Like all of the memo it may
 * be lost, or its objects be gone: then each unit is asked for by its own key.
 *
 * It goes along with a judgement: precedent_meet() with the tree, precedent_projects(), for each of
 * them precedent_project(), and for each of its entries, in order, precedent_says() and then
 * precedent_follow() or, after judging it, precedent_note(); at the end precedent_keep(), if this
 * tree is to be the next one's.
 */
#ifndef PS_PRECEDENT_H
#define PS_PRECEDENT_H

#include "common/gate/memo.h"
#include "common/gate/trace.h"
#include "common/tree/repo.h"

struct precedent;

/* config: the configuration's digest. place: git's folder of the repository. m and r outlive
 * it. */
struct precedent *precedent_open(struct memo *m, const char *config, const char *place,
				 struct repo *r);
void precedent_free(struct precedent *p);	/* NULL is fine */

/* From here on it is about the tree t of that name, which stays the caller's. */
void precedent_meet(struct precedent *p, struct tree *t, const char *name);
/* The tree judged last, as long as p is about one that can be compared with it; else NULL. */
struct tree *precedent_tree(const struct precedent *p);

void precedent_projects(struct precedent *p, size_t n);
/* file: its pbt_project.yml; entries: how many will be asked for. */
void precedent_project(struct precedent *p, const char *file, size_t entries);
/*
 * True when the next entry of the project is the same again. Then *bytes is what unit_pack() made
 * of it, valid until the next call with p, or NULL: it had come to nothing.
 */
bool precedent_says(struct precedent *p, const struct buf **bytes);
void precedent_follow(struct precedent *p);
/* What came of the next entry, which was judged. own: its folder; bytes NULL: it must not be
 * remembered. */
void precedent_note(struct precedent *p, const char *own, const struct deps *deps,
		    const struct buf *bytes, bool nothing);
/* Puts it into the memo, if all of it is there and it says anything new. */
void precedent_keep(struct precedent *p);

#endif
