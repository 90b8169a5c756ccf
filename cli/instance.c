#include "config.h"

#include "cli/cli.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/escape.h"
#include "common/base/fsutil.h"

enum { TOKEN_MAX = 4096 };

int cli_instance(struct cli *cli)
{
	struct ps_err err = { 0 };

	if (cli->have_paths)
		return 0;
	if (ps_paths_init(&cli->paths, cli->instance, &err) < 0)
		return cli_fail_err(cli, &err, "penstock init DIR");
	cli->have_paths = true;
	if (cli->url || fs_exists(cli->paths.config))
		return 0;
	if (cli->paths.system)
		return cli_fail(cli, CLI_NO, "penstock init DIR, then penstock -C DIR ...",
				"no instance was chosen and the system's configuration "
				"'%s' is not there",
				cli->paths.config);
	return cli_fail(cli, CLI_NO, "penstock init DIR",
			"'%s' is no instance: it has no penstock.yml", cli->instance);
}

static bool is_loopback(const char *host)
{
	return ps_starts(host, "127.") || ps_starts(host, "[::1]") || ps_starts(host, "localhost");
}

/* A token in the clear goes nowhere but to this machine. */
static int check_url(struct cli *cli)
{
	const char *plain = "http://";
	bool here = ps_starts(cli->url, plain) && is_loopback(cli->url + strlen(plain)) &&
		    !strchr(cli->url, '@');

	if (here || ps_starts(cli->url, "https://"))
		return 0;
	return cli_fail(cli, CLI_USAGE, NULL, "PENSTOCK_URL is an address like "
			"http://127.0.0.1:8730, or https where it is another machine; not '%s'",
			cli->url);
}

static int read_token(struct cli *cli, const char *file)
{
	struct buf b = BUF_INIT;
	struct ps_err err = { 0 };
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		rc = ps_err_errno(&err, "cannot open '%s'", file);
	else if (st.st_mode & 077)
		rc = ps_err_set(&err, PS_EPERM, "others may read or write '%s'", file);
	else
		rc = fs_read_fd(&b, fd, TOKEN_MAX, &err);
	if (fd >= 0)
		close(fd);
	if (rc < 0) {
		buf_clear(&b);
		return cli_fail_err(cli, &err, err.code == PS_EPERM ? "chmod 600 on it" : NULL);
	}
	free(cli->token);
	cli->token = buf_steal(&b);
	cli->token[strcspn(cli->token, "\r\n")] = '\0';
	return 0;
}

int cli_token(struct cli *cli, const char *file)
{
	const char *url = getenv("PENSTOCK_URL"), *token = getenv("PENSTOCK_TOKEN");
	int rc = 0;

	cli->url = url && *url ? url : NULL;
	cli->token = token && *token ? xstrdup(token) : NULL;
	if (cli->url)
		rc = check_url(cli);
	return rc == 0 && file ? read_token(cli, file) : rc;
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
	else if (cli->command)
		fprintf(stderr, "next: penstock help %s\n", cli->command);
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

char *cli_quote(const char *path)
{
	return escape_shell(path);
}

const char *cli_self(const struct cli *cli)
{
	static char text[4096];
	char *dir = cli->instance && !getenv("PENSTOCK_INSTANCE") ? cli_quote(cli->instance) : NULL;

	snprintf(text, sizeof(text), "penstock%s%s", dir ? " -C " : "", dir ? dir : "");
	free(dir);
	return text;
}
