/* roles – see roles.h. The table below is the whole truth about who talks to whom: every role to
 * the parent, and core to each of the others; gate, build and deploy never to each other.
 *
 * The programs are opened once: what is put in their place on disk while the agent runs is for its
 * next start. A role of another version than the rest could not read what it is told, would end,
 * come again and end, and what waits for it would wait for ever.
 */
#include "config.h"

#include "agent/roles.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/credential.h"
#include "agent/loop/child.h"
#include "agent/loop/role.h"
#include "agent/sysd.h"
#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/base/spawn.h"
#include "common/config/keys.h"

enum {
	BACKOFF_FIRST_MS = 200, BACKOFF_MAX_MS = 30000,
	STEADY_MS = 60000,		/* who ran this long starts again without delay */
	/* for a role whose socket has closed to end itself and its children */
	END_MS = 5000,
	STOP_MS = 10000, RELOAD_MS = 10000,
};

static const struct {
	const char *name, *program;
	bool talks_to_core;
} table[ROLE_COUNT] = {
	[ROLE_CORE] = { "core", "penstock-core", false },
	[ROLE_GATE] = { "gate", "penstock-gate", true },
	[ROLE_BUILD] = { "build", "penstock-build", true },
	[ROLE_DEPLOY] = { "deploy", "penstock-deploy", true },
};

struct one {
	struct roles *rs;
	enum role_no no;
	struct peer *peer;
	struct child *child;
	struct loop_watch *again;	/* back-off; END_MS while a child has lost its socket */
	char *path;			/* of its program, when the agent began */
	int program;			/* that file (O_PATH), whatever lies at path now */
	/* of the next start; when it was started last (wall clock) */
	int64_t backoff_ms, began_ms;
	/* our copy of core's end of its socket, until core has it */
	int core_end;
	bool configured, answered, started;
};

struct roles {
	struct loop *loop;
	const struct ps_paths *paths;
	const struct users *users;
	char *instance;
	struct buf yaml, offered;
	uint64_t offer, asked_id;	/* number of the offer under way; 0: none */
	bool reloading, ready, stopping, all_down;
	struct loop_watch *timer;	/* limit for stop or reload */
	struct one one[ROLE_COUNT];
	const struct roles_ops *ops;
	void *arg;
};

static void role_start_later(struct one *o);

static void tell(struct one *o, enum msg_type type, const void *body, int fd)
{
	struct ps_err err;

	if (o->peer && peer_send_fd(o->peer, type, body, fd, &err) < 0)
		log_warn("role", table[o->no].name, "'%s' was not taken: %s", msg_name(type),
			 err.msg);
}

/* ---- configuration ---- */

/* The signing key's file is opened here and read by core: it comes with each configuration, so a
 * reload takes a new one. Without it core keeps the one it has. */
static int open_key(struct one *o)
{
	struct ps_err err = { 0 };
	int fd = keys_open(o->rs->paths->keys, &err);

	if (fd < 0)
		log_warn("role", table[o->no].name, "%s", err.msg);
	return fd;
}

/* One credential, open, under the name of what it is for. */
static void hand_credential(struct one *o, const char *what, const char *whose,
			    const struct conf_secret *secret)
{
	char *name = xasprintf("%s %s", what, whose);
	struct ps_err err = { 0 };
	int fd = credential_open(secret, &err);

	if (fd >= 0)
		tell(o, MSG_credential,
		     &(struct wire_credential) { .id = o->rs->offer, .name = name }, fd);
	else if (fd != PS_ENOENT || secret->kind)
		log_warn("config", name, "%s", err.msg);
	if (fd >= 0)
		close(fd);
	free(name);
}

