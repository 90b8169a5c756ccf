/* init, reload, stop: an instance from its first file to its last process. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/fsutil.h"
#include "common/config/config.h"
#include "common/config/keys.h"
#include "common/config/policy.h"

enum { STOP_MS = 60000 };

/* 0 when the folder is absent, empty, or holds only what an init that was cut short has made. */
static int check_place(const char *dir, struct ps_err *err)
{
	static const char *const ours[] = { ".", "..", "state", "run", "keys", "verdicts",
					    "artifacts", "logs", "outputs", "work", "fabrics",
					    "repos", "toolchains", NULL };
	DIR *d = opendir(dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : ps_err_errno(err, "cannot open '%s'", dir);
	while (rc == 0 && (e = readdir(d))) {
		size_t i = 0;

		while (ours[i] && strcmp(ours[i], e->d_name) != 0)
			i++;
		if (!ours[i] && !ps_starts(e->d_name, ".tmp-"))
			rc = ps_err_set(err, PS_EEXIST,
					"'%s' is not empty and no instance: it has '%s'", dir,
					e->d_name);
	}
	closedir(d);
	return rc;
}

/* The snapshot that hooks read, so that a push is judged also before the agent has ever run. */
static int write_policy(const struct ps_paths *p, const struct buf *yaml, struct ps_err *err)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct config *cfg = NULL;
	int rc = config_parse(&cfg, "penstock.yml", buf_str(yaml), yaml->len, &diags, err);

	PS_BUG_IF(rc == 0 && !cfg, "the initial configuration has errors");
	if (rc == 0)
		rc = policy_write(p->policy, cfg, p->base, p->spool, geteuid(), buf_str(yaml),
				  yaml->len, NULL, 0, err);
	diag_clear(&diags);
	config_free(cfg);
	return rc;
}

static int write_config(const struct ps_paths *p, const char *toolchain, struct ps_err *err)
{
	const struct passwd *pw = getpwuid(geteuid());
	struct buf yaml = BUF_INIT;
	char uid[24];
	int dir, rc;

	snprintf(uid, sizeof(uid), "%u", (unsigned)geteuid());
	dir = open(p->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return ps_err_errno(err, "cannot open '%s'", p->base);
	config_initial(&yaml, pw ? pw->pw_name : uid, geteuid(), p->base, toolchain);
	rc = write_policy(p, &yaml, err);
	if (rc == 0)		/* last: with it the folder is an instance */
		rc = fs_write_file(dir, "penstock.yml", yaml.data, yaml.len, 0644, err);
	buf_clear(&yaml);
	close(dir);
	return rc;
}

/* The real path of a toolchain that can run Python; NULL and err when it is none. */
static char *check_toolchain(const char *prefix, struct ps_err *err)
{
	char *real = realpath(prefix, NULL), *python = fs_join(prefix, "bin/python3");

	if (!real)
		ps_err_errno(err, "cannot open the toolchain '%s'", prefix);
	else if (access(python, X_OK) < 0)
		ps_err_errno(err, "'%s' is no toolchain: cannot run '%s'", prefix, python);
	else
		goto out;
	PS_FREE(real);
out:
	free(python);
	return real;
}

static int report_init(struct cli *cli, const struct ps_paths *p, bool made, bool toolchain)
{
	char *dir;

	if (cli->json) {
		json_t *doc = json_pack("{s:s, s:s}", "id", p->base, "state",
					made ? "made" : "exists");

		show_json(doc);
		json_decref(doc);
		return CLI_OK;
	}
	dir = cli_quote(p->base);
	printf("%s '%s'\n", made ? "made the instance" : "there is an instance already in",
	       p->base);
	if (!made && toolchain)
		printf("note: its penstock.yml was not changed; name the toolchain there under "
		       "'toolchains:'\n");
	if (made && !toolchain)
		printf("note: builds wait until there is a toolchain: penstock -C %s toolchain "
		       "make NAME FILE\n", dir);
	printf("next: penstockd --detach %s\n", dir);
	free(dir);
	return CLI_OK;
}

static int init_exec(struct cli *cli, const struct cmd_args *a)
{
	const char *dir = a->n ? a->arg[0] : cli->instance;
	char *toolchain = NULL;
	struct ps_err err = { 0 };
	struct ps_paths p;
	bool exists;
	int rc = 0;

	if (!dir)
		return cli_fail(cli, CLI_USAGE, "penstock init DIR",
				"the folder of the instance is missing");
	if (a->opt[0] && !(toolchain = check_toolchain(a->opt[0], &err)))
		return cli_fail_err(cli, &err, NULL);
	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		rc = ps_err_errno(&err, "cannot make the folder '%s'", dir);
	if (rc < 0 || (rc = ps_paths_init(&p, dir, &err)) < 0) {
		free(toolchain);
		return cli_fail_err(cli, &err, NULL);
	}
	exists = fs_exists(p.config);
	if (!exists)
		rc = check_place(dir, &err);
	if (rc == 0)
		rc = ps_paths_make(&p, &err);
	if (rc == 0)
		rc = keys_make(p.keys, &err);
	if (rc == 0 && !exists)
		rc = write_config(&p, toolchain, &err);
	rc = rc < 0 ? cli_fail_err(cli, &err, NULL) :
		report_init(cli, &p, !exists, toolchain != NULL);
	ps_paths_clear(&p);
	free(toolchain);
	return rc;
}

const struct cmd cmd_init = {
	.name = "init", .usage = "DIR [--toolchain PREFIX]", .group = "Administer",
	.help = "Make an instance: a folder with everything one agent owns",
	.more = "Makes the folders, a key pair for releases and a penstock.yml to begin with. An "
		"instance that is\n"
		"there already is left as it is; a folder with other things in it is refused.",
	.example = "init /srv/penstock --toolchain /opt/pyspark",
	.needs = CMD_NOTHING, .min = 0, .max = 1,
	.opts = { { "toolchain", 't', "PREFIX", "an existing Python prefix that builds use" } },
	.exec = init_exec,
};

static int reload_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *doc;
	int code = client_post(cli, "/reload", NULL, &doc);

	(void)a;
	if (code)
		return code;
	if (cli->json)
		show_json(doc);
	else
		printf("reloaded '%s'\n", cli->paths.config);
	json_decref(doc);
	return CLI_OK;
}

