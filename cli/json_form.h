/* json_form – JSON written as another text of the same kind was: of both of the editor's forms
 * ("a" : 1 with lists of scalars on one line, and "a": 1 with a line each). */
#ifndef PS_JSON_FORM_H
#define PS_JSON_FORM_H

#include <jansson.h>

#include "common/base/buf.h"
#include "common/base/err.h"

/* Appends v in the form of `like`, with a newline at the end where that has one. */
int json_form(struct buf *out, const json_t *v, const char *like, struct ps_err *err) PS_MUSTCHECK;

#endif
