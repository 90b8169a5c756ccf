/* What the Databricks driver does that no other does: comparing with what the server makes of a job, its
 * stamp, which job is meant, lost answers, runs. The shared cases are in test_driver.c. */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/deploy/fabric/databricks_parts.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "tests/support/workspace.h"

#define RELEASE "7f3a9c2e51b04d6687f3a9c2e51b04d6687f3a9c2e51b04d6687f3a9c2e51b04"

/* ---- comparing ---- */

static const struct row { const char *name, *wanted, *there; bool same; } rows[] = {
	{ "defaults are added", "{'name':'a'}",
	  "{'name':'a','format':'MULTI_TASK','timeout_seconds':0,'email_notifications':{},'queue':{'enabled':true}}", true },
	{ "what is empty is gone", "{'a':[],'b':{},'c':'','d':0,'e':false,'f':null,'g':{'h':[]}}", "{}", true },
	{ "what is not empty is not", "{'a':1}", "{}", false },
	{ "number and text", "{'n':'2','m':2}", "{'n':2,'m':'2'}", true },
	{ "another number", "{'n':'2'}", "{'n':3}", false },
	{ "a whole real", "{'n':1.0}", "{'n':1}", true },
	{ "tasks in another order", "{'tasks':[{'task_key':'a','x':1},{'task_key':'b'}]}",
	  "{'tasks':[{'task_key':'b','run_if':'ALL_SUCCESS'},{'task_key':'a','x':1}]}", true },
	{ "a task changed", "{'tasks':[{'task_key':'a','x':1}]}", "{'tasks':[{'task_key':'a','x':2}]}", false },
	{ "a task more", "{'tasks':[{'task_key':'a'}]}", "{'tasks':[{'task_key':'a'},{'task_key':'b'}]}", false },
	{ "a task less", "{'tasks':[{'task_key':'a'},{'task_key':'b'}]}", "{'tasks':[{'task_key':'a'}]}", false },
	{ "depends_on sorted", "{'depends_on':[{'task_key':'b'},{'task_key':'a'}]}",
	  "{'depends_on':[{'task_key':'a'},{'task_key':'b'}]}", true },
	{ "webhooks in any order", "{'on_failure':[{'id':'1'},{'id':'2'}]}", "{'on_failure':[{'id':'2'},{'id':'1'}]}", true },
	{ "libraries in their order", "{'libraries':[{'whl':'a'},{'whl':'b'}]}", "{'libraries':[{'whl':'b'},{'whl':'a'}]}", false },
	{ "a tag of somebody else", "{'tags':{'a':'1'}}", "{'tags':{'a':'1','b':'2'}}", true },
	{ "a tag changed", "{'tags':{'a':'1'}}", "{'tags':{'a':'2'}}", false },
	{ "of the cloud and of policies", "{'new_cluster':{'spark_version':'13','apply_policy_default_values':true}}",
	  "{'new_cluster':{'spark_version':'13','aws_attributes':{'zone_id':'a'},'custom_tags':{'x':'y'}}}", true },
	{ "paused by somebody", "{'schedule':{'pause_status':'UNPAUSED','timezone_id':'UTC'}}",
	  "{'schedule':{'pause_status':'PAUSED','timezone_id':'UTC'}}", true },
	{ "another time", "{'schedule':{'timezone_id':'UTC'}}", "{'schedule':{'timezone_id':'CET'}}", false },
	{ "no schedule there", "{'schedule':{'timezone_id':'UTC'}}", "{}", false },
	{ "queue switched off and not told", "{'queue':{'enabled':false}}", "{}", true },
	{ "queue switched on", "{'queue':{'enabled':false}}", "{'queue':{'enabled':true}}", false },
	{ "another kind", "{'a':{'b':1}}", "{'a':[1]}", false },
};

static json_t *json(const char *text)
{
	char *copy = xstrdup(text);
	json_t *v;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	v = json_loads(copy, 0, NULL);
	assert_non_null(v);
	free(copy);
	return v;
}

static void compared(void **state)
{
	const struct row *r = *state;
	json_t *wanted = json(r->wanted), *there = json(r->there), *is;

	assert_int_equal(dbx_is_as(wanted, there), r->same);
	is = dbx_as_is(wanted, there);
	assert_true(dbx_is_as(is, there)); /* what is told is what is there */
	assert_int_equal(json_equal(is, wanted), r->same);
	json_decref(is);
	json_decref(wanted);
	json_decref(there);
}

/* ---- against the fake workspace ---- */

struct fx {
	char dir[64], *content, hex[65];
	struct conf_fabric conf;
	struct fabric_target t;
};

/* The definition of the job that the cases are about. */
static const char *definition(struct fx *f, const char *name, const char *more)
{
	char *text = xasprintf("{\"request\":{\"name\":\"%s\",\"tasks\":[{\"existing_cluster_id\":\"c\",\"task_key\":\"t\","
			       "\"python_wheel_task\":{\"entry_point\":\"main\",\"package_name\":\"p\",\"parameters\":"
			       "[\"-i\",\"dev\",\"-O\",\"{}\"]}}]%s}}", name, more);
	struct ps_err err;

	assert_int_equal(cas_put_bytes(f->content, text, strlen(text), f->hex, &err), 0);
	free(text);
	return f->hex;
}

static int make(void **state)
{
	struct fx *f = xcalloc(1, sizeof(*f));
	struct ps_err err = { 0 };
	char *cwd;

	workspace_reset();
	snprintf(f->dir, sizeof(f->dir), "test_databricks.XXXXXX");
	cwd = mkdtemp(f->dir) ? getcwd(NULL, 0) : NULL;
	if (!cwd)
		return -1;
	f->content = xasprintf("%s/%s", cwd, f->dir);
	free(cwd);
	f->conf = workspace_conf(NULL);
	f->t = (struct fabric_target) { .content = f->content, .place = "sales", .owner = "{}", .conf = &f->conf,
					.secret = WORKSPACE_TOKEN, .repository = "sales", .project = ".",
					.release = RELEASE, .fence = 3 };
	*state = f;
	return fabric_databricks.open(&f->t, &err);
}