/* Every credential of this configuration, open; what it says is read by deploy alone. */
static void hand_credentials(struct one *o, const struct buf *yaml)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err = { 0 };
	int rc = config_parse(&cfg, o->rs->paths->config, buf_str(yaml), yaml->len, &diags, &err);

	diag_clear(&diags);
	for (size_t i = 0; rc == 0 && cfg && i < cfg->nnotify; i++)
		hand_credential(o, "notify", cfg->notify[i].name, &cfg->notify[i].secret);
	for (size_t i = 0; rc == 0 && cfg && i < cfg->nfabrics; i++) {
		const struct conf_fabric *f = &cfg->fabrics[i];

		hand_credential(o, "fabric", f->name,
				f->token.kind ? &f->token : &f->client_secret);
		hand_credential(o, "uploader", f->name, &f->uploader_password);
		for (size_t k = 0; k < f->nscoped; k++) {
			char *nth = xasprintf("%s %zu", f->name, k);

			hand_credential(o, "scoped", nth, &f->scoped[k].value);
			free(nth);
		}
	}
	config_free(cfg);
}

/* Variables that are secrets by this configuration go to no role that is started from now on. */
static void mark_secrets(const struct roles *rs, const struct buf *yaml)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err = { 0 };

	if (config_parse(&cfg, rs->paths->config, buf_str(yaml), yaml->len, &diags, &err) < 0)
		cfg = NULL;
	for (size_t i = 0; cfg && i < cfg->nnotify; i++)
		credential_mark(&cfg->notify[i].secret);
	for (size_t i = 0; cfg && i < cfg->nfabrics; i++) {
		credential_mark(&cfg->fabrics[i].token);
		credential_mark(&cfg->fabrics[i].client_secret);
		credential_mark(&cfg->fabrics[i].uploader_password);
		for (size_t k = 0; k < cfg->fabrics[i].nscoped; k++)
			credential_mark(&cfg->fabrics[i].scoped[k].value);
	}
	diag_clear(&diags);
	config_free(cfg);
}

static void offer_to(struct one *o, const struct buf *yaml)
{
	char digest[DIGEST_HEX];
	struct wire_config_offer offer = { .id = o->rs->offer, .yaml = { yaml->data, yaml->len },
					   .digest = digest };
	int key = -1;

	digest_bytes(digest, buf_str(yaml), yaml->len);
	o->answered = false;
	if (o->no == ROLE_CORE)
		key = open_key(o);
	if (o->no == ROLE_DEPLOY)
		hand_credentials(o, yaml);
	offer.key = key >= 0;
	tell(o, MSG_config_offer, &offer, key);
	if (key >= 0)
		close(key);
}

static void reload_end(struct roles *rs, const char *problem)
{
	struct wire_config_take take = { .id = rs->offer, .drop = problem != NULL };

	rs->reloading = false;
	loop_timer_stop(rs->timer);
	for (int i = 0; i < ROLE_COUNT; i++)
		tell(&rs->one[i], MSG_config_take, &take, -1);
	if (!problem) {
		buf_reset(&rs->yaml);
		buf_add(&rs->yaml, buf_str(&rs->offered), rs->offered.len);
	}
	rs->ops->on_reloaded(rs->asked_id, problem, rs->arg);
}

static void hand_over(struct one *o);

static void on_answer(struct one *o, const struct wire_config_answer *a)
{
	struct roles *rs = o->rs;
	struct wire_config_take take = { .id = a->id };

	if (a->id != rs->offer || o->answered)
		return;
	o->answered = true;
	if (rs->reloading && a->problem) {
		reload_end(rs, a->problem);
		return;
	}
	if (rs->reloading) {
		for (int i = 0; i < ROLE_COUNT; i++)
			if (!rs->one[i].answered)
				return;
		reload_end(rs, NULL);
		return;
	}
	if (a->problem) {
		log_error("role", table[o->no].name, "refuses the configuration in force: %s",
			  a->problem);
		if (!rs->ready)
			rs->ops->on_refused(table[o->no].name, rs->arg);
		return;
	}
	tell(o, MSG_config_take, &take, -1);
	o->configured = true;
	if (o->no == ROLE_CORE)
		for (int i = 0; i < ROLE_COUNT; i++)
			hand_over(&rs->one[i]);
}

static bool all_started(const struct roles *rs)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (!rs->one[i].started)
			return false;
	return true;
}

static void on_started(struct one *o)
{
	struct roles *rs = o->rs;

	o->started = true;
	if (!rs->ready && !rs->stopping && all_started(rs)) {
		rs->ready = true;
		rs->ops->on_ready(rs->arg);
	}
}

