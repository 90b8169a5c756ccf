/*
 * airflow_sftp – where archives lie: a folder of another machine, by OpenSSH's sftp.
 *
 * That program and no library: its rename replaces what is there at once (posix-rename), and keys,
 * known hosts and jumps are what the admin has set up for the user that deploys. It asks nothing
 * (BatchMode), so a host that it does not know is an error.
 */
#include "config.h"

#include "agent/deploy/fabric/airflow_parts.h"

#include <curl/curl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/escape.h"
#include "common/base/spawn.h"

enum { SAID_MAX = 4096 };

struct place {
	char *host, *port, *folder; /* user@host; NULL: the usual one; absolute */
};

static void place_clear(struct place *p)
{
	free(p->host);
	free(p->port);
	free(p->folder);
}

static char *part_of(CURLU *u, CURLUPart part, unsigned flags)
{
	char *got = NULL, *copy = NULL;

	if (curl_url_get(u, part, &got, flags) == CURLUE_OK && got && *got)
		copy = xstrdup(got);
	curl_free(got);
	return copy;
}

/* A word of a batch is quoted; what could end the quotes, or is an option, is no name of a folder.
 */
static bool is_usable(const struct place *p)
{
	return p->host && p->folder && p->host[0] != '-' && !strpbrk(p->folder, "\"\\\n*?[");
}

static int place_of(const struct afl *a, struct place *out, struct ps_err *err)
{
	CURLU *u = curl_url();
	char *user, *host;

	memset(out, 0, sizeof(*out));
	if (curl_url_set(u, CURLUPART_URL, a->conf->dags, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) {
		user = part_of(u, CURLUPART_USER, CURLU_URLDECODE);
		host = part_of(u, CURLUPART_HOST, 0);
		out->port = part_of(u, CURLUPART_PORT, 0);
		out->folder = part_of(u, CURLUPART_PATH, CURLU_URLDECODE);
		out->host = host && user ? xasprintf("%s@%s", user, host) : xstrdup_null(host);
		free(user);
		free(host);
	}
	curl_url_cleanup(u);
	if (is_usable(out))
		return 0;
	place_clear(out);
	return ps_err_set(err, PS_ECONFIG, "'dags' of fabric '%s' must be sftp://USER@HOST/PATH",
			  a->conf->name);
}

/* ---- one batch ---- */

/* The last that was said, but for sftp's own word of what ssh has told why. Of a long text the end:
 * a host key that has changed comes with much. */
static void last_line(int fd, char *out, size_t size)
{
	char said[SAID_MAX], *line, *rest = said, *last = NULL;
	off_t end = lseek(fd, 0, SEEK_END);
	ssize_t n = pread(fd, said, sizeof(said) - 1,
			  end >= SAID_MAX ? end - SAID_MAX + 1 : 0);

	said[n > 0 ? n : 0] = '\0';
	while ((line = strsep(&rest, "\r\n")))
		if (*line && (!last || !ps_starts(line, "Connection closed")))
			last = line;
	escape_line(out, size, last ? last : "");
}

static const char *advice(const char *line)
{
	return strstr(line, "Host key verification failed")
		       ? "; its key must stand in known_hosts of the user that deploys, and be the "
			 "one that it has"
		       : "";
}

static int run(const struct place *p, int batch, int said, const int *keep, size_t nkeep,
	       int *status, struct ps_err *err)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", "LC_ALL=C", NULL };
	const char *argv[16], *home = getenv("HOME");
	char *home_env = home ? xasprintf("HOME=%s", home) : NULL;
	const char *const with_home[] = { env[0], env[1], home_env, NULL };
	size_t n = 0;
	pid_t pid;
	int rc;

	argv[n++] = "/usr/bin/sftp";
	argv[n++] = "-oLogLevel=ERROR"; /* -q would keep it silent about why it failed */
	argv[n++] = "-b";
	argv[n++] = "-";
	argv[n++] = "-oBatchMode=yes";
	argv[n++] = "-oConnectTimeout=15";
	argv[n++] = "-oServerAliveInterval=15";
	if (p->port) {
		argv[n++] = "-P";
		argv[n++] = p->port;
	}
	argv[n++] = "--";
	argv[n++] = p->host;
	argv[n] = NULL;
	pid = spawn_start(&(struct spawn){ .argv = argv,
					   .env = home ? with_home : env,
					   .in = batch,
					   .out = -1,
					   .errout = said,
					   .keep = keep,
					   .nkeep = nkeep },
			  err);
	rc = pid < 0 ? (int)pid : spawn_wait(pid, status, err);
	free(home_env);
	return rc;
}

