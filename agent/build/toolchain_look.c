#include "config.h"

#include "agent/build/toolchain_look.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/build/toolchain.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"

enum { SAID_MAX = 65536 };

/* What builds import first, and what shows that a prefix is good for tests and for Spark. */
static const char versions[] =
	"import sys, importlib.metadata as m\n"
	"out = ['python ' + '.'.join(map(str, sys.version_info[:3]))]\n"
	"for n in ('setuptools', 'wheel', 'pyspark', 'pytest'):\n"
	"    try: out.append(n + ' ' + m.version(n))\n"
	"    except m.PackageNotFoundError: out.append('no ' + n)\n"
	"print(', '.join(out))\n";

/* False and why in out when bin/python does not run or lacks what every build needs. */
static bool ask_versions(const char *prefix, struct buf *out)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
					   "PYTHONDONTWRITEBYTECODE=1", NULL };
	char *python = fs_join(prefix, "bin/python"), how[64];
	const char *const argv[] = { python, "-I", "-c", versions, NULL };
	const struct spawn s = { .argv = argv, .env = env, .cwd = "/", .in = -1, .out = -1,
				 .errout = -1 };
	struct ps_err err = { 0 };
	int status = 0, rc = spawn_capture(&s, out, SAID_MAX, &status, &err);
	bool ok = rc == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;

	while (out->len && out->data[out->len - 1] == '\n')
		out->data[--out->len] = '\0';
	if (!ok) {
		buf_reset(out);
		buf_addf(out, "bin/python does not run: %s", rc < 0 ? err.msg :
			 spawn_status_text(how, status));
	} else if (strstr(buf_str(out), "no setuptools") || strstr(buf_str(out), "no wheel")) {
		buf_adds(out, "; without both no pipeline is built");
		ok = false;
	}
	free(python);
	return ok;
}

static char *made_path(const struct ps_paths *paths, const char *name)
{
	return xasprintf("%s/.%s.made", paths->toolchains, name);
}

static void made_digest(const struct ps_paths *paths, const char *name, char hex[DIGEST_HEX])
{
	char *path = made_path(paths, name);
	struct buf b = BUF_INIT;

	*hex = '\0';
	if (fs_read(&b, AT_FDCWD, path, 4096, NULL) == 0 && b.len == DIGEST_HEX &&
	    strspn(b.data, "0123456789abcdef") == DIGEST_HEX - 1)
		memcpy(hex, b.data, DIGEST_HEX - 1), hex[DIGEST_HEX - 1] = '\0';
	buf_clear(&b);
	free(path);
}

int toolchain_note_made(const struct ps_paths *paths, const char *name, char hex[65],
			struct ps_err *err)
{
	char *prefix = fs_join(paths->toolchains, name), *path = made_path(paths, name);
	struct toolchain t = { .prefix = prefix, .java = toolchain_java() };
	int rc = toolchain_digest(&t, NULL, hex, err);
	char line[DIGEST_HEX + 1];

	snprintf(line, sizeof(line), "%s\n", rc == 0 ? hex : "");
	if (rc == 0)
		rc = fs_write_file(AT_FDCWD, path, line, strlen(line), 0644, err);
	free(t.java);
	free(path);
	free(prefix);
	return rc;
}

/* One part of a line: no tab, no line end. */
static void put(FILE *out, const char *text, char end)
{
	for (; text && *text; text++)
		putc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, out);
	putc(end, out);
}

static void tell(const struct ps_paths *paths, const struct toolchain_place *p,
		 enum toolchain_depth depth, FILE *out)
{
	struct toolchain t = { .prefix = p->prefix, .java = toolchain_java() };
	struct buf said = BUF_INIT;
	char hex[DIGEST_HEX] = "", made[DIGEST_HEX];
	struct ps_err err = { 0 };
	bool runs = p->finished && ask_versions(p->prefix, &said);
	const char *cache = depth == TOOLCHAIN_ANEW ? NULL : paths->work_build;
	const char *why = !p->finished ? "it was not finished; make it again" :
		!runs ? buf_str(&said) : "";

	made_digest(paths, p->name, made);
	if (runs && depth != TOOLCHAIN_QUICK && toolchain_digest(&t, cache, hex, &err) < 0) {
		*hex = '\0';
		runs = false;
		why = err.msg;
	}
	put(out, "toolchain", '\t');
	put(out, p->name, '\t');
	put(out, p->prefix, '\t');
	put(out, !p->finished ? "unfinished" : runs ? "ready" : "broken", '\t');
	put(out, hex, '\t');
	put(out, made, '\t');
	put(out, runs ? buf_str(&said) : "", '\t');
	put(out, why, '\n');
	buf_clear(&said);
	free(t.java);
}

bool toolchain_look(const struct config *cfg, const struct ps_paths *paths, const char *name,
		    enum toolchain_depth depth, FILE *out)
{
	struct toolchain_places all = toolchain_places(cfg, paths->toolchains);
	bool any = false;

	for (size_t i = 0; i < all.n; i++) {
		if (name && strcmp(all.v[i].name, name) != 0)
			continue;
		any = true;
		tell(paths, &all.v[i], depth, out);
	}
	toolchain_places_clear(&all);
	return any;
}
