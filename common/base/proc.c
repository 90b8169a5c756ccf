/* proc – see proc.h. */
#include "config.h"

#include "common/base/proc.h"

#include <fcntl.h>

#include "common/base/buf.h"
#include "common/base/fsutil.h"

/* Fields 4 and 22 of stat(5); the name may hold blanks and brackets, so it ends at the last one. */
bool proc_stat(struct proc_stat *out, pid_t pid)
{
	struct buf text = BUF_INIT;
	unsigned long long start = 0;
	char path[64], *open, *close;
	int parent = 0;
	bool ok = false;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read(&text, AT_FDCWD, path, 4096, NULL) == 0 &&
	    (open = strchr(buf_str(&text), '(')) && (close = strrchr(open, ')'))) {
		*close = '\0';
		snprintf(out->name, sizeof(out->name), "%s", open + 1);
		ok = sscanf(close + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u"
			    " %*d %*d %*d %*d %*d %*d %llu", &parent, &start) == 2;
	}
	buf_clear(&text);
	out->parent = parent;
	out->start = start;
	return ok;
}

bool proc_lives(pid_t pid, uint64_t start)
{
	struct proc_stat st;

	return pid > 0 && proc_stat(&st, pid) && st.start == start;
}