static int drop(void **state)
{
	struct fx *f = *state;
	struct ps_err err;
	int rc;

	fabric_databricks.close(&f->t);
	rc = fs_remove_tree(AT_FDCWD, f->dir, &err);
	free(f->content);
	free(f);
	return rc;
}

static struct fabric_job job(const struct fx *f, const char *id)
{
	return (struct fabric_job) { .key = "jobs/a", .name = "a", .sha256 = f->hex, .id = id };
}

/* Puts the job; its return code and outcome, its id (free() it) and the error's text. */
static int put(struct fx *f, const char *stored, char **id, enum fabric_outcome *o, struct ps_err *err)
{
	struct fabric_job j = job(f, stored);

	*id = NULL;
	*err = (struct ps_err) { 0 };
	return dbx_jobs.put(&f->t, &j, id, o, err);
}

static size_t njobs(void)
{
	json_t *state = workspace_ask("GET", "state", NULL);
	size_t n = json_array_size(json_object_get(state, "jobs"));

	json_decref(state);
	return n;
}

/* A job that another program made. */
static void made_by_another(struct fx *f, const char *settings)
{
	struct dbx_said s;
	struct ps_err err = { 0 };

	if (dbx_ask(dbx_of(&f->t), &(struct dbx_ask) { .method = "POST", .path = "/api/2.2/jobs/create", .body = json(settings) },
		    &s, &err) < 0)
		fail_msg("%s", err.msg);
	dbx_said_clear(&s);
}

#define OTHER(name, more) "{'name':'" name "','tasks':[{'task_key':'t','notebook_task':{'notebook_path':'/x'}}]" more "}"

static void which_job_is_meant(void **state)
{
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err;
	char *id, *again;

	definition(f, "a", "");
	made_by_another(f, OTHER("A", ""));	/* the server finds both by one name */
	made_by_another(f, OTHER("a", ""));
	assert_int_equal(put(f, NULL, &id, &o, &err), 0); /* the one of exactly that name */
	assert_int_equal(o, FABRIC_DONE);
	assert_int_equal(njobs(), 2);
	definition(f, "renamed", "");
	assert_int_equal(put(f, id, &again, &o, &err), 0); /* by its id */
	assert_string_equal(again, id);
	free(again);
	dbx_forget_list(dbx_of(&f->t));
	definition(f, "renamed again", "");
	assert_int_equal(put(f, NULL, &again, &o, &err), 0); /* by its stamp */
	assert_string_equal(again, id);
	free(again);
	assert_int_equal(put(f, "1", &again, &o, &err), 0); /* an id of nobody: by its stamp */
	assert_int_equal(o, FABRIC_ALREADY);
	free(again);
	free(id);
}

static void two_that_match_stop_it(void **state)
{
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err;
	char *id;

	definition(f, "a", "");
	made_by_another(f, OTHER("a", ""));
	made_by_another(f, OTHER("a", ""));
	assert_int_equal(put(f, NULL, &id, &o, &err), PS_ECONFLICT);
	assert_non_null(strstr(err.msg, "two jobs there are 'a' by their name"));
	assert_int_equal(o, FABRIC_NOT_DONE);
	free(id);
	workspace_reset();
	dbx_forget_list(dbx_of(&f->t));
	made_by_another(f, OTHER("a", ",'deployment':{'kind':'BUNDLE','metadata_file_path':'/x'}"));
	assert_int_equal(put(f, NULL, &id, &o, &err), PS_ECONFLICT);
	assert_non_null(strstr(err.msg, "belongs to a Databricks bundle"));
	free(id);
}

/* The one that another tool made is taken by its id, without a stamp and among others of its name, where it is
 * called as that tool or as we call it; then it is ours, whatever it is called. */
static void imported_is_taken_by_its_id(void **state)
{
	struct fx *f = *state;
	json_t *before, *there;
	size_t i;

	definition(f, "a", "");
	made_by_another(f, OTHER("a", ""));
	made_by_another(f, OTHER("a", ""));
	made_by_another(f, OTHER("theirs", ""));
	made_by_another(f, OTHER("a stranger", ""));
	before = workspace_ask("GET", "state", NULL);
	json_array_foreach(json_object_get(before, "jobs"), i, there)
	{
		const char *name = json_string_value(json_object_get(dbx_settings(there), "name"));
		enum fabric_outcome o;
		struct ps_err err = { 0 };
		char text[24], *id = NULL;
		struct fabric_job j = job(f, text);

		j.imported = "theirs";
		snprintf(text, sizeof(text), "%lld", (long long)dbx_id(there));
		if (strcmp(name, "a stranger") == 0) {
			assert_int_equal(dbx_jobs.put(&f->t, &j, &id, &o, &err), PS_ECONFLICT);
			assert_non_null(strstr(err.msg, "is 'a stranger', and was imported as 'theirs'"));
			assert_int_equal(o, FABRIC_NOT_DONE);
		} else if (strcmp(name, "theirs") == 0) {
			assert_int_equal(dbx_jobs.put(&f->t, &j, &id, &o, &err), 0);
			assert_int_equal(o, FABRIC_DONE);
			assert_string_equal(id, text);
			PS_FREE(id);
			/* once more after a crash: it has our stamp by now, and nobody's name */
			definition(f, "a third", "");
			assert_int_equal(dbx_jobs.put(&f->t, &j, &id, &o, &err), 0);
			PS_FREE(id);
			assert_int_equal(dbx_jobs.put(&f->t, &j, &id, &o, &err), 0);
			assert_int_equal(o, FABRIC_ALREADY);
			assert_string_equal(id, text);
			definition(f, "a", "");
		}
		free(id);
	}
	assert_int_equal(i, 4);
	assert_int_equal(njobs(), 4);
	json_decref(before);
}

