/* pbtconf_write – what was read, as the text of a penstock.yml. */
#include "config.h"

#include "common/base/buf.h"
#include "common/base/escape.h"
#include "common/config/config.h"
#include "common/project/pbtconf_parts.h"

/* Foreign text in a comment: on its line, whatever it is. */
static void comment_text(struct buf *out, const char *text)
{
	escape_buf(out, text, strlen(text), false);
}

/* "      key: value", or nothing for NULL. */
static void pair(struct buf *out, const char *indent, const char *key, const char *value)
{
	if (!value)
		return;
	buf_addf(out, "%s%s: ", indent, key);
	config_text(out, value);
	buf_addch(out, '\n');
}

/* Where a credential of f shall lie. free() it. */
static char *secret_path(const struct pbtconf_fabric *f, const struct pbtconf_secret *s,
			 const struct pbtconf_to *to)
{
	return xasprintf("%s/%s%s.secret", to->secrets, f->name,
			 s == &f->uploader_secret ? ".uploader" : "");
}

static void reference(struct buf *out, const char *indent, const struct pbtconf_fabric *f,
		      const struct pbtconf_secret *s, const struct pbtconf_to *to)
{
	char *path = secret_path(f, s, to);

	if (s->key) {
		buf_addf(out, "%s%s: { file: ", indent, s->key);
		config_text(out, path);
		buf_adds(out, " }\n");
	}
	free(path);
}

static void airflow(struct buf *out, const struct pbtconf_fabric *f, const struct pbtconf_to *to)
{
	buf_adds(out, "    provider: airflow\n    airflow:\n");
	pair(out, "      ", "host", f->host);
	pair(out, "      ", "user", f->user);
	reference(out, "      ", f, &f->secret, to);
	pair(out, "      ", "dags", f->dags);
	if (!f->uploader)
		return;
	buf_adds(out, "      uploader:\n");
	pair(out, "        ", "url", f->uploader);
	pair(out, "        ", "user", f->uploader_user);
	reference(out, "        ", f, &f->uploader_secret, to);
}

static void fabric(struct buf *out, const struct pbtconf_fabric *f, const struct pbtconf_to *to)
{
	buf_addf(out, "  %s:", f->name);
	if (strcmp(f->name, f->called) != 0) {
		buf_adds(out, "          # there: ");
		comment_text(out, f->called);
	}
	buf_addf(out, "\n    id: %lld\n", (long long)f->id);
	pair(out, "    ", "owner", to->team);
	if (f->kind == PBTCONF_AIRFLOW) {
		airflow(out, f, to);
		return;
	}
	buf_adds(out, "    provider: databricks\n    databricks:\n");
	pair(out, "      ", "host", f->host);
	if (f->client_id) {
		buf_adds(out, "      oauth:\n");
		pair(out, "        ", "client_id", f->client_id);
		reference(out, "        ", f, &f->secret, to);
	} else {
		reference(out, "      ", f, &f->secret, to);
	}
	pair(out, "      ", "volume", f->volume);
}

/* The branch of all releases that its jobs tell; NULL: they tell none, or two. free() it. */
static char *branch_of(const struct pbtconf *c, const struct pbtconf_fabric *f)
{
	char *branch = NULL;

	for (size_t i = 0; i < c->njobs; i++) {
		const char *tag = c->jobs[i].fabric == f ? c->jobs[i].tag : NULL;
		const char *slash = tag ? strrchr(tag, '/') : NULL;
		size_t n = slash ? (size_t)(slash - tag) : 0;

		if (!tag)
			continue;
		if (!n ||
		    strspn(tag,
			   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+") <
			    n ||
		    (branch && (strlen(branch) != n || strncmp(branch, tag, n) != 0))) {
			free(branch);
			return NULL;
		}
		free(branch);
		branch = xstrndup(tag, n);
	}
	return branch;
}

size_t pbtconf_carried(const struct pbtconf *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->nfabrics; i++)
		n += c->fabrics[i].kind != PBTCONF_OTHER;
	return n;
}

