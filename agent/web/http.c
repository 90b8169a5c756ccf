/* http – see http.h. */
#include "config.h"

#include "agent/web/http.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/log.h"

enum { HEADERS_MAX = 16384, BODY_MAX = 262144, IDLE_S = 60 };

struct http {
	struct evhttp *server;
	bool tcp;
	http_call_fn *on_call;
	void *arg;
};

struct http_call {
	struct evhttp_request *req;	/* NULL once the client is gone */
	struct evhttp_connection *con;
	char *path;
	bool tcp;
	struct evkeyvalq query;
};

static void call_free(struct http_call *c)
{
	if (c->con)
		evhttp_connection_set_closecb(c->con, NULL, NULL);
	evhttp_clear_headers(&c->query);
	free(c->path);
	free(c);
}

/* The connection goes down with its request: nothing of it may be touched any more. */
static void on_gone(struct evhttp_connection *con, void *arg)
{
	struct http_call *c = arg;

	(void)con;
	c->req = NULL;
	c->con = NULL;
}

static void on_request(struct evhttp_request *req, void *arg)
{
	struct http *h = arg;
	struct http_call *c = xcalloc(1, sizeof(*c));
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL,
		*query = uri ? evhttp_uri_get_query(uri) : NULL;
	char *decoded = path ? evhttp_uridecode(path, 0, NULL) : NULL;

	TAILQ_INIT(&c->query);
	c->req = req;
	c->tcp = h->tcp;
	c->con = evhttp_request_get_connection(req);
	c->path = xstrdup(decoded ? decoded : "");
	free(decoded);
	evhttp_connection_set_closecb(c->con, on_gone, c);
	if (query && evhttp_parse_query_str(query, &c->query) < 0)
		http_reply_problem(c, 400, "the query of the address cannot be read", NULL);
	else
		h->on_call(c, h->arg);
}

/* Takes fd over. */
static int serve(struct http **out, struct loop *l, int fd, bool tcp, const char *where,
		 http_call_fn *on_call, void *arg, struct ps_err *err)
{
	struct http *h = xcalloc(1, sizeof(*h));

	h->on_call = on_call;
	h->arg = arg;
	h->tcp = tcp;
	h->server = evhttp_new(loop_base(l));
	if (!h->server || evutil_make_socket_nonblocking(fd) < 0 ||
	    evhttp_accept_socket(h->server, fd) < 0) {
		close(fd);
		http_close(h);
		return ps_err_set(err, PS_EIO, "cannot serve HTTP on '%s'", where);
	}
	evhttp_set_max_headers_size(h->server, HEADERS_MAX);
	evhttp_set_max_body_size(h->server, BODY_MAX);
	evhttp_set_allowed_methods(h->server, EVHTTP_REQ_GET | EVHTTP_REQ_POST);
	evhttp_set_timeout(h->server, IDLE_S);
	evhttp_set_gencb(h->server, on_request, h);
	*out = h;
	return 0;
}

int http_open(struct http **out, struct loop *l, int fd, const char *path, http_call_fn *on_call,
	      void *arg, struct ps_err *err)
{
	return serve(out, l, fd, false, path, on_call, arg, err);
}

int http_open_tcp(struct http **out, struct loop *l, const char *where, http_call_fn *on_call,
		  void *arg, struct ps_err *err)
{
	struct sockaddr_storage at;
	int n = sizeof(at), fd, one = 1;

	if (evutil_parse_sockaddr_port(where, (struct sockaddr *)&at, &n) < 0)
		return ps_err_set(err, PS_EINVAL, "'%s' is no address to listen on", where);
	fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return ps_err_errno(err, "cannot make a socket");
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&at, (socklen_t)n) < 0 || listen(fd, SOMAXCONN) < 0) {
		ps_err_errno(err, "cannot listen on '%s'", where);
		close(fd);
		return PS_EIO;
	}
	return serve(out, l, fd, true, where, on_call, arg, err);
}

void http_close(struct http *h)
{
	if (!h)
		return;
	if (h->server)
		evhttp_free(h->server);
	free(h);
}

bool http_is_tcp(const struct http_call *c)
{
	return c->tcp;
}

