/*
 * doctor_repos – every repository below the roots: is it bound, to us, whole? See doctor.h.
 *
 * One row for all that are well; of those that are not the first ten of each kind, and how many
 * more.
 */
#include "config.h"

#include "cli/doctor.h"

#include <sys/wait.h>
#include <unistd.h>

#include "cli/install.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"

enum { TELL_MAX = 10 };

enum kind { UNBOUND, ELSEWHERE, HOOK_LOST, STALE, HIDDEN, OPTIONS, OWNER, UNREADABLE, KINDS };

static const struct {
	enum well well;
	const char *what, *why, *mend;	/* mend: behind it the repository */
} kinds[KINDS] = {
	[UNBOUND] = { WELL_WARNING, "is not bound", "pushes there are neither judged nor told",
		      "penstock install" },
	[ELSEWHERE] = { WELL_WARNING, "is bound to another instance",
			"this agent hears nothing of it", "penstock install --dry-run" },
	[HOOK_LOST] = { WELL_ERROR, "has lost a hook", "what is pushed there is not judged, or "
			"told only by the next look", "penstock install" },
	[STALE] = { WELL_WARNING, "has hooks of another version or place of penstock",
		    "they may be gone with it", "penstock install" },
	[HIDDEN] = { WELL_WARNING, "shows refs/penstock to everybody",
		     "clones fetch what is only kept for deployments", "penstock install" },
	[OPTIONS] = { WELL_WARNING, "does not advertise push options",
		      "git push -o penstock.dry-run is refused",
		      "git config receive.advertisePushOptions true, in" },
	[OWNER] = { WELL_WARNING, "belongs to an account that is not in hook_users",
		    "who runs git there is probably not heard", "penstock help install, for" },
	[UNREADABLE] = { WELL_ERROR, "cannot be looked at", "nor can the agent, perhaps",
			 "ls -ld" },
};

struct looking {
	struct doctor *d;
	struct bearings to;
	size_t n, well, told[KINDS];
};

static void say(struct looking *l, enum kind k, const char *path, const char *more)
{
	char *quoted, *mend;

	if (l->told[k]++ >= TELL_MAX)
		return;
	quoted = cli_quote(path);
	mend = xasprintf("%s %s", kinds[k].mend, quoted);
	doctor_say(l->d, kinds[k].well, kinds[k].why, mend, "'%s' %s%s%s", path, kinds[k].what,
		   *more ? ": " : "", more);
	free(mend);
	free(quoted);
}

static bool hook_is_lost(const struct site *s, const char **which)
{
	for (size_t i = 0; i < SITE_HOOKS; i++)
		if (s->hook[i].is == HOOK_ABSENT || s->hook[i].is == HOOK_FOREIGN) {
			*which = s->hook[i].name;
			return true;
		}
	return false;
}

static bool is_old(const struct site *s)
{
	for (size_t i = 0; i < SITE_HOOKS; i++)
		if (s->hook[i].is == HOOK_OLD)
			return true;
	return s->bound == BOUND_OLD;
}

static void look_at(struct looking *l, const struct conf_root *root, const char *path)
{
	enum site_host host = root->identity == CONF_ID_GITLAB ? HOST_GITLAB : HOST_PLAIN;
	struct ps_err err = { 0 };
	const char *which = "";
	size_t before = l->d->count[WELL_WARNING] + l->d->count[WELL_ERROR];
	struct stat st;
	struct site s;

	l->n++;
	if (site_open(&s, path, host, &l->to, &err) < 0) {
		say(l, UNREADABLE, path, err.msg);
		return;
	}
	if (s.bound == BOUND_NO && s.config.hooks_path)
		;			/* a shared folder of hooks: looked at by itself */
	else if (s.bound == BOUND_NO)
		say(l, UNBOUND, path, "");
	else if (s.bound == BOUND_ELSEWHERE)
		say(l, ELSEWHERE, path, s.other);
	else if (hook_is_lost(&s, &which))
		say(l, HOOK_LOST, path, which);
	else if (is_old(&s))
		say(l, STALE, path, "");
	if (s.bound != BOUND_NO && !s.config.hides)
		say(l, HIDDEN, path, "");
	if (s.bound != BOUND_NO && !s.config.options)
		say(l, OPTIONS, path, "");
	if (s.bound != BOUND_NO && stat(s.repo, &st) == 0 && !config_root_admits(root, st.st_uid))
		say(l, OWNER, path, "");
	l->well += before == l->d->count[WELL_WARNING] + l->d->count[WELL_ERROR];
	site_clear(&s);
}

static void look_below(struct looking *l, const struct conf_root *root)
{
	char *folder = config_root_path(root, l->d->cli->paths.base);
	struct conf_names found;
	struct ps_err err = { 0 };

	if (site_find(folder, &found, &err) < 0)
		doctor_say(l->d, WELL_ERROR, "repositories there are not found",
			   "penstock config check", "%s", err.msg);
	for (size_t i = 0; i < found.n; i++)
		look_at(l, root, found.v[i]);
	conf_names_clear(&found);
	free(folder);
}

/* Set for the whole machine it would keep git from running any repository's own hooks. */
static void look_at_machine(struct looking *l)
{
	static const char *const argv[] = { "/usr/bin/git", "config", "--system", "--get",
					    "core.hooksPath", NULL };
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	const struct spawn s = { .argv = argv, .env = env, .cwd = "/", .in = -1, .out = -1,
				 .errout = -1 };
	struct buf path = BUF_INIT;
	struct ps_err err = { 0 };
	struct site site;
	int status = 0, rc = spawn_capture(&s, &path, 65536, &status, &err);

	path.len = rc == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ?
		strcspn(buf_str(&path), "\n") : 0;
	if (rc < 0)
		doctor_say(l->d, WELL_ERROR, "it reads and writes repositories with SHA-256 "
			   "objects", "apt-get install git", "%s", err.msg);
	if (path.len) {
		char *mend = NULL;

		path.data[path.len] = '\0';
		mend = xasprintf("penstock install-hooks %s", path.data);
		if (site_open_hooks(&site, path.data, &l->to, &err) == 0) {
			if (site.bound != BOUND_HERE)
				doctor_say(l->d, WELL_ERROR, "git runs the hooks of that folder "
					   "and none of any repository", mend, "core.hooksPath of "
					   "the machine is '%s', which is not bound", path.data);
			site_clear(&site);
		}
		free(mend);
	}
	buf_clear(&path);
}

void doctor_repositories(struct doctor *d)
{
	struct looking l = { .d = d };
	struct ps_err err = { 0 };

	if (!d->cfg) {
		doctor_say(d, WELL_NOT_ASKED, NULL, "penstock config check",
			   "the configuration names their roots, and it has errors");
		return;
	}
	if (bearings_init(&l.to, &d->cli->paths, &err) < 0) {
		doctor_say(d, WELL_ERROR, "hooks are links to it", "install penstock again", "%s",
			   err.msg);
		return;
	}
	for (size_t i = 0; i < d->cfg->nroots; i++)
		look_below(&l, &d->cfg->roots[i]);
	look_at_machine(&l);
	for (size_t k = 0; k < KINDS; k++)
		if (l.told[k] > TELL_MAX)
			doctor_say(d, kinds[k].well, kinds[k].why, "penstock install --all",
				   "%zu more: each %s", l.told[k] - TELL_MAX, kinds[k].what);
	if (l.well || !l.n)
		doctor_say(d, WELL_OK, NULL, NULL, "%zu of %zu below the roots are bound, with "
			   "both hooks, hidden refs and push options", l.well, l.n);
	bearings_clear(&l.to);
}
