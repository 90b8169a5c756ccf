/* api – the table of the API, and how a request finds its row; see api.h. */
#include "config.h"

#include "agent/web/api.h"

#include "agent/store/audit.h"
#include "agent/web/api_parts.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"

#define PREFIX "/api/v1"

struct api {
	struct core *core;
	struct http *http, *tcp;	/* tcp NULL: not asked for, or not to be had */
	char *listen, *problem;		/* where tcp is; why it is not there */
};

static const struct route routes[] = {
	{ .path = "/status", .view = status_view, .finish = status_finish },
	{ .path = "/events", .view = view_events },
	{ .path = "/events/*", .view = view_event },
	{ .path = "/builds", .view = view_builds },
	{ .path = "/builds/*", .view = view_build },
	{ .path = "/builds/*/log", .act = log_build },
	{ .path = "/builds/*/tests", .view = view_tests },
	{ .path = "/events/*/tests", .view = view_tests },
	{ .path = "/tests", .view = view_tests_list },
	{ .path = "/tests/*", .view = view_tests },
	{ .path = "/tests/*/log", .act = log_test },
	{ .path = "/releases", .view = view_releases },
	{ .path = "/release", .view = view_release },
	{ .path = "/outbox", .view = view_outbox },
	{ .post = true, .path = "/outbox/*/resend", .act = act_resend },
	{ .path = "/fabrics", .view = view_fabrics },
	{ .path = "/fabrics/*/history", .view = view_history },
	{ .path = "/fabrics/*/jobs", .view = view_jobs },
	{ .path = "/plan", .act = act_plan },
	{ .path = "/drift", .act = act_drift },
	{ .path = "/runs", .view = view_runs },
	{ .path = "/runs/*", .view = view_run },
	{ .path = "/runs/*/log", .act = log_run },
	{ .path = "/queue", .view = view_line },
	{ .path = "/why", .view = view_why },
	{ .path = "/audit", .view = view_audit },
	{ .path = "/audit/verify", .view = view_audit_check },
	{ .path = "/tokens", .view = view_tokens },
	{ .post = true, .path = "/tokens", .act = act_token_create, .word = "token" },
	{ .post = true, .path = "/tokens/*/revoke", .act = act_token_revoke, .word = "token" },
	{ .post = true, .path = "/runs", .act = act_run, .word = "run" },
	{ .post = true, .path = "/cancel", .act = act_thing },
	{ .post = true, .path = "/retry", .act = act_thing },
	{ .post = true, .path = "/repair", .act = act_thing },
	{ .post = true, .path = "/bump", .act = act_thing },
	{ .post = true, .path = "/check", .act = act_thing },
	{ .post = true, .path = "/promote", .act = act_thing },
	{ .post = true, .path = "/redeploy", .act = act_thing },
	{ .post = true, .path = "/approve", .act = act_thing },
	{ .post = true, .path = "/reject", .act = act_thing },
	{ .post = true, .path = "/deploy", .act = act_thing },
	{ .post = true, .path = "/freeze", .act = act_thing },
	{ .post = true, .path = "/unfreeze", .act = act_thing },
	{ .post = true, .path = "/lock", .act = act_thing },
	{ .post = true, .path = "/unlock", .act = act_thing },
	{ .path = "/approvals", .view = view_approvals },
	{ .path = "/approvals/*", .view = view_approvals },
	{ .post = true, .path = "/rollback", .act = act_thing },
	{ .post = true, .path = "/pin", .act = act_thing },
	{ .post = true, .path = "/unpin", .act = act_thing },
	{ .post = true, .path = "/prune", .act = act_thing },
	{ .path = "/drain", .view = view_drain },
	{ .post = true, .path = "/drain", .act = act_drain },
	{ .post = true, .path = "/adopt", .act = act_adopt },
	{ .post = true, .path = "/import", .act = act_import },
	{ .post = true, .path = "/forget", .act = act_forget, .word = "uninstall" },
	{ .post = true, .path = "/pause", .act = act_pause },
	{ .post = true, .path = "/resume", .act = act_resume },
	{ .post = true, .path = "/backup", .act = act_backup },
	{ .post = true, .path = "/events/*/release", .act = act_release_hold,
	  .word = "release-hold" },
	{ .post = true, .path = "/reconcile", .act = act_reconcile },
	{ .post = true, .path = "/clean", .act = act_clean },
	{ .post = true, .path = "/reload", .act = act_reload },
	{ .post = true, .path = "/stop", .act = act_stop },
};

/* Does path fit the pattern? *id gets what stands for '*' (free it). */
static bool path_fits(const char *pattern, const char *path, char **id)
{
	for (; *pattern && *pattern != '*'; pattern++, path++)
		if (*pattern != *path)
			return false;
	if (*pattern == '*') {
		size_t n = strcspn(path, "/");

		if (n == 0 || strcmp(pattern + 1, path + n) != 0)
			return false;
		*id = xstrndup(path, n);
		return true;
	}
	return *path == '\0';
}

