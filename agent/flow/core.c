/*
 * core – main of penstock-core: wires store, door, queue and API to one loop; see core.h.
 *
 * Start-up in order: configuration from the parent → store → policy snapshot for the hooks → intake
 * and door → queue → API. Roles are handed over by the parent as they start; until then work waits.
 */
#include "config.h"

#include "agent/flow/core.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/flow/clean.h"
#include "agent/flow/core_audit.h"
#include "agent/flow/disk.h"
#include "agent/flow/door.h"
#include "agent/flow/intake.h"
#include "agent/flow/queue.h"
#include "agent/flow/drifting.h"
#include "agent/flow/sending.h"
#include "agent/flow/signing.h"
#include "agent/store/audit.h"
#include "agent/store/demand.h"
#include "agent/web/api.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/config/keys.h"
#include "common/config/policy.h"
#include "common/wire/frame.h"

enum { TOOLCHAIN_LIMIT_MS = 600000 };

static const char *const role_names[CORE_ROLES] = { "gate", "build", "deploy" };

/* ---- configuration in force ---- */

struct policy_now *policy_take(struct policy_now *p)
{
	p->refs++;
	return p;
}

void policy_drop(struct policy_now *p)
{
	if (!p || --p->refs > 0)
		return;
	config_free(p->cfg);
	if (p->key)
		sign_key_clear(p->key);
	free(p->key);
	free(p->base);
	free(p);
}

/* ---- the key that signs releases ---- */

struct catch_up { struct policy_now *policy; size_t n; };

static int run_catch_up(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct catch_up *u = arg;

	return signing_run(tx, u->policy->key, &u->n, err);
}

static void catch_up_done(void *arg, int rc, const struct ps_err *err)
{
	struct catch_up *u = arg;

	if (rc < 0)
		log_error("release", NULL, "releases were not signed: %s", ps_err_msg(err, rc));
	else if (u->n)
		log_info("release", NULL, "%zu without signature signed with the key %s", u->n,
			 u->policy->key->pub.id);
	policy_drop(u->policy);
	free(u);
}

/* What the writer does after it finds every release signed. */
static void sign_the_rest(struct core *c)
{
	struct catch_up *u;

	if (!c->policy->key)
		return;
	u = xcalloc(1, sizeof(*u));
	u->policy = policy_take(c->policy);
	store_write(c->store, STORE_FULL, run_catch_up, catch_up_done, u);
}

/* Configuration and key, where either is another one than before. */
static void tell_in_force(struct core *c)
{
	audit_policy(c->store, c->policy->cfg->digest);
	if (c->policy->key)
		audit_key(c->store, c->policy->key->pub.id);
}

/* The key that came with this configuration, else the one we have. */
static int policy_take_key(struct core *c, struct policy_now *p, struct ps_err *err)
{
	const struct sign_key *have = c->policy ? c->policy->key : NULL;
	struct sign_key k = { .secret = { 0 } };
	int rc = c->role->handed >= 0 ? keys_read(&k, c->role->handed, err) : 0;

	if (rc < 0 || (c->role->handed < 0 && !have))
		return rc;
	p->key = xcalloc(1, sizeof(*p->key));
	*p->key = c->role->handed >= 0 ? k : *have;
	sign_key_clear(&k);
	if (have && strcmp(have->pub.id, p->key->pub.id) == 0)
		return 0;
	log_info("key", p->key->pub.id, "signs releases from now on");
	return 0;
}

/* Our own copy: the role's is freed at the next reload, ours when its last reader is done. */
static int policy_make(struct core *c, struct policy_now **out, struct ps_err *err)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct policy_now *p = xcalloc(1, sizeof(*p));
	int rc = config_parse(&p->cfg, c->paths->config, buf_str(&c->role->yaml), c->role->yaml.len,
			      &diags, err);

	p->refs = 1;
	p->base = xstrdup(c->paths->base);
	diag_clear(&diags);
	if (rc == 0 && !p->cfg)
		rc = ps_err_set(err, PS_ECONFIG, "the configuration is not valid any more");
	if (rc == 0)
		rc = policy_take_key(c, p, err);
	if (rc < 0)
		policy_drop(p);
	else
		*out = p;
	return rc;
}

/* The snapshot that hooks and the gate program read. */
static int publish_policy(struct core *c, struct ps_err *err)
{
	return policy_write(c->paths->policy, c->policy->cfg, c->paths->base, c->paths->spool,
			    (uint32_t)geteuid(), buf_str(&c->role->yaml), c->role->yaml.len, NULL,
			    0, err);
}

