/*
 * install, uninstall: bind a repository to this instance, or let it go.
 *
 * hooks/pre-receive and hooks/post-receive become links to the hook program; beside them
 * penstock.hook holds three absolute paths, a line each: hook socket, policy, gate program. All of
 * it or nothing: what this call made is taken back when a later step fails. A hook that is not ours
 * is never touched.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"
#include "common/config/config.h"

static const char *const hook_names[] = { "pre-receive", "post-receive" };

struct site {
	char *repo;		/* real path of the folder that holds HEAD, objects and refs */
	char *hooks;
	int dir;		/* of hooks */
	char *program;		/* penstock-hook */
	char *bearings;		/* what penstock.hook says, or shall say */
};

static void site_clear(struct site *s)
{
	if (s->dir >= 0)
		close(s->dir);
	free(s->repo);
	free(s->hooks);
	free(s->program);
	free(s->bearings);
}

static bool is_repository(const char *path)
{
	static const char *const parts[] = { "HEAD", "objects", "refs" };
	size_t have = 0;

	for (size_t i = 0; i < PS_NELEM(parts); i++) {
		char *p = fs_join(path, parts[i]);

		have += fs_exists(p);
		free(p);
	}
	return have == PS_NELEM(parts);
}

static int find_repository(struct site *s, const char *path, struct ps_err *err)
{
	char *inner = fs_join(path, ".git");

	s->repo = realpath(is_repository(inner) ? inner : path, NULL);
	free(inner);
	if (!s->repo)
		return ps_err_errno(err, "cannot open '%s'", path);
	if (!is_repository(s->repo))
		return ps_err_set(err, PS_ENOENT, "'%s' is no Git repository", path);
	s->hooks = fs_join(s->repo, "hooks");
	return 0;
}

/* git config on the repository's own file; out (may be NULL) gets what it prints, without the
 * newline. */
static int git_config(const struct site *s, const char *const *words, struct buf *out, int *code,
		      struct ps_err *err)
{
	static const char *const env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C",
					   "GIT_CONFIG_NOSYSTEM=1", NULL };
	char *file = fs_join(s->repo, "config");
	const char *argv[12] = { "/usr/bin/git", "config", "--file", file };
	struct spawn sp = { .argv = argv, .env = env, .cwd = "/", .in = -1, .out = -1,
			    .errout = STDERR_FILENO };
	struct buf text = BUF_INIT;
	int status = 0, rc;

	for (size_t i = 0; words[i]; i++)
		argv[4 + i] = words[i];
	rc = spawn_capture(&sp, &text, 65536, &status, err);
	if (rc == 0 && !WIFEXITED(status))
		rc = ps_err_set(err, PS_EIO, "git config was killed");
	*code = rc == 0 ? WEXITSTATUS(status) : -1;
	if (out && rc == 0) {
		buf_add(out, buf_str(&text), text.len);
		while (out->len && out->data[out->len - 1] == '\n')
			out->data[--out->len] = '\0';
	}
	buf_clear(&text);
	free(file);
	return rc;
}

/* Sets a value unless the name has one already. */
static int set_if_absent(const struct site *s, const char *name, const char *value,
			 struct ps_err *err)
{
	int code, rc = git_config(s, (const char *const[]) { "--get-all", name, NULL }, NULL, &code,
				  err);

	if (rc < 0 || code == 0)
		return rc;
	rc = git_config(s, (const char *const[]) { name, value, NULL }, NULL, &code, err);
	if (rc == 0 && code != 0)
		rc = ps_err_set(err, PS_EIO, "git config could not set %s in '%s'", name, s->repo);
	return rc;
}

static int hide_refs(const struct site *s, struct ps_err *err)
{
	int code, rc = git_config(s, (const char *const[]) { "--get-all", "transfer.hideRefs",
							     "^refs/penstock/?$", NULL },
				  NULL, &code, err);

	if (rc < 0 || code == 0)
		return rc;
	rc = git_config(s, (const char *const[]) { "--add", "transfer.hideRefs", "refs/penstock",
						   NULL }, NULL, &code, err);
	if (rc == 0 && code != 0)
		rc = ps_err_set(err, PS_EIO, "git config could not set transfer.hideRefs in '%s'",
				s->repo);
	return rc;
}

