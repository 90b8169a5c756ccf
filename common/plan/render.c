/* render – see render.h. */
#include "config.h"

#include "common/plan/render.h"

#include <ctype.h>
#include <errno.h>

#include "common/base/buf.h"
#include "common/plan/canon.h"

struct place {
	const char *token;
	size_t offset;	  /* of the value in struct render_params */
	const char *give; /* what the admin does when there is no value */
};

#define PLACE(token, field, give)                                                                  \
	{                                                                                          \
		token, offsetof(struct render_params, field), give                                 \
	}
static const struct place places[] = {
	PLACE("__PROJECT_ID_PLACEHOLDER__", project_id,
	      "set 'id' of the project in 'projects' of penstock.yml"),
	PLACE("__PROJECT_RELEASE_VERSION_PLACEHOLDER__", release_version,
	      "the project needs a version"),
	PLACE("__PROJECT_FULL_RELEASE_TAG_PLACEHOLDER__", full_release_tag,
	      "the project needs a version"),
	PLACE("__PROPHECY_URL_PLACEHOLDER__", prophecy_url,
	      "set 'url' of the project in 'projects' of penstock.yml"),
};

static const char tail[] = "_PLACEHOLDER__";

/* The length of a token __WORD_PLACEHOLDER__ that begins at s, 0 when none does. */
static size_t token_at(const char *s)
{
	const char *end, *p = s + 2;

	if (!ps_starts(s, "__") || *p < 'A' || *p > 'Z')
		return 0;
	end = strstr(p, tail);
	if (!end)
		return 0;
	for (; p < end; p++)
		if (!(*p >= 'A' && *p <= 'Z') && !(*p >= '0' && *p <= '9') && *p != '_')
			return 0;
	return (size_t)(end - s) + strlen(tail);
}

static int replace_one(const char *key, const char *token, size_t n, const struct render_params *p,
		       struct buf *out, struct ps_err *err)
{
	for (size_t i = 0; i < PS_NELEM(places); i++) {
		const char *value;

		if (strlen(places[i].token) != n || strncmp(token, places[i].token, n) != 0)
			continue;
		memcpy(&value, (const char *)p + places[i].offset, sizeof(value));
		if (!value)
			return ps_err_set(err, PS_EINVAL, "job '%s': %s has no value: %s", key,
					  places[i].token, places[i].give);
		buf_adds(out, value);
		return 0;
	}
	return ps_err_set(err, PS_EINVAL, "job '%s': unknown placeholder '%.*s'", key,
			  (int)(n < 80 ? n : 80), token);
}

static int replace_text(const char *key, const char *s, const struct render_params *p,
			struct buf *out, struct ps_err *err)
{
	int rc = 0;

	while (rc == 0 && *s) {
		size_t n = token_at(s);

		if (n)
			rc = replace_one(key, s, n, p, out, err);
		else
			buf_addch(out, *s);
		s += n ? n : 1;
	}
	return rc;
}

/* The rendered twin of v (a new reference), or NULL. */
static json_t *render_value(const char *key, const json_t *v, const struct render_params *p,
			    struct ps_err *err);

static json_t *render_text(const char *key, const char *s, const struct render_params *p,
			   struct ps_err *err)
{
	struct buf b = BUF_INIT;
	json_t *made = NULL;

	if (replace_text(key, s, p, &b, err) == 0) {
		made = json_string(buf_str(&b));
		if (!made)
			ps_err_set(err, PS_EINVAL, "job '%s': a value is not UTF-8", key);
	}
	buf_clear(&b);
	return made;
}

static json_t *render_object(const char *key, const json_t *v, const struct render_params *p,
			     struct ps_err *err)
{
	json_t *o = (json_t *)v, *made = json_object();

	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		struct buf name = BUF_INIT;
		json_t *sub = NULL;

		if (replace_text(key, json_object_iter_key(it), p, &name, err) == 0) {
			if (json_object_get(made, buf_str(&name)))
				ps_err_set(err, PS_EINVAL, "job '%s': the key '%s' is there twice",
					   key, buf_str(&name));
			else
				sub = render_value(key, json_object_iter_value(it), p, err);
		}
		if (!sub || json_object_set_new(made, buf_str(&name), sub) < 0) {
			buf_clear(&name);
			json_decref(made);
			return NULL;
		}
		buf_clear(&name);
	}
	return made;
}

