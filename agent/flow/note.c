/* note – see note.h. */
#include "config.h"

#include "agent/flow/note.h"

#include "common/base/log.h"

void note_free(struct note *n)
{
	free(n->state);
	free(n->reason);
	free(n->digest);
	free(n->name);
	free(n->text);
	free(n->task);
	free(n);
}

void note_done(void *arg, int rc, const struct ps_err *err)
{
	struct note *n = arg;

	if (rc == PS_ESTALE)
		log_info("queue", NULL, "late answer: %s", err->msg);
	else if (rc < 0)
		log_error("queue", NULL, "an answer could not be stored: %s", ps_err_msg(err, rc));
	core_kick(n->core);
	note_free(n);
}

struct note *note_new(struct core *c, uint64_t id, uint64_t fence)
{
	struct note *n = xcalloc(1, sizeof(*n));

	n->core = c;
	n->id = (int64_t)id;
	n->fence = (int64_t)fence;
	return n;
}
