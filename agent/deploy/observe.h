/* observe – one look at a fabric, in a child of the deploy role: which definitions are in force. */
#ifndef PS_DEPLOY_OBSERVE_H
#define PS_DEPLOY_OBSERVE_H

#include "common/wire/msg.h"

/* Looks and answers on sock; the exit status of the child. */
int observe_run(int sock, const struct wire_observe *m);

#endif
