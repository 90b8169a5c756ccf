/* http_parts – what http.c (how often) and http_send.c (one try) share; nobody else includes it. */
#ifndef PS_HTTP_PARTS_H
#define PS_HTTP_PARTS_H

#include <curl/curl.h>

#include "agent/deploy/http/http.h"

struct http {
	struct http_settings s;
	char *bearer, *user, *password;
	CURL *curl;
	int64_t next_ns; /* no try before that: per_second */
	unsigned sent;
	bool renewing;
};

/* One try, within so many ms; fills out as http_call() does. */
int http_send(struct http *h, const struct http_request *q, int64_t within_ms,
	      struct http_answer *out, struct ps_err *err) PS_MUSTCHECK;

#endif
