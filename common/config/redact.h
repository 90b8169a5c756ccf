/* redact – the configuration's bytes without credential references (inside common/config only). */
#ifndef PS_CONFIG_REDACT_H
#define PS_CONFIG_REDACT_H

#include "common/config/config.h"

/* Appends the bytes c was parsed from, references and comments overwritten in place. */
int config_redact(struct buf *out, const struct config *c, const char *bytes, size_t n,
		  struct ps_err *err) PS_MUSTCHECK;

#endif
