/* forget – a repository that was taken out by `penstock uninstall` is looked at no more. What is
 * known of it stays; its events are taken into work no further, as of one that is gone. */
#include "config.h"

#include "agent/flow/intake.h"
#include "agent/flow/reconcile.h"
#include "agent/store/repository.h"

struct forgetting {
	struct core *core;
	char *path;
	core_reply_fn *reply;
	void *arg;
};

static int run_forget(struct store_tx *tx, void *arg, struct ps_err *err)
{
	const struct forgetting *f = arg;

	return repository_forget(tx, f->path, err);
}

static void on_forget(void *arg, int rc, const struct ps_err *err)
{
	struct forgetting *f = arg;

	reconcile_forget(f->core->intake->reconcile, f->path);
	f->reply(f->arg, rc, rc < 0 ? ps_err_msg(err, rc) : NULL, NULL);
	free(f->path);
	free(f);
}

void flow_forget(struct core *c, const char *path, core_reply_fn *reply, void *arg)
{
	struct forgetting *f = xcalloc(1, sizeof(*f));

	*f = (struct forgetting) { c, xstrdup(path), reply, arg };
	store_write(c->store, STORE_FULL, run_forget, on_forget, f);
}
