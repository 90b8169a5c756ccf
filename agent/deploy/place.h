/* place – where a worker works: one project's place on one fabric, its driver's session open. */
#ifndef PS_DEPLOY_PLACE_H
#define PS_DEPLOY_PLACE_H

#include "agent/deploy/fabric/fabric.h"
#include "agent/deploy/secret.h"
#include "common/base/buf.h"

struct place_ask {
	const struct conf_fabric *fabric;
	const char *fabric_dir;		  /* of a local one, absolute */
	const char *content;		  /* content store, absolute */
	const char *repository, *project; /* names; project "." for the top */
	const char *release;		  /* NULL: nothing is deployed */
	uint64_t fence;
	struct secret_fds secret;
};

struct place {
	const struct fabric_driver *driver;
	struct fabric_target t;
	char *path, *secret, *uploader_secret, *scoped[SECRET_SCOPED];
	struct buf owner;
};

/* Checks what is asked for, reads the credentials, opens a session. The strings of ask must outlive
 * it. Close it, also after an error. */
int place_open(struct place *p, const struct place_ask *ask, struct ps_err *err) PS_MUSTCHECK;
void place_close(struct place *p);

/* A relative path: clean, and not a name that a driver would take for a leftover. */
bool place_is_path(const char *s);

#endif
