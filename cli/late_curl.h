/*
 * late_curl – libcurl, loaded when an agent is asked and not before: it brings thirty libraries
 * along, and to load those takes longer than a whole `penstock check`, which asks nobody.
 */
#ifndef PS_LATE_CURL_H
#define PS_LATE_CURL_H

#include <curl/curl.h>

#include "common/base/err.h"

/* The functions of <curl/curl.h> that we call, by its names. */
struct late_curl {
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *c, CURLoption option, ...);
	CURLcode (*easy_perform)(CURL *c);
	CURLcode (*easy_getinfo)(CURL *c, CURLINFO info, ...);
	void (*easy_cleanup)(CURL *c);
	const char *(*easy_strerror)(CURLcode rc);
	struct curl_slist *(*slist_append)(struct curl_slist *l, const char *text);
	void (*slist_free_all)(struct curl_slist *l);
};

/* NULL with PS_EIO when the library cannot be loaded. It stays loaded. */
const struct late_curl *late_curl(struct ps_err *err);

#endif
