/* backup, restore: a copy of the store while the agent works, and back into its place. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/act.h"
#include "cli/cmd.h"
#include "cli/show.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"

/* "20261127T015000Z": part of a file's name. */
static const char *stamp(char out[CLOCK_TEXT])
{
	char now[CLOCK_TEXT];
	size_t n = 0;

	clock_text(now, clock_wall_ms());
	for (const char *at = now; *at; at++)
		if (*at != '-' && *at != ':')
			out[n++] = *at;
	out[n] = '\0';
	return out;
}

/* The absolute path of the file to be: in the folder that was named, or as named. free() it. */
static char *target(const char *typed, struct ps_err *err)
{
	char real[PATH_MAX], name[CLOCK_TEXT], *copy = xstrdup(typed), *slash, *path = NULL;
	struct stat st;

	if (stat(typed, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (realpath(typed, real))
			path = xasprintf("%s/penstock-%s.db", real, stamp(name));
	} else {
		slash = strrchr(copy, '/');
		if (slash)
			*slash = '\0';
		if (realpath(!slash ? "." : *copy ? copy : "/", real))
			path = xasprintf("%s/%s", strcmp(real, "/") == 0 ? "" : real,
					 slash ? slash + 1 : copy);
	}
	if (!path)
		ps_err_errno(err, "cannot open the folder of '%s'", typed);
	free(copy);
	return path;
}

static void tell_backup(struct cli *cli, const char *path, const char *bytes)
{
	char *base = cli_quote(cli->paths.base);

	printf("backup of the store, %s bytes: ", bytes);
	show_escaped(path);
	printf("\nnot in it, copy too: %s, %s, %s\n", cli->paths.config, cli->paths.keys,
	       cli->paths.artifacts);
	printf("later: penstock -C %s restore FILE\n", base);
	free(base);
}

static int backup_exec(struct cli *cli, const struct cmd_args *a)
{
	struct ps_err err = { 0 };
	char *path = target(a->arg[0], &err);
	json_t *doc;
	int code;

	if (!path)
		return cli_fail_err(cli, &err, NULL);
	code = act_ask(cli, "/backup", json_pack("{s:s}", "path", path), &doc);
	if (code == CLI_OK && cli->json)
		show_json(doc);
	else if (code == CLI_OK)
		tell_backup(cli, path, show_text(doc, "text"));
	json_decref(doc);
	free(path);
	return code;
}

const struct cmd cmd_backup = {
	.name = "backup", .usage = "FILE|DIR", .group = "Administer",
	.help = "Write a consistent copy of the store while the agent works",
	.more = "The file must not be there yet; in a folder it gets a name with the time. It is "
		"for the agent's user\n"
		"alone. Keys, artifacts and penstock.yml are not in it. See penstock help restore.",
	.example = "backup /srv/backup", .needs = CMD_INSTANCE, .min = 1, .max = 1,
	.exec = backup_exec,
};

/* ---- restore ---- */

/* The parent's lock for as long as the descriptor is open: no agent starts meanwhile. */
static int lock_instance(const struct ps_paths *p, struct ps_err *err)
{
	int fd = open(p->pid, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", p->pid);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	close(fd);
	return ps_err_set(err, PS_EBUSY, "the agent runs: stop it first");
}

/* fd of a file that begins as SQLite's do. */
static int open_backup(const char *path, struct ps_err *err)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof(magic)] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", path);
	if (pread(fd, head, sizeof(head), 0) == sizeof(head) &&
	    memcmp(head, magic, sizeof(magic)) == 0)
		return fd;
	close(fd);
	return ps_err_set(err, PS_EINVAL, "'%s' is no backup of a store", path);
}

static int copy_fd(int from, int to, struct ps_err *err)
{
	char room[65536];
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = read(from, room, sizeof(room))) != 0)
		rc = n < 0 ? ps_err_errno(err, "cannot read the backup") :
			fs_write_all(to, room, (size_t)n, err);
	return rc;
}

/* What is there now goes aside with its log: a log that stayed would be read into the copy. */
static int set_aside(int dfd, const char *when, struct ps_err *err)
{
	static const char *const files[] = { "store.db-wal", "store.db-shm", "store.db" };

	for (size_t i = 0; i < PS_NELEM(files); i++) {
		char *aside = xasprintf("store.db.before-%s%s", when,
					files[i] + strlen("store.db"));
		int rc = renameat(dfd, files[i], dfd, aside);

		free(aside);
		if (rc < 0 && errno != ENOENT)
			return ps_err_errno(err, "cannot set '%s' aside", files[i]);
	}
	return 0;
}

static int put_back(const struct ps_paths *p, int from, const char *when, struct ps_err *err)
{
	char tmp[64];
	struct stat st;
	int dfd = open(p->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1, rc = 0;

	if (dfd < 0 || fstat(dfd, &st) < 0) {
		rc = ps_err_errno(err, "cannot open '%s'", p->state);
		goto out;
	}
	fs_tmp_name(tmp, sizeof(tmp));
	fd = openat(dfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || (geteuid() == 0 && fchown(fd, st.st_uid, st.st_gid) < 0))
		rc = ps_err_errno(err, "cannot make a file in '%s'", p->state);
	if (rc == 0)
		rc = copy_fd(from, fd, err);
	if (rc == 0)
		rc = set_aside(dfd, when, err);
	if (rc == 0)
		rc = fs_publish(dfd, tmp, "store.db", fd, err);
	if (rc < 0 && fd >= 0)
		unlinkat(dfd, tmp, 0);
out:
	if (fd >= 0)
		close(fd);
	if (dfd >= 0)
		close(dfd);
	return rc;
}

static int restore_exec(struct cli *cli, const struct cmd_args *a)
{
	struct ps_err err = { 0 };
	char when[CLOCK_TEXT];
	int lock = lock_instance(&cli->paths, &err), from = -1, rc = lock;

	if (rc >= 0)
		rc = from = open_backup(a->arg[0], &err);
	if (rc >= 0)
		rc = put_back(&cli->paths, from, stamp(when), &err);
	if (from >= 0)
		close(from);
	if (lock >= 0)
		close(lock);
	if (rc < 0)
		return cli_fail_err(cli, &err, lock == PS_EBUSY ? "penstock stop" : NULL);
	if (cli->json)
		printf("{\n  \"id\": \"store\",\n  \"state\": \"restored\"\n}\n");
	else
		printf("the store is the backup now; what was there: %s.before-%s\n"
		       "the next start is in recovery: nothing deploys until penstock resume "
		       "--all\n", cli->paths.store, when);
	return CLI_OK;
}

const struct cmd cmd_restore = {
	.name = "restore", .usage = "FILE", .group = "Administer",
	.help = "Put a backup of the store into its place, while the agent is stopped",
	.more = "The store that is there is set aside. The next start is in recovery: refs that "
		"moved since the backup\n"
		"become held events, nothing deploys and no job runs until penstock resume --all.",
	.example = "restore /srv/backup/penstock-20261127T015000Z.db", .needs = CMD_INSTANCE,
	.min = 1, .max = 1, .exec = restore_exec,
};