static void request_free(struct request *r)
{
	policy_drop(r->policy);
	json_decref(r->out);
	buf_clear(&r->bytes);
	free(r->id);
	free(r->thing);
	free(r->state);
	free(r->repository);
	free(r->ref);
	free(r->project);
	free(r->task);
	free(r->who_asked);
	free(r->what);
	free(r->audit_head);
	free(r->logs);
	free(r);
}

void request_done(struct request *r, int status, const json_t *doc)
{
	http_reply_json(r->call, status, doc);
	request_free(r);
}

void request_items(void *arg, int rc, const char *problem, const char *text)
{
	struct request *r = arg;
	json_t *items = text ? json_loads(text, 0, NULL) : NULL, *doc;

	if (rc < 0 || problem || !items) {
		request_fail(r, rc < 0 ? rc : PS_EINVAL, problem, NULL);
		return;
	}
	doc = json_pack("{s:o, s:b}", "items", items, "more", 0);
	request_done(r, 200, doc);
	json_decref(doc);
}

const char *body_text(const json_t *body, const char *name)
{
	const char *v = json_string_value(json_object_get(body, name));

	return v ? v : "";
}

/* "b31", "fabric production", of the body of a request that would change something. free() it. */
static char *asked_for(struct request *r)
{
	static const char *const names[] = { "thing", "scope", "repository", "fabric" };
	json_t *body = NULL;
	const char *what = NULL, *name;
	char *text = NULL;

	if (r->id)
		return xstrdup(r->id);
	if (http_body(r->call, &body, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < PS_NELEM(names) && !what; i++)
		what = json_string_value(json_object_get(body, names[i]));
	name = json_string_value(json_object_get(body, "name"));
	if (what)
		text = xasprintf("%s%s%s", what, name && *name ? " " : "", name ? name : "");
	json_decref(body);
	return text;
}

struct refusal { struct request *r; char *detail, *next; };

static void on_refused(void *arg)
{
	struct refusal *f = arg;

	http_reply_problem(f->r->call, http_status(PS_EPERM, true), f->detail, f->next);
	request_free(f->r);
	free(f->detail);
	free(f->next);
	free(f);
}

/* The answer comes when it is in the audit: who was refused shall not be faster than that. */
static void refuse(struct request *r, const char *detail, const char *next)
{
	const char *word = r->route->word ? r->route->word : strrchr(r->route->path, '/') + 1;
	struct refusal f = { r, xstrdup_null(detail), xstrdup_null(next) };
	char *thing = asked_for(r);

	audit_tell_then(r->core->store, &(struct audit) { .who = r->who.shown, .what = word,
							  .thing = thing, .why = detail,
							  .policy = r->policy->cfg->digest,
							  .refused = true },
			on_refused, xmemdup(&f, sizeof(f)));
	free(thing);
}

void request_fail(struct request *r, int rc, const char *detail, const char *next)
{
	if (rc == PS_EPERM && r->route->post && r->known) {
		refuse(r, detail, next);
		return;
	}
	http_reply_problem(r->call, http_status(rc, r->route->post), detail, next);
	request_free(r);
}

void request_unknown(struct request *r, const char *detail)
{
	http_set(r->call, "WWW-Authenticate", "Bearer");
	http_reply_problem(r->call, 401, detail, "penstock token create");
	request_free(r);
}

void request_bytes(struct request *r, const char *type)
{
	http_reply_bytes(r->call, type, buf_str(&r->bytes), r->bytes.len);
	request_free(r);
}

static char *copy_param(const struct http_call *c, const char *name)
{
	const char *v = http_param(c, name);

	return v ? xstrdup(v) : NULL;
}

/* A number of the query; PS_EINVAL when it is none. Absent is 0. */
static int number_param(const struct http_call *c, const char *name, int64_t *out,
			struct ps_err *err)
{
	const char *v = http_param(c, name);
	char *end;

	*out = v ? strtoll(v, &end, 10) : 0;
	if (!v || (*v >= '0' && *v <= '9' && *end == '\0' && *out < INT64_MAX))
		return 0;
	return ps_err_set(err, PS_EINVAL, "%s is no number: '%s'", name, v);
}

static int take_params(struct request *r, struct ps_err *err)
{
	int64_t limit, after = 0;
	int rc = number_param(r->call, "limit", &limit, err);

	if (rc == 0)
		rc = number_param(r->call, "offset", &r->offset, err);
	if (rc == 0)
		rc = number_param(r->call, "tail", &r->tail, err);
	if (rc == 0)
		rc = number_param(r->call, "after", &after, err);
	if (rc < 0)
		return rc;
	r->thing = copy_param(r->call, "thing");
	r->state = copy_param(r->call, "state");
	r->repository = copy_param(r->call, "repository");
	r->ref = copy_param(r->call, "ref");
	r->project = copy_param(r->call, "project");
	r->task = copy_param(r->call, "task");
	r->who_asked = copy_param(r->call, "who");
	r->what = copy_param(r->call, "what");
	r->audit_head = fs_join(r->core->paths->state, "audit.head");
	r->ask = (struct view_ask) {
		.cfg = r->policy->cfg, .id = r->id, .thing = r->thing, .state = r->state,
		.repository = r->repository, .ref = r->ref, .project = r->project,
		.limit = (size_t)limit,
		.who = r->who_asked, .what = r->what, .after = after,
		.owner = r->who.admin ? NULL : r->who.login,
		.from = http_param(r->call, "after") != NULL, .audit_head = r->audit_head,
	};
	return 0;
}

static int run_view(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct request *r = arg;

	return r->route->view(tx, &r->ask, &r->out, err);
}

static void view_done(void *arg, int rc, const struct ps_err *err)
{
	struct request *r = arg;

	if (rc < 0) {
		request_fail(r, rc, ps_err_msg(err, rc), rc == PS_ENOENT ? "penstock status" :
			     NULL);
		return;
	}
	if (r->route->finish)
		r->route->finish(r);
	request_done(r, 200, r->out);
}

/* The row for this path; with *other_method set when only the method is wrong. */
static const struct route *find_route(const char *path, bool post, char **id, bool *other_method)
{
	*other_method = false;
	for (size_t i = 0; i < PS_NELEM(routes); i++) {
		if (!path_fits(routes[i].path, path, id))
			continue;
		if (routes[i].post == post)
			return &routes[i];
		PS_FREE(*id);
		*other_method = true;
	}
	return NULL;
}

/* At the socket: by the kernel's word. */
static int identify(struct request *r, struct ps_err *err)
{
	uint32_t uid;
	int rc = http_peer(r->call, &uid, err);

	if (rc == 0)
		rc = auth_person(&r->who, r->policy->cfg, uid, http_header(r->call, "Penstock-As"),
				 err);
	return rc < 0 ? rc : auth_may_look(&r->who, r->policy->cfg, err);
}

void request_go(struct request *r)
{
	struct ps_err err = { 0 };
	int rc = take_params(r, &err);

	if (rc < 0)
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
	else if (r->route->act)
		r->route->act(r);
	else
		store_read(r->core->store, run_view, view_done, r);
}

static void on_call(struct http_call *call, void *arg)
{
	struct api *a = arg;
	const char *path = http_path(call);
	bool other_method, ours = ps_starts(path, PREFIX "/");
	char *id = NULL;
	const struct route *route = find_route(ours ? path + strlen(PREFIX) : "",
					       http_is_post(call), &id, &other_method);
	struct ps_err err = { 0 };
	const char *token;
	struct request *r;
	int rc;

	if (!route) {
		http_reply_problem(call, other_method ? 405 : 404,
				   other_method ? "this path has another method" :
				   "there is no such path below " PREFIX, NULL);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	*r = (struct request) { .core = a->core, .call = call, .route = route, .id = id,
				.policy = policy_take(a->core->policy) };
	r->speaks_as = http_header(call, "Penstock-As") != NULL;
	token = http_header(call, "Authorization");
	if (token) {
		token_identify(r, token);
		return;
	}
	if (http_is_tcp(call)) {
		request_unknown(r, "here a token is needed: 'Authorization: Bearer TOKEN'");
		return;
	}
	rc = identify(r, &err);
	r->known = rc == 0;
	if (rc == 0)
		request_go(r);
	else
		request_fail(r, rc, ps_err_msg(&err, rc), NULL);
}

/* What penstock.yml says now; nothing is done when that is as it was. */
void api_on_config(struct api *a)
{
	const char *want = a->core->policy->cfg->api_listen;
	struct ps_err err = { 0 };

	if (ps_streq(want, a->listen))
		return;
	PS_FREE(a->problem);
	http_close(a->tcp);
	a->tcp = NULL;
	PS_FREE(a->listen);
	if (want && http_open_tcp(&a->tcp, a->core->loop, want, on_call, a, &err) < 0) {
		log_error("api", want, "%s", err.msg);
		a->problem = xstrdup(err.msg);
		return;
	}
	a->listen = xstrdup_null(want);
	if (want)
		log_info("api", want, "answers who shows a token");
}

const char *api_problem(const struct api *a)
{
	return a->problem;
}

int api_open(struct api **out, struct core *c, struct ps_err *err)
{
	struct api *a = xcalloc(1, sizeof(*a));
	int rc = core_listen(c, CORE_API, err);

	a->core = c;
	if (rc >= 0)
		rc = http_open(&a->http, c->loop, rc, c->paths->api_sock, on_call, a, err);
	if (rc < 0) {
		free(a);
		return rc;
	}
	api_on_config(a);
	*out = a;
	return 0;
}

void api_close(struct api *a)
{
	if (!a)
		return;
	http_close(a->http);
	http_close(a->tcp);
	free(a->listen);
	free(a->problem);
	free(a);
}
