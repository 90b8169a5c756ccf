/* failpoint – see failpoint.h. Points find each other through a linker section. */
#include "config.h"

#include "common/base/failpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#ifdef PENSTOCK_FAILPOINTS

enum fp_action { FP_ERRNO, FP_STOP, FP_ONCE, FP_KILL };

struct armed {
	char *name, *who;		/* who: NULL for anybody */
	unsigned nth, hits;
	enum fp_action action;
	int error;
};

static struct armed *armed;
static size_t narmed, cap_armed;
static const struct failpoint **added;
static size_t nadded, cap_added;
static const char *self = "-";
static int log_fd = -1;

/* Defined by the linker where at least one point is in the program. */
extern struct failpoint *const __start_ps_failpoints[] __attribute__((weak));
extern struct failpoint *const __stop_ps_failpoints[] __attribute__((weak));

static const struct { const char *name; int value; } errnos[] = {
	{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EACCES", EACCES }, { "EMFILE", EMFILE },
	{ "ECONNREFUSED", ECONNREFUSED }, { "ETIMEDOUT", ETIMEDOUT }, { "ENOENT", ENOENT },
};

static const struct { const char *name; enum fp_action action; } deeds[] = {
	{ "stop", FP_STOP }, { "once", FP_ONCE }, { "kill", FP_KILL },
};

static void note(const char *word, const char *name)
{
	char line[256];
	int n;

	if (log_fd < 0)
		return;
	n = snprintf(line, sizeof(line), "%s %s %d %s\n", word, name, (int)getpid(), self);
	if (write(log_fd, line, (size_t)n) != n)
		log_fd = -1;		/* a test's own log is gone: nothing to tell it to */
}

/* Of all processes with this log, the first may stop. */
static bool first_to_stop(void)
{
	char mark[4096];
	int fd;

	if (log_fd < 0)
		return true;
	snprintf(mark, sizeof(mark), "%s.once", getenv("PENSTOCK_FAILPOINT_LOG"));
	fd = open(mark, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

bool failpoint_hit(struct failpoint *fp)
{
	if (!fp->logged) {
		fp->logged = true;
		note("hit", fp->name);
	}
	for (size_t i = 0; i < narmed; i++) {
		struct armed *a = &armed[i];

		if (strcmp(a->name, fp->name) != 0 || (a->who && strcmp(a->who, self) != 0) ||
		    ++a->hits != a->nth)
			continue;
		if (a->action == FP_ERRNO) {
			errno = a->error;
			return true;
		}
		if (a->action == FP_ONCE && !first_to_stop())
			continue;
		note(a->action == FP_KILL ? "killed" : "stopped", fp->name);
		kill(getpid(), a->action == FP_KILL ? SIGKILL : SIGSTOP);
	}
	return false;
}

static void arm(const char *name, unsigned nth, enum fp_action action, int error)
{
	const char *slash = strchr(name, '/');

	armed = xgrow(armed, narmed, &cap_armed, sizeof(*armed));
	armed[narmed++] = (struct armed) {
		.name = xstrdup(slash ? slash + 1 : name),
		.who = slash ? xstrndup(name, (size_t)(slash - name)) : NULL,
		.nth = nth ? nth : 1, .action = action, .error = error,
	};
}

void failpoint_arm(const char *name, unsigned nth, int error)
{
	arm(name, nth, FP_ERRNO, error);
}

void failpoint_reset(void)
{
	for (size_t i = 0; i < narmed; i++) {
		free(armed[i].name);
		free(armed[i].who);
	}
	free(armed);
	armed = NULL;
	narmed = cap_armed = 0;
}

/* One item of PENSTOCK_FAILPOINTS: name=action[@n]. A bad one stops the test that wrote it. */
static void arm_text(const char *item, size_t len)
{
	char text[128], *eq, *at;

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, item, len);
	text[len] = '\0';
	eq = strchr(text, '=');
	PS_BUG_IF(!eq, "PENSTOCK_FAILPOINTS: '%s' has no '='", text);
	*eq++ = '\0';
	at = strchr(eq, '@');
	if (at)
		*at++ = '\0';
	for (size_t i = 0; i < PS_NELEM(deeds); i++)
		if (strcmp(eq, deeds[i].name) == 0) {
			arm(text, at ? (unsigned)atoi(at) : 1, deeds[i].action, 0);
			return;
		}
	for (size_t i = 0; i < PS_NELEM(errnos); i++)
		if (strcmp(eq, errnos[i].name) == 0) {
			arm(text, at ? (unsigned)atoi(at) : 1, FP_ERRNO, errnos[i].value);
			return;
		}
	ps_bug(__FILE__, __LINE__, "PENSTOCK_FAILPOINTS: unknown action '%s'", eq);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

size_t failpoint_list(FILE *out)
{
	size_t n = (size_t)(__stop_ps_failpoints - __start_ps_failpoints), kept = 0;
	const char **names = xcalloc(n + nadded + 1, sizeof(*names));

	for (size_t i = 0; i < n; i++)
		names[i] = __start_ps_failpoints[i]->name;
	for (size_t i = 0; i < nadded; i++)
		names[n++] = added[i]->name;
	qsort(names, n, sizeof(*names), by_name);
	for (size_t i = 0; i < n; i++)
		if (!i || strcmp(names[i], names[i - 1]) != 0) {
			fprintf(out, "%s\n", names[i]);
			kept++;
		}
	free(names);
	return kept;
}

void failpoint_as(const char *who)
{
	self = who;
}

void failpoint_add(const struct failpoint *fp)
{
	added = xgrow(added, nadded, &cap_added, sizeof(*added));
	added[nadded++] = fp;
}

void failpoint_unlisted(const char *name)
{
	note("unlisted", name);
}

void failpoint_reopen(void)
{
	const char *log = getenv("PENSTOCK_FAILPOINT_LOG");

	log_fd = log && *log ? open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
}

void failpoint_main(int argc, char **argv)
{
	const char *spec = getenv("PENSTOCK_FAILPOINTS");

	if (argc == 2 && strcmp(argv[1], "--failpoints") == 0) {
		failpoint_list(stdout);
		exit(fflush(stdout) == 0 ? 0 : 1);
	}
	failpoint_reopen();
	while (spec && *spec) {
		size_t len = strcspn(spec, ",");

		if (len)
			arm_text(spec, len);
		spec += len + (spec[len] == ',');
	}
}

#else

void failpoint_arm(const char *name, unsigned nth, int error)
{
	(void)name;
	(void)nth;
	(void)error;
}

void failpoint_reset(void)
{
}

size_t failpoint_list(FILE *out)
{
	(void)out;
	return 0;
}

void failpoint_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
}

void failpoint_reopen(void)
{
}

void failpoint_as(const char *who)
{
	(void)who;
}

#endif