/* A copy must not be taken for the repository it was copied from. */
static int forget_id(const struct site *s, struct ps_err *err)
{
	int code, rc = git_config(s, (const char *const[]) { "--unset-all", "penstock.id", NULL },
				  NULL, &code, err);

	if (rc == 0 && code != 0 && code != 5)		/* 5: it had none */
		rc = ps_err_set(err, PS_EIO, "git config could not unset penstock.id in '%s'",
				s->repo);
	return rc;
}

/* The three settings; git rewrites the file, so its owner is given back when we are root. */
static int configure(const struct site *s, struct ps_err *err)
{
	char id[33], *file = fs_join(s->repo, "config");
	struct stat st;
	bool had = stat(file, &st) == 0;
	int rc;

	random_hex(id, 16);
	rc = set_if_absent(s, "penstock.id", id, err);
	if (rc == 0)
		rc = hide_refs(s, err);
	if (rc == 0)
		rc = set_if_absent(s, "receive.advertisePushOptions", "true", err);
	if (had && geteuid() == 0 && chown(file, st.st_uid, st.st_gid) < 0 && rc == 0)
		rc = ps_err_errno(err, "cannot give '%s' back to its owner", file);
	free(file);
	return rc;
}

static int check_hooks_path(const struct site *s, struct ps_err *err)
{
	struct buf value = BUF_INIT;
	int code, rc = git_config(s, (const char *const[]) { "--get", "core.hooksPath", NULL },
				  &value, &code, err);

	if (rc == 0 && code == 0)
		rc = ps_err_set(err, PS_EEXIST, "'%s' sets core.hooksPath to '%s': git would not "
				"run hooks of its own folder", s->repo, buf_str(&value));
	buf_clear(&value);
	return rc;
}

/* 1: our link is there, 0: nothing is, PS_EEXIST: somebody else's hook. */
static int hook_state(const struct site *s, const char *name, struct ps_err *err)
{
	char target[4096];
	ssize_t n = readlinkat(s->dir, name, target, sizeof(target) - 1);

	if (n < 0 && errno == ENOENT)
		return 0;
	if (n >= 0) {
		target[n] = '\0';
		if (strcmp(target, s->program) == 0 || ps_ends(target, "/penstock-hook"))
			return 1;
	}
	return ps_err_set(err, PS_EEXIST,
			  "the repository has a hook '%s/%s' of its own; it was not touched",
			  s->hooks, name);
}

static int link_hook(const struct site *s, const char *name, struct ps_err *err)
{
	char tmp[64];

	fs_tmp_name(tmp, sizeof(tmp));
	if (symlinkat(s->program, s->dir, tmp) < 0)
		return ps_err_errno(err, "cannot make a link in '%s'", s->hooks);
	if (renameat(s->dir, tmp, s->dir, name) < 0) {
		ps_err_errno(err, "cannot make the link '%s/%s'", s->hooks, name);
		unlinkat(s->dir, tmp, 0);
		return err->code;
	}
	return 0;
}

/* Our own hook file: 1 it is there and says the same, 0 it is not there, PS_EEXIST another
 * instance's. */
static int bearings_state(const struct site *s, struct ps_err *err)
{
	struct buf have = BUF_INIT;
	int rc = fs_read(&have, s->dir, "penstock.hook", 65536, err);
	size_t first = strcspn(s->bearings, "\n");

	if (rc == PS_ENOENT) {
		memset(err, 0, sizeof(*err));
		rc = 0;
	} else if (rc == 0 && strncmp(buf_str(&have), s->bearings, first + 1) != 0) {
		rc = ps_err_set(err, PS_EEXIST,
				"the repository is bound to the instance with socket '%.*s'",
				(int)strcspn(buf_str(&have), "\n"), buf_str(&have));
	} else if (rc == 0) {
		rc = strcmp(buf_str(&have), s->bearings) == 0;
	}
	buf_clear(&have);
	return rc;
}

/* Puts file and links; takes back what it put when it cannot go on. *changed: something was not
 * there. */