/* Runs the commands; the descriptors stay open for it. PS_ENOENT where sftp says so of a file. */
static int do_batch(const struct afl *a, const struct place *p, const struct buf *commands,
		    const int *keep, size_t nkeep, struct ps_err *err)
{
	int batch = memfd_create("batch", MFD_CLOEXEC), said = memfd_create("said", MFD_CLOEXEC);
	int status = 0, rc = 0;
	char line[300], how[64];

	if (batch < 0 || said < 0)
		rc = ps_err_errno(err, "cannot write to a file in memory");
	if (rc == 0)
		rc = fs_write_all(batch, buf_str(commands), commands->len, err);
	if (rc == 0 && lseek(batch, 0, SEEK_SET) < 0)
		rc = ps_err_errno(err, "cannot read a file in memory");
	if (rc == 0)
		rc = run(p, batch, said, keep, nkeep, &status, err);
	if (rc == 0 && !(WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		last_line(said, line, sizeof(line));
		rc = ps_err_set(err,
				strstr(line, "No such file") || strstr(line, "not found")
					? PS_ENOENT
					: PS_EIO,
				"sftp to '%s': %s%s", a->conf->dags,
				*line ? line : spawn_status_text(how, status),
				advice(line));
	}
	if (batch >= 0)
		close(batch);
	if (said >= 0)
		close(said);
	return rc;
}

/* ---- files ---- */

/* A file in memory with such bytes: sftp, which gets it open, opens it as /dev/fd/N. */
static int hold(const char *bytes, size_t n, struct ps_err *err)
{
	int fd = memfd_create("archive", MFD_CLOEXEC);
	int rc = fd < 0 ? ps_err_errno(err, "cannot write to a file in memory")
			: fs_write_all(fd, bytes, n, err);

	if (rc < 0 && fd >= 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* What sftp has written into it; nothing: there was no file. */
static int take(int fd, struct buf *out, struct ps_err *err)
{
	off_t n = lseek(fd, 0, SEEK_END);

	if (n == 0)
		return PS_ENOENT;
	if (n < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return ps_err_errno(err, "cannot read a file in memory");
	return fs_read_fd(out, fd, AFL_ZIP_MAX, err);
}

static int sftp_read(struct afl *a, const char *name, struct buf *out, struct ps_err *err)
{
	struct buf commands = BUF_INIT;
	struct place p;
	int rc = place_of(a, &p, err), fd;

	if (rc < 0)
		return rc;
	fd = hold("", 0, err);
	rc = fd < 0 ? fd : 0;
	/* "-get" goes on where there is no such file, "cd" does not where there is no folder */
	buf_addf(&commands, "cd \"%s\"\n-get \"%s\" /dev/fd/%d\n", p.folder, name, fd);
	if (rc == 0)
		rc = do_batch(a, &p, &commands, &fd, 1, err);
	if (rc == PS_ENOENT)
		rc = PS_EIO;
	if (rc == 0)
		rc = take(fd, out, err);
	if (fd >= 0)
		close(fd);
	buf_clear(&commands);
	place_clear(&p);
	return rc;
}

/* As airflow_place.c does it: written in a folder of ours that Airflow leaves alone, then renamed.
 */
static int sftp_write(struct afl *a, const char *name, const struct buf *bytes, struct ps_err *err)
{
	struct buf commands = BUF_INIT;
	struct place p;
	int rc = place_of(a, &p, err), fds[2] = { -1, -1 };

	if (rc < 0)
		return rc;
	fds[0] = hold("making\n", strlen("making\n"), err);
	fds[1] = fds[0] < 0 ? -1 : hold(buf_str(bytes), bytes->len, err);
	buf_addf(&commands,
		 "cd \"%s\"\n-mkdir .penstock\nput /dev/fd/%d .penstock/.airflowignore\n"
		 "put /dev/fd/%d .penstock/making\nchmod 644 .penstock/making\n"
		 "rename .penstock/making \"%s\"\n",
		 p.folder, fds[0], fds[1], name);
	rc = fds[0] < 0 ? fds[0] : fds[1] < 0 ? fds[1] : do_batch(a, &p, &commands, fds, 2, err);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	buf_clear(&commands);
	place_clear(&p);
	return rc == PS_ENOENT ? PS_EIO : rc; /* the folder is not there */
}

static int sftp_remove(struct afl *a, const char *name, struct ps_err *err)
{
	struct buf commands = BUF_INIT;
	struct place p;
	int rc = place_of(a, &p, err);

	if (rc < 0)
		return rc;
	buf_addf(&commands, "cd \"%s\"\nrm \"%s\"\n", p.folder, name);
	rc = do_batch(a, &p, &commands, NULL, 0, err);
	if (rc == PS_ENOENT) { /* no such file is fine, no such folder is not */
		buf_reset(&commands);
		buf_addf(&commands, "cd \"%s\"\n", p.folder);
		rc = do_batch(a, &p, &commands, NULL, 0, err);
	}
	buf_clear(&commands);
	place_clear(&p);
	return rc == PS_ENOENT ? PS_EIO : rc;
}

const struct afl_place afl_place_sftp = { sftp_read, sftp_write, sftp_remove };
