/* rendered – see rendered.h. */
#include "config.h"

#include "common/plan/rendered.h"

#include "common/base/buf.h"
#include "common/base/digest.h"

void plan_rendered(const struct plan *p, char digest[65])
{
	struct buf b = BUF_INIT;

	/* no path or key holds a line's end, so the lines are one to one with what they tell */
	for (size_t i = 0; i < p->nartifacts; i++)
		buf_addf(&b, "artifact %s %s\n", p->artifacts[i].sha256, p->artifacts[i].path);
	for (size_t i = 0; i < p->njobs; i++)
		if (p->jobs[i].change <= PLAN_SAME)
			buf_addf(&b, "job %s %s\n", p->jobs[i].digest, p->jobs[i].key);
	digest_bytes(digest, buf_str(&b), b.len);
	buf_clear(&b);
}