const struct cmd cmd_reload = {
	.name = "reload", .usage = "", .group = "Administer",
	.help = "Take penstock.yml anew: all of it, or with any error none of it",
	.example = "reload", .needs = CMD_INSTANCE, .exec = reload_exec,
};

/* A pidfd of the parent, or -1 when no agent holds the instance's lock. */
static int agent_pidfd(const struct ps_paths *p)
{
	int fd = open(p->pid, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), pidfd = -1;
	char text[32] = "";
	bool held;

	if (fd < 0)
		return -1;
	held = flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
	if (held && pread(fd, text, sizeof(text) - 1, 0) > 0 && atoi(text) > 1)
		pidfd = (int)syscall(SYS_pidfd_open, atoi(text), 0);
	close(fd);
	return pidfd;
}

static int stopped(struct cli *cli, const char *text)
{
	if (cli->json)
		printf("{\n  \"id\": \"agent\",\n  \"state\": \"stopped\"\n}\n");
	else
		printf("%s\n", text);
	return CLI_OK;
}

static int stop_exec(struct cli *cli, const struct cmd_args *a)
{
	int pidfd = agent_pidfd(&cli->paths), code, n;
	json_t *doc = NULL;

	(void)a;
	if (pidfd < 0)
		return stopped(cli, "no agent runs here");
	code = client_post_quiet(cli, "/stop", NULL, &doc);
	json_decref(doc);
	if (code == CLI_NO_AGENT && syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0) < 0 &&
	    errno != ESRCH)
		code = cli_fail(cli, CLI_NO_AGENT, NULL,
				"core does not answer and its parent cannot be told: %s",
				strerror(errno));
	else if (code == CLI_NO_AGENT)
		code = CLI_OK;
	if (code == CLI_OK) {
		do {
			n = poll(&(struct pollfd) { .fd = pidfd, .events = POLLIN }, 1, STOP_MS);
		} while (n < 0 && errno == EINTR);
		code = n == 1 ? stopped(cli, "stopped")
			      : cli_fail(cli, CLI_NO, NULL,
					 "the agent is still stopping after %d s", STOP_MS / 1000);
	}
	close(pidfd);
	return code;
}

const struct cmd cmd_stop = {
	.name = "stop", .usage = "", .group = "Administer",
	.help = "End the agent; what waits goes on after the next start, pushes are judged "
		"meanwhile",
	.example = "stop", .needs = CMD_INSTANCE, .exec = stop_exec,
};
