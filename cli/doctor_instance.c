/* doctor_instance – the instance's own files, its agent, its disks and its clock. See doctor.h. */
#include "config.h"

#include "cli/doctor.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "cli/show.h"
#include "common/base/clock.h"
#include "common/base/fsutil.h"
#include "common/config/policy.h"

enum { SPOOL_OLD_S = 600, CLOCK_SLACK_S = 60, SPOOL_COUNT_MAX = 20000 };

void doctor_configuration(struct doctor *d)
{
	struct diag_list diags = DIAG_LIST_INIT;
	struct ps_err err = { 0 };
	int rc = config_load(&d->cfg, d->cli->paths.config, &diags, &err);

	if (rc < 0)
		doctor_say(d, WELL_ERROR, "without it the agent does not start",
			   "penstock init DIR", "%s", err.msg);
	else if (!d->cfg)
		doctor_say(d, WELL_ERROR, "a reload keeps the old one, and a start is refused",
			   "penstock config check", "'%s' has %zu errors", d->cli->paths.config,
			   diags.errors);
	else
		doctor_say(d, WELL_OK, NULL, NULL, "%zu environments, %zu fabrics, %zu teams, %zu "
			   "roots of repositories", d->cfg->nenvironments, d->cfg->nfabrics,
			   d->cfg->nteams, d->cfg->nroots);
	diag_clear(&diags);
}

char *doctor_start(const struct doctor *d)
{
	char *dir = cli_quote(d->cli->paths.base);
	char *text = d->cli->paths.system ? xstrdup("systemctl start penstock") :
		xasprintf("penstockd --detach %s", dir);

	free(dir);
	return text;
}

void doctor_agent(struct doctor *d)
{
	const json_t *agent = json_object_get(d->status, "agent");
	const json_t *warnings = json_object_get(d->status, "warnings");
	size_t i;
	json_t *text;

	if (!d->status) {
		char *start = doctor_start(d);

		doctor_say(d, WELL_ERROR, "pushes are judged and kept meanwhile; nothing is built "
			   "or deployed", start, "does not answer at '%s'", d->cli->paths.api_sock);
		free(start);
		return;
	}
	doctor_say(d, WELL_OK, NULL, NULL, "version %s, running since %s",
		   show_text(agent, "version"), show_text(agent, "since"));
	if (json_is_object(json_object_get(d->status, "recovery")))
		doctor_say(d, WELL_ERROR, "the store came from a backup; nothing deploys and no "
			   "job runs until somebody has looked", "penstock resume --all",
			   "in recovery: %s", show_text(json_object_get(d->status, "recovery"),
							"why"));
	json_array_foreach(warnings, i, text)
		doctor_say(d, WELL_WARNING, "the agent says so itself", "penstock status", "%s",
			   json_string_value(text) ? json_string_value(text) : "?");
}

void doctor_policy(struct doctor *d)
{
	const char *path = d->cli->paths.policy;
	const char *held = show_text(json_object_get(d->status, "agent"), "policy_digest");
	char *mend = d->status ? xstrdup("penstock reload") : doctor_start(d);
	struct policy_head h;
	struct ps_err err = { 0 };
	struct stat st;

	if (policy_read_head(&h, path, &err) < 0) {
		doctor_say(d, WELL_ERROR, "without it hooks judge nothing, and what is pushed "
			   "while the agent is away is held", mend, "%s", err.msg);
		free(mend);
		return;
	}
	if (stat(path, &st) == 0 && (st.st_mode & 0444) != 0444)
		doctor_say(d, WELL_ERROR, "hooks of other accounts cannot read it", mend,
			   "'%s' has mode %03o, not 644", path, st.st_mode & 0777);
	else if (d->cfg && strcmp(h.digest, d->cfg->digest) != 0)
		doctor_say(d, WELL_WARNING, "penstock.yml was changed and is not in force", mend,
			   "the policy in force is of an earlier penstock.yml");
	else if (*held && strcmp(h.digest, held) != 0)
		doctor_say(d, WELL_ERROR, "hooks and agent judge by different rules",
			   "penstock reload", "hooks read another policy than the agent has");
	else
		doctor_say(d, WELL_OK, NULL, NULL, "as penstock.yml is now, digest %.12s",
			   h.digest);
	policy_head_clear(&h);
	free(mend);
}

void doctor_keys(struct doctor *d)
{
	char *key = fs_join(d->cli->paths.keys, "release.key");
	char *close = xasprintf("chmod 600 %s", key);
	struct stat st;

	if (stat(key, &st) < 0)
		doctor_say(d, WELL_ERROR, "releases are not signed, and their deployments fail",
			   "penstock key rotate", "'%s' is not there", key);
	else if (st.st_mode & 077)
		doctor_say(d, WELL_ERROR, "who can read it can sign releases", close,
			   "'%s' has mode %03o, not 600", key, st.st_mode & 0777);
	else
		doctor_say(d, WELL_OK, NULL, NULL, "the key that signs releases is its owner's "
			   "alone");
	free(close);
	free(key);
}

/* ---- spool ---- */

struct waiting { size_t n; time_t oldest; };