/* 403 is no "absent": it may be there, and a second one would be made. */
static void forbidden_is_not_absent(void **state)
{
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err;
	char *id;

	definition(f, "a", "");
	workspace_faults("[{\"match\":\"GET /api/2.2/jobs/get\",\"fault\":\"forbidden\"}]");
	assert_int_equal(put(f, "4711", &id, &o, &err), PS_EPERM);
	assert_non_null(strstr(err.msg, "PERMISSION_DENIED"));
	assert_int_equal(njobs(), 0);
	free(id);
}

/* A job that was deleted answers 403 to who is no administrator: nothing is made, and that is said. */
static void a_deleted_job_that_is_forbidden(void **state)
{
	struct fx *f = *state;
	enum fabric_outcome o;
	struct fabric_job j;
	struct ps_err err;
	char *id, *none;

	definition(f, "a", "");
	assert_int_equal(put(f, NULL, &id, &o, &err), 0);
	json_decref(workspace_ask("POST", "edit", json_pack("{ss sb}", "name", "a", "delete", 1)));
	json_decref(workspace_ask("POST", "user", json_pack("{ss sb}", "name", "tester@example.net", "admin", 0)));
	assert_int_equal(put(f, id, &none, &o, &err), PS_EPERM);
	assert_null(none);
	assert_non_null(strstr(err.msg, "PERMISSION_DENIED"));
	assert_non_null(strstr(err.msg, "answers a job that was deleted alike"));
	assert_int_equal(njobs(), 0);
	j = job(f, id);
	assert_int_equal(dbx_jobs.remove(&f->t, &j, &o, &err), PS_EPERM);
	assert_non_null(strstr(err.msg, "answers a job that was deleted alike"));
	/* an administrator is told, and so it is made anew */
	json_decref(workspace_ask("POST", "user", json_pack("{ss sb}", "name", "tester@example.net", "admin", 1)));
	assert_int_equal(put(f, id, &none, &o, &err), 0);
	assert_string_not_equal(none, id);
	assert_int_equal(njobs(), 1);
	free(none);
	free(id);
}

/* ---- who may do what ---- */

/* A definition with the first list is put, somebody sets the list of the job by hand, the next definition comes:
 * what the job has then, besides its owner, and the calls that this took. V, M: may view, may manage. */
static const struct rights_row { const char *name, *first, *by_hand, *next, *want, *calls, *said; } rights[] = {
	{ "granted", "", NULL, "V ana", "V ana", "PATCH", "" },
	{ "granted besides those of a hand", "", "V kim", "V ana", "V ana, V kim", "PATCH", "" },
	{ "taken away", "V ana, R bo", NULL, "R bo", "R bo", "GET PUT", "took CAN_VIEW from ana@example.net" },
	{ "those of a hand stay", "V ana", "V ana, M kim", "", "M kim", "GET PUT", "took CAN_VIEW from ana@example.net" },
	{ "what a hand raised stays", "V ana", "M ana", "", "M ana", "GET", "" },
	{ "what a hand took away is gone", "V ana, V bo", "V bo", "", "", "GET PUT", "took CAN_VIEW from bo@example.net" },
	{ "raised", "V ana", NULL, "M ana", "M ana", "PATCH", "" },
	{ "lowered", "M ana", NULL, "V ana", "V ana", "GET PUT", "took CAN_MANAGE from ana@example.net" },
	{ "a hand's higher one is not lowered", "V ana", "M ana", "V ana", "M ana", "PATCH", "" },
	{ "the same again", "V ana", NULL, "V ana", "V ana", "PATCH", "" },
	{ "one goes and one comes", "V ana", NULL, "V bo", "V bo", "GET PUT", "took CAN_VIEW from ana@example.net" },
	{ "another owner is nobody's to name", "V ana", NULL, "V ana, O bo", "V ana", "PATCH", "" },
};

/* "V ana, M bo" as a list that is sent; with the owner that the fake gives a job, where it is to be whole. */
static json_t *acl_of(const char *text, bool whole)
{
	static const struct { char c; const char *level; } letters[] = {
		{ 'V', "CAN_VIEW" }, { 'R', "CAN_MANAGE_RUN" }, { 'M', "CAN_MANAGE" }, { 'O', "IS_OWNER" } };
	json_t *list = json_array();
	char *copy = xstrdup(text), *save = NULL;

	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		w += *w == ' ';
		for (size_t i = 0; i < PS_NELEM(letters); i++)
			if (letters[i].c == *w)
				json_array_append_new(list, json_pack("{so ss}", "user_name",
					json_sprintf("%s@example.net", w + 2), "permission_level", letters[i].level));
	}
	if (whole)
		json_array_append_new(list, json_pack("{ss ss}", "user_name", "tester@example.net", "permission_level", "IS_OWNER"));
	free(copy);
	return list;
}

static const char *with_acl(struct fx *f, const char *text, const char *more)
{
	json_t *list = acl_of(text, false);
	char *dumped = json_dumps(list, JSON_COMPACT), *all = xasprintf(",\"access_control_list\":%s%s", dumped, more);

	definition(f, "a", json_array_size(list) ? all : more);
	json_decref(list);
	free(dumped);
	free(all);
	return f->hex;
}