static void environments(struct buf *out, const struct pbtconf *c)
{
	bool one = pbtconf_carried(c) == 1;

	buf_adds(out, "\n# These files do not say which refs go to which fabric: whatever called "
		      "the tool did. A ref goes\n"
		      "# to the first environment that names it, and `penstock promote` takes its "
		      "release to the others.\n"
		      "# With `deploy: manual` nothing goes anywhere before somebody says "
		      "`penstock deploy`.\n"
		      "environments:\n");
	for (size_t i = 0; i < c->nfabrics; i++) {
		const struct pbtconf_fabric *f = &c->fabrics[i];
		char *branch = one ? branch_of(c, f) : NULL;

		if (f->kind == PBTCONF_OTHER)
			continue;
		buf_addf(out, "  - name: %s\n    refs: ['refs/tags/%s/**']", f->name,
			 branch ? branch : f->name);
		if (branch)
			buf_adds(out, "      # its releases were tagged so");
		buf_addf(out,
			 "\n    fabric: %s\n    deploy: manual               # auto | approve | "
			 "manual\n",
			 f->name);
		free(branch);
	}
}

static void project(struct buf *out, const struct pbtconf *c)
{
	buf_adds(out, "\nprojects:\n  '**:**':\n");
	if (c->project_id)
		buf_addf(out, "    id: %lld\n", (long long)c->project_id);
	else
		buf_adds(out, "    # id: what the tool was given as --project-id; it stands in the "
			      "paths of artifacts\n");
	buf_adds(out, "    # url: Prophecy's own address, like https://app.prophecy.io: "
		      "definitions of jobs may name it\n");
	pair(out, "    ", "customer", c->customer ? c->customer : "dev");
	pair(out, "    ", "control_plane", c->control_plane ? c->control_plane : "execution");
}

static void store(struct buf *out, const struct pbtconf_fabric *f, const struct pbtconf_secret *s,
		  const struct pbtconf_to *to)
{
	char *path = secret_path(f, s, to), *quoted = escape_shell(path);

	if (s->key && s->env)
		buf_addf(out, "#   (umask 077; printenv %s > %s)\n", s->env, quoted);
	else if (s->key)
		buf_addf(out,
			 "#   (umask 077; cat > %s)   # then paste what stands at "
			 "fabrics.yml:%u:%u, Enter, Ctrl-D\n",
			 quoted, s->at.line, s->at.col);
	free(quoted);
	free(path);
}

static void stores(struct buf *out, const struct pbtconf *c, const struct pbtconf_to *to)
{
	buf_adds(out, "\n# No credential is in this text. Each is stored by its command, before "
		      "`penstock reload`:\n");
	for (size_t i = 0; i < c->nfabrics; i++) {
		store(out, &c->fabrics[i], &c->fabrics[i].secret, to);
		store(out, &c->fabrics[i], &c->fabrics[i].uploader_secret, to);
	}
}

static void left(struct buf *out, const struct pbtconf *c)
{
	if (c->nleft)
		buf_adds(out, "\n# Not carried over:\n");
	for (size_t i = 0; i < c->nleft; i++) {
		buf_addf(out, "#   %s: ", c->left[i].where);
		comment_text(out, c->left[i].what);
		buf_adds(out, ": ");
		comment_text(out, c->left[i].why);
		buf_addch(out, '\n');
	}
}

void pbtconf_write(struct buf *out, const struct pbtconf *c, const struct pbtconf_to *to)
{
	buf_adds(out, "# What ");
	comment_text(out, to->dir);
	buf_adds(out, " says, as penstock.yml: put its blocks into yours.\n");
	if (pbtconf_carried(c)) {
		buf_addf(out,
			 "\nteams:                              # who approves, deploys and runs\n "
			 " %s:\n    members: [",
			 to->team);
		config_text(out, to->member);
		buf_adds(out, "]\n\nfabrics:\n");
		for (size_t i = 0; i < c->nfabrics; i++)
			if (c->fabrics[i].kind != PBTCONF_OTHER)
				fabric(out, &c->fabrics[i], to);
		environments(out, c);
		project(out, c);
		stores(out, c, to);
	}
	left(out, c);
}
