/*
 * credential – where penstock.yml says that a secret is, opened. The parent hands what is open to
 * the role that needs it and reads none of it, except from its own environment, which no other
 * process gets.
 */
#ifndef PS_CREDENTIAL_H
#define PS_CREDENTIAL_H

#include "common/config/config.h"

/* A descriptor to read it from, from the first byte. PS_ENOENT: there is none; what is said where
 * to look. */
int credential_open(const struct conf_secret *s, struct ps_err *err) PS_MUSTCHECK;
/* Its variable, if it is one, goes to no child that calls credential_forget() from now on. */
void credential_mark(const struct conf_secret *s);
/* In a child that becomes a role: variables that were secrets are not its own. */
void credential_forget(void);

#endif