/* Besides the owner, sorted: "M kim, V ana". */
static char *rights_there(const char *id)
{
	json_t *state = workspace_ask("GET", "state", NULL), *e;
	json_t *list = json_object_get(json_object_get(state, "permissions"), id);
	char *all[8], *out = xstrdup("");
	size_t i, n = 0;

	json_array_foreach(list, i, e) {
		const char *name = json_string_value(json_array_get(e, 1)), *level = json_string_value(json_array_get(e, 2));
		char letter = ps_streq(level, "CAN_MANAGE_RUN") ? 'R' : level[4];

		if (strcmp(level, "IS_OWNER") == 0)
			assert_string_equal(name, "tester@example.net");
		else
			all[n++] = xasprintf("%c %.*s", letter, (int)strcspn(name, "@"), name);
	}
	for (size_t a = 0; a < n; a++)
		for (size_t b = a + 1; b < n; b++)
			if (strcmp(all[a] + 2, all[b] + 2) > 0) {
				char *swap = all[a];

				all[a] = all[b];
				all[b] = swap;
			}
	for (size_t a = 0; a < n; a++) {
		char *longer = xasprintf("%s%s%s", out, a ? ", " : "", all[a]);

		free(out);
		free(all[a]);
		out = longer;
	}
	json_decref(state);
	return out;
}

/* "GET PUT": what was asked of permissions since the log had so many lines. */
static char *rights_calls(long *since)
{
	char *path = xasprintf("%s/calls.jsonl", workspace.dir), *out = xstrdup("");
	char line[20000];
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	assert_int_equal(fseek(in, *since, SEEK_SET), 0);
	while (fgets(line, sizeof(line), in)) {
		json_t *v = json_loads(line, 0, NULL);
		const char *to = json_string_value(json_object_get(v, "path"));

		if (to && strstr(to, "/permissions/")) {
			char *longer = xasprintf("%s%s%s", out, *out ? " " : "", json_string_value(json_object_get(v, "method")));

			free(out);
			out = longer;
		}
		json_decref(v);
	}
	*since = ftell(in);
	fclose(in);
	free(path);
	return out;
}

static void rights_are_kept(void **state)
{
	const struct rights_row *r = *state;
	struct fx *f;
	void *made = NULL;
	enum fabric_outcome o;
	struct ps_err err;
	char *id, *again, *is, *calls;
	long at = 0;

	assert_int_equal(make(&made), 0);
	f = made;
	with_acl(f, r->first, "");
	assert_int_equal(put(f, NULL, &id, &o, &err), 0);
	if (r->by_hand) {
		char *what = xasprintf("permissions/%s", id);

		json_decref(workspace_ask("PUT", what, json_pack("{so}", "access_control_list", acl_of(r->by_hand, true))));
		free(what);
	}
	free(rights_calls(&at));
	with_acl(f, r->next, ",\"description\":\"next\"");
	f->t.said[0] = '\0';
	if (put(f, id, &again, &o, &err) < 0)
		fail_msg("%s", err.msg);
	is = rights_there(id);
	assert_string_equal(is, r->want);
	calls = rights_calls(&at);
	assert_string_equal(calls, r->calls);
	assert_string_equal(f->t.said, r->said);
	free(is);
	free(calls);
	free(again);
	free(id);
	assert_int_equal(drop(&made), 0);
}

/* Refused, or not answered: nothing of the job is written before its rights are as they shall be. */
static void rights_that_are_refused(void **state)
{
	static const char *const faults[] = {
		"[{\"match\":\"PUT /api/2.0/permissions/*\",\"fault\":\"forbidden\"}]",
		"[{\"match\":\"GET /api/2.0/permissions/*\",\"fault\":\"forbidden\"}]",
	};
	struct fx *f = *state;
	enum fabric_outcome o;
	json_t *settings;
	struct ps_err err;
	char *id, *again, *is;

	with_acl(f, "V ana, V bo", "");
	assert_int_equal(put(f, NULL, &id, &o, &err), 0);
	with_acl(f, "V bo", ",\"description\":\"next\"");
	for (size_t i = 0; i < PS_NELEM(faults); i++) {
		workspace_faults(faults[i]);
		assert_int_equal(put(f, id, &again, &o, &err), PS_EPERM);
		assert_int_equal(o, FABRIC_NOT_DONE);
		assert_non_null(strstr(err.msg, "the permissions of 'jobs/a'"));
		assert_non_null(strstr(err.msg, "403"));
		assert_non_null(strstr(err.msg, "give that right to the user of penstock's credential"));
		free(again);
		settings = workspace_job("a");
		assert_null(json_object_get(settings, "description"));
		json_decref(settings);
	}
	/* the answer to PUT is lost, and to what comes after: done again it is as done once */
	workspace_faults("[{\"match\":\"PUT /api/2.0/permissions/*\",\"nth\":1,\"fault\":\"drop\",\"after\":true},"
			 "{\"match\":\"POST /api/2.2/jobs/reset\",\"fault\":\"forbidden\",\"nth\":1}]");
	assert_int_equal(put(f, id, &again, &o, &err), PS_EPERM);
	free(again);
	is = rights_there(id);
	assert_string_equal(is, "V bo");
	free(is);
	assert_int_equal(put(f, id, &again, &o, &err), 0);
	is = rights_there(id);
	assert_string_equal(is, "V bo");
	settings = workspace_job("a");
	assert_non_null(json_object_get(settings, "description"));
	json_decref(settings);
	free(is);
	free(again);
	free(id);
}

/* The definition before is not at hand any more: nobody knows what was granted by it. */
static void rights_of_a_definition_that_is_gone(void **state)
{
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err;
	char *id, *again, *is, *path;

	with_acl(f, "V ana", "");
	assert_int_equal(put(f, NULL, &id, &o, &err), 0);
	path = cas_path(f->content, f->hex);
	assert_int_equal(unlink(path), 0);
	free(path);
	with_acl(f, "", ",\"description\":\"next\"");
	assert_int_equal(put(f, id, &again, &o, &err), 0);
	is = rights_there(id);
	assert_string_equal(is, "V ana");
	free(is);
	free(again);
	free(id);
}

