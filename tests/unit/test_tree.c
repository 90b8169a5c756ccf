/* Units of common/tree: snapshots, object names of folders, refs, quarantine. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <git2.h>

#include "common/base/buf.h"
#include "common/tree/repo.h"
#include "common/tree/tree_diff.h"
#include "common/tree/tree_id.h"
#include "tests/support/gitdir.h"

static struct ps_err err;
static size_t digits = 40;		/* of an object name: each case runs with both */

static int enter_sha256(void **state)
{
	digits = 64;
	return gitdir_enter(state);
}

static int leave_sha256(void **state)
{
	digits = 40;
	return gitdir_leave(state);
}

static void make_repo(void)
{
	gitdir_sh("git init -q --object-format=%s -b main r && git -C r config commit.gpgsign false",
		  digits == 64 ? "sha256" : "sha1");
	gitdir_file("r/a.txt", "alpha\n");
	gitdir_file("r/a/b/c.txt", "gamma\n");
	gitdir_file("r/a-b", "x");
	gitdir_file("r/run.sh", "#!/bin/sh\n");
	gitdir_sh("chmod +x r/run.sh && ln -s a.txt r/link && git -C r add -A && git -C r commit "
		  "-qm one");
}

static const char *walk_text(struct tree *t)
{
	static char out[1024];
	struct tree_list l;

	*out = '\0';
	assert_int_equal(tree_list(t, "", &l, &err), 0);
	for (size_t i = 0; i < l.n; i++)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s:%d ", l.v[i].name,
			 l.v[i].kind);
	tree_list_clear(&l);
	return out;
}

static void folder_and_git_tree_look_the_same(void **state)
{
	struct repo *r;
	struct repo_peeled p;
	struct tree *t[2];
	struct tree_entry e;

	(void)state;
	NEED_OPENAT2();
	make_repo();
	assert_int_equal(repo_open(&r, "r", NULL, &err), 0);
	assert_int_equal(repo_peel(r, gitdir_out("git -C r rev-parse HEAD"), &p, &err), 0);
	assert_string_equal(p.commit, gitdir_out("git -C r rev-parse HEAD"));
	assert_string_equal(p.tree, gitdir_out("git -C r rev-parse HEAD^{tree}"));
	assert_int_equal(repo_tree(&t[0], r, p.tree, &err), 0);
	assert_int_equal(tree_dir_open(&t[1], "r", &err), 0);
	for (int i = 0; i < 2; i++) {
		struct buf b = BUF_INIT;

		assert_string_equal(walk_text(t[i]), "a-b:0 a.txt:0 a:2 link:3 run.sh:1 ");
		assert_int_equal(tree_read(t[i], "a/b/c.txt", 100, &b, &err), 0);
		assert_string_equal(buf_str(&b), "gamma\n");
		buf_reset(&b);
		assert_int_equal(tree_read(t[i], "link", 100, &b, &err), 0);
		assert_string_equal(buf_str(&b), "a.txt");
		assert_int_equal(tree_read(t[i], "a.txt", 3, &b, &err), PS_ELIMIT);
		assert_int_equal(tree_read(t[i], "a", 3, &b, &err), PS_ENOENT);
		assert_int_equal(tree_read(t[i], "link/x", 3, &b, &err), PS_ENOENT);
		assert_int_equal(tree_stat(t[i], "a.txt/x", &e, &err), PS_ENOENT);
		assert_int_equal(tree_stat(t[i], ".git/config", &e, &err), PS_ENOENT);
		assert_int_equal(tree_stat(t[i], "", &e, &err), 0);
		assert_true(tree_is_dir(t[i], "a/b") && tree_is_file(t[i], "run.sh"));
		assert_false(tree_is_file(t[i], "link") || tree_is_dir(t[i], "nowhere"));
		buf_clear(&b);
		tree_close(t[i]);
	}
	repo_close(r);
}

static void folder_on_disk_gets_gits_id(void **state)
{
	char oid[65];

	(void)state;
	NEED_OPENAT2();
	make_repo();
	gitdir_sh("git -C r archive HEAD | (mkdir out && cd out && tar x) && mkdir -p out/empty/er");
	assert_int_equal(tree_id_of_dir("out", digits, oid, &err), 0);
	assert_string_equal(oid, gitdir_out("git -C r rev-parse HEAD^{tree}"));
	assert_int_equal(tree_id_of_dir("out/empty", digits, oid, &err), 0);
	assert_string_equal(oid, gitdir_out("git -C r hash-object -t tree /dev/null"));
	gitdir_sh("mkfifo out/pipe");		/* what git cannot hold is left out */
	assert_int_equal(tree_id_of_dir("out", digits, oid, &err), 0);
	assert_int_equal(tree_id_of_dir("nowhere", digits, oid, &err), PS_ENOENT);
}

