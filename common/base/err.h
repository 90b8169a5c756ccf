/*
 * err – one error: a number for the program, a text for a person.
 *
 * Every function that can fail returns 0 or a negative PS_E* and takes `struct ps_err *err` last.
 * err may be NULL where only the number matters. The first message wins its place; callers add
 * context in front with ps_err_prefix(). A refusal (a verdict about somebody's push) is a value,
 * never an error.
 */
#ifndef PS_ERR_H
#define PS_ERR_H

#include "common/base/ps.h"

#define PS_ERRORS(X)                                                                  \
	X(PS_EIO, "input or output failed")                                           \
	X(PS_EINVAL, "not valid")                                                     \
	X(PS_ENOENT, "not there")                                                     \
	X(PS_EEXIST, "already there")                                                 \
	X(PS_EPROTO, "message does not follow the protocol")                          \
	X(PS_ELIMIT, "larger than allowed")                                           \
	X(PS_ETIME, "took too long")                                                  \
	X(PS_EPERM, "not allowed")                                                    \
	X(PS_EGATE, "gate could not decide")                                          \
	X(PS_ESTALE, "planned against an older state")                                \
	X(PS_ECONFLICT, "other bytes are already there")                              \
	X(PS_ENOTSUP, "not in this version")                                          \
	X(PS_EAGENT, "the agent cannot be reached")                                   \
	X(PS_ESTORE, "the store refused")                                             \
	X(PS_ECONFIG, "the configuration is not valid")                               \
	X(PS_EBUSY, "in use")

enum ps_errno_base { PS_E_FIRST = -1000 };
#define PS_ERR_ENUM(name, text) name##_POS,
enum ps_err_pos { PS_ERRORS(PS_ERR_ENUM) PS_E_COUNT };
#undef PS_ERR_ENUM
#define PS_ERR_ENUM(name, text) name = PS_E_FIRST - name##_POS,
enum ps_errno { PS_ERRORS(PS_ERR_ENUM) };
#undef PS_ERR_ENUM

struct ps_err {
	int code;		/* 0 or a PS_E* */
	int sys;		/* errno where the kernel was the cause, else 0 */
	char msg[1024];		/* lower-case start, no full stop; empty when code is 0 */
};

/* Sets code and message; returns code, so `return ps_err_set(...)` reads well. err may be NULL. */
int ps_err_set(struct ps_err *err, int code, const char *fmt, ...) PS_PRINTF(3, 4);
/* PS_EIO (PS_ENOENT, PS_EEXIST, PS_EPERM for those errnos) with ": <strerror>" behind the
 * message. */
int ps_err_errno(struct ps_err *err, const char *fmt, ...) PS_PRINTF(2, 3);
/* Puts context in front of the message that is there. Returns err's code. */
int ps_err_prefix(struct ps_err *err, const char *fmt, ...) PS_PRINTF(2, 3);
/* The text of a code alone, for a place where no message came. Never NULL. */
const char *ps_err_text(int code);
/* The message, or the text of rc when err is NULL or empty. Never NULL. */
const char *ps_err_msg(const struct ps_err *err, int rc);

#endif
