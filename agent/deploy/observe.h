/* observe – one look at a fabric, in a worker of the deploy role: what is in force. */
#ifndef PS_DEPLOY_OBSERVE_H
#define PS_DEPLOY_OBSERVE_H

#include "agent/deploy/secret.h"
#include "common/config/config.h"
#include "common/wire/msg.h"

/* Looks and answers on sock; secret: of the fabric. The exit status of the child. */
int observe_run(int sock, struct secret_fds secret, const struct wire_observe *m,
		const struct conf_fabric *f);

#endif
