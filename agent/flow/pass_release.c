/* pass_release – all builds of a demand have passed: the content gets its name, its label and its
 * deployment, in the same transaction. */
#include "config.h"

#include "agent/flow/pass.h"

#include "agent/flow/content.h"
#include "agent/flow/survey_json.h"
#include "agent/store/event.h"
#include "agent/store/release.h"
#include "common/base/buf.h"
#include "common/base/id.h"

/* A later event's deployment to the same place: this one came too late and would turn it back. What
 * a person asks for may do so. */
static int check_order(struct store_tx *tx, const struct demand *d, bool *late, struct ps_err *err)
{
	int64_t newer = 0;
	char id[ID_TEXT], *why;
	int rc = 0;

	if (!d->asked)
		rc = deployment_newer(tx, d->repository, d->project, d->environment, d->event,
				      &newer, err);

	*late = rc == 0 && newer;
	if (rc < 0 || !newer)
		return rc;
	why = xasprintf("superseded by %s", id_text(id, 'd', newer));
	rc = demand_set(tx, d->id, "superseded", why, NULL, newer, err);
	free(why);
	return rc;
}

/* This one is the newer: what waits for the same place from earlier events will not be deployed. */
static int supersede_older(struct store_tx *tx, const struct deployment *newer,
			   const struct demand *d, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	char id[ID_TEXT], *why = xasprintf("superseded by %s", id_text(id, 'd', newer->id));
	int rc = deployments_older(tx, newer, d->asked ? d->asked_after : d->event, d->asked, &l,
				   err);

	for (size_t i = 0; i < l.n && rc == 0; i++) {
		rc = deployment_set(tx, l.v[i].id, "superseded", why, NULL, newer->id, err);
		if (rc == 0)
			rc = demand_set(tx, l.v[i].demand, "superseded", why, NULL, newer->id, err);
	}
	free(why);
	deployments_clear(&l);
	return rc;
}

/* The release is there: its deployment enters the line, or nothing of it is wanted any more. */
static int enter(struct store_tx *tx, const struct demand *d, const struct label *label,
		 struct ps_err *err)
{
	struct deployment dep = { .demand = d->id, .release = label->release, .label = label->id,
				  .repository = d->repository, .project = d->project,
				  .environment = d->environment, .fabric = d->fabric };
	bool late = false;
	int rc = check_order(tx, d, &late, err);

	if (rc == 0 && !late)
		rc = deployment_insert(tx, &dep, err);
	if (rc == 0 && !late)
		rc = pass_enter(tx, LINE_DEPLOYMENT, d->fabric, dep.id, d->priority, d->repository,
				err);
	if (rc == 0 && !late && d->bumped_ms)
		rc = line_bump(tx, LINE_DEPLOYMENT, dep.id, err);
	/* a part takes nothing's place; what goes back is not newer than what waits */
	if (rc == 0 && !late && !d->jobs && !ps_streq(d->asked, "rollback"))
		rc = supersede_older(tx, &dep, d, err);
	if (rc == 0 && !late)	/* for its deployment now */
		rc = demand_set(tx, d->id, "waiting", NULL, NULL, 0, err);
	return rc;
}

int pass_asked(struct store_tx *tx, struct demand *d, struct ps_err *err)
{
	struct deployments l = { NULL, 0 };
	struct label label = { 0 };
	bool open = false;
	int rc = deployments_of_demand(tx, d->id, &l, err);

	for (size_t i = 0; i < l.n; i++)
		open = open || strcmp(l.v[i].state, "waiting") == 0 ||
			strcmp(l.v[i].state, "running") == 0;
	if (rc == 0 && !open)
		rc = label_of(tx, d->release, d->event, &label, err);
	if (rc == 0 && !open)
		rc = enter(tx, d, &label, err);
	label_clear(&label);
	deployments_clear(&l);
	return rc;
}

static int put(struct store_tx *tx, const struct sign_key *key, struct demand *d,
	       const struct wire_project *pr, struct manifest *m, struct ps_err *err)
{
	struct label label = { .repository = d->repository, .project = d->project, .ref = d->ref,
			       .commit_oid = d->commit_oid, .event = d->event };
	struct ref_event e = { 0 };
	struct buf text = BUF_INIT;
	struct release release = { .project = d->project };
	char release_id[65], signature[SIGN_HEX];
	int rc = manifest_write(m, &text, release_id, err);

	release.id = release_id;
	release.manifest = text.data;
	if (rc == 0 && key) {	/* without a key now, core signs it when it has one */
		rc = sign_bytes(key, buf_str(&text), text.len, signature, err);
		release.signature = signature;
		release.signed_by = (char *)key->pub.id;
	}
	if (rc == 0)
		rc = release_put(tx, &release, err);
	if (rc == 0)
		rc = release_version(&label.version, d->ref, pr->version, release_id, err);
	if (rc == 0)
		rc = event_get(tx, d->event, &e, err);
	label.release = release_id;
	label.pusher = e.pusher;
	if (rc == 0)
		rc = label_put(tx, &label, err);
	if (rc == 0)
		rc = demand_set_release(tx, d->id, release_id, err);
	if (rc == 0)
		rc = enter(tx, d, &label, err);
	free(label.version);
	event_clear(&e);
	buf_clear(&text);
	return rc;
}

int pass_release(struct store_tx *tx, struct pass *p, struct demand *d, const struct builds *builds,
		 struct ps_err *err)
{
	struct wire_project pr;
	struct manifest m;
	struct ps_err why = { 0 };
	json_t *doc;
	int rc = survey_from_json(&pr, &doc, d->survey, err);

	if (rc < 0)
		return rc;
	content_manifest(&m, &pr, builds, d->toolchain ? d->toolchain : "");
	rc = put(tx, p->view.policy->key, d, &pr, &m, &why);
	/* the content cannot be a release: its own fault, and it stays so */
	if (rc == PS_EINVAL)
		rc = demand_set(tx, d->id, "failed", why.msg, NULL, 0, err);
	else if (rc < 0 && err)
		*err = why;
	content_manifest_drop(&m);
	survey_from_json_clear(&pr, doc);
	return rc;
}
