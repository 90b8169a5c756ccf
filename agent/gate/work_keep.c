/* work_keep – refs that hold what is queued, released or deployed. See EVENTS.md: keep. */
#include "config.h"

#include "agent/gate/work.h"

int work_keep(struct work *w, const struct msg *m, struct ps_err *err)
{
	const struct wire_keep *q = &m->u.keep;
	struct wire_done a = { .id = q->id };
	struct repo *r = NULL;
	unsigned tries = 0;
	int rc = work_open(w, q->repository, &r, err);

	if (rc == 0) {
		do {
			rc = q->drop ? repo_unkeep(r, q->oid, err) : repo_keep(r, q->oid, err);
		} while (work_again(rc, &tries));
	}
	repo_close(r);
	return rc < 0 ? rc : work_reply(w, MSG_done, &a, err);
}
