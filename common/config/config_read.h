/*
 * config_read – tables of keys, and the engine that fills structs from nodes by them (inside
 * common/config only). No setting is read by hand: a new key is one row in config_keys.c.
 *
 * A row says: name, type, where in the struct, limits, default (as it would be written in the file)
 * and how it is named in others. The same rows free the struct.
 */
#ifndef PS_CONFIG_READ_H
#define PS_CONFIG_READ_H

#include "common/config/config_doc.h"

enum conf_type {
	CONF_STRING,	/* char *; any text */
	CONF_NAME,	/* char *; letters, digits, . _ - : becomes part of paths and commands */
	CONF_PATH,	/* char *; absolute, or relative where the row says CONF_RELATIVE */
	CONF_URL,	/* char *; http or https, no credential inside */
	CONF_KEY,	/* char *; a job key: jobs/NAME */
	CONF_STRINGS,	/* struct conf_names; each one of words, where the row has some */
	CONF_REFS,	/* struct conf_names of ref patterns */
	CONF_PROJECTS,	/* struct conf_names of project patterns */
	CONF_WHO,	/* struct conf_who; a team, or a list of people */
	CONF_BOOL,	/* bool; true or false */
	CONF_INT,	/* int64_t between min and max */
	CONF_UNSIGNED,	/* unsigned between min and max */
	CONF_SIZE,	/* int64_t bytes; 64M */
	CONF_TIME,	/* int64_t ms; 500ms, 4s, 10m */
	CONF_WORD,	/* an enum; one of words */
	CONF_EITHER,	/* bool: words[0] is true, words[1] is false */
	CONF_IDENTITY,	/* struct conf_root: a word, or env:NAME */
	CONF_SECRET,	/* struct conf_secret */
	CONF_JSON,	/* char *; a map as JSON; its keys are of words, where the row has some */
	CONF_TABLE,	/* further keys of the same struct, by table */
	CONF_ROWS,	/* map of name to struct: pointer at offset, number at count */
	CONF_ITEMS,	/* list of structs: the same */
	CONF_LATER,	/* known, not in this version */
	CONF_TYPE_COUNT
};

/* What a text of the file defines or refers to; resolved when all is read (config_check.c). */
enum conf_sort {
	CONF_NOTHING, CONF_A_TEAM, CONF_A_FABRIC, CONF_AN_ENVIRONMENT, CONF_A_FABRIC_ID,
		CONF_A_ROOT,
	CONF_A_TOOLCHAIN,
};

enum { CONF_REQUIRED = 1, CONF_RELATIVE = 2 };

struct conf_table;
struct conf_key {
	const char *name;
	enum conf_type type;
	size_t offset, count;
	unsigned flags;
	int64_t min, max;
	const char *fallback;		/* default, as text; NULL: zeroes */
	const char *const *words;	/* NULL-ended, in the order of the enum */
	const struct conf_table *table;
	enum conf_sort defines, refers;
};

struct conf_reader;
struct conf_table {
	const char *what;		/* "fabric", for messages */
	const struct conf_key *keys;	/* ended by a row without name */
	size_t size;			/* of the struct, for CONF_ROWS and CONF_ITEMS */
	size_t name, pos;		/* where the row's name (CONF_ROWS) and position go */
	bool pattern;			/* names of rows are project patterns, not names */
	const char *const *words;	/* names of rows are of these; NULL: free */
	enum conf_sort defines;		/* what the names of rows are */
	/* Looks at one struct as a whole, with its node for positions. NULL: nothing to say. */
	void (*check)(struct conf_reader *r, const struct conf_node *node, const void *base);
};

struct conf_mention { enum conf_sort sort; bool defines; const char *text; struct conf_pos pos; };

struct conf_reader {
	const char *path;
	struct diag_list *out;
	struct config *cfg;
	struct conf_mention *mentions;	/* texts belong to the document */
	size_t n, cap;
	size_t cap_secrets;
};

/* config_keys.c: the whole file into struct config */
extern const struct conf_table conf_top;

void conf_error(struct conf_reader *r, struct conf_pos at, const char *code, const char *fmt, ...)
	PS_PRINTF(4, 5);
void conf_warning(struct conf_reader *r, struct conf_pos at, const char *code, const char *fmt, ...)
	PS_PRINTF(4, 5);
/* Fills base from a map; absent keys get their defaults, missing ones are findings. */
void conf_read_table(struct conf_reader *r, const struct conf_table *t,
		     const struct conf_node *node, void *base);
void conf_free_table(const struct conf_table *t, void *base);
void conf_mention(struct conf_reader *r, enum conf_sort sort, bool defines,
		  const struct conf_node *node);
/* ", the nearest is 'X'" when one of the n words is one spelling away, else "". buf: 320 bytes. */
const char *conf_nearest(char *buf, const char *word, const char *const *words, size_t n);

/* config_value.c: one scalar (or list of scalars) into its place; false after a finding. */
bool conf_read_value(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		     void *at);
bool conf_is_name(const char *s);
/* config_json.c */
bool conf_read_json(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		    void *at);

/* config_check.c: what can only be judged when all is read: references, circles, names twice.
 * conf_warn() is for a configuration without error. */
void conf_check(struct conf_reader *r);
void conf_warn(struct conf_reader *r);
void conf_check_window(struct conf_reader *r, const struct conf_node *node, const void *base);
void conf_check_api(struct conf_reader *r, const struct conf_node *node, const void *base);
void conf_check_notify(struct conf_reader *r, const struct conf_node *node, const void *base);
void conf_check_fabric(struct conf_reader *r, const struct conf_node *node, const void *base);

#endif
