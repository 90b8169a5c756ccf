/*
 * airflow_uploader – where archives lie: a folder behind an uploader, the service that Prophecy's
 * own set-up of an Airflow has beside it. Said here is what its client says (prophecy-build-tool,
 * client/airflow/open_source.py): a form with one file to /api/v1/file/upload?destination_dir=, and
 * /api/v1/file/delete?file_path=, for a folder of HDFS both below /api/v1/hdfs/; basic auth.
 *
 * It takes files and gives none back, and how it writes one is its own affair: so what lies there
 * is what we have put there, as far as we know, and that it came is shown by Airflow alone. Nothing
 * but 2xx is a yes: whatever else it says, the file is not there.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include "common/base/escape.h"

#define HDFS "hdfs://"

static bool is_hdfs(const struct afl *a)
{
	return ps_starts(a->conf->dags, HDFS);
}

static const char *advice(int status)
{
	switch (status) {
	case 401:
		return "; are 'user' and 'password' of 'uploader' right?";
	case 403:
		return "; may its user write into 'dags'?";
	case 404:
		return "; is 'url' of 'uploader' the address that /api/v1 lies below, and 'dags' a "
		       "folder that it knows?";
	default:
		return "";
	}
}

/* A broken answer may come from a proxy: what was to be done can be done again. */
enum http_means afl_uploader_means(const struct http_answer *a)
{
	if (a->status == 429)
		return HTTP_MEANS_BUSY;
	return a->status == 408 || a->status >= 500 ? HTTP_MEANS_FAULT : HTTP_MEANS_ANSWER;
}

static int ask(struct afl *a, const char *what, const struct http_field *query,
	       const struct http_part *file, int *status, struct ps_err *err)
{
	static const struct http_field json[] = { { "Accept", "application/json" },
						  { NULL, NULL } };
	char *path = xasprintf("/api/v1/%s/%s", is_hdfs(a) ? "hdfs" : "file", what), text[200];
	struct http_answer said = { .status = 0 };
	struct ps_err why = { 0 };
	struct buf body = BUF_INIT;
	int rc = http_call(a->uploader,
			   &(struct http_request) { .method = "POST", .path = path, .query = query,
						    .headers = json, .parts = file,
						    .nparts = file ? 1 : 0, .repeatable = true },
			   &said, &why);

	*status = said.status;
	if (said.status && said.status / 100 != 2) {
		buf_add(&body, buf_str(&said.body), said.body.len < 150 ? said.body.len : 150);
		escape_line(text, sizeof(text), buf_str(&body));
		rc = ps_err_set(err, said.status == 401 || said.status == 403 ? PS_EPERM : PS_EIO,
				"the uploader: %s of '%s': it answered %d%s%s%s", what,
				query->value, said.status, *text ? ": " : "", text,
				advice(said.status));
	} else if (rc < 0) {
		rc = ps_err_set(err, rc, "the uploader: %s of '%s': %s", what, query->value,
				ps_err_msg(&why, rc));
	}
	buf_clear(&body);
	http_answer_clear(&said);
	free(path);
	return rc;
}

static int up_write(struct afl *a, const char *name, const struct buf *bytes, struct ps_err *err)
{
	const struct http_field to[] = { { "destination_dir", a->conf->dags }, { NULL, NULL } };
	const struct http_part file = { .name = "file", .filename = name,
					.type = "application/zip", .bytes = buf_str(bytes),
					.n = bytes->len };
	int status;

	return ask(a, "upload", to, &file, &status, err);
}

static int up_remove(struct afl *a, const char *name, struct ps_err *err)
{
	const char *dags = a->conf->dags;
	char *path = xasprintf("%s%s%s", dags, ps_ends(dags, "/") ? "" : "/", name);
	const struct http_field what[] = { { "file_path", path }, { NULL, NULL } };
	struct ps_err why = { 0 };
	int status, rc = ask(a, "delete", what, NULL, &status, &why);

	if (rc < 0 && status == 404) /* as everywhere: none is fine */
		rc = 0;
	else if (rc < 0 && err)
		*err = why;
	free(path);
	return rc;
}

const struct afl_place afl_place_uploader = { NULL, up_write, up_remove };
