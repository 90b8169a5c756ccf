/* credential – see credential.h. */
#include "config.h"

#include "agent/credential.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/fsutil.h"

static char **taken; /* names of variables that were ever asked for */
static size_t ntaken, cap_taken;

static int open_file(const char *path, struct ps_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd >= 0 ? fd : ps_err_errno(err, "cannot open the secret '%s'", path);
}

/* systemd's LoadCredential. */
static int open_credential(const char *name, struct ps_err *err)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	char *path;
	int fd;

	if (!dir)
		return ps_err_set(
			err, PS_ENOENT,
			"there is no credential '%s': not started with LoadCredential=", name);
	path = fs_join(dir, name);
	fd = open_file(path, err);
	free(path);
	return fd;
}

void credential_mark(const struct conf_secret *s)
{
	const char *name = s->where;

	if (s->kind != CONF_SECRET_ENV)
		return;
	for (size_t i = 0; i < ntaken; i++)
		if (strcmp(taken[i], name) == 0)
			return;
	taken = xgrow(taken, ntaken, &cap_taken, sizeof(*taken));
	taken[ntaken++] = xstrdup(name);
}

static int open_variable(const char *name, struct ps_err *err)
{
	const char *value = getenv(name);
	int fd, rc = 0;

	if (!value)
		return ps_err_set(err, PS_ENOENT, "the variable '%s' with a secret is not set",
				  name);
	fd = memfd_create("credential", MFD_CLOEXEC);
	if (fd < 0)
		return ps_err_errno(err, "cannot hand over a secret");
	rc = fs_write_all(fd, value, strlen(value), err);
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

int credential_open(const struct conf_secret *s, struct ps_err *err)
{
	switch (s->kind) {
	case CONF_SECRET_FILE:
		return open_file(s->where, err);
	case CONF_SECRET_ENV:
		return open_variable(s->where, err);
	case CONF_SECRET_CREDENTIAL:
		return open_credential(s->where, err);
	case CONF_SECRET_NONE:
		break;
	}
	return ps_err_set(err, PS_ENOENT, "no secret is configured");
}

void credential_forget(void)
{
	for (size_t i = 0; i < ntaken; i++)
		unsetenv(taken[i]);
}
