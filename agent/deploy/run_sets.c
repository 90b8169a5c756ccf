/* run_sets – the steps on a fabric that switches all jobs of a project at once; see run_parts.h. */
#include "config.h"

#include "agent/deploy/run_parts.h"

#include <jansson.h>

/* What is deployed, as a driver takes it. */
struct set {
	struct fabric_set set;
	struct fabric_file *files, *orphans;
	char **gone;
};

static struct fabric_file *definitions(const struct wire_rendered *v, size_t n)
{
	struct fabric_file *files = xcalloc(n + 1, sizeof(*files));

	for (size_t i = 0; i < n; i++)
		files[i] = (struct fabric_file) { xasprintf("%s.json", v[i].key), v[i].digest };
	return files;
}

static struct set set_of(const struct run *r)
{
	const struct wire_deploy_start *d = r->d;
	struct set s = {
		.files = definitions(d->jobs.v, d->jobs.n),
		.orphans = definitions(d->orphans.v, d->orphans.n),
		.gone = xcalloc(d->gone.n + 1, sizeof(*s.gone)),
	};

	for (size_t i = 0; i < d->gone.n; i++)
		s.gone[i] = xasprintf("%s.json", d->gone.v[i].key);
	s.set = (struct fabric_set) {
		r->digest, buf_str(&r->stamp), s.files, d->jobs.n, s.orphans, d->orphans.n,
		(const char *const *)s.gone, d->gone.n,
	};
	return s;
}

static void set_clear(struct set *s)
{
	for (size_t i = 0; i < s->set.nfiles; i++)
		free((char *)s->files[i].path);
	for (size_t i = 0; i < s->set.norphans; i++)
		free((char *)s->orphans[i].path);
	for (size_t i = 0; i < s->set.ngone; i++)
		free(s->gone[i]);
	free(s->files);
	free(s->orphans);
	free(s->gone);
}

/* Is this the stamp of a set of that release? */
static bool is_of_release(const struct buf *stamp, const char *release)
{
	json_t *doc = json_loadb(buf_str(stamp), stamp->len, 0, NULL);
	const char *is = json_string_value(json_object_get(doc, "release"));
	bool same = release && is && strcmp(is, release) == 0;

	json_decref(doc);
	return same;
}

static int careful(struct run *r, struct ps_err *err)
{
	struct buf seen = BUF_INIT;
	int rc = r->place.driver->sets->observe(&r->place.t, &seen, err);

	if (rc == PS_ENOENT) /* nothing is there that could be undone */
		rc = 0;
	else if (rc == 0 && strcmp(buf_str(&seen), buf_str(&r->stamp)) != 0 &&
		 !is_of_release(&seen, r->d->known))
		rc = run_overtaken(err);
	buf_clear(&seen);
	return rc;
}

static int act_put(struct run *r, const void *what, enum fabric_outcome *outcome, char **id,
		   struct ps_err *err)
{
	const struct set *s = what;

	(void)id;
	return r->place.driver->sets->put(&r->place.t, &s->set, outcome, err);
}

/* The switch counts as done only when a look finds the new set in force. */
static int act_switch(struct run *r, const void *what, enum fabric_outcome *outcome, char **id,
		      struct ps_err *err)
{
	const struct fabric_sets *sets = r->place.driver->sets;
	const struct set *s = what;
	struct buf seen = BUF_INIT;
	int rc = sets->switch_to(&r->place.t, &s->set, outcome, err);

	(void)id;
	if (rc == 0)
		rc = sets->observe(&r->place.t, &seen, err);
	if (rc == 0 && strcmp(buf_str(&seen), s->set.stamp) != 0)
		rc = ps_err_set(err, PS_ECONFLICT,
				"other definitions than ours are in force after the switch");
	if (rc < 0 && *outcome != FABRIC_NOT_DONE)
		*outcome = FABRIC_UNKNOWN;
	buf_clear(&seen);
	return rc;
}

static int steps(struct run *r, struct ps_err *err)
{
	struct set s = set_of(r);
	char name[128];
	int rc;

	snprintf(name, sizeof(name), "jobs %s", r->digest);
	rc = run_step(r, name, act_put, &s, NULL, err);
	snprintf(name, sizeof(name), "switch %s", r->digest);
	if (rc == 0)
		rc = run_step(r, name, act_switch, &s, NULL, err);
	set_clear(&s);
	return rc;
}

static int check(struct run *r, struct ps_err *err)
{
	struct set s = set_of(r);
	int rc = r->place.driver->sets->check(&r->place.t, &s.set, err);

	set_clear(&s);
	return rc;
}

const struct run_way run_way_sets = { careful, steps, check };
