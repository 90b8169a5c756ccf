/*
 * install, uninstall: bind repositories to this instance, or let them go. What is done to one is
 * install.h; here is which ones, in which order, and what people read of it.
 */
#include "config.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/install.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "common/base/fsutil.h"

enum { OPT_ALL, OPT_NEW_ID, OPT_HOST, OPT_TAKE_OVER, OPT_DRY_RUN };

/* One run over any number of repositories. */
struct job {
	struct cli *cli;
	struct bearings to;
	struct config *cfg;
	struct conf_names paths;
	bool dry, many, new_id, keep_id, take_over;
	const char *host;	/* as typed; NULL: by the root's identity */
	json_t *items;
	size_t changed, same, refused;
	int sync;		/* a folder on the file system that was written last */
	dev_t sync_dev;
	struct progress progress;
};

static int job_config(struct job *j)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct ps_err err = { 0 };
	int rc = config_load(&j->cfg, j->cli->paths.config, &diags, &err);

	diag_clear(&diags);
	if (rc < 0)
		return cli_fail_err(j->cli, &err, "penstock config check");
	if (!j->cfg)
		return cli_fail(j->cli, CLI_NO, "penstock config check", "'%s' has errors",
				j->cli->paths.config);
	return 0;
}

static int add_found(struct job *j, const char *folder)
{
	struct conf_names found;
	struct ps_err err = { 0 };
	int rc = site_find(folder, &found, &err);
	size_t n = j->paths.n;

	if (found.n)
		j->paths.v = xrealloc(j->paths.v, (n + found.n) * sizeof(*j->paths.v));
	for (size_t i = 0; i < found.n; i++)
		j->paths.v[n + i] = found.v[i];
	j->paths.n += found.n;
	free(found.v);
	return rc < 0 ? cli_fail_err(j->cli, &err, NULL) : 0;
}

/* What was typed; with --all what is below it, or below every root. */
static int job_paths(struct job *j, const struct cmd_args *a, bool all)
{
	int rc = 0;

	if (!all && a->n == 0)
		return cli_fail(j->cli, CLI_USAGE, "penstock install REPO, or --all",
				"which repository?");
	if (all) {
		for (size_t i = 0; i < a->n && rc == 0; i++)
			rc = add_found(j, a->arg[i]);
		for (size_t i = 0; a->n == 0 && i < j->cfg->nroots && rc == 0; i++) {
			char *root = config_root_path(&j->cfg->roots[i], j->cli->paths.base);

			rc = add_found(j, root);
			free(root);
		}
	} else {
		j->paths.v = xcalloc(a->n, sizeof(*j->paths.v));
		for (; j->paths.n < a->n; j->paths.n++)
			j->paths.v[j->paths.n] = xstrdup(a->arg[j->paths.n]);
	}
	j->many = all || a->n > 1;
	return rc;
}

/* Once for a file system, not for each file: a thousand repositories wait for the disk once. */
static void sync_done(struct job *j)
{
	if (j->sync >= 0 && syncfs(j->sync) < 0)
		fprintf(stderr, "warning: what was written may not be on disk yet\n");
	if (j->sync >= 0)
		close(j->sync);
	j->sync = -1;
}

static void sync_later(struct job *j, const struct site *s)
{
	struct stat st;

	if (s->dir < 0 || fstat(s->dir, &st) < 0)
		return;
	if (j->sync >= 0 && j->sync_dev == st.st_dev)
		return;
	sync_done(j);
	j->sync = fcntl(s->dir, F_DUPFD_CLOEXEC, 0);
	j->sync_dev = st.st_dev;
}

static void job_clear(struct job *j)
{
	progress_clear(&j->progress);
	sync_done(j);
	conf_names_clear(&j->paths);
	config_free(j->cfg);
	bearings_clear(&j->to);
	json_decref(j->items);
}

/* ---- what is told ---- */

static void refuse(struct job *j, const char *path, const struct ps_err *err, const char *next)
{
	progress_clear(&j->progress);
	cli_fail_err(j->cli, err, next);
	json_array_append_new(j->items, json_pack("{s:o, s:s, s:o, s:o}", "id", show_string(path),
						  "state", "refused", "path", show_string(path),
						  "reason", show_string(err->msg)));
	j->refused++;
}

static json_t *lines_of(const struct buf *text)
{
	json_t *list = json_array();

	for (const char *at = buf_str(text); *at;) {
		char *line = xstrndup(at, strcspn(at, "\n"));

		json_array_append_new(list, show_string(line));
		at += strlen(line) + 1;
		free(line);
	}
	return list;
}

