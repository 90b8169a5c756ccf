/* toolchain – see toolchain.h. This file finds them; toolchain_digest.c names them. */
#include "config.h"

#include "agent/build/toolchain.h"

#include <dirent.h>
#include <glob.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "common/plan/profile.h"

#define HOW_TO_MAKE                                                                                \
	"make one: penstock toolchain make default FILE (examples/toolchain.txt is a FILE)"

static void found_add(struct toolchain_places *l, const char *name, const char *prefix,
		      bool finished)
{
	for (size_t i = 0; i < l->n; i++) /* the configuration comes first and wins */
		if (ps_streq(l->v[i].name, name))
			return;
	l->v = xgrow(l->v, l->n, &l->cap, sizeof(*l->v));
	l->v[l->n++] = (struct toolchain_place){ xstrdup(name), xstrdup(prefix), finished };
}

void toolchain_places_clear(struct toolchain_places *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].name);
		free(l->v[i].prefix);
	}
	free(l->v);
}

static bool has(const char *prefix, const char *file, int mode)
{
	char *path = fs_join(prefix, file);
	bool yes = access(path, mode) == 0;

	free(path);
	return yes;
}

static void find_made(struct toolchain_places *l, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		char *prefix;

		if (e->d_name[0] == '.')
			continue;
		prefix = fs_join(folder, e->d_name);
		found_add(l, e->d_name, prefix, has(prefix, TOOLCHAIN_MARKER, R_OK));
		free(prefix);
	}
	if (dir)
		closedir(dir);
}

struct toolchain_places toolchain_places(const struct config *cfg, const char *folder)
{
	struct toolchain_places l = { 0 };

	for (size_t i = 0; cfg && i < cfg->ntoolchains; i++)
		found_add(&l, cfg->toolchains[i].name, cfg->toolchains[i].prefix, true);
	find_made(&l, folder);
	return l;
}

static const struct toolchain_place *choose(const struct toolchain_places *l, const char *name,
					    struct buf *problem)
{
	const struct toolchain_place *first = NULL;
	const char *unfinished = NULL;	/* the one of that name, or any */
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (!l->v[i].finished) {
			if (!unfinished && (!name || ps_streq(l->v[i].name, name)))
				unfinished = l->v[i].name;
			continue;
		}
		if (ps_streq(l->v[i].name, name ? name : "default"))
			return &l->v[i];
		first = first ? first : &l->v[i];
		n++;
	}
	if (name && !unfinished)
		buf_addf(problem, "toolchain %s: make it with penstock toolchain make %s FILE",
			 name, name);
	else if (n == 1 && !name)
		return first;
	else if (n && !name)
		buf_addf(problem,
			 "%zu toolchains and none is called 'default': name one so under "
			 "toolchains: in penstock.yml",
			 n);
	else if (unfinished)
		buf_addf(problem,
			 "toolchain '%s' was not finished; make it again: penstock toolchain make "
			 "%s FILE",
			 unfinished, unfinished);
	else
		buf_adds(problem, "there is no toolchain; " HOW_TO_MAKE);
	return NULL;
}

bool toolchain_find(const struct config *cfg, const char *folder, const char *name,
		    struct toolchain *out, struct buf *problem)
{
	struct toolchain_places l = toolchain_places(cfg, folder);
	const struct toolchain_place *f = choose(&l, name, problem);

	*out = (struct toolchain){ 0 };
	if (f && !has(f->prefix, "bin/python", X_OK)) {
		buf_addf(problem,
			 "toolchain %s has no bin/python in '%s'; make it with penstock toolchain "
			 "make %s FILE",
			 f->name, f->prefix, f->name);
		f = NULL;
	}
	if (f)
		*out = (struct toolchain){ xstrdup(f->name), xstrdup(f->prefix), toolchain_java() };
	toolchain_places_clear(&l);
	return f != NULL;
}

void toolchain_clear(struct toolchain *t)
{
	free(t->name);
	free(t->prefix);
	free(t->java);
	*t = (struct toolchain){ 0 };
}

/* JAVA_HOME of a java program, all links followed; NULL when it is none. */
static char *home_of(const char *java)
{
	char *real = realpath(java, NULL);

	if (real && access(real, X_OK) == 0 && ps_ends(real, "/bin/java")) {
		real[strlen(real) - strlen("/bin/java")] = '\0';
		return real;
	}
	free(real);
	return NULL;
}

char *toolchain_java(void)
{
	static const char *const folders[] = {
		"/usr/lib/jvm/*/bin/java", "/opt/*/bin/java",         "/opt/*/*/bin/java",
		"/usr/local/*/bin/java",   "/usr/local/*/*/bin/java",
	};
	const char *env = getenv("JAVA_HOME");
	char *home = home_of("/usr/bin/java"), *java;

	if (!home && env && *env == '/') {
		java = fs_join(env, "bin/java");
		home = home_of(java);
		free(java);
	}
	for (size_t i = 0; !home && i < PS_NELEM(folders); i++) {
		glob_t g = { 0 };

		if (glob(folders[i], 0, NULL, &g) == 0)
			for (size_t k = 0; !home && k < g.gl_pathc; k++)
				home = home_of(g.gl_pathv[k]);
		globfree(&g);
	}
	return home;
}

char *toolchain_java_etc(const char *java)
{
	static const char *const links[] = { "conf", "lib/jvm.cfg", "lib/security/default.policy" };
	char *found = NULL;

	for (size_t i = 0; java && !found && i < PS_NELEM(links); i++) {
		char *link = fs_join(java, links[i]), *real = realpath(link, NULL);
		char *end = real && ps_starts(real, "/etc/") ? strchr(real + 5, '/') : NULL;

		if (end)
			*end = '\0'; /* /etc/java-17-openjdk: the whole of it */
		if (real && ps_starts(real, "/etc/"))
			found = xstrdup(real);
		free(real);
		free(link);
	}
	return found;
}

bool toolchain_is_local(const char *prefix)
{
	char *python = fs_join(prefix, "bin/python"), *real = realpath(python, NULL);
	bool yes = real && ps_starts(real, "/usr/local/");

	free(real);
	free(python);
	return yes;
}