bool http_is_post(const struct http_call *c)
{
	return evhttp_request_get_command(c->req) == EVHTTP_REQ_POST;
}

const char *http_path(const struct http_call *c)
{
	return c->path;
}

const char *http_param(const struct http_call *c, const char *name)
{
	return evhttp_find_header(&c->query, name);
}

const char *http_header(const struct http_call *c, const char *name)
{
	return c->req ? evhttp_find_header(evhttp_request_get_input_headers(c->req), name) : NULL;
}

int http_peer(const struct http_call *c, uint32_t *uid, struct ps_err *err)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(c->con);
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (!bev || getsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
		return ps_err_errno(err, "cannot tell who asks");
	*uid = cred.uid;
	return 0;
}

int http_body(struct http_call *c, json_t **out, struct ps_err *err)
{
	struct evbuffer *in = c->req ? evhttp_request_get_input_buffer(c->req) : NULL;
	size_t n = in ? evbuffer_get_length(in) : 0;
	const unsigned char *bytes = n ? evbuffer_pullup(in, -1) : (const unsigned char *)"{}";
	json_error_t why;

	*out = json_loadb((const char *)bytes, n ? n : 2, JSON_REJECT_DUPLICATES, &why);
	if (*out && json_is_object(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return ps_err_set(err, PS_EINVAL, "the body is no JSON object: %s", why.text);
}

void http_set(struct http_call *c, const char *name, const char *value)
{
	if (c->req)
		evhttp_add_header(evhttp_request_get_output_headers(c->req), name, value);
}

static void reply(struct http_call *c, int status, const char *type, const void *p, size_t n)
{
	struct evhttp_request *req = c->req;
	struct evbuffer *body = req ? evbuffer_new() : NULL;

	if (req)
		http_set(c, "Content-Type", type);
	call_free(c);		/* before the reply: that may end the connection */
	if (!req)
		return;
	if (!body || evbuffer_add(body, p, n) < 0)
		evhttp_send_error(req, 500, NULL);
	else
		evhttp_send_reply(req, status, NULL, body);
	if (body)
		evbuffer_free(body);
}

void http_reply_bytes(struct http_call *c, const char *type, const void *p, size_t n)
{
	reply(c, 200, type, p, n);
}

static void reply_doc(struct http_call *c, int status, const char *type, const json_t *doc)
{
	char *text = json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER);

	if (!text)
		log_error("api", NULL, "an answer to %s could not be written", c->path);
	reply(c, text ? status : 500, type, text ? text : "{}", text ? strlen(text) : 2);
	free(text);
}

void http_reply_json(struct http_call *c, int status, const json_t *doc)
{
	reply_doc(c, status, "application/json", doc);
}

static const struct { int status; const char *title; } titles[] = {
	{ 400, "The question is not well-formed" }, { 401, "Who asks is not known" },
	{ 403, "Not allowed" },
		{ 404, "No such thing" },
	{ 405, "Not here" }, { 409, "In use" }, { 422, "Refused" }, { 501, "Not in this version" },
	{ 503, "Not available" }, { 500, "Our own failure" },
};

void http_reply_problem(struct http_call *c, int status, const char *detail, const char *next)
{
	json_t *doc;
	size_t i = 0;

	while (i < PS_NELEM(titles) - 1 && titles[i].status != status)
		i++;
	doc = json_pack("{s:s, s:s, s:i}", "type", "about:blank", "title", titles[i].title,
			"status", status);
	if (detail) {
		json_t *text = json_string(detail);

		json_object_set_new(doc, "detail",
				    text ? text : json_string("the reason is not UTF-8"));
	}
	if (next)
		json_object_set_new(doc, "next", json_string(next));
	reply_doc(c, status, "application/problem+json", doc);
	json_decref(doc);
}

int http_status(int rc, bool post)
{
	switch (rc) {
	case PS_ENOENT:  return 404;
	case PS_EINVAL:  return post ? 422 : 400;
	case PS_EPERM:   return 403;
	case PS_ENOTSUP: return 501;
	case PS_ECONFIG: return 422;
	case PS_EBUSY:   return 409;
	case PS_EAGENT:  return 503;
	case PS_ETIME:   return 503;
	default:         return 500;
	}
}