static void tell(struct job *j, const struct site *s, const char *name, const char *state,
		 const char *words, bool changed, const struct buf *lines)
{
	const char *path = s->repo ? s->repo : s->hooks;
	json_t *item = json_pack("{s:o, s:s, s:o, s:b}", "id", show_string(name ? name : path),
				 "state", state, "path", show_string(path), "changed", changed);

	json_object_set_new(item, j->dry ? "plan" : "notes", lines_of(lines));
	json_array_append_new(j->items, item);
	changed ? j->changed++ : j->same++;
	if (j->cli->json || (j->many && !changed))
		return;
	progress_clear(&j->progress);
	printf("%s '", words);
	show_escaped(path);
	printf("'%s%s\n", name ? " as " : "", name ? name : "");
	for (const char *at = buf_str(lines); *at; at += strcspn(at, "\n") + 1) {
		char *line = xstrndup(at, strcspn(at, "\n"));

		fputs("  ", stdout);
		show_escaped(line);
		putchar('\n');
		free(line);
	}
}

/* The last lines: how many, and what to type now. `word`: "installed". */
static int job_end(struct job *j, const char *word, bool asked, const char *next)
{
	progress_clear(&j->progress);
	if (j->cli->json && !j->many && json_array_size(j->items) == 1) {
		json_t *one = json_array_get(j->items, 0);

		if (!j->dry && !j->refused)
			json_object_set_new(one, "baseline", json_boolean(asked));
		show_json(one);
	} else if (j->cli->json) {
		json_t *doc = json_pack("{s:O, s:I, s:I, s:I}", "items", j->items, "changed",
					(json_int_t)j->changed, "unchanged", (json_int_t)j->same,
					"refused", (json_int_t)j->refused);

		show_json(doc);
		json_decref(doc);
	} else {
		if (j->many)
			printf("%zu %s%s, %zu as they were, %zu refused\n", j->changed,
			       j->dry ? "would be " : "", word, j->same, j->refused);
		if (next && !j->refused)
			show_next(j->cli, next);
	}
	return j->refused ? CLI_NO : CLI_OK;
}

/* ---- install ---- */

/* Below no root: which lines are missing. */
static void no_root(struct job *j, const char *repo)
{
	char *parent = xstrdup(repo), *slash = strrchr(parent, '/');
	struct ps_err err = { 0 };
	const struct passwd *pw;
	struct stat st;

	if (slash && slash > parent)
		*slash = '\0';
	/* who pushes there, most likely */
	pw = stat(repo, &st) == 0 ? getpwuid(st.st_uid) : NULL;
	ps_err_set(&err, PS_EINVAL, "'%s' is below no root of '%s'; add under 'repositories:'\n"
		   "  roots:\n    - { path: %s, identity: uid, hook_users: [%s] }\n"
		   "with every user who pushes there, then: %s reload", repo,
		   j->cli->paths.config, parent, pw ? pw->pw_name : "git", cli_self(j->cli));
	refuse(j, repo, &err, NULL);
	free(parent);
}

static enum site_host host_for(const struct job *j, const struct conf_root *root)
{
	static const char *const words[] = { "plain", "gitea", "gitlab" };

	for (size_t i = 0; j->host && i < PS_NELEM(words); i++)
		if (strcmp(j->host, words[i]) == 0)
			return (enum site_host)i;
	/* a repository of Gitea shows itself */
	return root->identity == CONF_ID_GITLAB ? HOST_GITLAB : HOST_PLAIN;
}

static void install_site(struct job *j, struct site *s, const char *name)
{
	struct buf lines = BUF_INIT;
	struct ps_err err = { 0 };
	char *next = NULL;
	bool changed = false;
	int rc = site_check(s, j->take_over, &next, &err);

	if (rc == 0)
		site_plan(s, j->new_id, &lines);
	if (rc == 0 && !j->dry) {
		rc = site_put(s, &j->to, j->new_id, &changed, &err);
		buf_reset(&lines);
		for (size_t i = 0; i < SITE_HOOKS; i++)
			if (s->hook[i].is == HOOK_FOREIGN)
				buf_addf(&lines, "the hook %s that was there is called by ours\n",
					 s->hook[i].name);
	} else {
		changed = lines.len > 0;
	}
	if (rc < 0)
		refuse(j, s->repo ? s->repo : s->hooks, &err, next);
	else
		tell(j, s, name, j->dry ? changed ? "planned" : "installed" : "installed",
		     !changed ? "already installed in" : j->dry ? "would install into" :
		     "installed into", changed, &lines);
	if (rc == 0 && !j->dry)
		sync_later(j, s);
	buf_clear(&lines);
	free(next);
}