static int put_hooks(struct site *s, bool *changed, struct ps_err *err)
{
	bool had[PS_NELEM(hook_names)] = { false }, put[PS_NELEM(hook_names)] = { false };
	int same = bearings_state(s, err), rc = same < 0 ? same : 0;
	bool had_file = faccessat(s->dir, "penstock.hook", F_OK, 0) == 0;

	for (size_t i = 0; i < PS_NELEM(hook_names) && rc >= 0; i++) {
		rc = hook_state(s, hook_names[i], err);
		had[i] = rc == 1;
	}
	if (rc < 0)
		return rc;
	rc = same ? 0 : fs_write_file(s->dir, "penstock.hook", s->bearings, strlen(s->bearings),
				      0644, err);
	*changed = !same;
	for (size_t i = 0; i < PS_NELEM(hook_names) && rc == 0; i++) {
		rc = link_hook(s, hook_names[i], err);
		put[i] = rc == 0 && !had[i];
		*changed = *changed || put[i];
	}
	if (rc == 0 && fsync(s->dir) < 0)
		rc = ps_err_errno(err, "cannot sync '%s'", s->hooks);
	for (size_t i = 0; i < PS_NELEM(hook_names) && rc < 0; i++)
		if (put[i])
			unlinkat(s->dir, hook_names[i], 0);
	if (rc < 0 && !had_file)
		unlinkat(s->dir, "penstock.hook", 0);
	return rc;
}

