/*
 * check_format – findings of `penstock check` as text, as JSON, or as what other tools read.
 */
#ifndef PS_CHECK_FORMAT_H
#define PS_CHECK_FORMAT_H

#include "cli/cli.h"
#include "common/gate/gate.h"

enum check_format { CHECK_TEXT, CHECK_JSON, CHECK_SARIF, CHECK_GITHUB, CHECK_FORMATS };

/* CHECK_FORMATS when there is no such word. */
enum check_format check_format_of(const char *word);
/* On stdout. */
void check_print(const struct gate_checked *c, enum check_format format);

#endif
