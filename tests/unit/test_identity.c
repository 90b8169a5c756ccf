/* What each kind of host proves about who pushes: its environment in, a name or a reason out. */
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/wire/messages.h"
#include "hooks/identity/identity.h"

#define X16 "xxxxxxxxxxxxxxxx"
#define X128 X16 X16 X16 X16 X16 X16 X16 X16

/* Of every host at once, as somebody would set them who does not know which one counts. */
#define FORGED "USER=eve", "LOGNAME=eve", "PENSTOCK_USER=eve", "GIT_COMMITTER_NAME=eve", \
	"GIT_AUTHOR_NAME=eve", "GIT_PUSH_OPTION_0=kim", "GITHUB_PULL_REQUEST_AUTHOR_LOGIN=eve", \
	"GITEA_PUSHER_EMAIL=eve@x", "GITEA_REPO_USER_NAME=eve", "GL_PROTOCOL=ssh", \
	"SSH_ORIGINAL_COMMAND=eve", "HTTP_REMOTE_USER=eve", "PENSTOCK_AS=eve"
#define EVERY_NAME "GL_USER=eve", "GL_USERNAME=eve", "GITEA_PUSHER_NAME=eve", \
	"FORGEJO_PUSHER_NAME=eve", "GITHUB_USER_LOGIN=eve", "REMOTE_USER=eve"
#define OF_USER "GL_ID=user-2234", "GL_PROJECT_PATH=sales/etl", "GL_REPOSITORY=project-1234"
#define OF_GITEA "GITEA_REPO_NAME=etl", "GITEA_REPO_IS_WIKI=false", "GITEA_PUSHER_ID=7", "GITEA_PR_ID=0"
#define OF_CGI "REQUEST_METHOD=POST", "GATEWAY_INTERFACE=CGI/1.1"

enum { NVARS = 24 };

