/*
 * http – evhttp wrapped once: a listener on a Unix socket, one call per request.
 *
 * on_call gets each well-formed GET or POST; it answers, now or later, by exactly one of the
 * http_reply functions, which free the call. A client that went away meanwhile is no error: the
 * reply goes nowhere. Sizes of headers and body are capped before anything is kept.
 */
#ifndef PS_HTTP_H
#define PS_HTTP_H

#include <jansson.h>

#include "agent/loop/loop.h"
#include "common/base/buf.h"

struct http;
struct http_call;

typedef void http_call_fn(struct http_call *c, void *arg);

/* fd listens at a Unix socket, whose path is for messages; it is taken over. */
int http_open(struct http **out, struct loop *l, int fd, const char *path, http_call_fn *on_call,
	      void *arg, struct ps_err *err) PS_MUSTCHECK;
/* where: "127.0.0.1:8730", "[::1]:8730". */
int http_open_tcp(struct http **out, struct loop *l, const char *where, http_call_fn *on_call,
		  void *arg, struct ps_err *err) PS_MUSTCHECK;
void http_close(struct http *h);		/* NULL is fine */

bool http_is_tcp(const struct http_call *c);
bool http_is_post(const struct http_call *c);
const char *http_path(const struct http_call *c);		/* decoded, without the query */
/* of the query; NULL: not there; a header is gone with its client */
const char *http_param(const struct http_call *c, const char *name);
const char *http_header(const struct http_call *c, const char *name);
int http_peer(const struct http_call *c, uint32_t *uid, struct ps_err *err) PS_MUSTCHECK;
/* The body as a JSON object; PS_EINVAL. json_decref() it. */
int http_body(struct http_call *c, json_t **out, struct ps_err *err) PS_MUSTCHECK;

/* A header of the reply to come. */
void http_set(struct http_call *c, const char *name, const char *value);
void http_reply_json(struct http_call *c, int status, const json_t *doc);
void http_reply_bytes(struct http_call *c, const char *type, const void *p, size_t n);
/* A problem document. next: a command, or NULL. */
void http_reply_problem(struct http_call *c, int status, const char *detail, const char *next);
/* The status that an error of ours has. */
int http_status(int rc, bool post);

#endif
