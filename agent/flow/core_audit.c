/* core_audit – see core_audit.h. */
#include "config.h"

#include "agent/flow/core_audit.h"

#include "agent/store/view.h"
#include "common/base/fsutil.h"

struct look { struct view_ask ask; json_t *doc; };

static int run(struct store_tx *tx, void *arg, struct ps_err *err)
{
	struct look *l = arg;

	return view_audit_check(tx, &l->ask, &l->doc, err);
}

/* Of a copy without it the file's own count alone tells where the audit ends. */
static char *head_beside(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *head = xasprintf("%.*saudit.head", (int)(slash ? slash - file + 1 : 0), file);

	if (!fs_exists(head))
		PS_FREE(head);
	return head;
}

int core_audit(const char *file)
{
	struct look l = { .doc = NULL };
	struct ps_err err = { 0 };
	char *head = head_beside(file);
	int rc;

	l.ask.audit_head = head;
	rc = store_look(file, run, &l, &err);
	free(head);
	if (rc < 0) {
		fprintf(stderr, "%s\n", ps_err_msg(&err, rc));
		return 1;
	}
	rc = json_dumpf(l.doc, stdout, JSON_COMPACT) < 0 || fflush(stdout) != 0;
	json_decref(l.doc);
	return rc;
}
