/*
 * config_doc – penstock.yml as a small tree of nodes with positions (inside common/config only).
 *
 * Built from libyaml's events. Syntax errors, duplicate keys and everything beyond the bounds
 * become findings here; what the words mean is config_read's matter. Nodes live as long as the
 * document. Aliases point at the node they name, so a node may be met twice; a circle cannot be
 * written.
 */
#ifndef PS_CONFIG_DOC_H
#define PS_CONFIG_DOC_H

#include "common/config/config.h"

enum {
	CONF_BYTES_MAX = 1 << 20,	/* of the file */
	CONF_DEPTH_MAX = 32,
	CONF_NODES_MAX = 100000,
	CONF_ALIASES_MAX = 100,
};

enum conf_kind { CONF_TEXT, CONF_MAP, CONF_LIST };

struct conf_pair;
struct conf_node {
	enum conf_kind kind;
	struct conf_pos pos;
	size_t from, to;		/* characters of the file, [from, to) */
	char *text;			/* CONF_TEXT: the value, without NUL inside */
	bool plain;			/* written without quotes */
	/* one line, no anchor, no tag: may be overwritten in place */
	bool blankable;
	struct conf_pair *pairs;	/* CONF_MAP, keys unique */
	struct conf_node **items;	/* CONF_LIST */
	size_t n, cap;
};

struct conf_pair { struct conf_node *key, *value; };

struct conf_doc {
	struct conf_node *root;		/* NULL: an empty file */
	struct conf_node **all;
	size_t n, cap;
};

/* Reads the bytes. False when no tree could be made; the findings in out say why. A tree may come
 * with findings as well. Clear it in both cases. */
bool conf_doc_parse(struct conf_doc *doc, const char *path, const char *bytes, size_t n,
		    struct diag_list *out);
void conf_doc_clear(struct conf_doc *doc);
/* The value behind a key of a map; NULL when it is not there (or node is no map). */
struct conf_node *conf_node_get(const struct conf_node *node, const char *key);
/* An empty plain scalar, `~` or `null`. */
bool conf_node_is_null(const struct conf_node *node);

#endif
