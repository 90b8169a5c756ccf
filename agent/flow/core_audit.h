/*
 * core_audit – penstock-core --audit FILE: is the audit of this store whole? Without an agent, and
 * without changing the file or anything beside it. For the command line, which speaks no SQL.
 */
#ifndef PS_CORE_AUDIT_H
#define PS_CORE_AUDIT_H

/* Prints the object of view_audit_check() or why not. Returns an exit code. */
int core_audit(const char *file);

#endif
