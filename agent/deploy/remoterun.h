/*
 * remoterun – one run at a provider, looked after until it ends there. Straight-line code for a
 * process of its own.
 *
 * It is started with the token of the run, so a start that nobody saw the answer of is asked again;
 * its id is in core's store before anything else is asked. From then on only looking counts: a
 * provider that does not answer is asked again, less and less often, and the run is still running;
 * one that says twice that it has no such run ends it as unknown. What a task printed is on disk
 * before its end is told.
 *
 * When this process dies the next one goes on from the id, by looking.
 */
#ifndef PS_REMOTERUN_H
#define PS_REMOTERUN_H

#include "agent/deploy/secret.h"
#include "common/config/config.h"
#include "common/wire/msg.h"

struct remoterun_ask {
	int sock;
	struct secret_fds secret;
	const struct wire_remote_run *m;
	const struct conf_fabric *fabric;
	const char *outputs; /* folder for what its tasks print: output.h */
	int64_t output_max;  /* bytes of one task; 0: no limit */
	int64_t soon_ms;     /* the shortest time between two looks */
};

/* An exit code. */
int remoterun_do(const struct remoterun_ask *ask);

#endif
