/*
 * run – one deployment from its first step to its last, as straight-line code in a process of its
 * own.
 */
#ifndef PS_DEPLOY_RUN_H
#define PS_DEPLOY_RUN_H

#include "agent/deploy/secret.h"
#include "common/config/config.h"
#include "common/wire/msg.h"

/*
 * First proves that the release is what somebody signed whose public key lies in the folder
 * `keys`, and that nothing else is put than it names (trust.h). Then carries the plan out: each
 * artifact that is not there; then, by what the fabric's driver can do, all definitions as one set
 * and the switch to that set, or one job after another; then a look whether all is as planned. Each
 * step stands in the journal; the first that fails ends it, but what that last look finds only
 * leaves the deployment unverified. What was done before by a child that died is found and left as
 * it is. The end is told through sock too. secret: the fabric's credentials, as descriptors.
 * Returns the exit code of the process: 0 when core has been told how it ended.
 */
int deploy_run(int sock, struct secret_fds secret, const struct wire_deploy_start *d,
	       const struct conf_fabric *f, const char *keys);

/* The canonical stamp of the set that d deploys, and its SHA-256 (the set's name). */
int deploy_stamp(const struct wire_deploy_start *d, struct buf *out, char digest[65],
		 struct ps_err *err) PS_MUSTCHECK;

#endif
