/* secret – see secret.h. */
#include "config.h"

#include "agent/deploy/secret.h"

#include <unistd.h>

int secret_read(char **out, int fd, struct ps_err *err)
{
	char *text;
	ssize_t n;

	*out = NULL;
	if (fd < 0)
		return 0;
	text = xcalloc(1, SECRET_MAX + 2);
	n = pread(fd, text, SECRET_MAX + 1, 0);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		text[--n] = '\0';
	if (n > 0 && n <= SECRET_MAX && strlen(text) == (size_t)n) {
		*out = text;
		return 0;
	}
	explicit_bzero(text, SECRET_MAX + 2);
	free(text);
	return n < 0 ? ps_err_errno(err, "cannot read the credential")
		     : ps_err_set(err, PS_EINVAL, "the credential is %s",
				  n == 0 ? "empty" : n > SECRET_MAX ? "too long" : "not a text");
}

void secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
