/* look – see look.h. */
#include "config.h"

#include "agent/flow/look.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/flow/merge.h"
#include "agent/store/repository.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

enum {
	AT_ONCE = 4,
	LIMIT_MS = 120000,
	AGAIN_MS = 300000,		/* after a look that failed */
	WALK_DEPTH = 8,			/* below a root: groups within groups */
	WALK_DIRS = 20000,
};

struct look {
	struct looks *all;
	char *path, *name;
	core_reply_fn *reply;
	void *arg;
	bool asked;
	struct msg looked;
	int64_t from, to;
	size_t events;
	struct look *next;
};

struct looks {
	struct core *core;
	struct look *first, **last;
	size_t asked;
	struct loop_watch *again;
};

static void go_on(struct looks *l);

static void again(void *arg)
{
	looks_start(arg);
}

struct looks *looks_new(struct core *c)
{
	struct looks *l = xcalloc(1, sizeof(*l));

	l->core = c;
	l->last = &l->first;
	l->again = loop_timer(c->loop, again, l);
	return l;
}

static void look_free(struct look *k)
{
	free(k->path);
	free(k->name);
	msg_clear(&k->looked);
	free(k);
}

void looks_free(struct looks *l)
{
	if (!l)
		return;
	while (l->first) {
		struct look *k = l->first;

		l->first = k->next;
		ask_forget(l->core->asks, k);
		if (k->reply)		/* frees who asked; his connection is gone */
			k->reply(k->arg, PS_EAGENT, "core ends", NULL);
		look_free(k);
	}
	loop_watch_free(l->again);
	free(l);
}

static void look_end(struct look *k, int rc, const char *problem)
{
	struct looks *l = k->all;
	struct look **at = &l->first;
	char *text = xasprintf("%s: %zu refs seen%s", k->name ? k->name : k->path,
			       k->looked.type == MSG_looked ? k->looked.u.looked.refs.n : 0,
			       k->events ? ", some had moved: see penstock events" : "");

	if (problem && !l->core->role->stopping)
		loop_timer_set(l->again, AGAIN_MS);
	if (problem)
		log_warn("look", k->path, "%s", problem);
	else
		log_info("look", k->path, "%s", text);
	if (k->reply)
		k->reply(k->arg, rc, problem, problem ? NULL : text);
	free(text);
	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	if (!k->next)
		l->last = at;
	if (k->asked)
		l->asked--;
	look_free(k);
	go_on(l);
}

static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct look *k = arg;
	const struct wire_looked *w = &k->looked.u.looked;
	struct merge_repository where = { w->repository_id, k->path, k->name };
	struct merge_time when = { clock_boot_id(), k->from, k->to };

	return merge_look(tx, &where, w->refs.v, w->refs.n, when, &k->events, err);
}

static void on_stored(void *arg, int rc, const struct ps_err *err)
{
	struct look *k = arg;

	if (rc == 0 && k->events)
		core_kick(k->all->core);
	look_end(k, rc, rc < 0 ? ps_err_msg(err, rc) : NULL);
}

static void on_looked(void *arg, struct msg *m, const char *problem)
{
	struct look *k = arg;

	k->to = clock_boot_ns();
	if (m && m->type == MSG_looked) {
		k->looked = *m;
		m->type = MSG_NONE;
		if (k->looked.u.looked.stamp > (uint64_t)k->from)
			k->from = (int64_t)k->looked.u.looked.stamp;	/* nearer to the reading */
		problem = k->looked.u.looked.problem;
		if (!problem && !k->looked.u.looked.repository_id)
			problem = "the repository has no id and none could be written";
	}
	if (problem)
		look_end(k, PS_EGATE, problem);
	else
		store_write(k->all->core->store, STORE_FULL, run, on_stored, k);
}