static void on_config(struct role *r)
{
	struct core *c = r->self;
	struct policy_now *fresh = NULL;
	struct ps_err err = { 0 };

	if (policy_make(c, &fresh, &err) < 0) {
		log_error("config", NULL, "cannot use the new configuration: %s", err.msg);
		return;
	}
	policy_drop(c->policy);
	c->policy = fresh;
	if (publish_policy(c, &err) < 0)
		log_error("config", NULL, "hooks still read the old policy: %s", err.msg);
	tell_in_force(c);
	sign_the_rest(c);
	if (c->api)
		api_on_config(c->api);
	intake_on_config(c);
	core_ask_toolchain(c);
	core_kick(c);
}

/* ---- roles ---- */

void core_kick(struct core *c)
{
	if (c->queue)
		queue_kick(c->queue);
}

bool core_tell(struct core *c, enum core_role to, enum msg_type type, const void *body)
{
	struct ps_err err = { 0 };

	if (c->roles[to].peer && peer_send(c->roles[to].peer, type, body, &err) == 0)
		return true;
	log_warn("role", role_names[to], "'%s' was not sent: %s", msg_name(type),
		 c->roles[to].peer ? err.msg : "not running");
	return false;
}

void core_log_done(void *arg, int rc, const struct ps_err *err)
{
	struct core *c = arg;

	if (rc < 0)
		log_error("store", NULL, "%s", ps_err_msg(err, rc));
	core_kick(c);
}

static int run_wake_keyless(struct store_tx *tx, void *arg, struct ps_err *err)
{
	(void)arg;
	return demands_look_again(tx, err);
}

/* Demands that wait for a toolchain are looked at again when one is another, or the rules are. */
static void wake_keyless(struct core *c, const struct toolchain_now *before)
{
	const char *policy = c->policy->cfg->digest;

	if (toolchains_same(before, &c->toolchain) && strcmp(c->toolchain_for, policy) == 0)
		return;
	snprintf(c->toolchain_for, sizeof(c->toolchain_for), "%s", policy);
	store_write(c->store, STORE_NORMAL, run_wake_keyless, core_log_done, c);
}

static void on_toolchain(void *arg, struct msg *m, const char *problem)
{
	struct core *c = arg;
	struct toolchain_now before;
	int64_t asked_ms = c->toolchain_asking_ms;
	bool again = m && c->toolchain_ask_again;

	c->toolchain_asking_ms = 0;
	c->toolchain_ask_again = false;
	if (!m || m->type != MSG_toolchain_info) {
		log_warn("role", "build", "did not tell its toolchain: %s",
			 problem ? problem : "another answer");
		return;
	}
	before = c->toolchain;
	toolchains_take(&c->toolchain, &m->u.toolchain_info, asked_ms);
	wake_keyless(c, &before);
	toolchains_clear(&before);
	if (again)
		core_ask_toolchain(c);
	core_kick(c);
}

void core_ask_toolchain(struct core *c)
{
	if (!c->roles[CORE_BUILD].peer)
		return;
	if (c->toolchain_asking_ms) {
		c->toolchain_ask_again = true;
		return;
	}
	c->toolchain_asking_ms = clock_wall_ms();
	ask_send(c->asks, c->roles[CORE_BUILD].peer, MSG_toolchain_query,
		 &(struct wire_toolchain_query) { 0 }, TOOLCHAIN_LIMIT_MS, on_toolchain, c);
}

static void drop_facts(struct core_peer *cp)
{
	for (size_t i = 0; i < cp->nfacts; i++)
		free(cp->facts[i]);
	free(cp->facts);
	cp->facts = NULL;
	cp->nfacts = 0;
}

static void on_hello(struct core_peer *cp, const struct wire_hello *h)
{
	if (!cp->coming)		/* said it before */
		return;
	cp->peer = cp->coming;
	cp->coming = NULL;
	drop_facts(cp);
	cp->pid = h->pid;
	cp->facts = xcalloc(h->facts.n, sizeof(*cp->facts));
	for (size_t i = 0; i < h->facts.n; i++)
		cp->facts[cp->nfacts++] = xstrdup(h->facts.v[i]);
	log_info("role", role_names[cp->no], "connected");
	queue_on_role(cp->core->queue, cp->no, true);
	if (cp->no == CORE_GATE)
		intake_on_gate(cp->core);
}

