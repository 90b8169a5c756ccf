/* config_read – see config_read.h: the engine. What one value looks like is config_value.c's. */
#include <config.h>

#include "common/config/config_read.h"

#include "common/base/near.h"

static void finding(struct conf_reader *r, enum diag_severity severity, struct conf_pos at,
		    const char *code, const char *fmt, va_list ap)
{
	char *text = xvasprintf(fmt, ap);

	diag_add(r->out, severity, r->path, at.line, at.col, code, "%s", text);
	free(text);
}

void conf_error(struct conf_reader *r, struct conf_pos at, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finding(r, DIAG_ERROR, at, code, fmt, ap);
	va_end(ap);
}

void conf_warning(struct conf_reader *r, struct conf_pos at, const char *code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finding(r, DIAG_WARNING, at, code, fmt, ap);
	va_end(ap);
}

void conf_mention(struct conf_reader *r, enum conf_sort sort, bool defines,
		  const struct conf_node *node)
{
	if (sort == CONF_NOTHING)
		return;
	r->mentions = xgrow(r->mentions, r->n, &r->cap, sizeof(*r->mentions));
	r->mentions[r->n++] = (struct conf_mention) { sort, defines, node->text, node->pos };
}

const char *conf_nearest(char *buf, const char *word, const char *const *words, size_t n)
{
	buf[0] = '\0';
	for (size_t i = 0; i < n; i++)
		if (words[i] && strcmp(word, words[i]) != 0 && near_one_away(word, words[i])) {
			snprintf(buf, 320, ", the nearest is '%s'", words[i]);
			break;
		}
	return buf;
}

