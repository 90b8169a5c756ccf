/* clean – see clean.h: one round after the other. */
#include "config.h"

#include "agent/flow/clean.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "agent/flow/disk.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

enum {
	TICK_MS = 60000,		/* also the first one after the start */
	FULL_MS = 10 * 60 * 1000,	/* between two rounds that a full disk asks for */
	LIMIT_MS = 600000,
};

struct clean {
	struct core *core;
	struct loop_watch *timer;
	struct round *round;		/* under way; NULL */
	int64_t began_ns;		/* of the last one */
	struct clean_report last;
};

struct round {
	struct clean *all;
	bool dry, asked;		/* somebody waits for the answer */
	core_reply_fn *reply;
	void *arg;
	struct conf_retention rules;
	char *aside;			/* folder */
	int64_t now_ms, rows, aside_files, aside_bytes;
	struct texts keep;
	struct msg listed[2];		/* answers of OWNERS */
	struct wire_clean_item *items;	/* of those that stay listed; they point into these */
	size_t n;
	size_t owner;			/* who is asked now: place in OWNERS */
	char *problem;			/* the first; NULL */
};

/* Who has something to list and to remove, in this order; one that is not there has nothing. */
static const enum core_role OWNERS[] = { CORE_BUILD, CORE_DEPLOY };

static void round_free(struct round *r)
{
	texts_clear(&r->keep);
	for (size_t i = 0; i < PS_NELEM(r->listed); i++)
		msg_clear(&r->listed[i]);
	free(r->problem);
	free(r->items);
	free(r->aside);
	free(r);
}

static char *items_text(const struct round *r)
{
	json_t *items = json_array();
	char *text;

	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(items,
				      json_pack("{s:s, s:s, s:s, s:I}", "id", r->items[i].name,
						"state", r->dry ? "may go" : "removed", "kind",
						r->items[i].kind, "size",
						(json_int_t)r->items[i].size));
	text = json_dumps(items, JSON_COMPACT);
	json_decref(items);
	return text;
}

static void round_end(struct round *r, int rc, const char *problem)
{
	struct clean *c = r->all;
	char *text = problem ? NULL : items_text(r);

	if (problem)
		log_warn("clean", NULL, "%s", problem);
	if (!r->dry)
		snprintf(c->last.problem, sizeof(c->last.problem), "%s", problem ? problem : "");
	if (r->reply)
		r->reply(r->arg, rc, problem, text);
	c->round = NULL;
	free(text);
	round_free(r);
}

static void ask_owner(struct round *r, struct wire_clean *clean, ask_fn *answer)
{
	struct core *c = r->all->core;
	struct peer *peer = c->roles[OWNERS[r->owner]].peer;
	struct msg none = { .type = MSG_cleaned };

	if (!peer && OWNERS[r->owner] == CORE_DEPLOY)
		answer(r, &none, NULL);
	else
		ask_send(c->asks, peer, MSG_clean, clean, LIMIT_MS, answer, r);
}

/* ---- removing ---- */

static bool is_of(const struct wire_clean_item *item, enum core_role owner)
{
	return (strcmp(item->kind, "output") == 0) == (owner == CORE_DEPLOY);
}

static void on_removed(void *arg, struct msg *m, const char *problem);

/* The next owner of something removes it; behind the last one the round is over. */
static void remove_next(struct round *r)
{
	struct wire_clean_item *own = xcalloc(r->n + 1, sizeof(*own));
	struct clean_report *last = &r->all->last;
	size_t n = 0;

	for (; r->owner < PS_NELEM(OWNERS) && !n; r->owner += !n)
		for (size_t i = 0; i < r->n; i++)
			if (is_of(&r->items[i], OWNERS[r->owner]))
				own[n++] = r->items[i];
	if (n) {
		ask_owner(r, &(struct wire_clean) { .remove = { own, n } }, on_removed);
		free(own);
		return;
	}
	free(own);
	if (last->files || last->rows)
		log_info("clean", NULL, "%llu files removed, %llu bytes freed, %lld old rows",
			 (unsigned long long)last->files, (unsigned long long)last->bytes,
			 (long long)last->rows);
	round_end(r, r->problem ? PS_EIO : 0, r->problem);
}

static void on_removed(void *arg, struct msg *m, const char *problem)
{
	struct round *r = arg;

	if (m && m->type == MSG_cleaned) {
		r->all->last.files += m->u.cleaned.files;
		r->all->last.bytes += m->u.cleaned.bytes;
		problem = m->u.cleaned.problem;
	}
	if (problem && !r->problem)
		r->problem = xstrdup(problem);
	r->owner++;
	remove_next(r);
}

/* What became needed since it was listed stays; the rest is forgotten, then removed. */
static int forget_one(struct store_tx *tx, struct round *r, const struct wire_clean_item *item,
		      struct ps_err *err)
{
	if (texts_has(&r->keep, item->name))
		return 0;
	r->items[r->n++] = *item;
	return strcmp(item->kind, "artifact") == 0 ? retention_forget(tx, item->name, err) : 0;
}

static int run_forget(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct round *r = arg;
	int rc;

	texts_clear(&r->keep);
	r->n = 0;
	rc = clean_keep(tx, r->rules.rollbacks, &r->keep, err);
	texts_sort(&r->keep);
	for (size_t o = 0; o < PS_NELEM(r->listed); o++)
		for (size_t i = 0; rc == 0 && i < r->listed[o].u.cleaned.items.n; i++)
			rc = forget_one(tx, r, &r->listed[o].u.cleaned.items.v[i], err);
	if (rc == 0)
		rc = retention_rows(tx, r->now_ms - r->rules.rows_ms, &r->rows, err);
	return rc < 0 ? rc : clean_paths(tx, r->rules.rollbacks, &r->keep, &r->rows, err);
}

