/*
 * place_try – one act of the Airflow driver where archives lie, for tests that have the other end:
 * `place_try DAGS UPLOADER USER WORD read|write|remove NAME [FILE]`, UPLOADER and USER "-" for
 * none. Prints what was read, or on one line "error NUMBER TEXT"; exit code 1 then.
 */
#include "config.h"

#include <fcntl.h>
#include <unistd.h>

#include "agent/deploy/fabric/airflow_parts.h"

static char *given(char *s)
{
	return strcmp(s, "-") == 0 ? NULL : s;
}

static int act(struct afl *a, char **v, struct ps_err *err)
{
	struct buf b = BUF_INIT;
	int rc = PS_EINVAL;

	if (strcmp(v[5], "read") == 0) {
		rc = a->place->read ? a->place->read(a, v[6], &b, err) : PS_ENOTSUP;
		if (rc == 0)
			rc = fs_write_all(STDOUT_FILENO, buf_str(&b), b.len, err);
	} else if (strcmp(v[5], "write") == 0) {
		rc = fs_read(&b, AT_FDCWD, v[7], AFL_ZIP_MAX, err);
		if (rc == 0)
			rc = a->place->write(a, v[6], &b, err);
	} else if (strcmp(v[5], "remove") == 0) {
		rc = a->place->remove(a, v[6], err);
	}
	buf_clear(&b);
	return rc;
}

int main(int argc, char **argv)
{
	static char name[] = "airflow", host[] = "http://127.0.0.1:9";
	struct conf_fabric conf = { .name = name, .provider = CONF_AIRFLOW, .host = host,
				    .http = { .retry_ms = 5, .patience_ms = 3000 } };
	struct fabric_target t = { .conf = &conf };
	struct ps_err err = { 0 };
	int rc;

	if (argc < 7 || (strcmp(argv[5], "write") == 0 && argc < 8))
		return 2;
	conf.dags = argv[1];
	conf.uploader = given(argv[2]);
	conf.uploader_user = given(argv[3]);
	t.uploader_secret = given(argv[4]);
	rc = fabric_airflow.open(&t, &err);
	if (rc == 0)
		rc = act(afl_of(&t), argv, &err);
	if (t.session)
		fabric_airflow.close(&t);
	if (rc < 0)
		printf("error %d %s\n", rc, err.msg);
	return rc < 0;
}
