/* install_site – what is there of an install, and what would be done; see install.h. */
#include "config.h"

#include "cli/install.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/base/fsutil.h"

static const char *const events[SITE_HOOKS] = { "pre-receive", "post-receive" };

int bearings_init(struct bearings *b, const struct ps_paths *paths, struct ps_err *err)
{
	char *gate = fs_find_program("penstock");

	b->program = fs_find_program("penstock-hook");
	b->text = xasprintf("%s\n%s\n%s\n", paths->hook_sock, paths->policy, gate ? gate : "");
	if (gate && b->program) {
		free(gate);
		return 0;
	}
	free(gate);
	bearings_clear(b);
	return ps_err_set(err, PS_ENOENT, "the program 'penstock-hook' is not beside penstock: "
			  "installed in part?");
}

void bearings_clear(struct bearings *b)
{
	PS_FREE(b->program);
	PS_FREE(b->text);
}

bool site_is_repository(const char *path)
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

/* ---- what is there ---- */

/* Through further links. */
static bool leads_to_hook(const struct site *s, const char *name)
{
	char *path = fs_join(s->hooks, name), *end = realpath(path, NULL);
	bool yes = end && ps_ends(end, "/penstock-hook");

	free(path);
	free(end);
	return yes;
}

static enum hook_is look_at_link(const struct site *s, const char *name, const char *program)
{
	char target[4096];
	ssize_t n = readlinkat(s->dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return errno == ENOENT || errno == ENOTDIR ? HOOK_ABSENT : HOOK_FOREIGN;
	target[n] = '\0';
	if (strcmp(target, program) == 0)
		return HOOK_OURS;
	return ps_ends(target, "/penstock-hook") ? HOOK_OLD :
		leads_to_hook(s, name) ? HOOK_SHARED : HOOK_FOREIGN;
}

/* The folder of the instance that a socket belongs to. */
static char *instance_of(const char *bearings)
{
	size_t n = strcspn(bearings, "\n");
	char *socket = xstrndup(bearings, n);

	if (ps_ends(socket, "/run/hook.sock"))
		socket[n - strlen("/run/hook.sock")] = '\0';
	return socket;
}

static bool is_instance(const char *folder)
{
	char *config = fs_join(folder, "penstock.yml");
	bool yes = fs_exists(config) || strcmp(folder, "/run/penstock/hook.sock") == 0;

	free(config);
	return yes;
}

static int look_at_bearings(struct site *s, const struct bearings *b, struct ps_err *err)
{
	struct buf have = BUF_INIT;
	int rc = fs_read(&have, s->dir, "penstock.hook", 65536, err);
	size_t first = strcspn(b->text, "\n");

	if (rc == PS_ENOENT) {
		memset(err, 0, sizeof(*err));
		rc = 0;
	} else if (rc == 0 && strncmp(buf_str(&have), b->text, first + 1) == 0) {
		s->bound = strcmp(buf_str(&have), b->text) == 0 ? BOUND_HERE : BOUND_OLD;
	} else if (rc == 0) {
		s->bound = BOUND_ELSEWHERE;
		s->other = instance_of(buf_str(&have));
		s->other_gone = !is_instance(s->other);
	}
	buf_clear(&have);
	return rc;
}

static int look(struct site *s, const struct bearings *b, struct ps_err *err)
{
	for (size_t i = 0; i < SITE_HOOKS; i++)
		s->hook[i].name = xasprintf("%s%s", events[i],
					    s->host == HOST_PLAIN ? "" : ".d/penstock");
	s->dir = open(s->hooks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return errno == ENOENT ? 0 : ps_err_errno(err, "cannot open '%s'", s->hooks);
	if (fstat(s->dir, &s->dir_st) < 0)
		return ps_err_errno(err, "cannot look at '%s'", s->hooks);
	for (size_t i = 0; i < SITE_HOOKS; i++) {
		char *kept = xasprintf("../penstock.kept/%s", events[i]);

		s->hook[i].is = look_at_link(s, s->hook[i].name, b->program);
		s->hook[i].kept = s->host == HOST_PLAIN &&
			look_at_link(s, kept, b->program) == HOOK_FOREIGN;
		free(kept);
	}
	return look_at_bearings(s, b, err);
}

static bool repo_has(const char *repo, const char *what)
{
	char *path = fs_join(repo, what);
	bool yes = fs_exists(path);

	free(path);
	return yes;
}

/* What is there says more than what was asked for: Gitea's own file, an install of another kind. */
static enum site_host host_of(const char *repo, enum site_host asked)
{
	if (asked == HOST_PLAIN && repo_has(repo, "hooks/pre-receive.d/gitea"))
		return HOST_GITEA;
	if (asked == HOST_GITLAB && repo_has(repo, "hooks/penstock.hook") &&
	    !repo_has(repo, "custom_hooks/penstock.hook"))
		return HOST_PLAIN;
	return asked;
}

int site_open(struct site *s, const char *path, enum site_host host, const struct bearings *b,
	      struct ps_err *err)
{
	char *inner = fs_join(path, ".git"), *folder;
	int rc = 0;

	*s = (struct site) { .dir = -1 };
	s->repo = realpath(site_is_repository(inner) ? inner : path, NULL);
	free(inner);
	if (!s->repo)
		rc = ps_err_errno(err, "cannot open '%s'", path);
	else if (!site_is_repository(s->repo))
		rc = ps_err_set(err, PS_ENOENT, "'%s' is no Git repository", path);
	if (rc == 0) {
		s->host = host_of(s->repo, host);
		folder = fs_join(s->repo, s->host == HOST_GITLAB ? "custom_hooks" : "hooks");
		s->hooks = realpath(folder, NULL);
		if (s->hooks)
			free(folder);
		else
			s->hooks = folder;
		rc = bind_read(&s->config, s->repo, err);
	}
	if (rc == 0)
		rc = look(s, b, err);
	if (rc < 0)
		site_clear(s);
	return rc;
}

int site_open_hooks(struct site *s, const char *folder, const struct bearings *b,
		    struct ps_err *err)
{
	int rc;

	*s = (struct site) { .dir = -1, .hooks = realpath(folder, NULL) };
	if (!s->hooks)
		s->hooks = xstrdup(folder);
	rc = look(s, b, err);
	if (rc < 0)
		site_clear(s);
	return rc;
}

bool site_is_shared(const struct site *s)
{
	for (size_t i = 0; i < SITE_HOOKS; i++)
		if (s->hook[i].is == HOOK_SHARED)
			return true;
	return false;
}

void site_clear(struct site *s)
{
	if (s->dir >= 0)
		close(s->dir);
	for (size_t i = 0; i < SITE_HOOKS; i++)
		free(s->hook[i].name);
	bind_clear(&s->config);
	free(s->repo);
	free(s->hooks);
	free(s->other);
	*s = (struct site) { .dir = -1 };
}

/* ---- what would be done ---- */

static int say_elsewhere(const struct site *s, char **next, struct ps_err *err)
{
	const char *what = s->repo ? s->repo : s->hooks;
	char *dir = cli_quote(s->other), *repo = cli_quote(what);

	if (s->other_gone)
		*next = xasprintf("penstock install --take-over %s", repo);
	else
		*next = xasprintf("penstock -C %s uninstall %s", dir, repo);
	free(dir);
	free(repo);
	return ps_err_set(err, PS_EEXIST, "'%s' is bound to the instance '%s'%s", what, s->other,
			  s->other_gone ? ", which is not there any more" : "");
}

int site_check(const struct site *s, bool take_over, char **next, struct ps_err *err)
{
	*next = NULL;
	if (s->bound == BOUND_ELSEWHERE && !take_over)
		return say_elsewhere(s, next, err);
	if (s->config.hooks_path && s->host == HOST_PLAIN) {
		char *dir = cli_quote(s->config.hooks_path);

		*next = xasprintf("penstock install-hooks %s", dir);
		free(dir);
		return ps_err_set(err, PS_EEXIST, "'%s' sets core.hooksPath to '%s': git runs the "
				  "hooks of that folder and no other", s->repo,
				  s->config.hooks_path);
	}
	for (size_t i = 0; i < SITE_HOOKS; i++) {
		const struct site_hook *h = &s->hook[i];

		if (h->is == HOOK_FOREIGN && s->host != HOST_PLAIN)
			return ps_err_set(err, PS_EEXIST, "'%s/%s' is there and not ours; it was "
					  "not touched", s->hooks, h->name);
		if (h->is == HOOK_FOREIGN && h->kept)
			return ps_err_set(err, PS_EEXIST, "'%s/%s' was put there after an install; "
					  "the one from before lies in '../penstock.kept/%s': "
					  "remove the one that shall not be called", s->hooks,
					  h->name, h->name);
	}
	return 0;
}

void site_plan(const struct site *s, bool new_id, struct buf *lines)
{
	for (size_t i = 0; i < SITE_HOOKS; i++) {
		const struct site_hook *h = &s->hook[i];

		if (h->is == HOOK_FOREIGN)
			buf_addf(lines, "keep the hook %s in penstock.kept and call it\n", h->name);
		if (h->is != HOOK_OURS && h->is != HOOK_SHARED)
			buf_addf(lines, "link %s/%s\n", s->hooks, h->name);
	}
	if (s->bound != BOUND_HERE)
		buf_addf(lines, "write %s/penstock.hook\n", s->hooks);
	if (!s->repo)
		return;
	if (!*s->config.id || new_id)
		buf_adds(lines, "give it an id: penstock.id\n");
	if (!s->config.hides)
		buf_adds(lines, "set transfer.hideRefs refs/penstock\n");
	if (!s->config.options_said)
		buf_adds(lines, "set receive.advertisePushOptions true\n");
}
