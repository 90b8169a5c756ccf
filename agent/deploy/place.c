/* place – see place.h. */
#include "config.h"

#include "agent/deploy/place.h"

#include <jansson.h>

#include "agent/deploy/secret.h"
#include "common/base/fsutil.h"
#include "common/plan/canon.h"

bool place_is_path(const char *s)
{
	return fs_is_clean_relative(s) && !ps_starts(s, ".tmp-") && !strstr(s, "/.tmp-");
}

static int check(const struct place_ask *ask, struct ps_err *err)
{
	if (ask->fabric->provider == CONF_LOCAL && ask->fabric_dir[0] != '/')
		return ps_err_set(err, PS_EPROTO, "the folder of the fabric is not absolute");
	if (ask->content[0] != '/')
		return ps_err_set(err, PS_EPROTO, "the folder of the contents is not absolute");
	if (!place_is_path(ask->repository) ||
	    (strcmp(ask->project, ".") != 0 && !place_is_path(ask->project)))
		return ps_err_set(err, PS_EPROTO, "'%s' of '%s' cannot be a place on a fabric",
				  ask->project, ask->repository);
	return 0;
}

int place_open(struct place *p, const struct place_ask *ask, struct ps_err *err)
{
	const char *provider = conf_provider_word(ask->fabric->provider);
	json_t *owner;
	int rc = check(ask, err);

	memset(p, 0, sizeof(*p));
	p->driver = fabric_driver_find(provider);
	if (rc == 0 && !p->driver)
		rc = ps_err_set(err, PS_ENOTSUP, "fabric '%s': no driver for %s in this version",
				ask->fabric->name, provider);
	if (rc == 0)
		rc = secret_read(&p->secret, ask->secret.own, err);
	if (rc == 0)
		rc = secret_read(&p->uploader_secret, ask->secret.uploader, err);
	for (size_t i = 0; rc == 0 && i < ask->secret.nscoped; i++)
		rc = secret_read(&p->scoped[i], ask->secret.scoped[i], err);
	if (rc < 0)
		return rc;
	owner = json_pack("{ss ss}", "repository", ask->repository, "project", ask->project);
	rc = canon_write(owner, &p->owner, err);
	json_decref(owner);
	p->path = strcmp(ask->project, ".") == 0 ? xstrdup(ask->repository)
						 : fs_join(ask->repository, ask->project);
	p->t = (struct fabric_target) {
		.content = ask->content, .place = p->path, .owner = buf_str(&p->owner),
		.dir = ask->fabric_dir, .conf = ask->fabric, .secret = p->secret,
		.uploader_secret = p->uploader_secret, .scoped = p->scoped,
		.repository = ask->repository, .project = ask->project, .release = ask->release,
		.fence = ask->fence,
	};
	if (rc == 0 && p->driver->open)
		rc = p->driver->open(&p->t, err);
	return rc;
}

void place_close(struct place *p)
{
	if (p->driver && p->driver->close && p->t.session)
		p->driver->close(&p->t);
	secret_free(p->secret);
	secret_free(p->uploader_secret);
	for (size_t i = 0; i < PS_NELEM(p->scoped); i++)
		secret_free(p->scoped[i]);
	free(p->path);
	buf_clear(&p->owner);
}