static const struct row {
	const char *title;
	enum conf_identity kind;
	const char *variable;			/* of env:NAME */
	const char *env[NVARS];
	const char *name, *why;			/* both NULL: core's to tell */
} rows[] = {
	{ "uid", CONF_ID_UID, NULL, { "USER=kim", NULL }, NULL, NULL },
	{ "uid, forged", CONF_ID_UID, NULL, { FORGED, EVERY_NAME, NULL }, NULL, NULL },

	{ "gitolite by ssh", CONF_ID_GITOLITE, NULL,
	  { FORGED, "GL_REPO=sales/etl", "GL_REPO_BASE=/srv/git", "GL_USER=kim", NULL }, "kim", NULL },
	{ "gitolite, redirected by a mirror that the admin trusts", CONF_ID_GITOLITE, NULL,
	  { "GL_REPO=sales/etl", "GL_USER=kim", "SSH_ORIGINAL_COMMAND=git-receive-pack 'sales/etl'", NULL }, "kim", NULL },
	{ "gitolite, from the master", CONF_ID_GITOLITE, NULL,
	  { "GL_USER=server-berlin", "GL_BYPASS_ACCESS_CHECKS=1", NULL },
	  NULL, "gitolite did not check who pushes (GL_BYPASS_ACCESS_CHECKS is set)" },
	{ "gitolite, checks not bypassed", CONF_ID_GITOLITE, NULL,
	  { "GL_USER=kim", "GL_BYPASS_ACCESS_CHECKS=0", NULL }, "kim", NULL },
	{ "gitolite, nothing", CONF_ID_GITOLITE, NULL, { FORGED, NULL }, NULL, "GL_USER is not set" },
	{ "gitolite, empty", CONF_ID_GITOLITE, NULL, { "GL_USER=", NULL }, NULL, "GL_USER is empty" },
	{ "gitolite, names of other hosts", CONF_ID_GITOLITE, NULL,
	  { "GL_USERS=eve", "GL_USERNAME=eve", "XGL_USER=eve", "REMOTE_USER=eve", NULL }, NULL, "GL_USER is not set" },
	{ "gitolite, but GitLab", CONF_ID_GITOLITE, NULL, { OF_USER, "GL_USERNAME=kim", "GL_USER=kim", NULL },
	  NULL, "this host is GitLab, not gitolite" },

	{ "GitLab by ssh", CONF_ID_GITLAB, NULL, { FORGED, OF_USER, "GL_USERNAME=kim", NULL }, "kim", NULL },
	{ "GitLab, a merge on its pages", CONF_ID_GITLAB, NULL,
	  { "GL_ID=user-1", "GL_PROTOCOL=web", "GL_USERNAME=kim.l", NULL }, "kim.l", NULL },
	{ "GitLab, a wiki", CONF_ID_GITLAB, NULL,
	  { "GL_ID=user-1", "GL_REPOSITORY=wiki-1234", "GL_USERNAME=kim", NULL }, "kim", NULL },
	{ "GitLab, a deploy key that kim made", CONF_ID_GITLAB, NULL, { "GL_ID=key-4", "GL_USERNAME=kim", NULL },
	  NULL, "a deploy key is no person (GL_ID)" },
	{ "GitLab, no id", CONF_ID_GITLAB, NULL, { "GL_USERNAME=kim", NULL }, NULL, "GL_ID is not set" },
	{ "GitLab, empty id", CONF_ID_GITLAB, NULL, { "GL_ID=", "GL_USERNAME=kim", NULL }, NULL, "GL_ID is not set" },
	{ "GitLab, two ids", CONF_ID_GITLAB, NULL, { "GL_ID=user-1", "GL_ID=key-4", "GL_USERNAME=kim", NULL },
	  NULL, "GL_ID is not set" },
	{ "GitLab, user without number", CONF_ID_GITLAB, NULL, { "GL_ID=user-", "GL_USERNAME=kim", NULL },
	  NULL, "GL_ID names no user" },
	{ "GitLab, user with more", CONF_ID_GITLAB, NULL, { "GL_ID=user-1x", "GL_USERNAME=kim", NULL },
	  NULL, "GL_ID names no user" },
	{ "GitLab, no name", CONF_ID_GITLAB, NULL, { OF_USER, FORGED, "GL_USER=eve", NULL },
	  NULL, "GL_USERNAME is not set" },

	{ "Gitea by ssh", CONF_ID_GITEA, NULL,
	  { FORGED, OF_GITEA, "GITEA_PUSHER_NAME=kim", "GITEA_KEY_ID=3", "GITEA_DEPLOY_KEY_ID=0", NULL }, "kim", NULL },
	{ "Gitea, a merge on its pages", CONF_ID_GITEA, NULL,
	  { OF_GITEA, "GITEA_PUSHER_NAME=kim", "GITEA_PUSH_TRIGGER=pr-merge-to-base",
	    "SSH_ORIGINAL_COMMAND=gitea-internal", NULL }, "kim", NULL },
	{ "Gitea, a wiki", CONF_ID_GITEA, NULL,
	  { "GITEA_REPO_NAME=etl.wiki", "GITEA_REPO_IS_WIKI=true", "GITEA_PUSHER_NAME=kim", NULL }, "kim", NULL },
	{ "Gitea, a deploy key", CONF_ID_GITEA, NULL, { "GITEA_PUSHER_NAME=kim", "GITEA_DEPLOY_KEY_ID=12", NULL },
	  NULL, "a deploy key is no person (GITEA_DEPLOY_KEY_ID)" },
	{ "Gitea, a deploy key and a second value", CONF_ID_GITEA, NULL,
	  { "GITEA_PUSHER_NAME=kim", "GITEA_DEPLOY_KEY_ID=12", "GITEA_DEPLOY_KEY_ID=0", NULL },
	  NULL, "a deploy key is no person (GITEA_DEPLOY_KEY_ID)" },
	{ "Gitea, a job", CONF_ID_GITEA, NULL,
	  { "GITEA_PUSHER_NAME=gitea-actions", "GITEA_PUSHER_ID=-2", "GITEA_ACTIONS_TASK_ID=88", NULL },
	  NULL, "a job of Actions is no person (GITEA_ACTIONS_TASK_ID)" },
	{ "Gitea, by itself", CONF_ID_GITEA, NULL, { "GITEA_PUSHER_NAME=kim", "GITEA_INTERNAL_PUSH=true", NULL },
	  NULL, "the host pushes by itself (GITEA_INTERNAL_PUSH)" },
	{ "Gitea, not by itself", CONF_ID_GITEA, NULL, { "GITEA_PUSHER_NAME=kim", "GITEA_INTERNAL_PUSH=false", NULL },
	  "kim", NULL },
	{ "Gitea, nothing", CONF_ID_GITEA, NULL, { FORGED, OF_GITEA, NULL }, NULL, "GITEA_PUSHER_NAME is not set" },
	{ "Gitea, empty", CONF_ID_GITEA, NULL, { "GITEA_PUSHER_NAME=", NULL }, NULL, "GITEA_PUSHER_NAME is empty" },
	{ "Forgejo as Gitea", CONF_ID_GITEA, NULL, { "GITEA_PUSHER_NAME=kim", "FORGEJO_PUSHER_NAME=kim", NULL },
	  "kim", NULL },
	{ "Forgejo alone", CONF_ID_GITEA, NULL, { "FORGEJO_PUSHER_NAME=kim", NULL }, "kim", NULL },
	{ "Forgejo, a deploy key", CONF_ID_GITEA, NULL, { "FORGEJO_PUSHER_NAME=kim", "FORGEJO_DEPLOY_KEY_ID=1", NULL },
	  NULL, "a deploy key is no person (GITEA_DEPLOY_KEY_ID)" },
	{ "Forgejo, two names", CONF_ID_GITEA, NULL, { "GITEA_PUSHER_NAME=kim", "FORGEJO_PUSHER_NAME=eve", NULL },
	  NULL, "GITEA_PUSHER_NAME and FORGEJO_PUSHER_NAME differ" },

	{ "GHES by ssh", CONF_ID_GHES, NULL,
	  { FORGED, "GITHUB_USER_LOGIN=kim-l", "GITHUB_PUBLIC_KEY_FINGERPRINT=SHA256:x", NULL }, "kim-l", NULL },
	{ "GHES, kim merges what eve wrote", CONF_ID_GHES, NULL,
	  { "GITHUB_VIA=pull request merge button", "GITHUB_PULL_REQUEST_AUTHOR_LOGIN=eve", "GITHUB_USER_LOGIN=kim", NULL },
	  "kim", NULL },
	{ "GHES, nothing", CONF_ID_GHES, NULL, { FORGED, NULL }, NULL, "GITHUB_USER_LOGIN is not set" },
	{ "GHES, empty", CONF_ID_GHES, NULL, { "GITHUB_USER_LOGIN=", NULL }, NULL, "GITHUB_USER_LOGIN is empty" },

	{ "http", CONF_ID_HTTP, NULL, { FORGED, OF_CGI, "REMOTE_USER=kim", "REMOTE_ADDR=::1", NULL }, "kim", NULL },
	{ "http, Kerberos", CONF_ID_HTTP, NULL, { OF_CGI, "REMOTE_USER=kim@EXAMPLE.NET", NULL }, "kim@EXAMPLE.NET", NULL },
	{ "http, a domain", CONF_ID_HTTP, NULL, { OF_CGI, "REMOTE_USER=SALES\\kim", NULL }, "SALES\\kim", NULL },
	{ "http, anonymous", CONF_ID_HTTP, NULL, { FORGED, OF_CGI, NULL }, NULL, "REMOTE_USER is not set" },
	{ "http, empty", CONF_ID_HTTP, NULL, { OF_CGI, "REMOTE_USER=", NULL }, NULL, "REMOTE_USER is empty" },
	{ "http, by ssh", CONF_ID_HTTP, NULL, { "SSH_CONNECTION=::1 1 ::1 22", "REMOTE_USER=eve", NULL },
	  NULL, "this push did not come by http (REQUEST_METHOD is not set)" },

	{ "shared account", CONF_ID_ENV, "WHO", { FORGED, EVERY_NAME, "WHO=kim", NULL }, "kim", NULL },
	{ "shared account, empty", CONF_ID_ENV, "WHO", { "WHO=", NULL }, NULL, "WHO is empty" },
	{ "shared account, nothing", CONF_ID_ENV, "WHO", { FORGED, EVERY_NAME, "WHOM=eve", NULL }, NULL, "WHO is not set" },
	{ "shared account, twice", CONF_ID_ENV, "WHO", { "WHO=kim", "WHO=eve", NULL }, NULL, "WHO is set twice" },
	{ "shared account, no variable", CONF_ID_ENV, NULL, { "WHO=kim", NULL },
	  NULL, "the policy does not say which variable" },

	{ "of a newer version", CONF_ID_ENV + 1, "WHO", { "WHO=kim", NULL },
	  NULL, "this hook does not know the identity that the policy names" },
	{ "no environment", CONF_ID_GITEA, NULL, { NULL }, NULL, "GITEA_PUSHER_NAME is not set" },
};

