/* fabric – the table of drivers. A new fabric is one file and one row here. */
#include "config.h"

#include "agent/deploy/fabric/fabric.h"

static const struct {
	const struct fabric_driver *driver;
	const char *fact;
} drivers[] = {
	{ &fabric_local, "driver local" },
	{ &fabric_databricks, "driver databricks" },
	{ &fabric_airflow, "driver airflow" },
};

const struct fabric_driver *fabric_driver_find(const char *provider)
{
	for (size_t i = 0; i < PS_NELEM(drivers); i++)
		if (ps_streq(drivers[i].driver->name, provider))
			return drivers[i].driver;
	return NULL;
}

/* "runs NAME", kept for good. */
static const char *ability(const char *what, const char *name)
{
	static char texts[2 * PS_NELEM(drivers)][48];
	static size_t used;

	snprintf(texts[used], sizeof(texts[used]), "%s %s", what, name);
	return texts[used++];
}

size_t fabric_driver_list(const char **out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(drivers) && n + 3 <= max; i++) {
		const struct fabric_runs *runs = drivers[i].driver->runs;

		out[n++] = drivers[i].fact;
		if (runs)
			out[n++] = ability("runs", drivers[i].driver->name);
		if (runs && runs->repair)
			out[n++] = ability("repairs", drivers[i].driver->name);
	}
	return n;
}

void fabric_seen_clear(struct fabric_seen *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(s[i].definition);
		free(s[i].id);
		free(s[i].release);
		free(s[i].by);
	}
}

void fabric_run_now_clear(struct fabric_run_now *n)
{
	for (size_t i = 0; i < n->ntasks; i++) {
		free(n->tasks[i].key);
		free(n->tasks[i].reason);
		free(n->tasks[i].url);
	}
	free(n->tasks);
	free(n->reason);
	free(n->url);
	memset(n, 0, sizeof(*n));
}

const char *fabric_outcome_word(enum fabric_outcome o)
{
	static const char *const words[] = {
		[FABRIC_NOT_DONE] = "not done",
		[FABRIC_DONE] = "done",
		[FABRIC_ALREADY] = "already there",
		[FABRIC_UNKNOWN] = "unknown",
	};

	return words[o];
}