static void install_one(struct job *j, const char *path)
{
	char *inner = fs_join(path, ".git"), *name = NULL;
	char *real = realpath(site_is_repository(inner) ? inner : path, NULL);
	const struct conf_root *root = real ?
		config_root_of(j->cfg, j->cli->paths.base, real, &name) : NULL;
	struct ps_err err = { 0 };
	struct site s;

	if (real && !root && site_is_repository(real))
		no_root(j, real);
	else if (site_open(&s, path, root ? host_for(j, root) : HOST_PLAIN, &j->to, &err) < 0)
		refuse(j, path, &err, NULL);
	else {
		install_site(j, &s, name);
		site_clear(&s);
	}
	free(inner);
	free(real);
	free(name);
}

/* Asks a running agent for baselines, so that the refs as they are make no event. */
static bool adopt(struct job *j)
{
	json_t *path = json_object_get(json_array_get(j->items, 0), "path");
	json_t *body = j->many ? json_object() : json_pack("{s:O}", "repository", path);
	json_t *doc = NULL;
	int code = client_post_quiet(j->cli, j->many ? "/reconcile" : "/adopt", body, &doc);

	json_decref(body);
	json_decref(doc);
	if (code != CLI_OK && code != CLI_NO_AGENT)
		j->refused++;		/* said */
	if (code == CLI_NO_AGENT && !j->cli->json)
		printf("note: the agent does not run; it looks at the refs when it starts\n");
	return code == CLI_OK;
}

static int install_exec(struct cli *cli, const struct cmd_args *a)
{
	struct job j = { .cli = cli, .new_id = a->opt[OPT_NEW_ID], .host = a->opt[OPT_HOST],
			 .take_over = a->opt[OPT_TAKE_OVER], .dry = a->opt[OPT_DRY_RUN],
			 .items = json_array(), .sync = -1 };
	struct ps_err err = { 0 };
	bool asked = false;
	int rc;

	if (j.host && strcmp(j.host, "plain") && strcmp(j.host, "gitea") &&
	    strcmp(j.host, "gitlab")) {
		json_decref(j.items);
		return cli_fail(cli, CLI_USAGE, "penstock help install",
				"--host is plain, gitea or gitlab, not '%s'", j.host);
	}
	rc = job_config(&j);
	if (rc == 0 && bearings_init(&j.to, &cli->paths, &err) < 0)
		rc = cli_fail_err(cli, &err, NULL);
	if (rc == 0)
		rc = job_paths(&j, a, a->opt[OPT_ALL] != NULL);
	if (rc == 0) {
		progress_begin(&j.progress, cli, "installing", j.paths.n);
		for (size_t i = 0; i < j.paths.n; i++) {
			progress_at(&j.progress, i, j.paths.v[i]);
			install_one(&j, j.paths.v[i]);
		}
		sync_done(&j);
		if (!j.dry && (j.many ? j.changed > 0 : !j.refused))
			asked = adopt(&j);
		rc = job_end(&j, "installed", asked, j.dry ? NULL : j.many ? "penstock doctor" :
			     "git push");
	}
	job_clear(&j);
	return rc;
}

const struct cmd cmd_install = {
	.name = "install", .usage = "[--dry-run] [--new-id] REPO ... | --all [FOLDER ...]",
	.group = "Administer",
	.help = "Bind repositories to this instance: their hooks ask this agent",
	.more = "Each must be below a root of penstock.yml. A pre-receive or post-receive that is "
		"there is kept in\n"
		"penstock.kept, and ours calls it as git did; nobody else's file is changed. In "
		"repositories of Gitea,\n"
		"and where the root's identity is gitlab, the host's own folders of hooks are "
		"used. Doing it twice is\n"
		"fine. For repositories "
		"that are made later: penstock help install-hooks.\n"
		"A copy of an installed repository (cp -r) has the id of the original and is not "
		"taken for it: --new-id\n"
		"gives it one of its own.",
	.example = "install --all /srv/git",
	.needs = CMD_INSTANCE, .max = CMD_ARGS_MANY,
	.opts = {
		[OPT_ALL] = { "all", 'a', NULL,
			      "every repository below FOLDER, else below each root" },
		[OPT_NEW_ID] = { "new-id", 0, NULL,
				 "it is a copy: a repository of its own from now on" },
		[OPT_HOST] = { "host", 0, "HOST",
			       "plain, gitea or gitlab; else what it looks like" },
		[OPT_TAKE_OVER] = { "take-over", 0, NULL, "also from another instance" },
		[OPT_DRY_RUN] = { "dry-run", 'n', NULL, "only say what would be done" },
	},
	.exec = install_exec,
};