static void refs_are_values(void **state)
{
	struct repo *r;
	struct repo_ref ref;
	struct repo_refs l;

	(void)state;
	make_repo();
	gitdir_sh("git -C r tag -am t v1 && git -C r symbolic-ref refs/heads/alias refs/heads/main && "
		  "git -C r symbolic-ref refs/heads/dead refs/heads/unborn && "
		  "git -C r update-ref refs/penstock/x HEAD && git -C r pack-refs --all");
	assert_int_equal(repo_open(&r, "r", NULL, &err), 0);
	assert_int_equal(repo_ref_read(r, "refs/heads/alias", &ref, &err), 0);
	assert_string_equal(ref.name, "refs/heads/main");
	assert_string_equal(ref.oid, gitdir_out("git -C r rev-parse HEAD"));
	repo_ref_clear(&ref);
	assert_int_equal(repo_ref_read(r, "refs/heads/dead", &ref, &err), 0);
	assert_string_equal(ref.name, "refs/heads/unborn");
	assert_true(repo_oid_is_zero(ref.oid) && strlen(ref.oid) == digits);
	repo_ref_clear(&ref);
	assert_int_equal(repo_ref_read(r, "refs/heads/no..good", &ref, &err), 0);
	assert_true(repo_oid_is_zero(ref.oid));
	repo_ref_clear(&ref);
	assert_int_equal(repo_refs_list(r, &l, &err), 0);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.v[0].name, "refs/heads/main");
	assert_string_equal(l.v[1].name, "refs/tags/v1");
	repo_refs_clear(&l);
	repo_close(r);
}

static void nearest_held_ancestor(void **state)
{
	struct repo *r;
	char held[TREE_OID];
	bool found;
	const char *one, *lone;

	(void)state;
	make_repo();
	one = gitdir_out("git -C r rev-parse HEAD");
	gitdir_sh("cd r && git checkout -q --detach && for i in 1 2 3; do git commit -q "
		  "--allow-empty -m $i; done");
	lone = gitdir_out("git -C r commit-tree -m lone HEAD^{tree}");
	assert_int_equal(repo_open(&r, "r", NULL, &err), 0);
	assert_int_equal(repo_nearest_held(r, gitdir_out("git -C r rev-parse HEAD"), NULL, held,
					   &found, &err), 0);
	assert_true(found);
	assert_string_equal(held, one);
	assert_int_equal(repo_nearest_held(r, lone, NULL, held, &found, &err), 0);
	assert_false(found);
	assert_int_equal(repo_nearest_held(r, one, "refs/heads/main", held, &found, &err), 0);
	assert_false(found);
	assert_int_equal(repo_is_ancestor(r, one, gitdir_out("git -C r rev-parse HEAD"), &found,
					  &err), 0);
	assert_true(found);
	assert_int_equal(repo_is_ancestor(r, one, lone, &found, &err), 0);
	assert_false(found);
	repo_close(r);
}

/* ---- what differs ---- */

struct pair { struct tree *a, *b; const struct tree_changes *c; size_t changed, seen; };

static bool differs(const struct pair *p, const char *path)
{
	struct tree_entry a, b;
	bool in_a = tree_stat(p->a, path, &a, NULL) == 0, in_b = tree_stat(p->b, path, &b, NULL) == 0;

	return in_a != in_b || (in_a && (a.kind != b.kind || strcmp(a.oid, b.oid) != 0));
}

static int compare_path(void *arg, const char *path, const struct tree_entry *e, struct ps_err *why)
{
	struct pair *p = arg;

	(void)e;
	(void)why;
	if (tree_changed(p->c, path) != differs(p, path))
		fail_msg("'%s' %s", path, differs(p, path) ? "differs" : "is the same");
	p->changed += differs(p, path);
	p->seen++;
	return 0;
}

static struct tree *tree_of(struct repo *r, const char *rev)
{
	char *tree = xasprintf("git -C r rev-parse %s^{tree}", rev);
	struct tree *t;

	assert_int_equal(repo_tree(&t, r, gitdir_out(tree), &err), 0);
	free(tree);
	return t;
}

