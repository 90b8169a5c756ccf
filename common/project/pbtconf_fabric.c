/* pbtconf_fabric – fabrics.yml: where that tool deploys to, as fabrics of penstock. */
#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "common/project/pbtconf_parts.h"

enum { NAME_LEN = 40 }; /* a number fits behind it */

static const struct doc_pos nowhere = { 0, 0 };

/* ---- a name of ours ---- */

/* What is no letter, digit, '.', '_' or '-' becomes '-'; it begins with a letter or digit. */
static char *plain_name(const char *called)
{
	char name[NAME_LEN + 1];
	size_t n = 0;

	for (; *called && n < NAME_LEN; called++) {
		unsigned char ch = (unsigned char)*called;

		if (ch < 0x80 && (isalnum(ch) || (n && strchr("._-", ch))))
			name[n++] = (char)ch;
		else if (n && name[n - 1] != '-')
			name[n++] = '-';
	}
	while (n && name[n - 1] == '-')
		n--;
	name[n] = '\0';
	return xstrdup(n ? name : "fabric");
}

static bool taken(const struct pbtconf *c, const char *name)
{
	for (size_t i = 0; i < c->nfabrics; i++)
		if (strcmp(c->fabrics[i].name, name) == 0)
			return true;
	return false;
}

static char *own_name(const struct pbtconf *c, const char *called, int64_t id)
{
	char *name = plain_name(called), *other;

	if (!taken(c, name))
		return name;
	other = xasprintf("%s-%lld", name, (long long)id);
	free(name);
	return other;
}

/* ---- where it is ---- */

/* penstock sends no credential in clear, and wants the scheme; that tool takes a bare host too. */
static char *address(struct pbtconf_reading *r, const struct doc_node *block, const char *key,
		     bool clear_is_fine)
{
	static const char *const here[] = { "http://127.0.0.1", "http://localhost",
					    "http://[::1]" };
	char *host = pbtconf_resolved(r, block, key, true), *out = host;
	size_t n = host ? strlen(host) : 0;

	while (n && host[n - 1] == '/')
		host[--n] = '\0';
	for (size_t i = 0; host && i < PS_NELEM(here); i++)
		clear_is_fine = clear_is_fine || ps_starts(host, here[i]);
	if (!host || ps_starts(host, "https://") || (clear_is_fine && ps_starts(host, "http://")))
		return out;
	if (!strstr(host, "://")) {
		out = xasprintf("https://%s", host);
	} else if (ps_starts(host, "http://")) {
		out = xasprintf("https://%s", host + strlen("http://"));
		pbtconf_leave(r, doc_get(block, key)->at, xstrdup("http:// of an address"),
			      xstrdup("it is written as https://, so that no credential goes out "
				      "in clear"));
	} else {
		pbtconf_error(r, doc_get(block, key)->at, "PS-PBT-003",
			      "'%s' must be an address like https://HOST", key);
		return host;
	}
	free(host);
	return out;
}

static void secret(struct pbtconf_reading *r, const struct doc_node *map, const char *key,
		   const char *as, struct pbtconf_secret *out)
{
	const char *text = pbtconf_text(r, map, key, true);

	if (!text)
		return;
	*out = (struct pbtconf_secret){ .key = as,
					.env = pbtconf_variable(text),
					.at = doc_get(map, key)->at };
}

/* ---- Databricks ---- */

/* A folder in a volume, as penstock names it; others are none for that tool either. */
static void volume(struct pbtconf_reading *r, const struct doc_node *block,
		   struct pbtconf_fabric *f)
{
	char *v = pbtconf_resolved(r, block, "volume", false), *at = v;
	size_t n, slashes = 0;

	if (v && ps_starts(v, "dbfs:/Volumes/"))
		at = v + strlen("dbfs:");
	n = at ? strlen(at) : 0;
	while (n && at[n - 1] == '/')
		at[--n] = '\0';
	for (const char *s = at; s && *s; s++)
		slashes += *s == '/';
	if (n &&
	    (!ps_starts(at, "/Volumes/") || slashes < 4 || strstr(at, "//") || strstr(at, "/.")))
		pbtconf_leave(r, doc_get(block, "volume")->at, xasprintf("volume %s", v),
			      xstrdup("it is none like /Volumes/CATALOG/SCHEMA/VOLUME: artifacts "
				      "go to DBFS"));
	else if (n)
		f->volume = xstrdup(at);
	free(v);
}