int roles_reload(struct roles *rs, uint64_t id, const char *yaml, size_t yaml_len,
		 struct ps_err *err)
{
	/* who is starting has taken nothing yet: an offer now would overtake the one he works on */
	if (rs->reloading || rs->stopping || !all_started(rs))
		return ps_err_set(err, PS_EBUSY,
				  "a reload is under way, or a role is starting; try again");
	rs->reloading = true;
	rs->offer++;
	rs->asked_id = id;
	buf_reset(&rs->offered);
	buf_add(&rs->offered, yaml, yaml_len);
	mark_secrets(rs, &rs->offered);
	loop_timer_set(rs->timer, RELOAD_MS);
	for (int i = 0; i < ROLE_COUNT; i++)
		offer_to(&rs->one[i], &rs->offered);
	return 0;
}

void roles_tell_core(struct roles *rs, uint64_t id, const char *problem, const char *text)
{
	struct wire_told told = { .id = id, .problem = problem, .text = text };
	char *cut = problem && strlen(problem) > WIRE_TEXT ? xstrndup(problem, WIRE_TEXT) : NULL;

	if (cut) {			/* whole findings, as many as fit */
		char *end = strrchr(cut, '\n');

		if (end)
			*end = '\0';
		told.problem = cut;
	}
	tell(&rs->one[ROLE_CORE], MSG_told, &told, -1);
	free(cut);
}

/* ---- life of one role ---- */

/* Gives core its end of the socket to this role, once core is there to take it. */
static void hand_over(struct one *o)
{
	struct wire_connect c = { .role = table[o->no].name };

	if (o->core_end < 0 || !o->rs->one[ROLE_CORE].configured)
		return;
	tell(&o->rs->one[ROLE_CORE], MSG_connect, &c, o->core_end);
	close(o->core_end);
	o->core_end = -1;
}

/* Half an installation: the programs of this start are not of one version. */
static void on_hello(struct one *o, const struct wire_hello *h)
{
	if (strcmp(h->program, VERSION) == 0)
		return;
	log_error("role", table[o->no].name, "'%s' is of version %s, penstockd of version %s: "
		  "install all programs of one version, then start again", o->path, h->program,
		  VERSION);
	o->rs->ops->on_refused(table[o->no].name, o->rs->arg);
}

static void on_msg(struct peer *p, struct msg *m, void *arg)
{
	struct one *o = arg;

	(void)p;
	if (m->type == MSG_config_answer)
		on_answer(o, &m->u.config_answer);
	else if (m->type == MSG_started)
		on_started(o);
	else if (m->type == MSG_ask_parent && o->no == ROLE_CORE)
		o->rs->ops->on_asked(m->u.ask_parent.what, m->u.ask_parent.id, o->rs->arg);
	else if (m->type == MSG_hello)
		on_hello(o, &m->u.hello);
	else
		log_warn("role", table[o->no].name, "said '%s', which the parent does not know",
			 m->name);
}

static void on_close(struct peer *p, const char *why, void *arg)
{
	struct one *o = arg;

	(void)p;
	(void)why;
	o->peer = NULL;
	/* a role without a parent ends itself: it frees, it says why */
	if (o->child && !o->rs->stopping)
		loop_timer_set(o->again, END_MS);
}

static void check_all_down(struct roles *rs)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (rs->one[i].child)
			return;
	if (rs->stopping && !rs->all_down) {
		rs->all_down = true;
		loop_timer_stop(rs->timer);
		rs->ops->on_stopped(rs->arg);
	}
}

static void on_exit_of(struct child *c, int status, void *arg)
{
	struct one *o = arg;
	struct roles *rs = o->rs;
	char text[64];

	(void)c;
	o->child = NULL;
	o->configured = o->started = false;
	if (o->peer)
		peer_close(o->peer, "role ended");
	if (o->core_end >= 0) {
		close(o->core_end);
		o->core_end = -1;
	}
	if (rs->stopping) {
		check_all_down(rs);
		return;
	}
	if (!rs->ready && WIFEXITED(status) && WEXITSTATUS(status) == 1) {
		rs->ops->on_refused(table[o->no].name, rs->arg);
		return;
	}
	if (clock_wall_ms() - o->began_ms > STEADY_MS)
		o->backoff_ms = BACKOFF_FIRST_MS;
	log_error("role", table[o->no].name, "ended by itself: %s; starting it again in %lld ms",
		  spawn_status_text(text, status), (long long)o->backoff_ms);
	if (rs->reloading)
		reload_end(rs, "a role ended during the reload; "
			   "the old configuration stays in force");
	role_start_later(o);
}