/* Which repository, which programs, which paths; nothing is changed but a missing hooks folder. */
static int site_init(struct site *s, const struct cli *cli, const char *path, struct ps_err *err)
{
	char *gate = fs_find_program("penstock");
	int rc = find_repository(s, path, err);

	s->program = fs_find_program("penstock-hook");
	if (rc == 0 && (!s->program || !gate))
		rc = ps_err_set(err, PS_ENOENT, "the program 'penstock-hook' is not beside "
				"penstock: installed in part?");
	if (rc == 0)
		s->bearings = xasprintf("%s\n%s\n%s\n", cli->paths.hook_sock, cli->paths.policy,
					gate);
	if (rc == 0 && !fs_exists(s->hooks))
		rc = fs_mkdirs(s->hooks, 0755, err);
	if (rc == 0 && (s->dir = open(s->hooks, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		rc = ps_err_errno(err, "cannot open '%s'", s->hooks);
	free(gate);
	return rc;
}

/* The repository must be below a root; else the lines that are missing are shown. */
static int check_root(struct cli *cli, const struct site *s, char **name)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	struct ps_err err = { 0 };
	const struct passwd *pw;
	char *parent, *slash;
	struct stat st;
	int rc = config_load(&cfg, cli->paths.config, &diags, &err);

	diag_clear(&diags);
	if (rc < 0)
		return cli_fail_err(cli, &err, NULL);
	if (!cfg)
		return cli_fail(cli, CLI_NO, "penstock config check", "'%s' has errors",
				cli->paths.config);
	rc = config_root_of(cfg, cli->paths.base, s->repo, name) ? 0 : CLI_NO;
	config_free(cfg);
	if (rc == 0)
		return 0;
	parent = xstrdup(s->repo);
	if ((slash = strrchr(parent, '/')) && slash > parent)
		*slash = '\0';
	/* who pushes there, most likely */
	pw = stat(s->repo, &st) == 0 ? getpwuid(st.st_uid) : NULL;
	rc = cli_fail(cli, CLI_NO, NULL,
		      "'%s' is below no root of '%s'; add under 'repositories:'\n"
		      "  roots:\n    - { path: %s, identity: uid, hook_users: [%s] }\n"
		      "with every user who pushes there, then: %s reload", s->repo,
		      cli->paths.config, parent, pw ? pw->pw_name : "git", cli_self(cli));
	free(parent);
	return rc;
}

/* Asks a running agent for a baseline, so that the refs as they are make no event. */
static int adopt(struct cli *cli, const struct site *s, bool *asked)
{
	json_t *body = json_pack("{s:s}", "repository", s->repo), *doc;
	int code = client_post_quiet(cli, "/adopt", body, &doc);

	json_decref(body);
	json_decref(doc);
	*asked = code == CLI_OK;
	return code == CLI_NO_AGENT ? CLI_OK : code;
}

static int report(struct cli *cli, const struct site *s, const char *name, bool changed, bool asked)
{
	if (cli->json) {
		json_t *doc = json_pack("{s:s, s:s, s:s, s:b, s:b}", "id", name, "state",
					"installed",
					"path", s->repo, "changed", changed, "baseline", asked);

		show_json(doc);
		json_decref(doc);
		return CLI_OK;
	}
	printf("%s '%s' as %s\n", changed ? "installed into" : "already installed in", s->repo,
	       name);
	if (!asked)
		printf("note: the agent does not run; it looks at the repository when it starts\n");
	printf("next: git push\n");
	return CLI_OK;
}

static int install_exec(struct cli *cli, const struct cmd_args *a)
{
	struct site s = { .dir = -1 };
	struct ps_err err = { 0 };
	bool changed = false, asked = false;
	char *name = NULL;
	int rc = find_repository(&s, a->arg[0], &err);

	if (rc < 0) {
		site_clear(&s);
		return cli_fail_err(cli, &err, NULL);
	}
	rc = check_root(cli, &s, &name);
	site_clear(&s);
	s = (struct site) { .dir = -1 };
	if (rc)
		return rc;
	rc = site_init(&s, cli, a->arg[0], &err);
	if (rc == 0)
		rc = check_hooks_path(&s, &err);
	if (rc == 0)
		rc = put_hooks(&s, &changed, &err);
	if (rc == 0 && a->opt[0])
		rc = forget_id(&s, &err);
	if (rc == 0)
		rc = configure(&s, &err);
	if (rc < 0)
		rc = cli_fail_err(cli, &err, err.code == PS_EEXIST ?
				  "move it away or call it yourself; "
				  "penstock does not chain hooks in this version" : NULL);
	else
		rc = adopt(cli, &s, &asked);
	if (rc == CLI_OK)
		rc = report(cli, &s, name, changed, asked);
	free(name);
	site_clear(&s);
	return rc;
}

const struct cmd cmd_install = {
	.name = "install", .usage = "[--new-id] REPO", .group = "Administer",
	.help = "Bind a repository to this instance: its hooks ask this agent",
	.more = "The repository must be below a root of penstock.yml. A repository with a hook of "
		"its own named\n"
		"pre-receive or post-receive is refused. Doing it twice is fine.\n"
		"A copy of an installed repository (cp -r) has the id of the original and is not "
		"taken for it: --new-id\n"
		"gives it one of its own.",
	.example = "install /srv/git/sales/etl.git",
	.needs = CMD_INSTANCE, .min = 1, .max = 1,
	.opts = { { "new-id", 0, NULL, "it is a copy: a repository of its own from now on" } },
	.exec = install_exec,
};

static int remove_hooks(struct site *s, bool *changed, struct ps_err *err)
{
	int rc = bearings_state(s, err);
	bool file = faccessat(s->dir, "penstock.hook", F_OK, 0) == 0;

	for (size_t i = 0; i < PS_NELEM(hook_names) && rc >= 0; i++) {
		struct ps_err not_ours;

		if (hook_state(s, hook_names[i], &not_ours) != 1)
			continue;
		*changed = true;
		if (unlinkat(s->dir, hook_names[i], 0) < 0)
			rc = ps_err_errno(err, "cannot remove '%s/%s'", s->hooks, hook_names[i]);
	}
	if (rc >= 0 && file) {		/* last: a hook without it would accept without a word */
		*changed = true;
		if (unlinkat(s->dir, "penstock.hook", 0) < 0)
			rc = ps_err_errno(err, "cannot remove '%s/penstock.hook'", s->hooks);
	}
	if (rc >= 0)			/* nobody renews it any more */
		unlinkat(s->dir, "../penstock.lease", 0);
	return rc < 0 ? rc : 0;
}

static int uninstall_exec(struct cli *cli, const struct cmd_args *a)
{
	struct site s = { .dir = -1 };
	struct ps_err err = { 0 };
	bool changed = false;
	int rc = site_init(&s, cli, a->arg[0], &err);

	if (rc == 0)
		rc = remove_hooks(&s, &changed, &err);
	if (rc < 0) {
		rc = cli_fail_err(cli, &err, NULL);
	} else if (cli->json) {
		json_t *doc = json_pack("{s:s, s:s, s:b}", "id", s.repo, "state", "uninstalled",
					"changed", changed);

		show_json(doc);
		json_decref(doc);
	} else if (changed) {
		printf("uninstalled from '%s'; penstock.id and refs/penstock stay, so a later "
		       "install knows it again\n", s.repo);
	} else {
		printf("'%s' has no hook of penstock\n", s.repo);
	}
	site_clear(&s);
	return rc;
}

const struct cmd cmd_uninstall = {
	.name = "uninstall", .usage = "REPO", .group = "Administer",
	.help = "Take penstock's hooks out of a repository; foreign hooks stay",
	.example = "uninstall /srv/git/sales/etl.git",
	.needs = CMD_INSTANCE, .min = 1, .max = 1, .exec = uninstall_exec,
};