static void databricks(struct pbtconf_reading *r, const struct doc_node *block,
		       struct pbtconf_fabric *f)
{
	static const char *const known[] = {
		"url", "token", "auth_type", "oauth_credentials", "user_agent", "volume", NULL
	};
	const struct doc_node *oauth = doc_get(block, "oauth_credentials");
	const char *type = pbtconf_text(r, block, "auth_type", false), *id;

	f->kind = PBTCONF_DATABRICKS;
	f->host = address(r, block, "url", false);
	volume(r, block, f);
	pbtconf_unknown(r, block, f->called, known);
	if (!oauth || oauth->kind == DOC_NULL || (type && strncasecmp(type, "oauth", 5) != 0)) {
		secret(r, block, "token", "token", &f->secret);
		return;
	}
	if (!pbtconf_is_map(r, oauth, "'oauth_credentials'"))
		return;
	id = pbtconf_text(r, oauth, "client_id", true);
	f->client_id = xstrdup_null(id);
	secret(r, oauth, "client_secret", "client_secret", &f->secret);
}

/* ---- Airflow ---- */

/* Where archives go: into the folder itself, or to the program that Prophecy's own set-up has
 * beside Airflow, which knows that folder by this name. */
static void dags(struct pbtconf_reading *r, const struct doc_node *block, struct pbtconf_fabric *f)
{
	const char *folder = pbtconf_text(r, block, "dag_location", false);
	const char *url = pbtconf_text(r, block, "uploader_url", false);
	bool far = folder && ps_starts(folder, "hdfs://");

	if (folder && (folder[0] == '/' || (far && url && *url)))
		f->dags = xstrdup(folder);
	else if (folder && *folder)
		pbtconf_leave(r, doc_get(block, "dag_location")->at,
			      xasprintf("dag_location %s", folder),
			      xstrdup("write `dags:`, the folder that Airflow reads: an absolute "
				      "path, or sftp://USER@HOST/PATH"));
	if (!url || !*url)
		return;
	if (!f->dags) {
		pbtconf_leave(r, doc_get(block, "uploader_url")->at, xstrdup("the uploader"),
			      xstrdup("without such a folder it does not know where to write"));
		return;
	}
	f->uploader = address(r, block, "uploader_url", true);
	f->uploader_user = xstrdup_null(pbtconf_text(r, block, "uploader_username", false));
	if (f->uploader_user)
		secret(r, block, "uploader_password", "password", &f->uploader_secret);
}

static void airflow(struct pbtconf_reading *r, const struct doc_node *block,
		    struct pbtconf_fabric *f)
{
	static const char *const known[] = {
		"airflow_url",	"airflow_username",  "airflow_password",
		"uploader_url", "uploader_username", "uploader_password",
		"dag_location", "location",	     NULL
	};
	const char *user = pbtconf_text(r, block, "airflow_username", true);

	f->kind = PBTCONF_AIRFLOW;
	f->host = address(r, block, "airflow_url", true);
	f->user = xstrdup_null(user);
	secret(r, block, "airflow_password", "password", &f->secret);
	dags(r, block, f);
	pbtconf_unknown(r, block, f->called, known);
}

/* ---- one fabric ---- */

static void not_carried(struct pbtconf_reading *r, const struct pbtconf_fabric *f, const char *why)
{
	pbtconf_leave(r, f->at, xasprintf("fabric %s (%s)", f->called, f->uid), xstrdup(why));
}

/* Why this version of penstock does not deploy there. */
static const char *no_driver(const char *provider)
{
	static const struct {
		const char *provider, *why;
	} rows[] = {
		{ "Composer",
		  "Google's Composer takes DAGs from a bucket, with Google's sign-in: this "
		  "version has no driver for it" },
		{ "MWAA",
		  "Amazon's MWAA takes DAGs from a bucket, with Amazon's sign-in: this version has "
		  "no driver for it" },
		{ "EMR",
		  "EMR gets artifacts by a bucket of Amazon: this version has no driver for it" },
		{ "Dataproc",
		  "Dataproc gets artifacts by a bucket of Google: this version has no driver "
		  "for it" },
		{ "Prophecy", "it is Prophecy's own, and takes jobs from Prophecy alone" },
	};

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		if (ps_streq(provider, rows[i].provider))
			return rows[i].why;
	return "its provider is none that penstock knows: Databricks, OpenSource";
}