static int open_pair(int sp[2], struct ps_err *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sp) < 0)
		return ps_err_errno(err, "cannot make a socketpair");
	return 0;
}

/* The child's ends must land on descriptors 3 and 4 whatever numbers are free here. */
static int place(int fd, int want)
{
	if (fd == want)
		return fcntl(fd, F_SETFD, 0);
	return dup2(fd, want) < 0 ? -1 : 0;
}

static void run_role(const struct one *o, int parent_end, int core_end) PS_NORETURN;
static void run_role(const struct one *o, int parent_end, int core_end)
{
	const char *argv[] = { o->path, o->rs->instance, NULL };
	int program = fcntl(o->program, F_DUPFD_CLOEXEC, 10);
	int a = fcntl(parent_end, F_DUPFD_CLOEXEC, 10);
	int b = core_end >= 0 ? fcntl(core_end, F_DUPFD_CLOEXEC, 10) : -1;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	credential_forget();
	if (program < 0 || a < 0 || place(a, ROLE_PARENT_FD) < 0 ||
	    (core_end >= 0 && (b < 0 || place(b, ROLE_CORE_FD) < 0)))
		_exit(127);
	users_become(o->rs->users, o->no);
	fexecve(program, (char *const *)argv, environ);
	fprintf(stderr, "penstockd: cannot start '%s': %s\n", o->path, strerror(errno));
	_exit(127);
}

/* Sockets that listen already: core takes them in place of its own, each core anew. */
static void hand_sockets(struct one *o)
{
	const struct ps_paths *paths = o->rs->paths;
	const struct { const char *name, *path; } own[] = { { "hook", paths->hook_sock },
							    { "api", paths->api_sock } };

	for (size_t i = 0; i < PS_NELEM(own); i++) {
		struct wire_connect c = { .role = own[i].name };
		int fd = sysd_socket(own[i].path);

		if (fd >= 0)
			tell(o, MSG_connect, &c, fd);
	}
}

static int find_program(struct one *o, struct ps_err *err)
{
	o->path = fs_find_program(table[o->no].program);
	if (!o->path)
		return ps_err_set(err, PS_ENOENT,
				  "the program '%s' is not beside penstockd nor in '%s'",
				  table[o->no].program, PENSTOCK_LIBEXECDIR);
	o->program = open(o->path, O_PATH | O_CLOEXEC);
	return o->program < 0 ? ps_err_errno(err, "cannot open '%s'", o->path) : 0;
}

static int start_one(struct one *o, struct ps_err *err)
{
	static const struct peer_ops peer_ops_of_roles = { on_msg, on_close, MSG_ROLE_MAX,
							   64 << 20 };
	int up[2] = { -1, -1 }, side[2] = { -1, -1 }, rc = open_pair(up, err);
	pid_t pid;

	if (rc == 0 && table[o->no].talks_to_core)
		rc = open_pair(side, err);
	if (rc < 0)
		goto out;
	pid = fork();
	if (pid == 0)
		run_role(o, up[1], side[1]);
	if (pid < 0) {
		rc = ps_err_errno(err, "cannot start '%s'", o->path);
		goto out;
	}
	rc = child_watch(&o->child, o->rs->loop, pid, on_exit_of, o, err);
	if (rc < 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		goto out;
	}
	o->began_ms = clock_wall_ms();
	o->peer = peer_new(o->rs->loop, up[0], &peer_ops_of_roles, o);
	up[0] = -1;
	o->core_end = side[0];
	side[0] = -1;
	if (o->no == ROLE_CORE)
		hand_sockets(o);
	offer_to(o, &o->rs->yaml);
	hand_over(o);
out:
	for (int i = 0; i < 2; i++) {
		if (up[i] >= 0)
			close(up[i]);
		if (side[i] >= 0)
			close(side[i]);
	}
	return rc;
}

