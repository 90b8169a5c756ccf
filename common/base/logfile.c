/* logfile – see logfile.h. */
#include "config.h"

#include "common/base/logfile.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fsutil.h"

#define HEAD_TEXT "penstock: this log goes on here at its byte "

char *logfile_part_path(const char *path, unsigned nr)
{
	return nr ? xasprintf("%s.%u", path, nr) : xstrdup(path);
}

const char *logfile_head(char *out, int64_t from)
{
	snprintf(out, LOGFILE_HEAD_MAX, HEAD_TEXT "%" PRId64 "\n", from);
	return out;
}

/* False when the part does not begin with the line it should: whoever wrote it was killed. */
static bool read_head(struct logfile_part *p)
{
	char text[LOGFILE_HEAD_MAX], want[LOGFILE_HEAD_MAX];
	ssize_t n = pread(p->fd, text, sizeof(text) - 1, 0);

	if (n <= (ssize_t)strlen(HEAD_TEXT))
		return false;
	text[n] = '\0';
	p->from = strtoll(text + strlen(HEAD_TEXT), NULL, 10);
	logfile_head(want, p->from);
	p->skip = (int64_t)strlen(want);
	return p->from > 0 && ps_starts(text, want);
}

/* 1: there; 0: not there, or not finished by a writer that was killed. */
static int open_part(struct logfile_part *p, const char *path, unsigned nr, struct ps_err *err)
{
	char *name = logfile_part_path(path, nr);
	struct stat st;
	int rc = 1;

	*p = (struct logfile_part){ .nr = nr };
	p->fd = open(name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (p->fd < 0)
		rc = errno == ENOENT ? 0 : ps_err_errno(err, "cannot open the log '%s'", name);
	else if (fstat(p->fd, &st) < 0 || !S_ISREG(st.st_mode))
		rc = ps_err_set(err, PS_EIO, "the log '%s' is no regular file", name);
	else if (nr && !read_head(p))
		rc = 0;
	else
		p->to = p->from + st.st_size - p->skip;
	if (rc != 1 && p->fd >= 0)
		close(p->fd);
	free(name);
	return rc;
}

int logfile_open(struct logfile *f, const char *path, struct ps_err *err)
{
	int rc = 0;

	*f = (struct logfile){ 0 };
	for (unsigned nr = 0; nr < LOGFILE_PARTS; nr++) {
		struct logfile_part p;
		size_t at = f->n;

		rc = open_part(&p, path, nr, err);
		if (rc < 0)
			break;
		if (rc == 0)
			continue;
		for (; at && f->part[at - 1].from > p.from; at--)
			f->part[at] = f->part[at - 1];
		f->part[at] = p;
		f->n++;
		if (p.to > f->length)
			f->length = p.to;
	}
	if (rc < 0)
		logfile_close(f);
	return rc < 0 ? rc : 0;
}

void logfile_close(struct logfile *f)
{
	for (size_t i = 0; i < f->n; i++)
		close(f->part[i].fd);
	f->n = 0;
}

int64_t logfile_kept(const struct logfile *f, int64_t offset)
{
	for (size_t i = 0; i < f->n; i++)
		if (offset < f->part[i].to)
			return offset > f->part[i].from ? offset : f->part[i].from;
	return f->length;
}

ssize_t logfile_read(const struct logfile *f, int64_t offset, void *p, size_t n,
		     struct ps_err *err)
{
	const struct logfile_part *part = NULL;
	ssize_t got;

	for (size_t i = 0; i < f->n; i++)
		if (offset >= f->part[i].from && offset < f->part[i].to)
			part = &f->part[i];
	if (!part)
		return 0;
	if ((int64_t)n > part->to - offset)
		n = (size_t)(part->to - offset);
	do
		got = pread(part->fd, p, n, part->skip + offset - part->from);
	while (got < 0 && errno == EINTR);
	return got < 0 ? ps_err_errno(err, "cannot read a log") : got;
}

char *logfile_of_task(const char *folder, const char *key)
{
	char *name = xasprintf("%s.log", key), *path;

	for (char *p = name; *p; p++)
		if (*p == '/' || iscntrl((unsigned char)*p) || (*p == '.' && p == name))
			*p = '_';
	path = fs_join(folder, name);
	free(name);
	return path;
}

int logfile_remove(const char *path, int64_t *freed, struct ps_err *err)
{
	int rc = 0;

	/* the beginning last: as long as it is there the log is known to be */
	for (unsigned nr = LOGFILE_PARTS; rc == 0 && nr-- > 0;) {
		char *name = logfile_part_path(path, nr);
		struct stat st;

		if (lstat(name, &st) == 0 && unlink(name) == 0) {
			if (freed)
				*freed += st.st_size;
		} else if (errno != ENOENT) {
			rc = ps_err_errno(err, "cannot remove the log '%s'", name);
		}
		free(name);
	}
	return rc;
}