static void one_fabric(struct pbtconf_reading *r, const struct doc_node *item)
{
	static const char *const known[] = { "id",         "name",        "type",     "provider",
					     "databricks", "airflow_oss", "composer", "mwaa",
					     "emr",        "dataproc",    NULL };
	const char *id = pbtconf_text(r, item, "id", true),
		   *called = pbtconf_text(r, item, "name", true);
	const char *provider = pbtconf_text(r, item, "provider", false);
	const struct doc_node *block;
	struct pbtconf_fabric f = { .at = item->at };
	bool number = id && *id && strspn(id, "0123456789") == strlen(id) && strlen(id) < 19;

	if (!id || !called)
		return;
	if (pbtconf_fabric_of(r->c, id)) {
		pbtconf_error(r, doc_get(item, "id")->at, "PS-PBT-005",
			      "fabric %s is there twice: take "
			      "one of them out",
			      id);
		return;
	}
	f.id = number ? strtoll(id, NULL, 10) : 0;
	f.uid = xstrdup(id);
	f.called = xstrdup(called);
	f.name = own_name(r->c, called, f.id);
	pbtconf_unknown(r, item, called, known);
	block = doc_get(item, ps_streq(provider, "Databricks") ? "databricks" : "airflow_oss");
	if (f.id <= 0)
		not_carried(r, &f, "penstock knows fabrics by a number, and its id is none");
	else if (!ps_streq(provider, "Databricks") && !ps_streq(provider, "OpenSource"))
		not_carried(r, &f, no_driver(provider));
	else if (!doc_is(block, DOC_MAP))
		pbtconf_error(r, item->at, "PS-PBT-003",
			      "fabric %s of provider %s has no map '%s': write "
			      "it, or take the fabric out",
			      id, provider,
			      ps_streq(provider, "Databricks") ? "databricks" : "airflow_oss");
	else if (ps_streq(provider, "Databricks"))
		databricks(r, block, &f);
	else
		airflow(r, block, &f);
	r->c->fabrics = xgrow(r->c->fabrics, r->c->nfabrics, &r->cap_fabrics, sizeof(f));
	r->c->fabrics[r->c->nfabrics++] = f;
}

const struct pbtconf_fabric *pbtconf_fabric_of(const struct pbtconf *c, const char *id)
{
	for (size_t i = 0; i < c->nfabrics; i++)
		if (strcmp(c->fabrics[i].uid, id) == 0)
			return &c->fabrics[i];
	return NULL;
}

/* That of a single project is what its placeholder stands for. */
static void git_tokens(struct pbtconf_reading *r, const struct doc_node *list)
{
	for (size_t i = 0; list && i < list->n; i++) {
		const char *id = doc_text(doc_get(list->items[i], "project_id"));
		char *end;

		if (list->n == 1 && id && *id >= '1' && *id <= '9' && strlen(id) < 19) {
			r->c->project_id = strtoll(id, &end, 10);
			if (*end)
				r->c->project_id = 0;
		}
	}
	if (list && list->n)
		pbtconf_leave(r, list->at, xstrdup("project_git_tokens"),
			      xstrdup("penstock stands beside the repository and needs no token to "
				      "read it"));
}

void pbtconf_fabrics(struct pbtconf_reading *r, const struct doc_node *root)
{
	static const char *const known[] = { "fabrics", "project_git_tokens", NULL };
	const struct doc_node *list = pbtconf_list(r, root, "fabrics");

	for (size_t i = 0; list && i < list->n; i++)
		if (pbtconf_is_map(r, list->items[i], "a fabric"))
			one_fabric(r, list->items[i]);
	git_tokens(r, pbtconf_list(r, root, "project_git_tokens"));
	pbtconf_unknown(r, root, r->file, known);
	if (!list || !list->n)
		pbtconf_leave(r, list ? list->at : nowhere, xstrdup("everything"),
			      xstrdup("the file has no fabric"));
}