/* ---- hooks for repositories to come ---- */

static const char shared_config[] = "[transfer]\n\thideRefs = refs/penstock\n"
	"[receive]\n\tadvertisePushOptions = true\n";

/* What git init copies from a template beside the hooks. */
static int template_config(const char *folder, struct buf *lines, struct ps_err *err)
{
	char *path = fs_join(folder, "config");
	int dir, rc = 0;

	if (fs_exists(path)) {
		buf_addf(lines, "%s is left as it is; it needs transfer.hideRefs refs/penstock and "
			 "receive.advertisePushOptions true\n", path);
	} else {
		dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = dir < 0 ? ps_err_errno(err, "cannot open '%s'", folder) :
			fs_write_file(dir, "config", shared_config, strlen(shared_config), 0644,
				      err);
		if (dir >= 0)
			close(dir);
	}
	free(path);
	return rc;
}

static int hooks_exec(struct cli *cli, const struct cmd_args *a)
{
	bool template = a->opt[0] != NULL;
	struct job j = { .cli = cli, .items = json_array(), .sync = -1, .dry = a->opt[1] };
	char *folder = template ? fs_join(a->arg[0], "hooks") : xstrdup(a->arg[0]), *next = NULL;
	char *real, *quoted;
	struct buf lines = BUF_INIT;
	struct ps_err err = { 0 };
	bool changed = false;
	struct site s;
	int rc = bearings_init(&j.to, &cli->paths, &err);

	progress_begin(&j.progress, cli, "installing", 1);
	if (rc == 0 && (rc = site_open_hooks(&s, folder, &j.to, &err)) == 0) {
		rc = site_check(&s, false, &next, &err);
		site_plan(&s, false, &lines);
		if (rc == 0 && !j.dry) {
			buf_reset(&lines);
			rc = site_put(&s, &j.to, false, &changed, &err);
			if (rc == 0 && template && changed)
				rc = template_config(a->arg[0], &lines, &err);
		}
		changed |= j.dry && lines.len;
		if (rc == 0) {
			sync_later(&j, &s);
			tell(&j, &s, NULL, j.dry ? "planned" : "installed", !changed ?
			     "already installed in" : j.dry ? "would install into" :
			     "installed into", changed, &lines);
		}
		site_clear(&s);
	}
	if (rc < 0) {
		rc = cli_fail_err(cli, &err, next);
	} else {
		free(next);
		real = realpath(a->arg[0], NULL);
		quoted = cli_quote(real ? real : a->arg[0]);
		next = template ? xasprintf("git init --bare --template=%s NEW.git, or: git config "
					    "--system init.templateDir %s", quoted, quoted) :
			xasprintf("git config --system core.hooksPath %s", quoted);
		rc = job_end(&j, "installed", false, j.dry ? NULL : next);
		free(real);
		free(quoted);
	}
	free(next);
	free(folder);
	buf_clear(&lines);
	job_clear(&j);
	return rc;
}

const struct cmd cmd_install_hooks = {
	.name = "install-hooks", .usage = "[--template] FOLDER", .group = "Administer",
	.help = "Make a folder of hooks for repositories that are made later",
	.more = "Without --template FOLDER is a folder of hooks: for core.hooksPath of the machine "
		"or of repositories,\n"
		"or gitolite's hooks/common. With it FOLDER is a template for git init, with hooks "
		"and the settings.\n"
		"Hooks that are there are kept and called, also in what git init copies. Take it "
		"out again with\n"
		"penstock uninstall --hooks FOLDER (FOLDER/hooks of a template).",
	.example = "install-hooks --template /srv/penstock/template",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "template", 0, NULL, "FOLDER is a template for git init" },
		  { "dry-run", 'n', NULL, "only say what would be done" } },
	.exec = hooks_exec,
};

/* ---- uninstall ---- */

enum { UN_ALL, UN_HOOKS, UN_KEEP_ID, UN_DRY_RUN };

/* Tells a running agent before it looks again: it would give the repository its id anew. */
static int forget(struct job *j, const struct site *s)
{
	json_t *body = json_pack("{s:o}", "repository", show_string(s->repo)), *doc = NULL;
	int code = client_post_quiet(j->cli, "/forget", body, &doc);

	json_decref(body);
	json_decref(doc);
	return code == CLI_NO_AGENT ? CLI_OK : code;
}