static bool count_entries(const char *path, struct waiting *w)
{
	DIR *list = opendir(path);
	struct dirent *e;
	struct stat st;

	*w = (struct waiting) { 0 };
	while (list && w->n < SPOOL_COUNT_MAX && (e = readdir(list))) {
		if (e->d_name[0] == '.' || fstatat(dirfd(list), e->d_name, &st,
						   AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		w->n++;
		if (!w->oldest || st.st_mtime < w->oldest)
			w->oldest = st.st_mtime;
	}
	if (list)
		closedir(list);
	return list != NULL;
}

void doctor_spool(struct doctor *d)
{
	const char *path = d->cli->paths.spool;
	char *aside = fs_join(path, "aside"), *open_it = xasprintf("chmod 3773 %s", path);
	char *start = doctor_start(d);
	struct waiting w, put_aside;
	struct buf age = BUF_INIT;
	struct stat st;
	time_t now = (time_t)(clock_wall_ms() / 1000);

	if (stat(path, &st) < 0)
		doctor_say(d, WELL_ERROR, "what is pushed while the agent is away is found only by "
			   "the next look", start, "'%s' is not there", path);
	else if ((st.st_mode & 07777) != 03773)
		doctor_say(d, WELL_ERROR, "hooks of other accounts leave word there, and none may "
			   "read or remove what others left", open_it, "'%s' has mode %04o, not "
			   "3773", path, st.st_mode & 07777);
	if (!count_entries(path, &w)) {
		doctor_say(d, WELL_NOT_ASKED, NULL, NULL, "the entries are for the agent's user to "
			   "see");
	} else {
		if (w.n)
			term_span(&age, (int64_t)(now - w.oldest) * 1000);
		if (w.n && now - w.oldest > SPOOL_OLD_S && d->status)
			doctor_say(d, WELL_WARNING, "the agent takes entries at once; what stays "
				   "is no event yet", "penstock status", "%zu entries, the oldest "
				   "for %s", w.n, buf_str(&age));
		else if (w.n)
			doctor_say(d, WELL_OK, NULL, NULL, "%zu entries wait for the agent, the "
				   "oldest for %s", w.n, buf_str(&age));
		else
			doctor_say(d, WELL_OK, NULL, NULL, "empty");
		if (count_entries(aside, &put_aside) && put_aside.n)
			doctor_say(d, WELL_WARNING, "an entry that is torn or foreign was not made "
				   "an event", "penstock status", "%zu files set aside in '%s'",
				   put_aside.n, aside);
	}
	buf_clear(&age);
	free(start);
	free(open_it);
	free(aside);
}

/* ---- disks and clock ---- */

static void one_disk(struct doctor *d, const char *path, dev_t *seen, size_t *n, size_t max)
{
	unsigned wait = d->cfg ? d->cfg->disk.wait : 90, intake = d->cfg ?
		d->cfg->disk.intake_only : 97;
	struct statvfs v;
	struct stat st;
	unsigned used;
	fsblkcnt_t taken;

	if (stat(path, &st) < 0 || statvfs(path, &v) < 0) {
		char *start = doctor_start(d);

		doctor_say(d, WELL_ERROR, "the agent needs it and makes it", start,
			   "'%s' is not there", path);
		free(start);
		return;
	}
	for (size_t i = 0; i < *n; i++)
		if (seen[i] == st.st_dev)
			return;
	if (*n < max)
		seen[(*n)++] = st.st_dev;
	taken = v.f_blocks - v.f_bfree;		/* what is for root alone counts as neither */
	used = taken + v.f_bavail ? (unsigned)(taken * 100 / (taken + v.f_bavail)) : 0;
	if (used >= intake)
		doctor_say(d, WELL_ERROR, "only what hooks say is written", "penstock clean",
			   "'%s' is %u %% full", path, used);
	else if (used >= wait)
		doctor_say(d, WELL_WARNING, "builds wait", "penstock clean", "'%s' is %u %% full",
			   path, used);
	else if (v.f_files && v.f_favail * 100 / v.f_files < 3)
		doctor_say(d, WELL_ERROR, "no file can be made soon", "penstock clean",
			   "'%s' has %llu of %llu files left", path,
			   (unsigned long long)v.f_favail, (unsigned long long)v.f_files);
	else
		doctor_say(d, WELL_OK, NULL, NULL, "'%s' is %u %% full", path, used);
}

void doctor_disks(struct doctor *d)
{
	const struct ps_paths *p = &d->cli->paths;
	const char *const places[] = { p->state, p->artifacts, p->logs, p->work_build, p->fabrics };
	dev_t seen[PS_NELEM(places)];
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(places); i++)
		one_disk(d, places[i], seen, &n, PS_NELEM(seen));
}

/* Times of a store that was written later than now show a clock that went back. */
void doctor_clock(struct doctor *d)
{
	static const char later[] = "windows, freezes and lapses go by it, and ages are wrong";
	const char *const files[] = { d->cli->paths.store, d->cli->paths.policy,
				      d->cli->paths.boot };
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct timex t = { 0 };
	struct stat st;

	for (size_t i = 0; i < PS_NELEM(files); i++)
		if (stat(files[i], &st) == 0 && st.st_mtime > now + CLOCK_SLACK_S) {
			doctor_say(d, WELL_ERROR, later, "timedatectl", "'%s' was written %lld s "
				   "after now: the clock has gone back", files[i],
				   (long long)(st.st_mtime - now));
			return;
		}
	if (adjtimex(&t) == TIME_ERROR || (t.status & STA_UNSYNC))
		doctor_say(d, WELL_NOT_ASKED, NULL, "timedatectl", "nothing of ours is in the "
			   "future; the kernel does not know whether the clock is synchronised");
	else
		doctor_say(d, WELL_OK, NULL, NULL, "synchronised, and nothing of ours is in the "
			   "future");
}
