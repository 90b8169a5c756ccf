/* job_params – see job_params.h. */
#include "config.h"

#include "common/plan/job_params.h"

#include "common/base/buf.h"

#define OPENS "{{job.parameters."
#define CLOSES "}}"

/* The default of the one of this name (n bytes); NULL: it is not declared. */
static const char *declared(const json_t *request, const char *name, size_t n)
{
	const json_t *list = json_object_get(request, "parameters"), *one;
	size_t i;

	json_array_foreach(list, i, one) {
		const char *its = json_string_value(json_object_get(one, "name"));
		const char *value = json_string_value(json_object_get(one, "default"));

		if (its && strlen(its) == n && memcmp(its, name, n) == 0)
			return value ? value : "";
	}
	return NULL;
}

int job_params_check(const json_t *request, const json_t *given, struct ps_err *err)
{
	const json_t *list = json_object_get(request, "parameters"), *one;
	struct buf all = BUF_INIT;
	const char *name;
	json_t *value;
	size_t i;
	int rc = 0;

	json_array_foreach(list, i, one)
		buf_addf(&all, "%s%s", all.len ? ", " : "; it has ",
			 json_string_value(json_object_get(one, "name")));
	json_object_foreach((json_t *)given, name, value)
		if (rc == 0 && !declared(request, name, strlen(name)))
			rc = ps_err_set(err, PS_EINVAL, "the job has no parameter '%s'%s", name,
					all.len ? buf_str(&all) : ", nor any other");
	buf_clear(&all);
	return rc;
}

char *job_params_fill(const json_t *request, const json_t *given, const char *text)
{
	struct buf out = BUF_INIT;
	const char *at;
	char *done;

	while ((at = strstr(text, OPENS))) {
		const char *name = at + strlen(OPENS), *end = strstr(name, CLOSES), *value = NULL;
		char *key = end ? xstrndup(name, (size_t)(end - name)) : NULL;

		if (key && declared(request, key, strlen(key)))
			value = json_string_value(json_object_get(given, key));
		if (key && !value)
			value = declared(request, key, strlen(key));
		buf_add(&out, text, (size_t)(at - text));
		/* what nobody declared stays as it is written */
		if (value)
			buf_adds(&out, value);
		else
			buf_adds(&out, OPENS);
		text = value ? end + strlen(CLOSES) : name;
		free(key);
	}
	buf_adds(&out, text);
	done = xstrdup(buf_str(&out));
	buf_clear(&out);
	return done;
}