static void uninstall_site(struct job *j, struct site *s)
{
	bool changed = (s->bound != BOUND_NO && !site_is_shared(s)) ||
		s->hook[0].is == HOOK_OURS || s->hook[1].is == HOOK_OURS || s->config.block;
	const char *path = s->repo ? s->repo : s->hooks;
	struct buf lines = BUF_INIT;
	struct ps_err err = { 0 };
	char *next = NULL;
	size_t refs = 0;
	int rc = 0;

	if (s->bound == BOUND_ELSEWHERE && !s->other_gone)
		rc = site_check(s, false, &next, &err);
	for (size_t i = 0; i < SITE_HOOKS && rc == 0; i++)
		if (s->hook[i].kept && s->hook[i].is != HOOK_FOREIGN)
			buf_addf(&lines, "%s is the hook that was there before\n", s->hook[i].name);
	if (rc == 0 && !j->dry)
		rc = site_take(s, j->keep_id, &changed, &lines, &err);
	if (rc == 0 && changed && s->repo && !j->dry && forget(j, s))
		j->refused++;		/* said; the agent goes on looking at it */
	if (rc == 0 && changed && s->repo && !j->dry)
		rc = site_drop_refs(s, &refs, &err);
	if (refs)
		buf_addf(&lines, "%zu refs below refs/penstock removed\n", refs);
	if (rc == 0 && changed && j->keep_id && *s->config.id)
		buf_addf(&lines, "penstock.id stays: a later install knows it again\n");
	if (rc < 0)
		refuse(j, path, &err, next);
	else
		tell(j, s, NULL, j->dry && changed ? "planned" : "uninstalled", !changed ?
		     "no hook of penstock in" : j->dry ? "would uninstall from" :
		     "uninstalled from", changed, &lines);
	buf_clear(&lines);
	free(next);
}

static void uninstall_one(struct job *j, const char *path, bool hooks)
{
	char *gitlab = fs_join(path, "custom_hooks/penstock.hook"), *gitea;
	enum site_host host = fs_exists(gitlab) ? HOST_GITLAB : HOST_PLAIN;
	struct ps_err err = { 0 };
	struct site s;
	int rc;

	gitea = fs_join(path, "hooks/pre-receive.d/penstock");
	if (host == HOST_PLAIN && faccessat(AT_FDCWD, gitea, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		host = HOST_GITEA;
	rc = hooks ? site_open_hooks(&s, path, &j->to, &err) :
		site_open(&s, path, host, &j->to, &err);
	if (rc < 0) {
		refuse(j, path, &err, NULL);
	} else {
		uninstall_site(j, &s);
		sync_later(j, &s);
		site_clear(&s);
	}
	free(gitlab);
	free(gitea);
}

static int uninstall_exec(struct cli *cli, const struct cmd_args *a)
{
	struct job j = { .cli = cli, .keep_id = a->opt[UN_KEEP_ID], .dry = a->opt[UN_DRY_RUN],
			 .items = json_array(), .sync = -1 };
	struct ps_err err = { 0 };
	int rc = a->opt[UN_ALL] ? job_config(&j) : 0;

	if (rc == 0 && bearings_init(&j.to, &cli->paths, &err) < 0)
		rc = cli_fail_err(cli, &err, NULL);
	if (rc == 0)
		rc = job_paths(&j, a, a->opt[UN_ALL] != NULL);
	if (rc == 0) {
		progress_begin(&j.progress, cli, "uninstalling", j.paths.n);
		for (size_t i = 0; i < j.paths.n; i++) {
			progress_at(&j.progress, i, j.paths.v[i]);
			uninstall_one(&j, j.paths.v[i], a->opt[UN_HOOKS] != NULL);
		}
		rc = job_end(&j, "uninstalled", false, NULL);
	}
	job_clear(&j);
	return rc;
}

const struct cmd cmd_uninstall = {
	.name = "uninstall", .usage = "[--dry-run] [--keep-id] REPO ... | --all [FOLDER ...]",
	.group = "Administer",
	.help = "Take penstock out of repositories; what was there before is there again",
	.more = "Links, penstock.hook, the lease, refs/penstock and the lines of the configuration "
		"go; hooks that were\n"
		"kept are at their places again. With --keep-id the repository keeps its history "
		"for a later install.",
	.example = "uninstall /srv/git/sales/etl.git",
	.needs = CMD_INSTANCE, .max = CMD_ARGS_MANY,
	.opts = {
		[UN_ALL] = { "all", 'a', NULL,
			     "every repository below FOLDER, else below each root" },
		[UN_HOOKS] = { "hooks", 0, NULL, "each is a folder of install-hooks" },
		[UN_KEEP_ID] = { "keep-id", 0, NULL, "leave penstock.id in its configuration" },
		[UN_DRY_RUN] = { "dry-run", 'n', NULL, "only say what would be done" },
	},
	.exec = uninstall_exec,
};