static void check_row(void **state)
{
	const struct row *r = *state;
	struct policy_root root = { .identity = r->kind, .identity_env = (char *)r->variable };
	struct identity id;

	identity_find(&id, &root, r->env);
	if (r->name)
		assert_string_equal(id.name, r->name);
	else
		assert_null(id.name);
	assert_string_equal(id.why, r->why ? r->why : "");
}

/* ---- what can be a name, whichever host says it ---- */

static const struct host {
	enum conf_identity kind;
	const char *variable;
	const char *also;
} hosts[] = {
	{ CONF_ID_GITOLITE, "GL_USER", "GL_REPO=etl" },
	{ CONF_ID_GITLAB, "GL_USERNAME", "GL_ID=user-1" },
	{ CONF_ID_GITEA, "GITEA_PUSHER_NAME", "GITEA_PUSHER_ID=1" },
	{ CONF_ID_GITEA, "FORGEJO_PUSHER_NAME", "GITEA_PUSHER_ID=1" },
	{ CONF_ID_GHES, "GITHUB_USER_LOGIN", "GITHUB_VIA=" },
	{ CONF_ID_HTTP, "REMOTE_USER", "REQUEST_METHOD=POST" },
	{ CONF_ID_ENV, "WHO", "X=" },
};

static const struct value {
	const char *text;
	const char *why;			/* after the variable; NULL: a name */
} values[] = {
	{ "kim", NULL },
	{ "José.O'Neil+x", NULL },
	{ "李", NULL },
	{ X128, NULL },
	{ X128 "x", "is longer than 128 bytes" },
	{ "kim\n", "holds characters that no name has" },
	{ "kim\nremote: error: eve", "holds characters that no name has" },
	{ "\033[31mkim", "holds characters that no name has" },
	{ "kim\t", "holds characters that no name has" },
	{ "kim\x7f", "holds characters that no name has" },
	{ "kim\xc2\x9b", "holds characters that no name has" },		/* C1 */
	{ "\xe2\x80\xaekim", "holds characters that no name has" },	/* right to left */
	{ "kim\xff", "holds characters that no name has" },
	{ "kim\xc3", "holds characters that no name has" },
};