static void differences_are_those_of_a_walk(void **state)
{
	static const char *const nowhere[] = { "a/x", "a/b/c.txt/d", "a.t", "a.txtx", "", "new/y/z" };
	struct tree_changes c, none;
	struct tree *twins;
	struct repo *r;
	struct pair p;

	(void)state;
	make_repo();
	gitdir_file("r/same/deep/er/f", "1");
	gitdir_file("r/was-folder/x/y", "2");
	gitdir_file("r/was-file", "3");
	gitdir_file("r/gone/1/2", "4");
	gitdir_file("r/a/b/d.txt", "5");
	gitdir_file("r/a/same.txt", "6");
	gitdir_sh("cd r && git add -A && git commit -qm two && rm -r was-folder was-file gone link && "
		  "mkdir was-file && ln -s a/b link && chmod -x run.sh && echo more >>a/b/c.txt");
	gitdir_file("r/was-file/z/q", "3");
	gitdir_file("r/was-folder", "2");
	gitdir_file("r/new/y/z", "7");
	gitdir_file("r/new-", "8");
	gitdir_sh("cd r && git add -A && git commit -qm three");
	assert_int_equal(repo_open(&r, "r", NULL, &err), 0);
	p = (struct pair) { .a = tree_of(r, "HEAD~1"), .b = tree_of(r, "HEAD"), .c = &c };
	assert_int_equal(tree_diff(p.a, p.b, 100, &c, &err), 0);
	assert_int_equal(tree_walk(p.a, "", compare_path, &p, &err), 0);
	assert_int_equal(tree_walk(p.b, "", compare_path, &p, &err), 0);
	assert_true(p.changed > 15 && p.seen - p.changed > 8);
	for (size_t i = 0; i < PS_NELEM(nowhere); i++)
		assert_int_equal(tree_changed(&c, nowhere[i]) && !differs(&p, nowhere[i]), 0);
	assert_true(tree_changed(&c, "gone/1/3") && tree_changed(&c, "was-folder/x"));
	assert_false(tree_changed(&c, "same/deep/er/g") || tree_changed(&c, "a/x"));
	assert_int_equal(tree_diff(p.a, p.b, c.n - 1, &none, &err), PS_ELIMIT);
	assert_null(none.v);
	assert_int_equal(tree_diff(p.a, p.a, 0, &none, &err), 0);
	assert_int_equal(none.n, 0);
	assert_false(tree_changed(&none, "a"));
	gitdir_sh("cd r && for f in 1 2; do printf '100644 blob %%s\\ta\\n' $(echo $f | "
		  "git hash-object -w --stdin); done | git mktree >../twins");
	assert_int_equal(repo_tree(&twins, r, gitdir_out("cat twins"), &err), 0);
	assert_int_equal(tree_diff(p.a, twins, 100, &none, &err), PS_EINVAL);
	tree_close(twins);
	tree_changes_clear(&c);
	tree_close(p.a);
	tree_close(p.b);
	repo_close(r);
}

static void quarantined_objects_are_seen(void **state)
{
	struct repo *r;
	struct repo_peeled p;
	char here[4096];
	char *alt;
	const char *oid;

	(void)state;
	make_repo();
	assert_non_null(getcwd(here, sizeof(here)));
	gitdir_sh("mkdir -p 'q:x' && cd r && export GIT_OBJECT_DIRECTORY='%s/q:x' "
		  "GIT_ALTERNATE_OBJECT_DIRECTORIES='%s/r/.git/objects' && "
		  "git commit-tree -m hidden HEAD^{tree} > ../oid", here, here);
	oid = gitdir_out("cat oid");
	alt = xasprintf("\"%s/q:x\":%s/r/.git/objects:/nowhere", here, here);
	assert_int_equal(repo_open(&r, "r", NULL, &err), 0);
	assert_int_equal(repo_peel(r, oid, &p, &err), PS_ENOENT);
	repo_close(r);
	assert_int_equal(repo_open(&r, "r", &(struct repo_quarantine) { .alternates = alt }, &err),
			 0);
	assert_int_equal(repo_peel(r, oid, &p, &err), 0);
	repo_close(r);
	free(alt);
}

/* Every path below a folder leads through it: were a large one read and parsed each time, a
 * thousand files in it would cost a million entries. */
static void a_large_folder_stays_parsed(void **state)
{
	ssize_t before, after, most;
	struct repo *r;
	struct tree *t;

	(void)state;
	make_repo();
	gitdir_sh("cd r && mkdir large && for i in $(seq 1000); do echo $i > large/file$i; done && "
		  "git add -A && git commit -qm large");
	assert_int_equal(repo_open(&r, "r", NULL, &err), 0);
	assert_int_equal(repo_tree(&t, r, gitdir_out("git -C r rev-parse HEAD^{tree}"), &err), 0);
	git_libgit2_opts(GIT_OPT_GET_CACHED_MEMORY, &before, &most);
	assert_true(tree_is_file(t, "large/file7"));
	git_libgit2_opts(GIT_OPT_GET_CACHED_MEMORY, &after, &most);
	assert_true(after - before > 1000 * 28);	/* mode, name, id of each */
	tree_close(t);
	repo_close(r);
}

