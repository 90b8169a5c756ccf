/* Units of the nouns of intake: repository, ref, push, intent, event. */
#include "config.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/store/event.h"
#include "agent/store/push.h"
#include "agent/store/repository.h"
#include "common/base/fsutil.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"
#define MAIN "refs/heads/main"

struct fx { char dir[64]; char *path; struct store *st; int wake[2]; int rc; bool done; char msg[1024]; };

static void on_wake(void *arg)
{
	assert_int_equal(write(((struct fx *)arg)->wake[1], "x", 1), 1);
}

static int setup(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));
	struct ps_err err;

	snprintf(f->dir, sizeof(f->dir), "/tmp/ps-events-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(pipe(f->wake), 0);
	f->path = fs_join(f->dir, "store.db");
	assert_int_equal(store_open(&f->st, f->path, on_wake, f, &err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fx *f = *state;
	struct ps_err err;

	store_close(f->st);
	close(f->wake[0]);
	close(f->wake[1]);
	assert_int_equal(fs_remove_tree(AT_FDCWD, f->dir, &err), 0);
	free(f->path);
	free(f);
	return 0;
}

static void on_done(void *arg, int rc, const struct ps_err *err)
{
	struct fx *f = arg;

	f->rc = rc;
	f->done = true;
	snprintf(f->msg, sizeof(f->msg), "%s", err->msg);
}

static int write_one(struct fx *f, store_run_fn *run)
{
	f->done = false;
	store_write(f->st, STORE_FULL, run, on_done, f);
	while (!f->done) {
		struct pollfd p = { .fd = f->wake[0], .events = POLLIN };
		char c[64];

		assert_int_equal(poll(&p, 1, 10000), 1);
		assert_true(read(f->wake[0], c, sizeof(c)) > 0);
		store_poll(f->st);
	}
	if (f->rc < 0)
		print_message("%s\n", f->msg);
	return f->rc;
}

/* cmocka's assertions may not leave a run function: they come back as an error with the line. */
#define CHECK(cond)                                                                              \
	do {                                                                                     \
		if (!(cond))                                                                     \
			return ps_err_set(err, PS_EINVAL, "line %d: %s (%s)", __LINE__, #cond, err->msg); \
	} while (0)

static int put_repository(struct store_tx *tx, struct repository *r, struct ps_err *err)
{
	return repository_put(tx, "uid-1", "/nowhere/a.git", "a", r, err);
}

static int run_repository(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct repository r = { 0 };
	struct repositories all = { 0 };
	struct fx *f = arg;
	int64_t id;

	CHECK(put_repository(tx, &r, err) == 0);
	id = r.id;
	repository_clear(&r);
	CHECK(repository_put(tx, "uid-1", "/nowhere/moved.git", "moved", &r, err) == 0);
	CHECK(r.id == id && strcmp(r.name, "moved") == 0);	/* renamed, not new */
	repository_clear(&r);
	CHECK(repository_put(tx, "uid-2", "/nowhere/moved.git", "moved", &r, err) == 0);
	CHECK(r.id != id);					/* another one in its place */
	repository_clear(&r);
	CHECK(repositories_all(tx, &all, err) == 0 && all.n == 1);
	repositories_clear(&all);
	CHECK(repository_put(tx, "uid-3", f->dir, "copy", &r, err) == 0);
	repository_clear(&r);
	/* both are there */
	CHECK(repository_put(tx, "uid-3", "/tmp", "tmp", &r, err) == PS_ECONFLICT);
	CHECK(repository_by_path(tx, "/none", &r, err) == PS_ENOENT);
	return 0;
}

static void repository_is_its_uid(void **state)
{
	assert_int_equal(write_one(*state, run_repository), 0);
}

static struct ref_event event(int64_t repo, const char *old, const char *new, const char *kind,
			      const char *st)
{
	return (struct ref_event) { .repository = repo, .ref = (char *)MAIN, .old = (char *)old,
				    .new = (char *)new, .kind = (char *)kind, .k = -1,
				    .state = (char *)st, .boot = (char *)"boot", .stamp = 5 };
}

static int run_chain(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct repository r = { 0 };
	struct ref_event e1, e2, e3, bad, got = { 0 };
	struct events open = { 0 };

	(void)arg;
	CHECK(put_repository(tx, &r, err) == 0);
	CHECK(ref_baseline(tx, r.id, MAIN, A, "boot", 1, err) == 0);
	e1 = event(r.id, A, B, "sure", "open");
	e2 = event(r.id, B, C, "gap", "held");
	e3 = event(r.id, C, A, "sure", "open");
	bad = event(r.id, B, A, "sure", "open");
	CHECK(event_append(tx, &e1, err) == 0 && e1.seq == 1);
	CHECK(events_claim_surveys(tx, 100, 1, 0, &open, err) == 0 && open.n == 1);
	CHECK(strcmp(open.v[0].repository_path, "/nowhere/a.git") == 0);
	events_clear(&open);
	CHECK(event_append(tx, &e2, err) == 0 && e2.seq == 2);
	CHECK(event_append(tx, &bad, err) == PS_ESTALE);		/* it must join */
	err->code = 0;
	CHECK(event_append(tx, &e3, err) == 0);
	CHECK(events_supersede(tx, r.id, MAIN, e3.id, err) == 0);
	CHECK(event_get(tx, e1.id, &got, err) == 0);
	CHECK(strcmp(got.state, "superseded") == 0 && got.superseded_by == e3.id);
	event_clear(&got);
	CHECK(event_get(tx, e2.id, &got, err) == 0 && strcmp(got.state, "superseded") == 0);
	event_clear(&got);
	CHECK(event_end(tx, e1.id, "open", NULL, err) == PS_ESTALE);
	CHECK(event_end(tx, e3.id, "done", "deployed", err) == 0);
	CHECK(events_list(tx, r.id, MAIN, 0, 2, &open, err) == 0 && open.n == 2 &&
	      open.v[0].id == e3.id);
	events_clear(&open);
	repository_clear(&r);
	return 0;
}

static void events_join(void **state)
{
	assert_int_equal(write_one(*state, run_chain), 0);
}

static int run_push(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct repository r = { 0 };
	struct push p = { .push = (char *)"p1", .uid = 7, .judged = (char *)"none",
			  .boot = (char *)"boot", .pusher = (char *)"root",
			  .acting_as = (char *)"ana", .stamp = 9 }, got = { 0 };
	struct intent i = { .ref = (char *)MAIN, .old = (char *)A, .new = (char *)B,
			    .state = (char *)"open" };
	struct intents open = { 0 };
	int64_t id;
	char *shown = push_shown(&p);

	(void)arg;
	CHECK(strcmp(shown, "root (as ana)") == 0);
	free(shown);
	CHECK(put_repository(tx, &r, err) == 0);
	p.repository = r.id;
	CHECK(push_put(tx, &p, err) == 0);
	id = i.push = p.id;
	p.judged = (char *)"gate";
	CHECK(push_put(tx, &p, err) == 0 && p.id == id);
	CHECK(push_get(tx, id, &got, err) == 0 && strcmp(got.judged, "gate") == 0);
	push_clear(&got);
	p.uid = 8;
	CHECK(push_put(tx, &p, err) == PS_EPERM);		/* somebody else's push id */
	CHECK(intent_insert(tx, &i, err) == 0);
	CHECK(intents_open(tx, r.id, MAIN, 10, &open, err) == 0 && open.n == 1 &&
	      open.v[0].begun == 9);
	CHECK(intent_set_state(tx, &open.v[0], "void", "push ended, ref did not move", err) == 0);
	intents_clear(&open);
	CHECK(intents_of_push(tx, id, &open, err) == 0 && strcmp(open.v[0].state, "void") == 0);
	CHECK(intent_set_state(tx, &open.v[0], "used", NULL, err) == PS_ESTALE);
	intents_clear(&open);
	repository_clear(&r);
	return 0;
}

static void push_and_intents(void **state)
{
	assert_int_equal(write_one(*state, run_push), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(repository_is_its_uid, setup, teardown),
		cmocka_unit_test_setup_teardown(events_join, setup, teardown),
		cmocka_unit_test_setup_teardown(push_and_intents, setup, teardown),
	};

	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
