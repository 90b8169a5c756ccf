/*
 * workspace – the fake Databricks workspace (tests/fake) for unit tests: started when it is first
 * wanted, ended by workspace_stop() or with the test, and asked by its control. Fails the test when
 * it does not answer.
 */
#ifndef PS_TEST_WORKSPACE_H
#define PS_TEST_WORKSPACE_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <jansson.h>

#include "agent/deploy/http/http.h"
#include "common/config/config.h"

#define WORKSPACE_TOKEN "dapi-test"
#define WORKSPACE_CLIENT "client-of-tests"
#define WORKSPACE_SECRET "secret-of-tests"

static struct { pid_t pid; char dir[64], url[64]; struct http *http; } workspace;

static void workspace_stop(void)
{
	struct ps_err err;

	if (!workspace.pid)
		return;
	kill(workspace.pid, SIGTERM);
	waitpid(workspace.pid, NULL, 0);
	http_free(workspace.http);
	if (fs_remove_tree(AT_FDCWD, workspace.dir, &err) < 0)
		print_message("%s\n", err.msg);
	workspace.pid = 0;
}

static void workspace_start(void)
{
	const char *src = getenv("srcdir");
	char *program = xasprintf("%s/tests/fake/penstock-fake-databricks", src ? src : ".");
	struct http_settings set;
	char line[128] = "";
	int out[2];
	FILE *f;

	snprintf(workspace.dir, sizeof(workspace.dir), "workspace.XXXXXX");
	assert_non_null(mkdtemp(workspace.dir));
	assert_int_equal(pipe(out), 0);
	workspace.pid = fork();
	if (workspace.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		close(out[0]);
		execl("/usr/bin/python3", "python3", program, "--dir", workspace.dir, "--token",
		      WORKSPACE_TOKEN "=tester@example.net", "--client",
		      WORKSPACE_CLIENT "=" WORKSPACE_SECRET, NULL);
		_exit(127);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	if (!f || !fgets(line, sizeof(line), f) ||
	    sscanf(line, "listening on %60s", workspace.url) != 1)
		fail_msg("the fake workspace does not start: '%s'", line);
	fclose(f);
	free(program);
	set = http_settings(workspace.url);
	workspace.http = http_new(&set);
}

/* Asks its control; takes body over (NULL: none). The answer is the caller's. */
static json_t *workspace_ask(const char *method, const char *what, json_t *body)
{
	char *path = xasprintf("/_fake/%s", what), *text = body ? json_dumps(body, 0) : NULL;
	struct http_answer a;
	struct ps_err err = { 0 };
	json_t *doc;

	if (!workspace.pid)
		workspace_start();
	if (http_call(workspace.http,
		      &(struct http_request) { .method = method, .path = path, .bytes = text,
					       .n = text ? strlen(text) : 0, .repeatable = true },
		      &a, &err) < 0 || a.status != 200)
		fail_msg("the fake workspace: %s: %d %s %s", what, a.status, err.msg,
			 buf_str(&a.body));
	doc = json_loadb(buf_str(&a.body), a.body.len, 0, NULL);
	http_answer_clear(&a);
	json_decref(body);
	free(text);
	free(path);
	return doc;
}

PS_UNUSED static void workspace_reset(void)
{
	json_decref(workspace_ask("POST", "reset", json_object()));
}

/* A fabric that is this workspace. */
PS_UNUSED static struct conf_fabric workspace_conf(const char *volume)
{
	static char host[64], name[] = "development";
	struct conf_fabric f = { .name = name, .provider = CONF_DATABRICKS, .host = host,
				 .volume = (char *)volume,
				 .http = { .retry_ms = 2, .patience_ms = 4000 } };

	if (!workspace.pid)
		workspace_start();
	snprintf(host, sizeof(host), "%s", workspace.url);
	return f;
}

/* The settings of the one job of that name; NULL: there is none. json_decref() them. */
PS_UNUSED static json_t *workspace_job(const char *name)
{
	json_t *state = workspace_ask("GET", "state", NULL), *job, *found = NULL;
	size_t i;

	json_array_foreach(json_object_get(state, "jobs"), i, job) {
		json_t *settings = json_object_get(job, "settings");

		if (strcmp(json_string_value(json_object_get(settings, "name")), name) != 0)
			continue;
		assert_null(found);
		found = json_incref(settings);
	}
	json_decref(state);
	return found;
}

/* Somebody changes a job there; takes value over. */
PS_UNUSED static void workspace_edit(const char *name, const char *pointer, json_t *value)
{
	json_decref(workspace_ask("POST", "edit", json_pack("{ss ss s{so}}", "name", name, "user",
							    "ana@example.net", "set", pointer,
							    value)));
}

/* Replaces the table of faults; JSON text. */
PS_UNUSED static void workspace_faults(const char *table)
{
	json_t *v = json_loads(table, 0, NULL);

	assert_non_null(v);
	json_decref(workspace_ask("PUT", "faults", v));
}

#endif
