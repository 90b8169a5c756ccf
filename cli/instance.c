#include "config.h"

#include "cli/cli.h"

#include "common/base/buf.h"
#include "common/base/escape.h"
#include "common/base/fsutil.h"

int cli_instance(struct cli *cli)
{
	struct ps_err err = { 0 };

	if (cli->have_paths)
		return 0;
	if (ps_paths_init(&cli->paths, cli->instance, &err) < 0)
		return cli_fail_err(cli, &err, "penstock init DIR");
	cli->have_paths = true;
	if (fs_exists(cli->paths.config))
		return 0;
	if (cli->paths.system)
		return cli_fail(cli, CLI_NO, "penstock init DIR, then penstock -C DIR ...",
				"no instance was chosen and the system's configuration "
				"'%s' is not there",
				cli->paths.config);
	return cli_fail(cli, CLI_NO, "penstock init DIR",
			"'%s' is no instance: it has no penstock.yml", cli->instance);
}

static void say(struct cli *cli, const char *what, const char *text)
{
	struct buf line = BUF_INIT;

	escape_buf(&line, text, strlen(text), true);
	fprintf(stderr, "%serror:%s %s\n", term_color(&cli->err, ROLE_BAD), term_plain(&cli->err),
		buf_str(&line));
	buf_clear(&line);
	if (what)
		fprintf(stderr, "next: %s\n", what);
}

int cli_fail(struct cli *cli, enum cli_exit code, const char *next, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	say(cli, next, text);
	free(text);
	return (int)code;
}

int cli_fail_err(struct cli *cli, const struct ps_err *err, const char *next)
{
	say(cli, next, ps_err_msg(err, err->code));
	return err->code == PS_EAGENT || err->code == PS_ETIME ? CLI_NO_AGENT : CLI_NO;
}

/* A path as a shell reads it back. free() it. */
char *cli_quote(const char *path)
{
	struct buf b = BUF_INIT;

	if (!strpbrk(path, " \t\n'\"\\$&;|<>()*?[]{}~#!`"))
		return xstrdup(path);
	buf_addch(&b, '\'');
	for (; *path; path++) {
		if (*path == '\'')
			buf_adds(&b, "'\\'");	/* out, a quote, and by the quote itself in again */
		buf_addch(&b, *path);
	}
	buf_addch(&b, '\'');
	return buf_steal(&b);
}

const char *cli_self(const struct cli *cli)
{
	static char text[4096];
	char *dir = cli->instance && !getenv("PENSTOCK_INSTANCE") ? cli_quote(cli->instance) : NULL;

	snprintf(text, sizeof(text), "penstock%s%s", dir ? " -C " : "", dir ? dir : "");
	free(dir);
	return text;
}
