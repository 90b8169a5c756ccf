/* json_form – see json_form.h. */
#include "config.h"

#include "cli/json_form.h"

#include "common/plan/canon.h"

struct form {
	struct buf *out;
	bool wide;	/* "a" : 1 */
	int rc;
	struct ps_err *err;
};

static void new_line(struct form *f, unsigned depth)
{
	buf_adds(f->out, "\n");
	for (unsigned i = 0; i < depth; i++)
		buf_adds(f->out, "  ");
}

static bool is_container(const json_t *v)
{
	return json_is_object(v) || json_is_array(v);
}

static bool all_scalars(const json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (is_container(json_array_get(list, i)))
			return false;
	return true;
}

static void write_scalar(struct form *f, const json_t *v)
{
	if (f->rc == 0)
		f->rc = canon_write_any(v, f->out, f->err);
}

static void write_key(struct form *f, const char *key)
{
	json_t *text = json_string(key);

	write_scalar(f, text);
	json_decref(text);
	buf_adds(f->out, f->wide ? " : " : ": ");
}

static void write_value(struct form *f, const json_t *v, unsigned depth);

static void write_object(struct form *f, const json_t *v, unsigned depth)
{
	json_t *o = (json_t *)v;
	void *it = json_object_iter(o);

	buf_addch(f->out, '{');
	for (bool first = true; it; it = json_object_iter_next(o, it), first = false) {
		if (!first)
			buf_addch(f->out, ',');
		new_line(f, depth + 1);
		write_key(f, json_object_iter_key(it));
		write_value(f, json_object_iter_value(it), depth + 1);
	}
	if (json_object_size(v))
		new_line(f, depth);
	buf_addch(f->out, '}');
}

static void write_list(struct form *f, const json_t *v, unsigned depth)
{
	bool flat = f->wide && all_scalars(v);

	buf_addch(f->out, '[');
	for (size_t i = 0; i < json_array_size(v); i++) {
		if (i)
			buf_addch(f->out, ',');
		if (flat)
			buf_addch(f->out, ' ');
		else
			new_line(f, depth + 1);
		write_value(f, json_array_get(v, i), depth + 1);
	}
	if (flat)
		buf_addch(f->out, ' ');
	else if (json_array_size(v))
		new_line(f, depth);
	buf_addch(f->out, ']');
}

/* As deep as the text it was read from, which has a bound. */
static void write_value(struct form *f, const json_t *v, unsigned depth)
{
	if (json_is_object(v))
		write_object(f, v, depth);
	else if (json_is_array(v))
		write_list(f, v, depth);
	else
		write_scalar(f, v);
}

int json_form(struct buf *out, const json_t *v, const char *like, struct ps_err *err)
{
	size_t n = strlen(like);
	struct form f = { .out = out, .wide = strstr(like, "\" : ") != NULL, .err = err };

	write_value(&f, v, 0);
	if (n && like[n - 1] == '\n')
		buf_addch(out, '\n');
	return f.rc;
}