static void ask(struct look *k)
{
	struct core *c = k->all->core;
	struct wire_look look = { .repository = k->path };

	k->asked = true;
	k->all->asked++;
	k->from = clock_boot_ns();
	ask_send(c->asks, c->roles[CORE_GATE].peer, MSG_look, &look, LIMIT_MS, on_looked, k);
}

static void go_on(struct looks *l)
{
	for (struct look *k = l->first; k && l->asked < AT_ONCE; k = k->next)
		if (!k->asked)
			ask(k);
}

static bool is_waiting(const struct looks *l, const char *path)
{
	for (const struct look *k = l->first; k; k = k->next)
		if (!k->asked && !k->reply && strcmp(k->path, path) == 0)
			return true;
	return false;
}

static void put(struct looks *l, const char *path, core_reply_fn *reply, void *arg)
{
	struct look *k;
	char *name;

	if (!reply && is_waiting(l, path))
		return;
	if (!config_root_of(l->core->policy->cfg, l->core->policy->base, path, &name)) {
		if (reply)
			reply(arg, PS_ENOENT,
			      "the repository is below no root of penstock.yml: add one "
			      "to repositories.roots and run: penstock reload", NULL);
		return;			/* known from earlier, its root is not ours any more */
	}
	k = xcalloc(1, sizeof(*k));
	*k = (struct look) { .all = l, .path = xstrdup(path), .name = name, .reply = reply,
			     .arg = arg };
	*l->last = k;
	l->last = &k->next;
}

void looks_add(struct looks *l, const char *path, core_reply_fn *reply, void *arg)
{
	put(l, path, reply, arg);
	go_on(l);
}

/* ---- all of them ---- */

/* Repositories that have our hook. Into none of them, and into no folder named .git or X.git. */
static void walk(struct looks *l, int dirfd, const char *path, int depth, size_t *left)
{
	DIR *list = fdopendir(dirfd);
	struct dirent *d;

	if (!list) {
		close(dirfd);
		return;
	}
	if (faccessat(dirfd, "hooks/penstock.hook", F_OK, 0) == 0) {
		put(l, path, NULL, NULL);
		closedir(list);
		return;
	}
	while (depth > 0 && !ps_ends(path, ".git") && *left && (d = readdir(list))) {
		char *below;
		int fd;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 ||
		    (d->d_type != DT_DIR && d->d_type != DT_UNKNOWN))
			continue;
		fd = openat(dirfd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		--*left;
		below = fs_join(path, d->d_name);
		walk(l, fd, below, depth - 1, left);
		free(below);
	}
	closedir(list);
}

static void walk_roots(struct looks *l)
{
	const struct policy_now *p = l->core->policy;
	size_t left = WALK_DIRS;

	for (size_t i = 0; i < p->cfg->nroots; i++) {
		char *path = config_root_path(&p->cfg->roots[i], p->base);
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			walk(l, fd, path, WALK_DEPTH, &left);
		else
			log_warn("look", path, "the root cannot be read");
		free(path);
	}
	if (!left)
		log_warn("look",
			 NULL, "more than %d folders below the roots: some repositories were not "
			 "looked at", WALK_DIRS);
}

struct all { struct looks *looks; struct repositories known; };

static int run_known(struct store_tx *tx, void *arg, struct ps_err *err)
{
	return repositories_all(tx, &((struct all *)arg)->known, err);
}

static void on_known(void *arg, int rc, const struct ps_err *err)
{
	struct all *a = arg;
	struct looks *l = a->looks;

	if (rc < 0)
		log_error("look", NULL, "the repositories that are known cannot be read: %s",
			  ps_err_msg(err, rc));
	if (!l->core->role->stopping) {
		for (size_t i = 0; i < a->known.n; i++)
			put(l, a->known.v[i].path, NULL, NULL);
		walk_roots(l);
		go_on(l);
	}
	repositories_clear(&a->known);
	free(a);
}

void looks_start(struct looks *l)
{
	struct all *a = xcalloc(1, sizeof(*a));

	a->looks = l;
	store_read(l->core->store, run_known, on_known, a);
}