static void id_and_keep_refs(void **state)
{
	struct repo *r;
	char id[REPO_ID], again[REPO_ID];
	const char *oid;

	(void)state;
	make_repo();
	oid = gitdir_out("git -C r rev-parse HEAD");
	assert_int_equal(repo_open(&r, "r", NULL, &err), 0);
	assert_int_equal(repo_id(r, false, id, &err), PS_ENOENT);
	assert_int_equal(repo_id(r, true, id, &err), 0);
	assert_int_equal(repo_id(r, true, again, &err), 0);
	assert_string_equal(id, again);
	assert_string_equal(id, gitdir_out("git -C r config penstock.id"));
	assert_int_equal(repo_keep(r, oid, &err), 0);
	assert_int_equal(repo_keep(r, oid, &err), 0);
	gitdir_sh("test \"$(git -C r for-each-ref refs/penstock/keep | wc -l)\" = 1");
	assert_int_equal(repo_unkeep(r, oid, &err), 0);
	assert_int_equal(repo_unkeep(r, oid, &err), 0);
	gitdir_sh("test -z \"$(git -C r for-each-ref refs/penstock)\"");
	gitdir_sh("git -C r config penstock.id short");
	assert_int_equal(repo_id(r, true, id, &err), PS_EINVAL);
	repo_close(r);
}

static void opening_tells_what_is_wrong(void **state)
{
	struct repo *r;
	struct repo_peeled p;
	char *top;

	(void)state;
	make_repo();
	gitdir_sh("mkdir -p plain");
	assert_int_equal(repo_open(&r, "plain", NULL, &err), PS_ENOENT);
	assert_int_equal(repo_discover(&r, "r/a/b", &top, &err), 0);
	assert_true(ps_ends(top, "/r"));
	free(top);
	assert_int_equal(repo_peel(r, gitdir_out("git -C r rev-parse HEAD:a.txt"), &p, &err),
			 PS_EINVAL);
	assert_int_equal(repo_peel(r, "zz", &p, &err), PS_EINVAL);
	repo_close(r);
}

static void upstream_and_revisions(void **state)
{
	char *here, *there, *top;
	char oid[TREE_OID];
	struct repo *r;

	(void)state;
	make_repo();
	gitdir_sh("git -C r tag -am t v1 && git clone -q r c && mkdir c/new");
	assert_int_equal(repo_discover(&r, "c/new", &top, &err), 0);
	assert_true(ps_ends(top, "/c"));
	free(top);
	assert_int_equal(repo_upstream(r, &here, &there, &err), 0);
	assert_string_equal(here, "refs/remotes/origin/main");
	assert_string_equal(there, "refs/heads/main");
	free(here);
	free(there);
	assert_int_equal(repo_rev(r, "v1", oid, &err), 0);
	assert_string_equal(oid, gitdir_out("git -C r rev-parse v1"));
	assert_int_equal(repo_rev(r, "HEAD", oid, &err), 0);
	assert_string_equal(oid, gitdir_out("git -C r rev-parse HEAD"));
	assert_int_equal(repo_rev(r, "nothing", oid, &err), PS_ENOENT);
	gitdir_sh("git -C c update-ref -d refs/remotes/origin/main");
	assert_int_equal(repo_upstream(r, &here, &there, &err), PS_ENOENT);
	repo_close(r);
}

static void logs_are_told(void **state)
{
	struct buf path = BUF_INIT;
	struct repo *r;
	const char *one, *two;
	char want[2 * TREE_OID];
	int64_t size;

	(void)state;
	make_repo();
	one = gitdir_out("git -C r rev-parse HEAD");
	assert_int_equal(repo_open(&r, "r", NULL, &err), 0);
	assert_true(repo_has_logs(r));
	size = repo_log(r, "refs/heads/main", REPO_LOG_END, one, &path);
	assert_true(size > 0);
	gitdir_sh("git -C r commit -q --allow-empty -m two");
	two = gitdir_out("git -C r rev-parse HEAD");
	assert_true(repo_log(r, "refs/heads/main", size, two, &path) > size);
	snprintf(want, sizeof(want), "%s %s", one, two);
	assert_string_equal(buf_str(&path), want);
	assert_int_equal(repo_log(r, "refs/heads/none", 0, two, &path), REPO_LOG_NONE);
	buf_clear(&path);
	repo_close(r);
}

int main(int argc, char **argv)
{
#define BOTH(f) cmocka_unit_test_setup_teardown(f, gitdir_enter, gitdir_leave), \
	{ #f "_sha256", f, enter_sha256, leave_sha256, NULL }
	const struct CMUnitTest tests[] = {
		BOTH(folder_and_git_tree_look_the_same), BOTH(folder_on_disk_gets_gits_id),
		BOTH(refs_are_values), BOTH(nearest_held_ancestor),
		BOTH(differences_are_those_of_a_walk), BOTH(quarantined_objects_are_seen), BOTH(id_and_keep_refs),
		BOTH(opening_tells_what_is_wrong), BOTH(upstream_and_revisions), BOTH(logs_are_told),
		cmocka_unit_test_setup_teardown(a_large_folder_stays_parsed, gitdir_enter,
						gitdir_leave),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