static void on_role_msg(struct peer *p, struct msg *m, void *arg)
{
	struct core_peer *cp = arg;

	if (m->type == MSG_hello)
		on_hello(cp, &m->u.hello);
	else if (!ask_answer(cp->core->asks, p, m) && !queue_on_msg(cp->core->queue, cp->no, m))
		log_debug("role", role_names[cp->no], "'%s' came too late for anybody", m->name);
}

static void on_role_close(struct peer *p, const char *why, void *arg)
{
	struct core_peer *cp = arg;

	if (cp->coming == p)
		cp->coming = NULL;
	if (cp->peer != p)
		return;
	cp->peer = NULL;
	if (cp->core->role->stopping)
		return;
	log_warn("role", role_names[cp->no], "connection ended: %s", why);
	if (cp->no == CORE_BUILD)
		toolchains_clear(&cp->core->toolchain);
	ask_peer_gone(cp->core->asks, p, "the role ended");
	queue_on_role(cp->core->queue, cp->no, false);
}

static void on_connect(struct core *c, const char *role)
{
	static const struct peer_ops ops = { on_role_msg, on_role_close, MSG_ROLE_MAX, 256 << 20 };
	int fd = peer_take_fd(c->role->parent);

	for (int i = 0; i < CORE_ROLES && fd >= 0; i++) {
		struct core_peer *cp = &c->roles[i];

		if (strcmp(role_names[i], role) != 0)
			continue;
		if (cp->peer)
			peer_close(cp->peer, "replaced");
		if (cp->coming)
			peer_close(cp->coming, "replaced");
		cp->coming = peer_new(c->loop, fd, &ops, cp);
		fd = -1;
	}
	if (fd >= 0)
		close(fd);
}

/* ---- the parent ---- */

struct parent_ask {
	uint64_t id;
	core_reply_fn *reply;
	void *arg;
	struct parent_ask *next;
};

void flow_ask_parent(struct core *c, const char *what, core_reply_fn *reply, void *arg)
{
	struct parent_ask *k = xcalloc(1, sizeof(*k));
	struct ps_err err = { 0 };

	*k = (struct parent_ask) { .id = ++c->parent_ask, .reply = reply, .arg = arg };
	if (!c->role->parent || peer_send(c->role->parent, MSG_ask_parent,
					  &(struct wire_ask_parent) { .id = k->id, .what = what },
					  &err) < 0) {
		reply(arg, PS_EAGENT, "the parent is gone", NULL);
		free(k);
		return;
	}
	k->next = c->parent_asks;
	c->parent_asks = k;
}

static void on_told(struct core *c, const struct wire_told *t)
{
	for (struct parent_ask **at = &c->parent_asks; *at; at = &(*at)->next) {
		struct parent_ask *k = *at;

		if (k->id != t->id)
			continue;
		*at = k->next;
		k->reply(k->arg, t->problem ? PS_ECONFIG : 0, t->problem, t->text);
		free(k);
		return;
	}
}

/* Sockets that listen already come before the first configuration does. */
static int given[CORE_SOCKETS] = { -1, -1 };
static const char *const callers[CORE_SOCKETS] = { "hook", "api" };

static bool take_socket(struct role *r, const char *who)
{
	for (int i = 0; i < CORE_SOCKETS; i++)
		if (strcmp(callers[i], who) == 0 && given[i] < 0) {
			given[i] = peer_take_fd(r->parent);
			return true;
		}
	return false;
}

int core_listen(const struct core *c, enum core_socket which, struct ps_err *err)
{
	const char *path = which == CORE_HOOKS ? c->paths->hook_sock : c->paths->api_sock;
	int fd = given[which];

	if (fd < 0)
		/* who may speak is decided by uid, not by who may connect */
		return frame_listen(path, 0666, err);
	given[which] = -1;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
		close(fd);
		return ps_err_errno(err, "cannot listen on '%s'", path);
	}
	log_info("core", NULL, "listens on '%s' of the service manager", path);
	return fd;
}

static void on_parent(struct role *r, struct msg *m)
{
	if (m->type == MSG_connect && !r->self)
		take_socket(r, m->u.connect.role);
	else if (m->type == MSG_connect)
		on_connect(r->self, m->u.connect.role);
	else if (m->type == MSG_told)
		on_told(r->self, &m->u.told);
}

/* ---- start and end ---- */

