/* view_release – one release with everything that is known of it: manifest, signature, how it was reached, where it
 * went. */
#include "config.h"

#include "agent/store/view_put.h"

#include "agent/store/release.h"

static json_t *label_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_text(o, "release", sql_text(q, 0));
	put_text(o, "version", sql_text(q, 1));
	put_text(o, "ref", sql_text(q, 2));
	put_text(o, "commit", sql_text(q, 3));
	put_id(o, "event", 'e', sql_int(q, 4));
	put_text(o, "pusher", sql_text(q, 5));
	put_text(o, "project", sql_text(q, 6));
	put_text(o, "repository", sql_text(q, 7));
	put_time(o, "created", q, 8);
	return o;
}

int view_labels(struct store_tx *tx, const char *release, json_t *labels, struct ps_err *err)
{
	return view_rows(tx, sql_query(tx, err, "SELECT l.release, l.version, l.ref, l.commit_oid, l.event, l.pusher,"
				       " l.project, r.name, l.created_ms FROM label l JOIN repository r ON r.id ="
				       " l.repository WHERE l.release = ? ORDER BY l.id DESC", "t", release),
			 labels, VIEW_LIMIT, NULL, label_row, err);
}

static json_t *one_row(sqlite3_stmt *q)
{
	json_t *o = json_object();

	put_release(o, "id", sql_text(q, 0));
	put_text(o, "state", sql_text(q, 5));
	put_text(o, "digest", sql_text(q, 0));
	put_text(o, "project", sql_text(q, 1));
	put_time(o, "created", q, 3);
	put_text(o, "signed_by", sql_text(q, 4));
	put_text(o, "signature", sql_text(q, 6));
	put_text(o, "manifest", sql_text(q, 2));
	json_object_set_new(o, "fabrics", json_array());
	return o;
}

static int read_one(struct store_tx *tx, const char *id, json_t **out, struct ps_err *err)
{
	char *sql = xasprintf("SELECT m.id, m.project, m.manifest, m.created_ms, m.signed_by, (%s), m.signature FROM release m"
			      " WHERE m.id = ?", release_state_sql);
	int rc = view_one(tx, sql_query(tx, err, sql, "ttt", id, id, id), "release", id, one_row, out, err);

	free(sql);
	return rc;
}

static int add_deployments(struct store_tx *tx, const char *id, json_t *rows, struct ps_err *err)
{
	char *sql = xasprintf("%sWHERE d.release = ? ORDER BY d.id DESC", deployment_sql);
	int rc = view_rows(tx, sql_query(tx, err, sql, "t", id), rows, VIEW_LIMIT, NULL, deployment_row, err);

	free(sql);
	return rc < 0 ? rc : view_add_waits(tx, rows, err);
}

int view_release(struct store_tx *tx, const struct view_ask *a, json_t **out, struct ps_err *err)
{
	struct release_ask ask = { .thing = a->thing, .repository = a->repository, .project = a->project };
	json_t *labels = json_array(), *deployments = json_array(), *one = NULL, *items = json_array();
	struct release_found found = { .label = 0 };
	int rc = a->thing && *a->thing ? release_find(tx, &ask, &found, err)
				       : ps_err_set(err, PS_EINVAL, "say which release: the beginning of its id, or a label");

	if (rc == 0)
		rc = read_one(tx, found.id, &one, err);
	if (rc == 0)
		rc = view_labels(tx, found.id, labels, err);
	if (rc == 0)
		rc = add_deployments(tx, found.id, deployments, err);
	if (rc == 0) {
		json_array_append(items, one);
		rc = view_add_fabrics(tx, items, err);
	}
	if (rc == 0) {
		json_object_set(one, "labels", labels);
		json_object_set(one, "deployments", deployments);
		*out = json_incref(one);
	}
	release_found_clear(&found);
	json_decref(items);
	json_decref(one);
	json_decref(labels);
	json_decref(deployments);
	return rc;
}
