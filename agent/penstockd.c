/*
 * penstockd – the parent. Starts the four roles, watches them, reloads, stops.
 *
 * It reads the configuration, and nothing of repositories, network or store. Start-up in order:
 * paths → one agent per instance (a lock on run/pid) → configuration, every finding → roles →
 * configuration to each → ready. Exit codes: 0, 1 (configuration, or the start failed), 2 (usage).
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/roles.h"
#include "agent/sysd.h"
#include "common/base/failpoint.h"
#include "common/base/fsutil.h"
#include "common/base/log.h"
#include "common/wire/route.h"

struct parent {
	struct ps_paths paths;
	struct users users;
	struct loop *loop;
	struct roles *roles;
	int pid_fd;
	int ready_fd;			/* --detach: whoever started us waits on it */
	bool refused;			/* a role could not begin: exit code 1 */
	struct loop_watch *term, *intr, *hup, *watchdog;
};

/* Is the file that is locked still the one at its path? Its last owner unlinks it when he ends. */
static bool lock_is_real(const struct parent *p)
{
	struct stat mine, there;

	return fstat(p->pid_fd, &mine) == 0 && stat(p->paths.pid, &there) == 0 &&
	       mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

static int lock_instance(struct parent *p, struct ps_err *err)
{
	char text[32];
	int n;

	for (;;) {
		p->pid_fd = open(p->paths.pid, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
		if (p->pid_fd < 0)
			return ps_err_errno(err, "cannot open '%s'", p->paths.pid);
		if (flock(p->pid_fd, LOCK_EX | LOCK_NB) < 0)
			return ps_err_set(err, PS_EBUSY,
					  "an agent runs here already ('%s' is locked); "
					  "stop it by: penstock -C %s stop", p->paths.pid,
					  p->paths.base);
		if (lock_is_real(p))
			break;
		close(p->pid_fd);
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(p->pid_fd, 0) < 0 || pwrite(p->pid_fd, text, (size_t)n, 0) != n)
		return ps_err_errno(err, "cannot write '%s'", p->paths.pid);
	return 0;
}

/* Reads and checks penstock.yml; findings go to text. PS_ECONFIG when it has errors; else *cfg is
 * the caller's. */
static int read_config(struct parent *p, struct config **cfg, struct buf *yaml, struct buf *text,
		       struct ps_err *err)
{
	struct diag_list diags = DIAG_LIST_INIT;
	int rc = fs_read(yaml, AT_FDCWD, p->paths.config, PS_YAML_MAX, err);

	*cfg = NULL;
	if (rc == 0)
		rc = config_parse(cfg, p->paths.config, buf_str(yaml), yaml->len, &diags, err);
	diag_sort(&diags);
	diag_print(text, &diags, 0);
	if (rc == 0 && !*cfg)
		rc = ps_err_set(err, PS_ECONFIG, "'%s' has %zu error%s", p->paths.config,
				diags.errors, diags.errors == 1 ? "" : "s");
	diag_clear(&diags);
	return rc;
}

/* What this process must do for a configuration before any role sees it. */
static int prepare(const struct parent *p, const struct config *cfg, struct ps_err *err)
{
	if (!users_are(&p->users, cfg))
		return ps_err_set(err, PS_ECONFIG,
				  "'roles' has changed: processes keep the user they began with; "
				  "stop the agent and start it");
	return places_fabrics(&p->users, &p->paths, cfg, err);
}

static void reload(struct parent *p, uint64_t id)
{
	struct buf yaml = BUF_INIT, text = BUF_INIT;
	struct config *cfg;
	struct ps_err err = { 0 };
	int rc;

	sysd_tell_reloading();
	rc = read_config(p, &cfg, &yaml, &text, &err);

	if (rc == 0)
		rc = prepare(p, cfg, &err);
	config_free(cfg);
	if (rc == 0)
		rc = roles_reload(p->roles, id, buf_str(&yaml), yaml.len, &err);
	if (rc < 0) {
		log_error("config", NULL, "not reloaded, the old one stays in force: %s", err.msg);
		sysd_tell("READY=1");
		buf_addf(&text, "%s; the old configuration stays in force\n", err.msg);
		roles_tell_core(p->roles, id, buf_str(&text), NULL);
	}
	buf_clear(&yaml);
	buf_clear(&text);
}

static void on_reloaded(uint64_t id, const char *problem, void *arg)
{
	struct parent *p = arg;

	sysd_tell("READY=1");
	if (problem)
		log_error("config", NULL, "not reloaded: %s", problem);
	else
		log_info("config", NULL, "reloaded");
	roles_tell_core(p->roles, id, problem, problem ? NULL : "reloaded");
}

static void stop(struct parent *p, const char *why)
{
	sysd_tell("STOPPING=1");
	roles_stop(p->roles, why);
}

static void on_asked(const char *what, uint64_t id, void *arg)
{
	struct parent *p = arg;

	if (strcmp(what, "reload") == 0) {
		reload(p, id);
	} else if (strcmp(what, "stop") == 0) {
		roles_tell_core(p->roles, id, NULL, "stopping");
		stop(p, "asked by the API");
	} else {
		roles_tell_core(p->roles, id, "the parent does not know this", NULL);
	}
}

static void on_ready(void *arg)
{
	struct parent *p = arg;

	log_info("agent", NULL, "ready in '%s'", p->paths.base);
	sysd_tell("READY=1");
	if (p->ready_fd >= 0) {
		if (write(p->ready_fd, "r", 1) < 0)
			log_warn("agent", NULL, "nobody waits for the start any more");
		close(p->ready_fd);
		p->ready_fd = -1;
	}
}

static void on_refused(const char *role, void *arg)
{
	struct parent *p = arg;

	log_error("agent", NULL,
		  "not started: the %s role cannot work here; its message above says why", role);
	p->refused = true;
	stop(p, "a role cannot start");
}

static void on_stopped(void *arg)
{
	struct parent *p = arg;

	loop_stop(p->loop);
}

static void on_term(void *arg)
{
	struct parent *p = arg;

	stop(p, "signal");
}

/* The loop still turns: it starts roles that end, so those are its to look after. */
static void on_watchdog(void *arg)
{
	struct parent *p = arg;

	sysd_tell("WATCHDOG=1");
	loop_timer_set(p->watchdog, sysd_watchdog_ms());
}

static void on_hup(void *arg)
{
	reload(arg, 0);
}

/* What a kill -9 left half-written goes, and each folder to its role: nobody writes there yet. */
static int tidy(const struct parent *p, const struct config *cfg, struct ps_err *err)
{
	int rc = fs_sweep_tmp(p->paths.artifacts, err);

	if (rc == 0)
		rc = places_give(&p->users, &p->paths, err);
	return rc == 0 ? prepare(p, cfg, err) : rc;
}

/* Forks; the first process waits until the second is ready and tells by its exit code. */
static int detach(struct parent *p, struct ps_err *err)
{
	char *log = fs_join(p->paths.logs, "penstockd.log");
	int fds[2], null, out;
	char c;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return ps_err_errno(err, "cannot make a pipe");
	/* a role owns that folder, perhaps */
	out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (out < 0)
		return ps_err_errno(err, "cannot open '%s'", log);
	pid = fork();
	if (pid < 0)
		return ps_err_errno(err, "cannot fork");
	if (pid > 0) {
		ssize_t n;

		close(fds[1]);
		do {
			n = read(fds[0], &c, 1);
		} while (n < 0 && errno == EINTR);
		if (n != 1)
			fprintf(stderr, "penstockd: did not start; see '%s'\n", log);
		_exit(n == 1 ? 0 : 1);
	}
	close(fds[0]);
	setsid();
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		return ps_err_errno(err, "cannot detach");
	close(null);
	close(out);
	free(log);
	p->ready_fd = fds[1];
	return 0;
}

static int start(struct parent *p, const char *dir, bool background, struct ps_err *err)
{
	static const struct roles_ops ops = { on_ready, on_refused, on_stopped, on_asked,
					      on_reloaded };
	struct buf yaml = BUF_INIT, text = BUF_INIT;
	struct config *cfg = NULL;
	int rc = ps_paths_init(&p->paths, dir, err);

	if (rc == 0)
		rc = ps_paths_make(&p->paths, err);
	if (rc == 0)
		rc = read_config(p, &cfg, &yaml, &text, err);
	fputs(buf_str(&text), stderr);
	if (rc == 0)
		rc = users_find(&p->users, cfg, err);
	if (rc == 0 && background)
		rc = detach(p, err);
	if (rc == 0)
		rc = lock_instance(p, err);
	if (rc == 0)
		rc = tidy(p, cfg, err);
	if (rc == 0)
		rc = loop_new(&p->loop, err);
	if (rc == 0) {
		p->term = loop_signal(p->loop, SIGTERM, on_term, p);
		p->intr = loop_signal(p->loop, SIGINT, on_term, p);
		p->hup = loop_signal(p->loop, SIGHUP, on_hup, p);
		p->watchdog = loop_timer(p->loop, on_watchdog, p);
		if (sysd_watchdog_ms())
			loop_timer_set(p->watchdog, sysd_watchdog_ms());
		rc = roles_start(&p->roles, p->loop, &p->paths, &p->users,
				 dir ? p->paths.base : NULL, buf_str(&yaml), yaml.len, &ops, p,
				 err);
		sysd_close_others();
	}
	config_free(cfg);
	buf_clear(&yaml);
	buf_clear(&text);
	return rc;
}

static int usage(void)
{
	fprintf(stderr, "usage: penstockd [--detach] [DIR]\n"
			"  DIR       instance made by 'penstock init DIR'; without it "
		"/etc/penstock\n"
			"  --detach  go on in the background once the agent is ready\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "detach", no_argument, NULL, 'd' }, { "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
	};
	struct parent p = { .pid_fd = -1, .ready_fd = -1 };
	struct ps_err err = { 0 };
	bool background = false;
	int c, rc;

	route_as(SPEAKER_parent);
	failpoint_main(argc, argv);
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			background = true;
		else if (c == 'V')
			return printf("penstockd %s\n", VERSION) < 0;
		else
			return usage();
	}
	if (argc - optind > 1)
		return usage();
	log_open("parent");
	signal(SIGPIPE, SIG_IGN);
	sysd_init();
	/* secrets may be in its environment; what a role may not be, it may not look into either */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		log_warn("agent", NULL, "its memory may be read by other processes of its user");
	rc = start(&p, argv[optind], background, &err);
	if (rc == 0)
		rc = loop_run(p.loop, &err);
	if (rc < 0)
		log_error("agent", NULL, "%s", err.msg);
	roles_free(p.roles);
	loop_watch_free(p.term);
	loop_watch_free(p.intr);
	loop_watch_free(p.hup);
	loop_watch_free(p.watchdog);
	loop_free(p.loop);
	if (p.pid_fd >= 0) {
		if (rc == 0)
			unlink(p.paths.pid);
		close(p.pid_fd);
	}
	users_clear(&p.users);
	ps_paths_clear(&p.paths);
	return rc < 0 || p.refused ? 1 : 0;
}