/* ---- files that a definition brings ---- */

#define SCRIPTS "prophecy/artifacts/dev/execution/7234/"

/* A definition with one component of that kind. */
static const char *bringing(struct fx *f, const char *kind, const char *path, const char *content)
{
	char *text = xasprintf("{\"components\":[{\"%s\":{\"nodeName\":\"t\",\"path\":\"%s\",\"content\":\"%s\"}}],"
			       "\"request\":{\"name\":\"a\",\"tasks\":[{\"existing_cluster_id\":\"c\",\"task_key\":\"t\","
			       "\"spark_python_task\":{\"python_file\":\"%s\"}}]}}", kind, path, content, path);
	struct ps_err err;

	assert_int_equal(cas_put_bytes(f->content, text, strlen(text), f->hex, &err), 0);
	free(text);
	return f->hex;
}

/* Is this text there? NULL: nothing is. */
static bool file_is(const char *path, const char *text)
{
	json_t *state = workspace_ask("GET", "state", NULL);
	const char *has = json_string_value(json_object_get(json_object_get(json_object_get(state, "files"), path), "sha256"));
	char hex[65] = "";
	bool is;

	if (text)
		digest_bytes(hex, text, strlen(text));
	is = text ? ps_streq(has, hex) : !has;
	json_decref(state);
	return is;
}

static void scripts_come_before_their_job(void **state)
{
	static const char one[] = "dbfs:/FileStore/" SCRIPTS "1.0/a/s.py", none[] = "dbfs:/FileStore/other/s.py";
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err;
	char *id, *again;

	/* what cannot be uploaded leads to no job, and nothing half is left */
	bringing(f, "ScriptComponent", one, "print(1)");
	workspace_faults("[{\"match\":\"POST /api/2.0/dbfs/put\",\"fault\":\"forbidden\"}]");
	assert_int_equal(put(f, NULL, &id, &o, &err), PS_EPERM);
	assert_non_null(strstr(err.msg, "the script of 't'"));
	assert_int_equal(o, FABRIC_NOT_DONE);
	assert_int_equal(njobs(), 0);
	assert_true(file_is(one, NULL));
	/* a lost answer */
	workspace_faults("[{\"match\":\"POST /api/2.0/dbfs/move\",\"nth\":1,\"fault\":\"drop\",\"after\":true}]");
	assert_int_equal(put(f, NULL, &id, &o, &err), 0);
	assert_true(file_is(one, "print(1)"));
	assert_int_equal(njobs(), 1);
	/* a path with a version never gets other bytes, nor does what the job says of it */
	bringing(f, "ScriptComponent", one, "print(2)");
	assert_int_equal(put(f, id, &again, &o, &err), PS_ECONFLICT);
	assert_non_null(strstr(err.msg, "never gets others"));
	assert_true(file_is(one, "print(1)"));
	free(again);
	/* outside of the artifacts nothing is written */
	bringing(f, "ScriptComponent", none, "print(2)");
	assert_int_equal(put(f, id, &again, &o, &err), PS_EINVAL);
	assert_true(file_is(none, NULL));
	free(again);
	bringing(f, "ScriptComponent", "dbfs:/FileStore/" SCRIPTS "1.0/../../../../../../x.py", "print(2)");
	assert_int_equal(put(f, id, &again, &o, &err), PS_EINVAL);
	free(again);
	free(id);
}

/* dbt's files stand below "latest", whatever the version. */
static void what_has_no_version_is_written_again(void **state)
{
	static const char *const volumes[] = { NULL, "/Volumes/main/jobs/wheels" };

	for (size_t i = 0; i < PS_NELEM(volumes); i++) {
		struct fx *f = *state;
		char *base = xasprintf("%s/" SCRIPTS "latest/a/DBT_1/dbt_script.py", volumes[i] ? volumes[i] : "dbfs:/FileStore");
		enum fabric_outcome o;
		struct ps_err err;
		char *id, *again;

		workspace_reset();
		dbx_forget_list(dbx_of(&f->t));
		f->conf.volume = (char *)volumes[i];
		bringing(f, "DBTComponent", base, "run_dbt()");
		assert_int_equal(put(f, NULL, &id, &o, &err), 0);
		assert_true(file_is(base, "run_dbt()"));
		bringing(f, "DBTComponent", base, "run_dbt_again()");
		assert_int_equal(put(f, id, &again, &o, &err), 0);
		assert_true(file_is(base, "run_dbt_again()"));
		free(again);
		free(id);
		free(base);
	}
}

/* ---- secret scopes ---- */

static char t_readers[] = "analysts", t_scope[] = "dbt_scope", t_key[] = "the_key", t_other[] = "other_key";
static char *t_readers_v[] = { t_readers };

/* "dbt_scope: the_key; analysts READ, tester@example.net MANAGE", or "" without a scope. */
static char *scope_there(void)
{
	json_t *state = workspace_ask("GET", "state", NULL), *scope, *v;
	struct buf b = BUF_INIT;
	const char *key;
	size_t i;

	scope = json_object_get(json_object_get(state, "scopes"), t_scope);
	json_array_foreach(json_object_get(scope, "keys"), i, v)
		buf_addf(&b, "%s ", json_string_value(v));
	json_object_foreach(json_object_get(scope, "acls"), key, v)
		buf_addf(&b, "%s=%s ", key, json_string_value(v));
	json_decref(state);
	return buf_steal(&b);
}

