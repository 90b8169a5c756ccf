/*
 * rows – a table's rows as structs, by one list of columns.
 *
 *	#define BUILD_COLS(X) X(i, id) X(t, key) X(t, state)
 *	ROWS_STRUCT(build, BUILD_COLS)			in the header: struct build, struct builds
 *	ROWS_SHAPE(build, "build", BUILD_COLS)		in the noun's file
 *
 * i is int64_t (NULL reads as 0), t is char * (NULL stays NULL). Column and member have one name.
 * For files of agent/store; others get the structs from the noun's header and free them there.
 */
#ifndef PS_ROWS_H
#define PS_ROWS_H

#include "agent/store/store.h"

#define ROWS_DECL_i(name) int64_t name;
#define ROWS_DECL_t(name) char *name;
#define ROWS_DECL(kind, name) ROWS_DECL_##kind(name)
#define ROWS_STRUCT(noun, cols)                  \
	struct noun { cols(ROWS_DECL) };         \
	struct noun##s { struct noun *v; size_t n; };

struct row_col { char kind; const char *name; size_t offset; };

struct row_shape {
	const char *table;
	const char *names;		/* of the columns, as SELECT wants them */
	const struct row_col *cols;
	size_t ncols, size;
};

#define ROWS_SHAPE(noun, table_name, cols)                                                     \
	static const struct row_col noun##_row_cols[] = { cols(ROWS_COL_##noun) };             \
	static const char noun##_row_names[] = cols(ROWS_NAME);                                \
	static const struct row_shape noun##_shape = { table_name, noun##_row_names + 1,       \
						       noun##_row_cols,                        \
						       PS_NELEM(noun##_row_cols), sizeof(struct noun) };
#define ROWS_NAME(kind, name) "," #name
#define ROWS_COL(noun, kind, name) { #kind[0], #name, offsetof(struct noun, name) },

/* Appends the rows of SELECT <columns> FROM <table> <tail>; *v and *n are those of a struct
 * nouns. */
int rows_select(struct store_tx *tx, const struct row_shape *shape, void *list, struct ps_err *err,
		const char *tail, const char *types, ...) PS_MUSTCHECK;
/* Exactly one row into a struct noun; PS_ENOENT when there is none. */
int rows_one(struct store_tx *tx, const struct row_shape *shape, void *row, struct ps_err *err,
	     const char *tail, const char *types, ...) PS_MUSTCHECK;
void rows_clear_one(const struct row_shape *shape, void *row);
void rows_clear(const struct row_shape *shape, void *list);

/* May a thing of this noun go from one state to the other? PS_ESTALE when not: a late message. */
struct state_move { const char *from, *to; };
int state_may_go(const char *noun, const struct state_move *table, size_t n, const char *from,
		 const char *to, struct ps_err *err) PS_MUSTCHECK;
/* The same for a door behind which nothing late can come any more: a move that is not in the table is
 * our own mistake and stops the program. */
void state_must_go(const char *noun, int64_t id, const struct state_move *table, size_t n,
		   const char *from, const char *to);

#endif
