/*
 * http – one server, asked by libcurl; what every driver of a remote provider stands on.
 *
 * A call is one question with all its tries. What became of it is one of three things, and no
 * caller has to guess: the server decided (answered), nothing happened there, or it may have
 * happened and nobody can say (unknown). A call that may not be repeated is sent once, and again
 * only when the try before surely did nothing.
 *
 * TLS is checked always; redirects are not followed; proxy and certificates come from the settings
 * alone, never from the environment. An answer past the limit is none. Where an error repeats a
 * credential that it was sent, stars stand in its place. It blocks; a handle belongs to one thread.
 */
#ifndef PS_HTTP_H
#define PS_HTTP_H

#include "common/base/buf.h"
#include "common/base/err.h"

struct http;
struct http_answer;

enum http_outcome {
	HTTP_NOTHING, /* refused, no such host, or the server said that it did nothing: later */
	HTTP_ANSWERED, /* status and body say what it decided */
	HTTP_UNKNOWN, /* it was sent, and there is no answer that says what became of it */
};

/* What an answer means for going on. */
enum http_means {
	HTTP_MEANS_ANSWER, /* that is the answer, whatever its status */
	HTTP_MEANS_BUSY,   /* it did nothing and may be asked again: too many calls, not ready */
	HTTP_MEANS_FAULT,  /* it broke, perhaps after it did something */
	HTTP_MEANS_STALE,  /* it did nothing: the credential does not count any more */
};
/* 429: busy; 401: stale; 408, 502, 503, 504: fault; else the answer. */
enum http_means http_means(const struct http_answer *a);

struct http_auth { /* bearer, or user and password; neither: none */
	const char *bearer;
	const char *user, *password;
};

/* Strings must outlive the handle. */
struct http_settings {
	const char *base;    /* "https://host:8443/path"; a path of a call goes behind it */
	const char *proxy;   /* NULL: none */
	const char *ca;	     /* file with the certificates that are believed; NULL: the system's */
	unsigned per_second; /* tries at most; 0: no limit */
	unsigned tries;	     /* of one call */
	int64_t connect_ms, stall_ms; /* no byte for so long ends a try */
	int64_t try_ms, budget_ms;    /* of one try; of a call with all its tries and pauses */
	/* Before the second try; doubles up to the other. Half of each is chance. Retry-After goes
	 * before, up to what is left of the budget. */
	int64_t pause_ms, pause_max_ms;
	size_t answer_max; /* bytes of an answer's body */
	/* How to read this server's answers; NULL: http_means(). */
	enum http_means (*means)(const struct http_answer *a);
	/* Gets another credential (http_sign_in()) after HTTP_MEANS_STALE, once per call; NULL:
	 * there is none. May call. */
	int (*renew)(struct http *h, void *arg, struct ps_err *err);
	void *arg;
};
/* Limits as for a person's tool: 10 s to connect, 60 s without a byte, 2 minutes in all, 6 tries,
 * 32 MiB. The rest is zero. */
struct http_settings http_settings(const char *base);

struct http_field { const char *name, *value; }; /* a list ends with a name NULL */

struct http_file { /* read from its beginning, by position */
	int fd;
	int64_t size;
};

struct http_part { /* of a form: bytes, or a file */
	const char *name;
	const char *filename, *type; /* NULL: not said */
	const void *bytes;
	size_t n;
	const struct http_file *file;
};

struct http_request {
	const char *method; /* NULL: GET */
	const char *path;   /* percent-encoded, "/api/x"; or a whole address, which gets no
			     * credential but `auth` */
	const struct http_field *query;	  /* not encoded */
	const struct http_field *headers;
	/* One of three, or none. */
	const char *type; /* of bytes or file */
	const void *bytes;
	size_t n;
	const struct http_file *file;
	const struct http_part *parts;
	size_t nparts;
	bool repeatable; /* done twice it is as done once */
	const struct http_auth *auth; /* in place of the handle's */
	const char *want; /* a header of the answer; NULL: none */
};

struct http_answer {
	enum http_outcome outcome;
	int status; /* of the last try; 0: it had none */
	struct buf body;
	char *type;   /* Content-Type; NULL */
	char *wanted; /* value of the header that was wanted; NULL */
	unsigned tries;
	/* A try before the last may have been carried out: "it is there already" may be us. */
	bool maybe_before;
	int64_t retry_after_ms; /* as asked for; 0: not */
};
void http_answer_clear(struct http_answer *a);

struct http *http_new(const struct http_settings *s);
void http_free(struct http *h); /* NULL is fine */

/* The credential of all calls from now on; copied, wiped when it goes. NULL: none. */
void http_sign_in(struct http *h, const struct http_auth *auth);

/*
 * Asks. 0: answered; out is filled, whatever its status. Negative: out->outcome says which of the
 * other two; status and body are there when the last try had some. Clear out in any case.
 */
int http_call(struct http *h, const struct http_request *q, struct http_answer *out,
	      struct ps_err *err) PS_MUSTCHECK;

/* Appends s percent-encoded, but for letters, digits and "-._~"; with keep_slash also '/'. */
void http_escape(struct buf *out, const char *s, bool keep_slash);

/* Since http_new(): tries that were sent. */
unsigned http_sent(const struct http *h);

#endif
