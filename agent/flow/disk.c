/* disk – see disk.h. Here also: the store's reserve is asked for whenever it may be missing. */
#include "config.h"

#include "agent/flow/disk.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include "common/base/log.h"

enum { EVERY_MS = 3000, STAY = 2 };

struct disk {
	struct core *core;
	struct loop_watch *timer;
	struct disk_place places[DISK_PLACES];
	dev_t devices[DISK_PLACES];
	size_t n;
	enum disk_level level;
};

enum disk_level disk_level_of(unsigned percent, enum disk_level was, unsigned wait,
			      unsigned intake_only)
{
	unsigned lowered = percent + STAY;

	if (percent >= intake_only || (was == DISK_INTAKE && lowered > intake_only))
		return DISK_INTAKE;
	return percent >= wait || (was >= DISK_WAIT && lowered > wait) ? DISK_WAIT : DISK_OK;
}

/* used of used + free, rounded up: a disk without a free block is 100. */
static unsigned percent_of(uint64_t all, uint64_t free_for_all, uint64_t free_for_us)
{
	uint64_t used = all > free_for_all ? all - free_for_all : 0, sum = used + free_for_us;

	return sum ? (unsigned)((used * 100 + sum - 1) / sum) : 0;
}

static bool look_at(struct disk_place *p)
{
	struct statvfs fs;
	unsigned inodes;

	if (statvfs(p->path, &fs) < 0)
		return false;
	p->percent = percent_of(fs.f_blocks, fs.f_bfree, fs.f_bavail);
	inodes = fs.f_files ? percent_of(fs.f_files, fs.f_ffree, fs.f_favail) : 0;
	if (inodes > p->percent)
		p->percent = inodes;
	p->total = (int64_t)(fs.f_blocks * fs.f_frsize);
	p->free = (int64_t)(fs.f_bavail * fs.f_frsize);
	return true;
}

/* Places on one file system are one; which those are may change while we run (a mount). */
static void find_places(struct disk *d)
{
	const struct ps_paths *p = d->core->paths;
	const char *const paths[DISK_PLACES] = { p->state, p->artifacts, p->logs, p->work_build,
						 p->fabrics };
	struct disk_place was[DISK_PLACES];
	size_t nwas = d->n;
	struct stat st;

	memcpy(was, d->places, sizeof(was));
	d->n = 0;
	for (size_t i = 0; i < DISK_PLACES; i++) {
		size_t k = 0;

		if (stat(paths[i], &st) < 0)
			continue;
		while (k < d->n && d->devices[k] != st.st_dev)
			k++;
		if (k < d->n)
			continue;
		d->devices[d->n] = st.st_dev;
		d->places[d->n] = (struct disk_place) { .path = paths[i] };
		for (size_t o = 0; o < nwas; o++)
			if (was[o].path == paths[i])
				d->places[d->n].level = was[o].level;
		d->n += look_at(&d->places[d->n]);
	}
}

static void look(struct disk *d)
{
	const struct conf_disk *limits = &d->core->policy->cfg->disk;
	enum disk_level was = d->level;

	find_places(d);
	d->level = DISK_OK;
	for (size_t i = 0; i < d->n; i++) {
		struct disk_place *p = &d->places[i];

		p->level = disk_level_of(p->percent, p->level, limits->wait, limits->intake_only);
		d->level = p->level > d->level ? p->level : d->level;
	}
	if (d->level == was)
		return;
	for (size_t i = 0; i < d->n; i++)
		log_warn("disk", d->places[i].path, "%u %% used: %s", d->places[i].percent,
			 d->places[i].level == DISK_OK	 ? "work goes on" :
			 d->places[i].level == DISK_WAIT ? "builds wait" :
							   "only what hooks say is written");
	core_kick(d->core);
}

static void on_timer(void *arg)
{
	struct disk *d = arg;

	look(d);
	store_reserve(d->core->store, d->core->policy->cfg->disk.reserve);
	loop_timer_set(d->timer, EVERY_MS);
}

int disk_open(struct disk **out, struct core *c, struct ps_err *err)
{
	struct disk *d = xcalloc(1, sizeof(*d));

	(void)err;
	d->core = c;
	d->timer = loop_timer(c->loop, on_timer, d);
	*out = d;
	on_timer(d);
	return 0;
}

void disk_close(struct disk *d)
{
	if (!d)
		return;
	loop_watch_free(d->timer);
	free(d);
}

size_t disk_places(const struct disk *d, const struct disk_place **out)
{
	*out = d->places;
	return d->n;
}

enum disk_level disk_now(const struct disk *d)
{
	return d ? d->level : DISK_OK;
}

char *disk_problem(const struct disk *d, const struct config *cfg)
{
	const struct disk_place *worst = NULL;
	bool only;

	for (size_t i = 0; d && i < d->n; i++)
		if (d->places[i].level && (!worst || d->places[i].level > worst->level))
			worst = &d->places[i];
	if (!worst)
		return NULL;
	only = worst->level == DISK_INTAKE;
	return xasprintf("the disk of '%s' is %u %% full or more: make room there", worst->path,
			 only ? cfg->disk.intake_only : cfg->disk.wait);
}