static void assert_scope(const char *want)
{
	char *is = scope_there();

	assert_string_equal(is ? is : "", want);
	free(is);
}

static void scopes_get_what_jobs_name(void **state)
{
	struct conf_scoped scoped[] = {
		{ .scope = t_scope, .key = t_key, .readers = { t_readers_v, 1 } },
		{ .scope = t_scope, .key = t_other },
	};
	char *values[] = { (char *)"s3cret", (char *)"never put" };
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err = { 0 };
	struct fabric_job j;

	f->conf.scoped = scoped;
	f->conf.nscoped = 2;
	f->t.scoped = values;
	definition(f, "a", ",\"description\":\"nothing of them\"");
	j = job(f, NULL);
	assert_int_equal(dbx_jobs.prepare(&f->t, &j, 1, &o, &err), 0);
	assert_int_equal(o, FABRIC_NOT_DONE);
	assert_scope("");
	/* the scope is ours alone, and readers read; the answers to what makes it are lost */
	definition(f, "a", ",\"description\":\"{{secrets/dbt_scope/the_key}}\"");
	j = job(f, NULL);
	workspace_faults("[{\"match\":\"POST /api/2.0/secrets/scopes/create\",\"nth\":1,\"fault\":\"drop\",\"after\":true},"
			 "{\"match\":\"POST /api/2.0/secrets/acls/put\",\"nth\":1,\"fault\":\"drop\",\"after\":true}]");
	assert_int_equal(dbx_jobs.prepare(&f->t, &j, 1, &o, &err), 0);
	assert_int_equal(o, FABRIC_DONE);
	assert_scope("the_key tester@example.net=MANAGE analysts=READ ");
	/* what somebody else was given stays, and too much is told */
	for (int users = 0; users < 2; users++) {
		struct dbx_said s;

		assert_int_equal(dbx_ask(dbx_of(&f->t),
			&(struct dbx_ask) { .method = "POST", .path = "/api/2.0/secrets/acls/put", .repeatable = true,
					    .body = json_pack("{ss ss ss}", "scope", t_scope, "principal",
							      users ? "users" : t_readers, "permission", "MANAGE") },
			&s, &err), 0);
		dbx_said_clear(&s);
	}
	f->t.said[0] = '\0';
	assert_int_equal(dbx_jobs.prepare(&f->t, &j, 1, &o, &err), 0);
	assert_scope("the_key tester@example.net=MANAGE analysts=MANAGE users=MANAGE ");
	assert_string_equal(f->t.said, "every user may manage scope dbt_scope");
	/* a refusal names the secret and not what it is */
	workspace_faults("[{\"match\":\"POST /api/2.0/secrets/put\",\"fault\":\"forbidden\"}]");
	assert_int_equal(dbx_jobs.prepare(&f->t, &j, 1, &o, &err), PS_EPERM);
	assert_non_null(strstr(err.msg, "the secret 'the_key' of scope 'dbt_scope': "));
	assert_null(strstr(err.msg, "s3cret"));
	workspace_faults("[]");
	values[0] = NULL;
	assert_int_equal(dbx_jobs.prepare(&f->t, &j, 1, &o, &err), PS_ECONFIG);
	values[0] = (char *)"no \xff text";
	assert_int_equal(dbx_jobs.prepare(&f->t, &j, 1, &o, &err), PS_EINVAL);
}

/* ---- a schedule that is enforced ---- */

static const char *pause_there(void)
{
	json_t *settings = workspace_job("a");
	const char *is = json_string_value(json_object_get(json_object_get(settings, "schedule"), "pause_status"));
	static char copy[16];

	snprintf(copy, sizeof(copy), "%s", is ? is : "");
	json_decref(settings);
	return copy;
}

static void an_enforced_schedule_is_woken(void **state)
{
	static const struct { const char *own, *hand, *wanted, *then; bool seen; } tries[] = {
		{ "", "PAUSED", "UNPAUSED", "PAUSED", false },
		{ "\"penstock\":{\"enforce_schedule\":true},", "PAUSED", "UNPAUSED", "UNPAUSED", true },
		{ "\"penstock\":{\"enforce_schedule\":true},", "UNPAUSED", "PAUSED", "PAUSED", true },
	};

	for (size_t i = 0; i < PS_NELEM(tries); i++) {
		struct fx *f = *state;
		struct fabric_seen seen = { 0 };
		enum fabric_outcome o;
		struct fabric_job j;
		struct ps_err err;
		char *id, *again, *text;

		workspace_reset();
		dbx_forget_list(dbx_of(&f->t));
		text = xasprintf("{%s\"request\":{\"name\":\"a\",\"tasks\":[{\"task_key\":\"t\",\"notebook_task\":"
				 "{\"notebook_path\":\"/x\"}}],\"schedule\":{\"quartz_cron_expression\":\"0 0 3 * * ?\","
				 "\"timezone_id\":\"UTC\",\"pause_status\":\"%s\"}}}", tries[i].own, tries[i].wanted);
		assert_int_equal(cas_put_bytes(f->content, text, strlen(text), f->hex, &err), 0);
		assert_int_equal(put(f, NULL, &id, &o, &err), 0);
		workspace_edit("a", "/schedule/pause_status", json_string(tries[i].hand));
		j = job(f, id);
		assert_int_equal(dbx_look(&f->t, &j, 1, &seen, &err), 0);
		assert_int_equal(seen.definition != NULL, tries[i].seen);
		if (tries[i].seen) {
			char *is = xasprintf("\"pause_status\":\"%s\"", tries[i].hand);

			assert_non_null(strstr(seen.definition, is));
			free(is);
		}
		fabric_seen_clear(&seen, 1);
		seen = (struct fabric_seen) { .id = NULL };
		assert_int_equal(put(f, id, &again, &o, &err), 0);
		assert_int_equal(o, tries[i].seen ? FABRIC_DONE : FABRIC_ALREADY);
		assert_string_equal(pause_there(), tries[i].then);
		assert_int_equal(dbx_look(&f->t, &j, 1, &seen, &err), 0);
		assert_string_equal(seen.sha256, f->hex);
		fabric_seen_clear(&seen, 1);
		free(again);
		free(id);
		free(text);
	}
}

