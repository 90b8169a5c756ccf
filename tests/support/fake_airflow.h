/*
 * fake_airflow – the Airflow that is none (tests/fake) for unit tests: one at a time, its folder in
 * the test's own. Fails the test when it does not start.
 */
#ifndef PS_TEST_FAKE_AIRFLOW_H
#define PS_TEST_FAKE_AIRFLOW_H

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "agent/deploy/fabric/airflow_parts.h"

#define FAKE_AIRFLOW_WORD "pw of tests"

static struct { pid_t pid; char *dags, url[64]; } fake_airflow;

static void fake_airflow_start(const char *folder, int major)
{
	const char *src = getenv("srcdir");
	char *program = xasprintf("%s/tests/fake/penstock-fake-airflow", src ? src : ".");
	char line[128] = "", number[8];
	struct ps_err err = { 0 };
	int out[2];
	FILE *f;

	fake_airflow.dags = xasprintf("%s/dags", folder);
	assert_int_equal(fs_mkdirs(fake_airflow.dags, 0755, &err), 0);
	snprintf(number, sizeof(number), "%d", major);
	assert_int_equal(pipe(out), 0);
	fake_airflow.pid = fork();
	if (fake_airflow.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], 1);
		close(out[0]);
		execl("/usr/bin/python3", "python3", program, "--dags", fake_airflow.dags,
		      "--major", number, "--user", "tester", "--password", FAKE_AIRFLOW_WORD,
		      NULL);
		_exit(127);
	}
	close(out[1]);
	f = fdopen(out[0], "r");
	if (!f || !fgets(line, sizeof(line), f) ||
	    sscanf(line, "listening on %60s", fake_airflow.url) != 1)
		fail_msg("the fake Airflow does not start: '%s'", line);
	fclose(f);
	free(program);
}

static void fake_airflow_stop(void)
{
	if (!fake_airflow.pid)
		return;
	kill(fake_airflow.pid, SIGTERM);
	waitpid(fake_airflow.pid, NULL, 0);
	free(fake_airflow.dags);
	fake_airflow.pid = 0;
}

/* A fabric that is this Airflow. */
static struct conf_fabric fake_airflow_conf(void)
{
	static char name[] = "airflow", user[] = "tester";

	return (struct conf_fabric) { .name = name, .provider = CONF_AIRFLOW,
				      .host = fake_airflow.url, .user = user,
				      .dags = fake_airflow.dags, .load_ms = 20000,
				      .http = { .retry_ms = 2, .patience_ms = 4000 } };
}

/* The path of an archive there. free() it. */
static char *fake_airflow_archive(const char *dag_id)
{
	return xasprintf("%s/%s.zip", fake_airflow.dags, dag_id);
}

#endif
