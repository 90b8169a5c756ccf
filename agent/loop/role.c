/* role – see role.h. */
#include "config.h"

#include "agent/loop/role.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/loop/wall.h"
#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/wire/route.h"

static void on_parent_close(struct peer *p, const char *why, void *arg)
{
	struct role *r = arg;

	(void)p;
	r->parent = NULL;
	role_stop(r, why);
}

static void on_core_close(struct peer *p, const char *why, void *arg)
{
	struct role *r = arg;

	(void)p;
	r->core = NULL;
	if (!r->stopping)
		log_warn("role", r->ops->name, "connection to core ended: %s", why);
	role_stop(r, why);
}

void role_stop(struct role *r, const char *why)
{
	if (r->stopping)
		return;
	r->stopping = true;
	log_debug("role", r->ops->name, "stopping: %s", why);
	if (r->ops->on_stop)
		r->ops->on_stop(r);
	loop_stop(r->loop);
}

void role_tell_core(struct role *r, enum msg_type type, const void *body)
{
	struct ps_err err;

	if (!r->core || peer_send(r->core, type, body, &err) < 0)
		log_warn("role", r->ops->name, "'%s' did not reach core", msg_name(type));
}

static void tell_parent(struct role *r, enum msg_type type, const void *body)
{
	struct ps_err err;

	if (!r->parent || peer_send(r->parent, type, body, &err) < 0)
		log_warn("role", r->ops->name, "'%s' did not reach the parent", msg_name(type));
}

static void drop_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void drop_offer(struct role *r)
{
	config_free(r->offered);
	r->offered = NULL;
	buf_reset(&r->offered_yaml);
	drop_fd(&r->offered_fd);
}

static void take_offer(struct role *r, const struct wire_config_offer *o)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct wire_config_answer answer = { .id = o->id };
	struct ps_err err = { 0 };
	struct buf text = BUF_INIT;
	int rc;

	drop_offer(r);
	r->offered_fd = o->key ? peer_take_fd(r->parent) : -1;
	r->offer_id = o->id;
	buf_add(&r->offered_yaml, o->yaml.p, o->yaml.n);
	rc = config_parse(&r->offered, r->paths.config, buf_str(&r->offered_yaml),
			  r->offered_yaml.len, &diags, &err);
	if (rc == 0 && !r->offered) {
		diag_sort(&diags);
		diag_print(&text, &diags, 20);
		answer.problem = buf_str(&text);
	} else if (rc < 0 ||
		   (r->ops->check_config && r->ops->check_config(r, r->offered, &err) < 0)) {
		answer.problem = err.msg;
	}
	if (answer.problem)
		drop_offer(r);
	tell_parent(r, MSG_config_answer, &answer);
	diag_clear(&diags);
	buf_clear(&text);
}

/* A role without configuration would answer from nothing: what comes before is kept for later. */
static void on_core_msg(struct peer *p, struct msg *m, void *arg)
{
	struct role *r = arg;

	(void)p;
	if (r->stopping)
		return;
	if (r->cfg) {
		r->ops->on_core(r, m);
		return;
	}
	r->early = xgrow(r->early, r->nearly, &r->cap_early, sizeof(*r->early));
	r->early[r->nearly++] = *m;
	memset(m, 0, sizeof(*m));	/* ours now */
}

/* Hands what was kept to the role (unless it is ending) and forgets it. */
static void use_early(struct role *r)
{
	for (size_t i = 0; i < r->nearly; i++) {
		if (r->cfg && !r->stopping)
			r->ops->on_core(r, &r->early[i]);
		msg_clear(&r->early[i]);
	}
	PS_FREE(r->early);
	r->nearly = r->cap_early = 0;
}

/* The offer is in force now; the first one starts the role's work. */
static void use_offer(struct role *r, const struct wire_config_take *t)
{
	struct config *old = r->cfg;
	struct ps_err err = { 0 };

	if (t->drop || !r->offered || t->id != r->offer_id) {
		drop_offer(r);
		return;
	}
	r->cfg = r->offered;
	r->offered = NULL;
	drop_fd(&r->handed);
	r->handed = r->offered_fd;
	r->offered_fd = -1;
	buf_reset(&r->yaml);
	buf_add(&r->yaml, buf_str(&r->offered_yaml), r->offered_yaml.len);
	if (!old && r->ops->start(r, &err) < 0) {
		log_error("role", r->ops->name, "cannot start: %s", err.msg);
		r->exit_code = 1;
		role_stop(r, err.msg);
	} else if (!old) {
		tell_parent(r, MSG_started, &(struct wire_started) { .role = r->ops->name });
	} else if (r->ops->on_config) {
		r->ops->on_config(r);
	}
	config_free(old);
	use_early(r);
}