/* ---- pages ---- */

/* Two tasks a page, and one job. */
static void what_comes_in_pages_is_whole(void **state)
{
	struct fx *f = *state;
	struct fabric_seen seen = { 0 };
	struct fabric_run_now now = { 0 };
	struct fabric_job j;
	struct fabric_run r = { .job = &j, .token = "one" };
	struct buf b = BUF_INIT;
	enum fabric_outcome o;
	struct ps_err err = { 0 };
	char *id, *again, *run = NULL;

	buf_adds(&b, "{\"request\":{\"name\":\"a\",\"tasks\":[");
	for (int i = 0; i < 5; i++)
		buf_addf(&b, "%s{\"task_key\":\"t%d\",\"notebook_task\":{\"notebook_path\":\"/x\"}}", i ? "," : "", i);
	buf_adds(&b, "]}}");
	assert_int_equal(cas_put_bytes(f->content, buf_str(&b), b.len, f->hex, &err), 0);
	buf_clear(&b);
	json_decref(workspace_ask("PUT", "options", json_pack("{si si}", "page_size", 2, "list_size", 1)));
	made_by_another(f, OTHER("x", ""));
	made_by_another(f, OTHER("y", ""));
	assert_int_equal(put(f, NULL, &id, &o, &err), 0);
	made_by_another(f, OTHER("z", ""));
	dbx_forget_list(dbx_of(&f->t));
	assert_int_equal(put(f, NULL, &again, &o, &err), 0); /* on the second page of the list */
	assert_string_equal(again, id);
	assert_int_equal(o, FABRIC_ALREADY);
	j = job(f, id);
	assert_int_equal(dbx_look(&f->t, &j, 1, &seen, &err), 0);
	assert_string_equal(seen.sha256, f->hex);
	assert_int_equal(dbx_runs.start(&f->t, &r, &run, &o, &err), 0);
	r.id = run;
	assert_int_equal(dbx_runs.now(&f->t, &r, &now, &err), 0);
	assert_int_equal(now.ntasks, 5);
	fabric_run_now_clear(&now);
	fabric_seen_clear(&seen, 1);
	free(run);
	free(again);
	free(id);
}

static void lost_answers_are_looked_for(void **state)
{
	static const char *const faults[] = {
		"[{\"match\":\"POST /api/2.2/jobs/create\",\"nth\":1,\"fault\":\"drop\",\"after\":true}]",
		"[{\"match\":\"POST /api/2.2/jobs/create\",\"nth\":1,\"fault\":\"drop\"}]",
		"[{\"match\":\"POST /api/2.2/jobs/create\",\"nth\":1,\"fault\":\"cut\"}]",
		"[{\"match\":\"POST /api/2.2/jobs/create\",\"nth\":[1,2],\"fault\":\"html\",\"after\":true}]",
		"[{\"match\":\"POST /api/2.2/jobs/create\",\"nth\":1,\"fault\":\"login\"}]",
		"[{\"match\":\"POST /api/2.2/jobs/create\",\"nth\":[1,2],\"fault\":\"throttled\",\"retry_after\":0}]",
	};
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err;
	char *id;

	for (size_t i = 0; i < PS_NELEM(faults); i++) {
		workspace_reset();
		dbx_forget_list(dbx_of(&f->t));
		definition(f, "a", "");
		workspace_faults(faults[i]);
		if (put(f, NULL, &id, &o, &err) != 0)
			fail_msg("%s: %s", faults[i], err.msg);
		assert_int_equal(o, FABRIC_DONE);
		assert_non_null(id);
		assert_int_equal(njobs(), 1);
		free(id);
	}
}

static void a_quota_is_no_reason_to_try_again(void **state)
{
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err;
	unsigned before;
	char *id;

	definition(f, "a", "");
	workspace_faults("[{\"match\":\"POST /api/2.2/jobs/create\",\"fault\":\"quota\",\"status\":429}]");
	before = http_sent(dbx_of(&f->t)->http);
	assert_int_equal(put(f, NULL, &id, &o, &err), PS_ELIMIT);
	assert_int_equal(o, FABRIC_NOT_DONE);
	assert_int_equal(http_sent(dbx_of(&f->t)->http) - before, 2); /* the list, and once */
	assert_non_null(strstr(err.msg, "There were already 10000 jobs created"));
	free(id);
}

/* A field that the definition has no more is not seen by comparing; the stamp knows the last one. */
static void what_was_taken_out_goes_away(void **state)
{
	struct fx *f = *state;
	struct fabric_seen seen = { 0 };
	enum fabric_outcome o;
	struct ps_err err;
	struct fabric_job j;
	json_t *settings;
	char *id, *again;

	definition(f, "a", ",\"description\":\"old\"");
	assert_int_equal(put(f, NULL, &id, &o, &err), 0);
	definition(f, "a", "");
	j = job(f, id);
	assert_int_equal(dbx_look(&f->t, &j, 1, &seen, &err), 0);
	assert_string_not_equal(seen.sha256, f->hex);
	assert_non_null(strstr(seen.definition, "\"description\":\"old\""));
	fabric_seen_clear(&seen, 1);
	assert_int_equal(put(f, id, &again, &o, &err), 0);
	assert_int_equal(o, FABRIC_DONE);
	settings = workspace_job("a");
	assert_null(json_object_get(settings, "description"));
	assert_false(json_is_true(json_object_get(json_object_get(settings, "queue"), "enabled")));
	json_decref(settings);
	free(again);
	free(id);
}

