/* backup_request – a copy of the store while it works, on the reader's thread. See queue.h. */
#include "config.h"

#include "agent/flow/queue.h"

#include "agent/store/backup.h"
#include "common/base/log.h"

struct request {
	char *path;
	int64_t bytes;
	core_reply_fn *reply;
	void *arg;
};

static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct request *r = arg;

	return store_backup(tx, r->path, &r->bytes, err);
}

static void done(void *arg, int rc, const struct ps_err *err)
{
	struct request *r = arg;
	char *text = xasprintf("%lld", (long long)r->bytes);

	if (rc == 0)
		log_info("store", r->path, "backup written, %s bytes", text);
	r->reply(r->arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL, rc < 0 ? NULL : text);
	free(text);
	free(r->path);
	free(r);
}

void flow_backup(struct core *c, const char *path, core_reply_fn *reply, void *arg)
{
	struct request *r = xcalloc(1, sizeof(*r));

	*r = (struct request) { .path = xstrdup(path), .reply = reply, .arg = arg };
	store_read(c->store, run, done, r);
}