static void wake(void *arg)
{
	struct core *c = arg;
	uint64_t one = 1;

	if (write(c->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error("store", NULL, "the loop cannot be woken: %s", strerror(errno));
}

static void on_wake(void *arg)
{
	struct core *c = arg;
	uint64_t n;

	if (read(c->wake_fd, &n, sizeof(n)) < 0 && errno != EAGAIN)
		log_error("store", NULL, "cannot read the wake-up: %s", strerror(errno));
	store_poll(c->store);
}

/* Anybody on this machine may knock at the door and at the API, each knock is a descriptor. Core
 * starts no programs that would inherit the limit. */
static void allow_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &l) < 0)
			log_warn("core", NULL, "the limit of open files stays low: %s",
				 strerror(errno));
	}
}

static int start(struct role *r, struct ps_err *err)
{
	static struct core core = { .wake_fd = -1 };
	struct core *c = &core;
	char *restored = NULL;
	int rc;

	r->self = c;
	c->role = r;
	c->loop = r->loop;
	c->paths = &r->paths;
	c->started_ms = clock_wall_ms();
	allow_files();
	c->asks = asks_new(c->loop);
	for (int i = 0; i < CORE_ROLES; i++)
		c->roles[i] = (struct core_peer) { .core = c, .no = (enum core_role)i };
	c->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->wake_fd < 0)
		return ps_err_errno(err, "cannot make an eventfd");
	c->store_wake = loop_readable(c->loop, c->wake_fd, on_wake, c);
	rc = policy_make(c, &c->policy, err);
	if (rc == 0)
		rc = config_check_trust(c->policy->cfg, c->paths->system ? "/etc/penstock" :
					c->paths->base, (uint32_t)geteuid(), err);
	if (rc == 0)			/* what a core before us left half-written */
		rc = fs_sweep_tmp(c->paths->state, err);
	if (rc == 0)
		rc = fs_sweep_dead(c->paths->artifacts, err);
	if (rc == 0)
		rc = store_open_sealed(&c->store, c->paths->store, c->paths->boot, wake, c,
				       &restored, err);
	if (restored)
		log_warn("store", NULL,
			 "recovery: %s; nothing deploys until: penstock resume --all", restored);
	free(restored);
	if (rc == 0)
		tell_in_force(c);
	if (rc == 0)
		rc = publish_policy(c, err);
	if (rc == 0)			/* before any pass */
		sign_the_rest(c);
	if (rc == 0)
		rc = disk_open(&c->disk, c, err);
	if (rc == 0)
		rc = queue_open(&c->queue, c, err);
	if (rc == 0)
		rc = sending_open(&c->sending, c, err);
	if (rc == 0)
		drifting_open(&c->drifting, c);
	if (rc == 0)
		rc = clean_open(&c->clean, c, err);
	if (rc == 0)
		rc = intake_open(&c->intake, c, err);
	if (rc == 0)
		rc = door_open(&c->door, c, err);
	if (rc == 0)
		rc = api_open(&c->api, c, err);
	return rc;
}

static void stop(struct role *r)
{
	struct core *c = r->self;

	api_close(c->api);
	c->api = NULL;
	door_close(c->door);
	c->door = NULL;
	for (int i = 0; i < CORE_ROLES; i++) {
		if (c->roles[i].peer)
			peer_close(c->roles[i].peer, "core ends");
		if (c->roles[i].coming)
			peer_close(c->roles[i].coming, "core ends");
	}
	asks_end(c->asks, "core ends");	/* what they write goes into the last batch */
	queue_parse_end(c);
	store_close(c->store);		/* its done functions find no role, no door and no API */
	c->store = NULL;
}

static void end(struct role *r)
{
	struct core *c = r->self;

	while (c->parent_asks) {	/* frees who asked; his connection is gone */
		struct parent_ask *k = c->parent_asks;

		c->parent_asks = k->next;
		k->reply(k->arg, PS_EAGENT, "core ends", NULL);
		free(k);
	}
	intake_close(c->intake);
	disk_close(c->disk);
	clean_close(c->clean);
	drifting_close(c->drifting);
	sending_close(c->sending);
	queue_close(c->queue);
	asks_free(c->asks);
	for (int i = 0; i < CORE_ROLES; i++)
		drop_facts(&c->roles[i]);
	toolchains_clear(&c->toolchain);
	policy_drop(c->policy);
	loop_watch_free(c->store_wake);
	if (c->wake_fd >= 0)
		close(c->wake_fd);
}

int main(int argc, char **argv)
{
	static const struct role_ops ops = {
		.name = "core", .has_core = false, .start = start, .on_config = on_config,
		.on_parent = on_parent, .on_stop = stop, .on_end = end,
	};

	if (argc == 3 && strcmp(argv[1], "--audit") == 0)
		return core_audit(argv[2]);
	return role_main(argc, argv, &ops);
}