static void on_forgotten(void *arg, int rc, const struct ps_err *err)
{
	struct round *r = arg;

	if (rc < 0) {
		round_end(r, rc, ps_err_msg(err, rc));
		return;
	}
	r->all->last = (struct clean_report) { .at_ms = clock_wall_ms(), .rows = r->rows,
					       .files = (uint64_t)r->aside_files,
					       .bytes = (uint64_t)r->aside_bytes };
	r->owner = 0;
	remove_next(r);
}

/* ---- listing ---- */

static void all_listed(struct round *r)
{
	size_t all = 0;

	for (size_t o = 0; o < PS_NELEM(r->listed); o++)
		all += r->listed[o].u.cleaned.items.n;
	r->items = xcalloc(all + 1, sizeof(*r->items));
	for (size_t o = 0; o < PS_NELEM(r->listed); o++)
		for (size_t i = 0; i < r->listed[o].u.cleaned.items.n; i++)
			r->items[r->n++] = r->listed[o].u.cleaned.items.v[i];
	if (r->dry)
		round_end(r, 0, NULL);
	else
		store_write(r->all->core->store, STORE_FULL, run_forget, on_forgotten, r);
}

static void on_listed(void *arg, struct msg *m, const char *problem);

static void list_next(struct round *r)
{
	const struct conf_retention *rules = &r->rules;
	struct wire_clean clean = {
		.artifacts_before = r->now_ms - rules->artifacts_ms,
		.artifacts_max = rules->artifacts_max, .logs_before = r->now_ms - rules->logs_ms,
		.logs_max = rules->logs_max, .exports_before = r->now_ms - rules->exports_ms,
		.keep = { (const char *const *)r->keep.v, r->keep.n },
	};

	if (r->owner < PS_NELEM(OWNERS))
		ask_owner(r, &clean, on_listed);
	else
		all_listed(r);
}

static void on_listed(void *arg, struct msg *m, const char *problem)
{
	struct round *r = arg;
	struct msg *to = &r->listed[r->owner];

	if (m && m->type == MSG_cleaned) {
		*to = *m;
		m->type = MSG_NONE;
		problem = to->u.cleaned.problem;
	}
	if (problem) {
		round_end(r, PS_EIO, problem);
		return;
	}
	r->owner++;
	list_next(r);
}

/* What was set aside in the spool is core's to remove; on the reader's thread, which may wait. */
static void clean_aside(struct round *r)
{
	int fd = open(r->aside, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d))) {
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !S_ISREG(st.st_mode) ||
		    (int64_t)st.st_mtim.tv_sec * 1000 > r->now_ms - r->rules.aside_ms ||
		    unlinkat(dirfd(d), e->d_name, 0) < 0)
			continue;
		r->aside_files++;
		r->aside_bytes += st.st_blocks * 512;
	}
	if (d)
		closedir(d);
	else if (fd >= 0)
		close(fd);
}

static int run_keep(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct round *r = arg;

	if (!r->dry)
		clean_aside(r);
	return clean_keep(tx, r->rules.rollbacks, &r->keep, err);
}

static void on_keep(void *arg, int rc, const struct ps_err *err)
{
	struct round *r = arg;

	if (rc < 0)
		round_end(r, rc, ps_err_msg(err, rc));
	else
		list_next(r);
}

static void begin(struct clean *c, bool dry, core_reply_fn *reply, void *arg)
{
	struct round *r = xcalloc(1, sizeof(*r));

	*r = (struct round) { .all = c, .dry = dry, .reply = reply, .arg = arg,
			      .rules = c->core->policy->cfg->retention, .now_ms = clock_wall_ms(),
			      .aside = fs_join(c->core->paths->spool, "aside") };
	c->round = r;
	c->began_ns = clock_boot_ns();
	store_read(c->core->store, run_keep, on_keep, r);
}

static void on_timer(void *arg)
{
	struct clean *c = arg;
	int64_t since = (clock_boot_ns() - c->began_ns) / 1000000;
	int64_t every = c->core->policy->cfg->retention.every_ms;

	if (disk_now(c->core->disk) != DISK_OK && every > FULL_MS)
		every = FULL_MS;
	if (!c->round && !c->core->role->stopping && (!c->began_ns || since >= every))
		begin(c, false, NULL, NULL);
	loop_timer_set(c->timer, TICK_MS);
}

int clean_open(struct clean **out, struct core *core, struct ps_err *err)
{
	struct clean *c = xcalloc(1, sizeof(*c));

	(void)err;
	c->core = core;
	c->timer = loop_timer(core->loop, on_timer, c);
	loop_timer_set(c->timer, TICK_MS);
	*out = c;
	return 0;
}

void clean_close(struct clean *c)
{
	if (!c)
		return;
	loop_watch_free(c->timer);
	if (c->round) {
		ask_forget(c->core->asks, c->round);
		if (c->round->reply)
			c->round->reply(c->round->arg, PS_EAGENT, "core ends", NULL);
		round_free(c->round);
	}
	free(c);
}

const struct clean_report *clean_last(const struct clean *c)
{
	return &c->last;
}

void flow_clean(struct core *core, bool dry, core_reply_fn *reply, void *arg)
{
	if (core->clean->round)
		reply(arg, PS_EBUSY, "the cleaner is at work: try again in a moment", NULL);
	else
		begin(core->clean, dry, reply, arg);
}
