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

struct http_settings fabric_http(const struct conf_fabric *f)
{
	struct http_settings s = http_settings(f->host);

	s.proxy = f->http.proxy;
	s.ca = f->http.ca;
	s.per_second = f->http.per_second;
	s.pause_ms = f->http.retry_ms;
	s.pause_max_ms = 20 * f->http.retry_ms;
	s.budget_ms = f->http.patience_ms;
	return s;
}

bool fabric_needs_programs(const struct conf_fabric *f)
{
	return f->dags && ps_starts(f->dags, "sftp://");
}

int fabric_no_credential(const struct conf_fabric *f, struct ps_err *err)
{
	return ps_err_set(err, PS_ECONFIG,
			  "fabric '%s' has no credential: it could not be opened when the "
			  "configuration was loaded; see the agent's log",
			  f->name);
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