static void a_token_for_a_machine(void **state)
{
	struct fx *f = *state;
	struct ps_err err = { 0 };

	fabric_databricks.close(&f->t);
	f->conf.client_id = (char *)WORKSPACE_CLIENT;
	f->conf.scope = (char *)"all-apis";
	f->t.secret = WORKSPACE_SECRET;
	assert_int_equal(fabric_databricks.open(&f->t, &err), 0);
	if (fabric_databricks.probe(&f->t, &err) < 0)
		fail_msg("%s", err.msg);
	workspace_faults("[{\"match\":\"GET /api/2.2/jobs/list\",\"nth\":1,\"fault\":\"expired\"}]");
	if (fabric_databricks.probe(&f->t, &err) < 0) /* once more with another */
		fail_msg("%s", err.msg);
	fabric_databricks.close(&f->t);
	f->t.secret = "wrong";
	assert_int_equal(fabric_databricks.open(&f->t, &err), 0);
	assert_int_equal(fabric_databricks.probe(&f->t, &err), PS_EPERM);
	assert_non_null(strstr(err.msg, "Client authentication failed"));
}

/* ---- runs ---- */

static struct fabric_run_now now(struct fx *f, const struct fabric_run *r)
{
	struct fabric_run_now n = { 0 };
	struct ps_err err = { 0 };

	if (dbx_runs.now(&f->t, r, &n, &err) < 0)
		fail_msg("%s", err.msg);
	return n;
}

static void move(const struct fabric_run *r, const char *result)
{
	char *path = xasprintf("runs/%s", r->id);

	json_decref(workspace_ask("POST", path, json_pack("{ss}", "result", result)));
	free(path);
}

static void assert_state(struct fx *f, const struct fabric_run *r, const char *state)
{
	struct fabric_run_now n = now(f, r);

	assert_string_equal(n.state, state);
	fabric_run_now_clear(&n);
}

static void a_run_and_its_repair(void **state)
{
	struct fx *f = *state;
	enum fabric_outcome o;
	struct ps_err err = { 0 };
	struct fabric_run r = { .token = "one", .config = "prod" };
	struct fabric_run_now n;
	struct buf text = BUF_INIT;
	struct fabric_job j;
	char *id, *run, *same;

	json_decref(workspace_ask("PUT", "options", json_pack("{ss}", "runs", "hand")));
	definition(f, "a", "");
	assert_int_equal(put(f, NULL, &id, &o, &err), 0);
	j = job(f, id);
	r.job = &j;
	if (dbx_runs.start(&f->t, &r, &run, &o, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(dbx_runs.start(&f->t, &r, &same, &o, &err), 0); /* one run, by its token */
	assert_string_equal(same, run);
	r.id = run;
	n = now(f, &r);
	assert_true(strcmp(n.state, "running") == 0 || strcmp(n.state, "queued") == 0);
	assert_int_equal(n.ntasks, 1);
	assert_non_null(strstr(n.url, "/runs/"));
	fabric_run_now_clear(&n);
	move(&r, "FAILED");
	assert_state(f, &r, "failed");
	assert_int_equal(dbx_runs.output(&f->t, &r, "t", &text, &err), 0);
	assert_int_equal(dbx_runs.output(&f->t, &r, "none", &text, &err), PS_ENOENT);
	workspace_faults("[{\"match\":\"POST /api/2.2/jobs/runs/repair\",\"nth\":1,\"fault\":\"drop\",\"after\":true}]");
	if (dbx_runs.repair(&f->t, &r, &o, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(o, FABRIC_DONE);
	move(&r, "SUCCESS");
	assert_state(f, &r, "passed");
	free(same);
	free(run);
	r.token = "two";
	assert_int_equal(dbx_runs.start(&f->t, &r, &run, &o, &err), 0);
	r.id = run;
	assert_int_equal(dbx_runs.cancel(&f->t, &r, &o, &err), 0);
	assert_state(f, &r, "cancelled");
	buf_clear(&text);
	free(run);
	free(id);
}

int main(int argc, char **argv)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, make, drop)
	const struct CMUnitTest cases[] = {
		CASE(which_job_is_meant), CASE(two_that_match_stop_it), CASE(imported_is_taken_by_its_id),
		CASE(forbidden_is_not_absent),
		CASE(a_deleted_job_that_is_forbidden), CASE(rights_that_are_refused), CASE(rights_of_a_definition_that_is_gone),
		CASE(scripts_come_before_their_job), CASE(what_has_no_version_is_written_again), CASE(an_enforced_schedule_is_woken),
		CASE(scopes_get_what_jobs_name), CASE(what_comes_in_pages_is_whole),
		CASE(lost_answers_are_looked_for), CASE(a_quota_is_no_reason_to_try_again),
		CASE(what_was_taken_out_goes_away), CASE(a_token_for_a_machine), CASE(a_run_and_its_repair),
	};
	struct CMUnitTest t[PS_NELEM(rows) + PS_NELEM(rights) + PS_NELEM(cases)];
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		t[n++] = (struct CMUnitTest) { rows[i].name, compared, NULL, NULL, (void *)&rows[i] };
	for (size_t i = 0; i < PS_NELEM(rights); i++)
		t[n++] = (struct CMUnitTest) { rights[i].name, rights_are_kept, NULL, NULL, (void *)&rights[i] };
	for (size_t i = 0; i < PS_NELEM(cases); i++)
		t[n++] = cases[i];
	cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
	rc = _cmocka_run_group_tests("databricks", t, n, NULL, NULL);
	workspace_stop();
	return rc;
}
