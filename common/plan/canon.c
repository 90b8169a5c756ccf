/* canon – see canon.h. jansson's own dump cannot refuse reals and leaves its escapes to its
 * version; a release id must not change with a library, so the bytes are written here. */
#include "config.h"

#include "common/plan/canon.h"

#include <inttypes.h>
#include <math.h>

#include "common/base/buf.h"
#include "common/base/escape.h"

static int write_real(struct buf *out, double d, struct ps_err *err)
{
	char text[40];

	if (!isfinite(d))
		return ps_err_set(err, PS_EINVAL, "a number is not finite");
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, d);
		if (strtod(text, NULL) == d)
			break;
	}
	buf_adds(out, text);
	/* 2.0 stays a real: its reader may tell the two kinds apart. */
	if (!strpbrk(text, ".e"))
		buf_adds(out, ".0");
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **canon_keys(const json_t *o, size_t *n)
{
	json_t *v = (json_t *)o; /* jansson's iterators take no const */
	const char **keys = xcalloc(json_object_size(v) + 1, sizeof(*keys));

	*n = 0;
	for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it))
		keys[(*n)++] = json_object_iter_key(it);
	qsort(keys, *n, sizeof(*keys), by_bytes);
	return keys;
}

static int write_value(const json_t *v, struct buf *out, bool reals, struct ps_err *err);

static int write_object(const json_t *v, struct buf *out, bool reals, struct ps_err *err)
{
	size_t n;
	const char **keys = canon_keys(v, &n);
	int rc = 0;

	buf_addch(out, '{');
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (i)
			buf_addch(out, ',');
		escape_json(out, keys[i], strlen(keys[i]));
		buf_addch(out, ':');
		rc = write_value(json_object_get(v, keys[i]), out, reals, err);
	}
	buf_addch(out, '}');
	free(keys);
	return rc;
}

static int write_array(const json_t *v, struct buf *out, bool reals, struct ps_err *err)
{
	int rc = 0;

	buf_addch(out, '[');
	for (size_t i = 0; rc == 0 && i < json_array_size(v); i++) {
		if (i)
			buf_addch(out, ',');
		rc = write_value(json_array_get(v, i), out, reals, err);
	}
	buf_addch(out, ']');
	return rc;
}

static int write_value(const json_t *v, struct buf *out, bool reals, struct ps_err *err)
{
	if (!v)
		return ps_err_set(err, PS_EINVAL, "a value is missing or not UTF-8");
	switch (json_typeof(v)) {
	case JSON_OBJECT: return write_object(v, out, reals, err);
	case JSON_ARRAY: return write_array(v, out, reals, err);
	case JSON_STRING: escape_json(out, json_string_value(v), json_string_length(v)); return 0;
	case JSON_INTEGER: buf_addf(out, "%" PRIdMAX, (intmax_t)json_integer_value(v)); return 0;
	case JSON_REAL:
		return reals ? write_real(out, json_real_value(v), err)
			     : ps_err_set(err, PS_EINVAL, "a number is not an integer: %g",
					  json_real_value(v));
	case JSON_TRUE: buf_adds(out, "true"); return 0;
	case JSON_FALSE: buf_adds(out, "false"); return 0;
	case JSON_NULL: buf_adds(out, "null"); return 0;
	}
	ps_bug(__FILE__, __LINE__, "a JSON value of unknown type");
}

int canon_write(const json_t *v, struct buf *out, struct ps_err *err)
{
	return write_value(v, out, false, err);
}

int canon_write_any(const json_t *v, struct buf *out, struct ps_err *err)
{
	return write_value(v, out, true, err);
}

int canon_read(json_t **v, const char *bytes, size_t n, const char *what, struct ps_err *err)
{
	json_error_t why;
	json_t *got = n > PS_JSON_MAX ? NULL : json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &why);

	if (n > PS_JSON_MAX)
		return ps_err_set(err, PS_ELIMIT, "'%s' is larger than %d bytes", what,
				  PS_JSON_MAX);
	if (!got)
		return ps_err_set(err, PS_EINVAL, "'%s' is not valid JSON: line %d column %d: %s",
				  what, why.line, why.column, why.text);
	*v = got;
	return 0;
}
