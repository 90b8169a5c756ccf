/* secret – what a credential says, read in the worker that got its descriptor. */
#ifndef PS_DEPLOY_SECRET_H
#define PS_DEPLOY_SECRET_H

#include "common/base/err.h"

enum { SECRET_MAX = 65536 };

/* Descriptors of the credentials of one target; -1: there is none. */
struct secret_fds {
	int own, uploader; /* of an Airflow's uploader */
};
#define SECRET_NONE ((struct secret_fds) { -1, -1 })

/* A text without the end of its line, read from the first byte whoever has read it before. fd -1:
 * *out stays NULL. secret_free() the result. */
int secret_read(char **out, int fd, struct ps_err *err) PS_MUSTCHECK;
/* Wipes it first. */
void secret_free(char *secret);

#endif