static const struct conf_key *key_of(const struct conf_table *t, const char *name)
{
	for (const struct conf_key *k = t->keys; k->name; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

static void unknown_key(struct conf_reader *r, const struct conf_table *t,
			const struct conf_node *key)
{
	const char *names[64];
	char near[320];
	size_t n = 0;

	for (const struct conf_key *k = t->keys; k->name && n < PS_NELEM(names); k++)
		names[n++] = k->name;
	conf_error(r, key->pos, "PS-CONF-005", "unknown key '%s' in %s%s", key->text, t->what,
		   conf_nearest(near, key->text, names, n));
}

/* The name of a row: a name, a project pattern, or one of a few words. */
static bool row_name(struct conf_reader *r, const struct conf_key *k, const struct conf_node *key,
		     char **name)
{
	const struct conf_table *t = k->table;
	const struct conf_key as = { .name = t->what, .type = t->pattern ? CONF_PROJECTS :
				     CONF_NAME };
	char near[320];
	size_t n = 0;

	if (t->words) {
		while (t->words[n] && strcmp(t->words[n], key->text) != 0)
			n++;
		if (!t->words[n]) {
			conf_error(r, key->pos, "PS-CONF-009", "'%s' is not %s%s", key->text,
				   t->what, conf_nearest(near, key->text, t->words, n));
			return false;
		}
	}
	if (t->pattern) {
		struct conf_node *one[] = { (struct conf_node *)key };
		struct conf_node wrap = { .kind = CONF_LIST, .pos = key->pos, .items = one,
					  .n = 1 };
		struct conf_names names = { NULL, 0 };

		if (conf_read_value(r, &as, &wrap, &names))
			*name = xstrdup(key->text);
		conf_names_clear(&names);
		return *name != NULL;
	}
	return conf_read_value(r, &as, key, name);
}

/* Rows of a map, or items of a list, into a fresh array. Each keeps its place even when it is
 * wrong: the findings are kept, the array is thrown away at the end. */
static void read_many(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		      char *base)
{
	const struct conf_table *t = k->table;
	char *all;

	if (node->kind != (k->type == CONF_ROWS ? CONF_MAP : CONF_LIST)) {
		conf_error(r, node->pos, "PS-CONF-007", "'%s' must be a %s", k->name,
			   k->type == CONF_ROWS ? "map of names" : "list");
		return;
	}
	all = xcalloc(node->n + 1, t->size);
	memcpy(base + k->offset, &all, sizeof(all));
	for (size_t i = 0; i < node->n; i++) {
		char *row = all + i * t->size;
		const struct conf_node *at = k->type == CONF_ROWS ? node->pairs[i].key :
			node->items[i];

		memcpy(row + t->pos, &at->pos, sizeof(at->pos));
		*(size_t *)(base + k->count) = i + 1;
		if (k->type == CONF_ITEMS) {
			conf_read_table(r, t, at, row);
			continue;
		}
		if (row_name(r, k, at, (char **)(row + t->name)))
			conf_mention(r, t->defines, true, at);
		conf_read_table(r, t, node->pairs[i].value, row);
	}
}

static void read_key(struct conf_reader *r, const struct conf_key *k, const struct conf_node *key,
		     const struct conf_node *node, char *base)
{
	if (k->type == CONF_LATER)
		conf_error(r, key->pos, "PS-CONF-006", "'%s' is not in this version", k->name);
	else if (k->type == CONF_TABLE)
		conf_read_table(r, k->table, node, base);
	else if (k->type == CONF_ROWS || k->type == CONF_ITEMS)
		read_many(r, k, node, base);
	else
		conf_read_value(r, k, node, base + k->offset);
}

/* What an absent key means: its default is read as if it had been written. */
static void read_absent(struct conf_reader *r, const struct conf_key *k, char *base)
{
	if (k->type == CONF_TABLE) {
		for (const struct conf_key *sub = k->table->keys; sub->name; sub++)
			read_absent(r, sub, base);
	} else if (k->fallback) {
		struct conf_node text = { .kind = CONF_TEXT, .text = (char *)k->fallback,
					  .plain = true };
		struct conf_node *one[] = { &text };
		struct conf_node list = { .kind = CONF_LIST, .items = one, .n = 1 };
		bool many = k->type == CONF_REFS || k->type == CONF_PROJECTS ||
			k->type == CONF_STRINGS;
		bool ok = conf_read_value(r, k, many ? &list : &text, base + k->offset);

		PS_BUG_IF(!ok, "default '%s' of '%s' is not readable", k->fallback, k->name);
	}
}

void conf_read_table(struct conf_reader *r, const struct conf_table *t,
		     const struct conf_node *node, void *base)
{
	if (node->kind != CONF_MAP) {
		conf_error(r, node->pos, "PS-CONF-007", "%s must be a map of keys", t->what);
		return;
	}
	for (size_t i = 0; i < node->n; i++) {
		const struct conf_key *k = key_of(t, node->pairs[i].key->text);

		if (k)
			read_key(r, k, node->pairs[i].key, node->pairs[i].value, base);
		else
			unknown_key(r, t, node->pairs[i].key);
	}
	for (const struct conf_key *k = t->keys; k->name; k++) {
		if (conf_node_get(node, k->name))
			continue;
		if (k->flags & CONF_REQUIRED)
			conf_error(r, node->pos, "PS-CONF-008", "%s has no '%s'", t->what, k->name);
		else
			read_absent(r, k, base);
	}
	if (t->check)
		t->check(r, node, base);
}

static void free_key(const struct conf_key *k, char *base)
{
	char *at = base + k->offset;

	switch (k->type) {
	case CONF_STRING:
	case CONF_NAME:
	case CONF_PATH:
	case CONF_URL:
	case CONF_KEY:
	case CONF_JSON:
		PS_FREE(*(char **)at);
		break;
	case CONF_STRINGS:
	case CONF_REFS:
	case CONF_PROJECTS:
		conf_names_clear((struct conf_names *)at);
		break;
	case CONF_WHO:
		PS_FREE(((struct conf_who *)at)->team);
		conf_names_clear(&((struct conf_who *)at)->people);
		break;
	case CONF_IDENTITY:
		PS_FREE(((struct conf_root *)at)->identity_env);
		break;
	case CONF_SECRET:
		PS_FREE(((struct conf_secret *)at)->where);
		break;
	case CONF_TABLE:
		conf_free_table(k->table, base);
		break;
	case CONF_ROWS:
	case CONF_ITEMS:
		for (size_t i = 0; i < *(size_t *)(base + k->count); i++) {
			char *row = *(char **)at + i * k->table->size;

			if (k->type == CONF_ROWS)
				free(*(char **)(row + k->table->name));
			conf_free_table(k->table, row);
		}
		PS_FREE(*(char **)at);
		break;
	default:
		break;	/* numbers and words own nothing */
	}
}

void conf_free_table(const struct conf_table *t, void *base)
{
	for (const struct conf_key *k = t->keys; k->name; k++)
		free_key(k, base);
}
