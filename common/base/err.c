/* err – see err.h. Number and text come from one list, so they cannot drift apart. */
#include "config.h"

#include "common/base/err.h"

#include <errno.h>

int ps_err_set(struct ps_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return code;
	err->code = code;
	err->sys = 0;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	return code;
}

static int code_of_errno(int e)
{
	switch (e) {
	case ENOENT:
		return PS_ENOENT;
	case EEXIST:
		return PS_EEXIST;
	case EPERM:
	case EACCES:
		return PS_EPERM;
	case ETIMEDOUT:
		return PS_ETIME;
	default:
		return PS_EIO;
	}
}

int ps_err_errno(struct ps_err *err, const char *fmt, ...)
{
	int e = errno, code = code_of_errno(e);
	va_list ap;
	size_t n;

	if (!err)
		return code;
	err->code = code;
	err->sys = e;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", strerror(e));
	return code;
}

int ps_err_prefix(struct ps_err *err, const char *fmt, ...)
{
	char old[sizeof(err->msg)];
	va_list ap;
	size_t n;

	if (!err)
		return PS_EIO;
	memcpy(old, err->msg, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	n = strlen(err->msg);
	snprintf(err->msg + n, sizeof(err->msg) - n, ": %s", old);
	return err->code;
}

const char *ps_err_text(int code)
{
#define PS_ERR_CASE(name, text) \
	case name:              \
		return text;
	switch (code) {
	case 0:
		return "no error";
	PS_ERRORS(PS_ERR_CASE)
	default:
		return "unknown error";
	}
#undef PS_ERR_CASE
}

const char *ps_err_msg(const struct ps_err *err, int rc)
{
	return err && err->msg[0] ? err->msg : ps_err_text(rc);
}
