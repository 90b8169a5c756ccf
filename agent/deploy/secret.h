/* secret – what a credential says, read in the worker that got its descriptor. */
#ifndef PS_DEPLOY_SECRET_H
#define PS_DEPLOY_SECRET_H

#include "common/base/err.h"

enum { SECRET_MAX = 65536, SECRET_SCOPED = 16 };

/* Descriptors of the credentials of one target; -1: there is none. */
struct secret_fds {
	int own, uploader; /* of an Airflow's uploader */
	size_t nscoped;	   /* what goes into secret scopes, in the order of the configuration */
	int scoped[SECRET_SCOPED];
};
#define SECRET_NONE ((struct secret_fds) { .own = -1, .uploader = -1 })

/* A text without the end of its line, read from the first byte whoever has read it before. fd -1:
 * *out stays NULL. secret_free() the result. */
int secret_read(char **out, int fd, struct ps_err *err) PS_MUSTCHECK;
/* Wipes it first. */
void secret_free(char *secret);

#endif
