/* doc_build – what the two readers share while they make nodes. Nobody else includes it but
 * survey_yaml, which writes what they read, and common/plan/job_check, which has read it. */
#ifndef PS_DOC_BUILD_H
#define PS_DOC_BUILD_H

#include "common/base/place.h"
#include "common/project/doc.h"

enum { DOC_NODES_MAX = 2000000 };	/* nodes and pairs of one file; beyond it "not checked" */

struct doc *doc_new(void);
/* Memory that lives as long as the doc; zeroed. */
void *doc_alloc(struct doc *d, size_t size);
struct doc_node *doc_scalar(struct doc *d, enum doc_kind kind, const char *text, size_t len,
			    struct doc_pos at);
/* False when the file has too many nodes; count is the reader's. */
bool doc_count(size_t *count, size_t more);

/* A container that grows while its end is not seen; moved into the arena by doc_close_*(). */
struct doc_open {
	struct doc_node *node;
	struct doc_pair *pairs;
	struct doc_node **items;
	size_t n, cap;
	struct doc_node *key;		/* of a map: waits for its value */
};

void doc_open_add(struct doc_open *o, struct doc_node *child);
/* Moves the children into the arena, marks repeated keys, and returns the finished node. */
struct doc_node *doc_close(struct doc *d, struct doc_open *o);
void doc_open_drop(struct doc_open *o);
/* For whoever replaces the pairs of a map: marks repeated and hidden ones, makes it searchable. */
void doc_index(struct doc *d, struct doc_node *map);

void doc_fault_set(struct doc_fault *f, struct doc_pos at, const char *fmt, ...) PS_PRINTF(3, 4);
struct doc_pos doc_pos_of(struct place at);

/* yaml_scalar: what a plain scalar means in YAML 1.1 as PyYAML resolves it. */
enum yaml_plain { YAML_IS_STRING, YAML_IS_NULL, YAML_IS_BOOL, YAML_IS_INT, YAML_IS_FLOAT,
		  YAML_IS_TIME, YAML_IS_MERGE, YAML_IS_VALUE };
enum yaml_plain yaml_plain(const char *text, size_t len);
int64_t yaml_int(const char *text);	/* of a text that is YAML_IS_INT; saturates */
bool yaml_bool(const char *text);

#endif