static void start_again(void *arg)
{
	struct one *o = arg;
	struct ps_err err;

	if (o->rs->stopping)
		return;
	if (o->child) {
		log_warn("role", table[o->no].name, "did not end in %d s: killed", END_MS / 1000);
		child_signal(o->child, SIGKILL, false);
		return;
	}
	o->backoff_ms = o->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : o->backoff_ms * 2;
	if (start_one(o, &err) < 0) {
		log_error("role", table[o->no].name, "%s", err.msg);
		role_start_later(o);
	}
}

static void role_start_later(struct one *o)
{
	struct roles *rs = o->rs;

	loop_timer_set(o->again, o->backoff_ms);
	if (o->no != ROLE_CORE)
		return;
	/* what they do was asked for by a core that is gone */
	for (int i = 0; i < ROLE_COUNT; i++)
		if (i != ROLE_CORE && rs->one[i].peer)
			peer_close(rs->one[i].peer, "core ended");
}

static void on_timer(void *arg)
{
	struct roles *rs = arg;

	if (rs->stopping) {
		for (int i = 0; i < ROLE_COUNT; i++)
			if (rs->one[i].child) {
				log_warn("role", table[i].name, "did not end in %d s: killed",
					 STOP_MS / 1000);
				child_signal(rs->one[i].child, SIGKILL, false);
			}
	} else if (rs->reloading) {
		reload_end(rs, "a role did not answer in time; "
			   "the old configuration stays in force");
	}
}

int roles_start(struct roles **out, struct loop *loop, const struct ps_paths *paths,
		const struct users *users, const char *instance, const char *yaml, size_t yaml_len,
		const struct roles_ops *ops, void *arg, struct ps_err *err)
{
	struct roles *rs = xcalloc(1, sizeof(*rs));
	int rc = 0;

	rs->loop = loop;
	rs->paths = paths;
	rs->users = users;
	rs->instance = xstrdup(instance ? instance : "-");
	rs->ops = ops;
	rs->arg = arg;
	rs->offer = 1;
	buf_add(&rs->yaml, yaml, yaml_len);
	mark_secrets(rs, &rs->yaml);
	rs->timer = loop_timer(loop, on_timer, rs);
	for (int i = 0; i < ROLE_COUNT; i++) {
		rs->one[i] = (struct one) { .rs = rs, .no = (enum role_no)i, .core_end = -1,
					    .program = -1, .backoff_ms = BACKOFF_FIRST_MS };
		rs->one[i].again = loop_timer(loop, start_again, &rs->one[i]);
	}
	for (int i = 0; i < ROLE_COUNT && rc == 0; i++)
		rc = find_program(&rs->one[i], err);
	for (int i = 0; i < ROLE_COUNT && rc == 0; i++)
		rc = start_one(&rs->one[i], err);
	*out = rs;
	return rc;
}

void roles_stop(struct roles *rs, const char *why)
{
	struct wire_stop stop = { .why = why };

	if (rs->stopping)
		return;
	rs->stopping = true;
	loop_timer_set(rs->timer, STOP_MS);
	for (int i = 0; i < ROLE_COUNT; i++)
		tell(&rs->one[i], MSG_stop, &stop, -1);
	check_all_down(rs);
}

void roles_free(struct roles *rs)
{
	if (!rs)
		return;
	for (int i = 0; i < ROLE_COUNT; i++) {
		if (rs->one[i].peer)
			peer_close(rs->one[i].peer, "end");
		if (rs->one[i].child)
			child_forget(rs->one[i].child);
		if (rs->one[i].core_end >= 0)
			close(rs->one[i].core_end);
		if (rs->one[i].program >= 0)
			close(rs->one[i].program);
		free(rs->one[i].path);
		loop_watch_free(rs->one[i].again);
	}
	loop_watch_free(rs->timer);
	buf_clear(&rs->yaml);
	buf_clear(&rs->offered);
	free(rs->instance);
	free(rs);
}