static void check_values(void **state)
{
	const struct host *h = *state;
	struct policy_root root = { .identity = h->kind, .identity_env = (char *)h->variable };

	for (size_t i = 0; i < PS_NELEM(values); i++) {
		char *var = xasprintf("%s=%s", h->variable, values[i].text);
		char *why = xasprintf("%s %s", h->variable, values[i].why ? values[i].why : "");
		const char *env[] = { "USER=eve", var, h->also, NULL };
		struct identity id;

		identity_find(&id, &root, env);
		if (values[i].why) {
			assert_null(id.name);
			assert_string_equal(id.why, why);
		} else {
			assert_string_equal(id.name, values[i].text);
			assert_string_equal(id.why, "");
		}
		free(var);
		free(why);
	}
}

static void no_root(void **state)
{
	const char *env[] = { EVERY_NAME, NULL };
	struct identity id;

	(void)state;
	identity_find(&id, NULL, env);
	assert_null(id.name);
	assert_string_equal(id.why, "");
	assert_null(identity_refusal_prefix(NULL));
}

static void only_gitlab_has_a_prefix(void **state)
{
	(void)state;
	for (unsigned kind = CONF_ID_UID; kind <= CONF_ID_ENV + 1; kind++) {
		struct policy_root root = { .identity = kind };
		const char *prefix = identity_refusal_prefix(&root);

		if (kind == CONF_ID_GITLAB)
			assert_string_equal(prefix, "GL-HOOK-ERR: ");
		else
			assert_null(prefix);
	}
}

int main(void)
{
	struct CMUnitTest tests[PS_NELEM(rows) + PS_NELEM(hosts) + 2];
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(rows); i++)
		tests[n++] = (struct CMUnitTest) { rows[i].title, check_row, NULL, NULL, (void *)&rows[i] };
	for (size_t i = 0; i < PS_NELEM(hosts); i++)
		tests[n++] = (struct CMUnitTest) { hosts[i].variable, check_values, NULL, NULL, (void *)&hosts[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(no_root);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(only_gitlab_has_a_prefix);
	return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