static void on_parent_msg(struct peer *p, struct msg *m, void *arg)
{
	struct role *r = arg;

	(void)p;
	if (m->type == MSG_config_offer)
		take_offer(r, &m->u.config_offer);
	else if (m->type == MSG_config_take)
		use_offer(r, &m->u.config_take);
	else if (m->type == MSG_stop)
		role_stop(r, m->u.stop.why ? m->u.stop.why : "stop");
	else if (r->ops->on_parent)
		r->ops->on_parent(r, m);
}

static void say_hello(struct role *r)
{
	const char *facts[32];
	char *missing = NULL;
	struct wire_hello hello = { .role = r->ops->name, .pid = (uint64_t)getpid(),
				    .program = VERSION };

	hello.facts.v = facts;
	hello.facts.n = r->ops->facts ? r->ops->facts(r, facts, PS_NELEM(facts) - 1) : 0;
	if (r->missing) {
		missing = xasprintf("%s: %s", r->ops->name, r->missing);
		facts[hello.facts.n++] = missing;
	}
	tell_parent(r, MSG_hello, &hello);
	if (r->core)
		role_tell_core(r, MSG_hello, &hello);
	free(missing);
}

/* Who made the socket, whatever has become of him. */
static bool started_by_root(void)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(ROLE_PARENT_FD, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 && who.uid == 0;
}

static int setup(struct role *r, int argc, char **argv, struct ps_err *err)
{
	static const struct peer_ops parent_ops = { on_parent_msg, on_parent_close, MSG_ROLE_MAX,
						    64 << 20 };
	static const struct peer_ops core_ops = { on_core_msg, on_core_close, MSG_ROLE_MAX,
						  256 << 20 };
	int rc;

	if (argc != 2)
		return ps_err_set(err, PS_EINVAL,
				  "usage: penstock-%s INSTANCE (started by penstockd)",
				  r->ops->name);
	if (fcntl(ROLE_PARENT_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    (r->ops->has_core && fcntl(ROLE_CORE_FD, F_SETFD, FD_CLOEXEC) < 0))
		return ps_err_set(err, PS_EINVAL,
				  "penstock-%s is started by penstockd, not by hand", r->ops->name);
	rc = ps_paths_init(&r->paths, strcmp(argv[1], "-") == 0 ? NULL : argv[1], err);
	if (rc == 0)
		rc = loop_new(&r->loop, err);
	if (rc < 0)
		return rc;
	r->apart = started_by_root() && geteuid() != 0;
	r->parent = peer_new(r->loop, ROLE_PARENT_FD, &parent_ops, r);
	if (r->ops->has_core)
		r->core = peer_new(r->loop, ROLE_CORE_FD, &core_ops, r);
	return 0;
}

int role_main(int argc, char **argv, const struct role_ops *ops)
{
	struct role r = { .ops = ops, .handed = -1, .offered_fd = -1 };
	struct ps_err err = { 0 };
	int rc;

	char name[16];

	/* started by descriptor: the kernel would call it by that one's number */
	snprintf(name, sizeof(name), "penstock-%s", ops->name);
	prctl(PR_SET_NAME, name);
	route_as(route_speaker(ops->name));
	failpoint_main(argc, argv);
	log_open(ops->name);
	if (getenv("PENSTOCK_DEBUG"))
		log_set_level(LOG_LVL_DEBUG);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);	/* Ctrl-C goes to the whole group; the parent decides */
	r.missing = wall_raise(ops->name);
	rc = setup(&r, argc, argv, &err);
	if (rc == 0) {
		say_hello(&r);
		rc = loop_run(r.loop, &err);
	}
	if (rc < 0) {
		log_error("role", ops->name, "%s", err.msg);
		r.exit_code = 1;
	}
	if (r.parent)
		peer_close(r.parent, "end");
	if (r.core)
		peer_close(r.core, "end");
	if (ops->on_end && r.self)
		ops->on_end(&r);
	drop_offer(&r);
	drop_fd(&r.handed);
	r.stopping = true;
	use_early(&r);
	config_free(r.cfg);
	buf_clear(&r.yaml);
	buf_clear(&r.offered_yaml);
	loop_free(r.loop);
	ps_paths_clear(&r.paths);
	return r.exit_code;
}