static json_t *render_value(const char *key, const json_t *v, const struct render_params *p,
			    struct ps_err *err)
{
	json_t *made;

	if (json_is_object(v))
		return render_object(key, v, p, err);
	if (json_is_string(v))
		return render_text(key, json_string_value(v), p, err);
	if (!json_is_array(v))
		return json_incref((json_t *)v);
	made = json_array();
	for (size_t i = 0; i < json_array_size(v); i++) {
		json_t *sub = render_value(key, json_array_get(v, i), p, err);

		if (!sub) {
			json_decref(made);
			return NULL;
		}
		json_array_append_new(made, sub);
	}
	return made;
}

int render_read(json_t **doc, const char *key, const char *bytes, size_t n, struct ps_err *err)
{
	json_t *template = NULL;
	int rc = canon_read(&template, bytes, n, "databricks-job.json", err);

	if (rc < 0) {
		ps_err_prefix(err, "job '%s'", key);
		return rc;
	}
	if (!json_is_object(template) || !render_request(template)) {
		json_decref(template);
		return ps_err_set(err, PS_EINVAL, "job '%s': databricks-job.json has no request",
				  key);
	}
	json_object_del(template, RENDER_OWN);
	*doc = template;
	return 0;
}

bool render_enforces(const json_t *doc)
{
	return json_is_true(json_object_get(json_object_get(doc, RENDER_OWN), RENDER_ENFORCE));
}

int render_doc(const char *key, const json_t *doc, const struct render_params *p, json_t **out,
	       struct ps_err *err)
{
	struct ps_err why = { 0 };
	json_t *made = render_value(key, doc, p, &why);

	if (!made)
		return ps_err_set(err, PS_EINVAL, "%s", why.msg);
	*out = made;
	return 0;
}

int render_job(const char *key, const char *bytes, size_t n, const struct render_params *p,
	       struct buf *out, struct ps_err *err)
{
	json_t *template = NULL, *made = NULL;
	int rc = render_read(&template, key, bytes, n, err);

	if (rc == 0)
		rc = render_doc(key, template, p, &made, err);
	if (rc == 0)
		rc = canon_write_any(made, out, err);
	json_decref(made);
	json_decref(template);
	return rc;
}

const json_t *render_request(const json_t *doc)
{
	const json_t *request = json_object_get(doc, "request");
	const json_t *old = json_object_get(request, "CreateNewJobRequest");

	if (json_is_object(old))
		return old;
	return json_is_object(request) ? request : NULL;
}

int64_t render_fabric_id(const json_t *doc)
{
	const json_t *v = json_object_get(doc, "fabric_id");
	long long id;
	char *end;

	if (!v)
		v = json_object_get(doc, "fabricId");
	if (json_is_integer(v))
		return json_integer_value(v);
	if (!json_is_string(v) || !*json_string_value(v))
		return 0;
	errno = 0;
	id = strtoll(json_string_value(v), &end, 10);
	return errno || *end || id < 0 ? 0 : id;
}

const char *render_artifact_path(const char *path)
{
	const char *at = strstr(path, "/prophecy/artifacts/");

	return at ? at + 1 : NULL;
}

/* Where the path begins that goes on at `at`; no further back than `from`. */
static const char *path_start(const char *from, const char *at)
{
	while (at > from && (isalnum((unsigned char)at[-1]) || strchr("/:._-", at[-1])))
		at--;
	return at;
}

/* A path may be all of a text, or be named in it: a list of packages, a script. */
static void move_text(json_t *text, const char *base)
{
	const char *from = json_string_value(text), *rel = render_artifact_path(from);
	struct buf b = BUF_INIT;

	if (!rel)
		return;
	for (; rel; rel = render_artifact_path(from)) {
		const char *start = path_start(from, rel - 1);

		buf_add(&b, from, (size_t)(start - from));
		buf_addf(&b, "%s/", base);
		from = rel + strlen("prophecy/artifacts");
		buf_add(&b, rel, (size_t)(from - rel));
	}
	buf_adds(&b, from);
	json_string_set(text, buf_str(&b));
	buf_clear(&b);
}

void render_base(json_t *doc, const char *base)
{
	json_t *v;
	const char *key;
	size_t i;

	if (json_is_string(doc))
		move_text(doc, base);
	json_object_foreach(doc, key, v)
		render_base(v, base);
	json_array_foreach(doc, i, v)
		render_base(v, base);
}
