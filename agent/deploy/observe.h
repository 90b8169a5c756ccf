/* observe – one look at a fabric, in a worker of the deploy role: what is in force. */
#ifndef PS_DEPLOY_OBSERVE_H
#define PS_DEPLOY_OBSERVE_H

#include "common/config/config.h"
#include "common/wire/msg.h"

/* Looks and answers on sock; secret: descriptor of the fabric's credential, or -1. The exit status
 * of the child. */
int observe_run(int sock, int secret, const struct wire_observe *m, const struct conf_fabric *f);

#endif
