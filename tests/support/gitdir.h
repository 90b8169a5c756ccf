/*
 * gitdir – a temporary folder with real repositories, for unit tests. The test's working folder is
 * the temporary one between gitdir_enter() and gitdir_leave(), so paths in rows stay short.
 */
#ifndef TEST_GITDIR_H
#define TEST_GITDIR_H

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/base/fsutil.h"

/* valgrind before 3.22 knows no openat2(2), without which no folder is opened as a tree. */
#define NEED_OPENAT2() do {						\
	if (syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno == ENOSYS) {	\
		print_message("skipped: no openat2(2) here\n");		\
		skip();							\
	}								\
} while (0)

static char gitdir_name[64];
static int gitdir_back = -1;

static inline int gitdir_enter(void **state)
{
	(void)state;
	snprintf(gitdir_name, sizeof(gitdir_name), "tmp_gitdir.XXXXXX");
	gitdir_back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_AUTHOR_NAME", "ana", 1);
	setenv("GIT_AUTHOR_EMAIL", "ana@example.net", 1);
	setenv("GIT_COMMITTER_NAME", "ana", 1);
	setenv("GIT_COMMITTER_EMAIL", "ana@example.net", 1);
	return gitdir_back >= 0 && mkdtemp(gitdir_name) && chdir(gitdir_name) == 0 ? 0 : -1;
}

static inline int gitdir_leave(void **state)
{
	struct ps_err err = { 0 };
	int rc;

	(void)state;
	if (fchdir(gitdir_back) < 0)
		return -1;
	rc = fs_remove_tree(AT_FDCWD, gitdir_name, &err);
	close(gitdir_back);
	return rc;
}

/* Runs a shell line; the test fails when it does. */
static inline void gitdir_sh(const char *fmt, ...) PS_PRINTF(1, 2);
static inline void gitdir_sh(const char *fmt, ...)
{
	va_list ap;
	char *line;

	va_start(ap, fmt);
	line = xvasprintf(fmt, ap);
	va_end(ap);
	if (system(line) != 0)
		fail_msg("failed: %s", line);
	free(line);
}

/* The first line that a shell line prints, without its newline; in a static buffer of 16. */
static inline const char *gitdir_out(const char *line)
{
	static char slots[16][256];
	static unsigned next;
	char *out = slots[next++ % 16];
	FILE *p = popen(line, "r");

	assert_non_null(p);
	if (!fgets(out, sizeof(slots[0]), p))
		*out = '\0';
	out[strcspn(out, "\n")] = '\0';
	assert_int_equal(pclose(p), 0);
	return out;
}

/* Writes a file, making its folders. */
static inline void gitdir_file(const char *path, const char *text)
{
	char *dir = xstrdup(path), *slash = strrchr(dir, '/');
	FILE *f;

	if (slash) {
		*slash = '\0';
		assert_int_equal(fs_mkdirs(dir, 0755, NULL), 0);
	}
	free(dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
}

#endif
