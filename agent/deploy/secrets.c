/* secrets – see secrets.h. */
#include "config.h"

#include "agent/deploy/secrets.h"

#include <unistd.h>

_Static_assert((int)SECRET_SCOPED == (int)CONF_SCOPED_MAX, "a worker gets all of its fabric");

struct secret {
	uint64_t offer;
	char *name;
	int fd;
};

static struct secret *all;
static size_t nall, cap_all;
static uint64_t in_force;

void secrets_take(struct role *r, const struct wire_credential *m)
{
	int fd = peer_take_fd(r->parent);

	if (fd < 0)
		return;
	all = xgrow(all, nall, &cap_all, sizeof(*all));
	all[nall++] = (struct secret) { m->id, xstrdup(m->name), fd };
}

void secrets_on_config(struct role *r)
{
	size_t n = 0;

	in_force = r->offer_id;
	for (size_t i = 0; i < nall; i++) {
		if (all[i].offer >= in_force) {
			all[n++] = all[i];
			continue;
		}
		close(all[i].fd);
		free(all[i].name);
	}
	nall = n;
}

static int find(const char *what, const char *name)
{
	char *full = xasprintf("%s %s", what, name);
	int fd = -1;

	for (size_t i = 0; i < nall; i++)
		if (all[i].offer == in_force && strcmp(all[i].name, full) == 0)
			fd = all[i].fd;
	free(full);
	return fd;
}

struct secret_fds secrets_of(const char *what, const char *name)
{
	struct secret_fds s = SECRET_NONE;

	s.own = find(what, name);
	if (strcmp(what, "fabric") != 0)
		return s;
	s.uploader = find("uploader", name);
	for (size_t i = 0; i < SECRET_SCOPED; i++) {
		char *nth = xasprintf("%s %zu", name, i);

		s.scoped[i] = find("scoped", nth);
		if (s.scoped[i] >= 0)
			s.nscoped = i + 1;
		free(nth);
	}
	return s;
}
