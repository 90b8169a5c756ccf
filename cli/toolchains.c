#include "config.h"

#include "cli/toolchains.h"

#include <sys/wait.h>
#include <unistd.h>

#include "cli/show.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"

enum { SAID_MAX = 4 << 20, PARTS = 8 };

/* Cuts a line at its tabs; parts that are not there are "". */
static void cut(char *line, char *parts[PARTS])
{
	for (size_t i = 0; i < PARTS; i++) {
		char *tab = strchr(line, '\t');

		parts[i] = line;
		if (tab)
			*tab = '\0';
		line = tab ? tab + 1 : line + strlen(line);
	}
}

static json_t *text_or_null(const char *text)
{
	return *text ? show_string(text) : json_null();
}

static void take_line(struct toolchains *t, char *line)
{
	char *p[PARTS];

	cut(line, p);
	if (strcmp(p[0], "sandbox") == 0) {
		t->sandbox = strcmp(p[1], "ok") == 0;
		free(t->sandbox_why);
		t->sandbox_why = xstrdup(p[2]);
	} else if (strcmp(p[0], "toolchain") == 0) {
		json_array_append_new(t->items, json_pack(
			"{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id", show_string(p[1]), "state",
			show_string(p[3]), "prefix", show_string(p[2]), "digest",
			text_or_null(p[4]), "made", text_or_null(p[5]), "versions",
			text_or_null(p[6]), "reason", text_or_null(p[7])));
	}
}

int toolchains_look(struct toolchains *t, const struct cli *cli, const char *name, const char *how,
		    struct ps_err *err)
{
	char *program = fs_find_program("penstock-build"), ended[64], *save = NULL;
	const char *argv[6] = { program, "--look", cli->paths.system ? "-" : cli->paths.base };
	struct spawn s = { .argv = argv, .env = (const char *const *)environ, .in = -1, .out = -1,
			   .errout = STDERR_FILENO };
	struct buf said = BUF_INIT;
	int status = 0, n = 3, rc;

	if (!program)
		return ps_err_set(err, PS_ENOENT, "the program 'penstock-build' is not beside "
				  "penstock: installed in part?");
	if (how)
		argv[n++] = how;
	argv[n] = name;
	rc = spawn_capture(&s, &said, SAID_MAX, &status, err);
	if (rc == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
		rc = ps_err_set(err, PS_EIO, "'%s' ended with %s", program,
				spawn_status_text(ended, status));
	if (rc == 0) {
		*t = (struct toolchains) { .sandbox_why = xstrdup("not asked"),
					   .items = json_array() };
		for (char *line = strtok_r(said.len ? said.data : NULL, "\n", &save); line;
		     line = strtok_r(NULL, "\n", &save))
			take_line(t, line);
	}
	buf_clear(&said);
	free(program);
	return rc;
}

void toolchains_clear(struct toolchains *t)
{
	json_decref(t->items);
	PS_FREE(t->sandbox_why);
	t->items = NULL;
}
