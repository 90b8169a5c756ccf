/* output – see output.h. */
#include "config.h"

#include "agent/deploy/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/fsutil.h"
#include "common/base/logfile.h"

static int append(int fd, const char *path, const struct buf *text, int64_t max, struct ps_err *err)
{
	struct stat st;
	char note[128];
	size_t upto = max && (int64_t)text->len > max ? (size_t)max : text->len, have;
	int rc;

	if (fstat(fd, &st) < 0)
		return ps_err_errno(err, "cannot look at '%s'", path);
	have = (size_t)st.st_size;
	if (have >= upto)
		return 0;
	rc = fs_write_all(fd, text->data + have, upto - have, err);
	if (rc == 0 && upto < text->len) {
		snprintf(note, sizeof(note), "\npenstock: more than %lld bytes; the rest is at the "
			 "provider\n", (long long)max);
		rc = fs_write_all(fd, note, strlen(note), err);
	}
	return rc;
}

int output_put(const char *folder, const char *task, const struct buf *text, int64_t max,
	       struct ps_err *err)
{
	char *path = logfile_of_task(folder, task);
	int fd, rc = text->len ? fs_mkdirs(folder, 0755, err) : 0;

	if (rc == 0 && text->len) {
		fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
			  0644);
		rc = fd < 0 ? ps_err_errno(err, "cannot open '%s'", path)
			    : append(fd, path, text, max, err);
		if (fd >= 0)
			close(fd);
	}
	free(path);
	return rc;
}

void output_last(const struct buf *text, char *out, size_t size)
{
	const char *p = text->data;
	size_t end = text->len, from;

	while (end && (p[end - 1] == '\n' || p[end - 1] == '\r' || p[end - 1] == ' '))
		end--;
	for (from = end; from && p[from - 1] != '\n' && p[from - 1] != '\r'; from--)
		;
	if (end - from >= size)
		end = from + size - 1;
	if (end > from)
		memcpy(out, p + from, end - from);
	out[end - from] = '\0';
}
