/* doctor_roles – what work stands on: toolchains and sandbox, credentials, the walls between the
 * roles. See doctor.h. */
#include "config.h"

#include "cli/doctor.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include "cli/show.h"
#include "cli/toolchains.h"
#include "common/base/fsutil.h"

static void one_toolchain(struct doctor *d, const json_t *t)
{
	const char *state = show_text(t, "state");

	if (strcmp(state, "ready") == 0)
		doctor_say(d, WELL_OK, NULL, NULL, "%s: %s", show_text(t, "id"),
			   show_text(t, "versions"));
	else
		doctor_say(d, WELL_ERROR, "builds that stand on it wait, or fail",
			   "penstock toolchain make NAME FILE", "%s: %s", show_text(t, "id"),
			   show_text(t, "reason"));
}

/* Those that rules name and nobody has made. */
static void missing_toolchains(struct doctor *d, const json_t *items)
{
	const struct config *cfg = d->cfg;

	for (size_t i = 0; cfg && i < cfg->ntoolchain_rules; i++) {
		const char *name = cfg->toolchain_rules[i].use;
		bool there = false, told = false;
		char *mend;
		json_t *item;
		size_t k;

		json_array_foreach(items, k, item)
			there = there || strcmp(show_text(item, "id"), name) == 0;
		for (k = 0; k < i; k++)
			told = told || strcmp(cfg->toolchain_rules[k].use, name) == 0;
		if (there || told)
			continue;
		mend = xasprintf("penstock toolchain make %s FILE", name);
		doctor_say(d, WELL_ERROR, "the builds that a rule sends to it wait", mend,
			   "toolchain %s of penstock.yml, line %u, is not there", name,
			   cfg->toolchain_rules[i].pos.line);
		free(mend);
	}
}

void doctor_toolchains(struct doctor *d)
{
	struct toolchains t;
	struct ps_err err = { 0 };
	json_t *item;
	size_t i;

	if (toolchains_look(&t, d->cli, NULL, "--quick", &err) < 0) {
		doctor_say(d, WELL_ERROR, "builds wait", "install penstock again", "%s", err.msg);
		return;
	}
	json_array_foreach(t.items, i, item)
		one_toolchain(d, item);
	missing_toolchains(d, t.items);
	if (json_array_size(t.items) == 0)
		doctor_say(d, WELL_ERROR, "builds wait until there is one",
			   "penstock toolchain make default FILE", "there is none");
	d->check = "sandbox";
	if (t.sandbox)
		doctor_say(d, WELL_OK, NULL, NULL, "bubblewrap makes one, %s", geteuid() == 0 ?
			   "with a uid for each slot" : "in a user namespace");
	else
		doctor_say(d, WELL_ERROR, "nothing is built, tested or run without",
			   "apt-get install bubblewrap", "%s", t.sandbox_why);
	toolchains_clear(&t);
}

/* ---- credentials ---- */

/* The file of a reference; what it holds nobody reads here. */
static void one_secret(struct doctor *d, const char *whose, const struct conf_secret *s)
{
	char *close;
	struct stat st;

	if (s->kind != CONF_SECRET_FILE)
		return;
	close = xasprintf("chmod 600 %s", s->where);
	if (stat(s->where, &st) < 0)
		doctor_say(d, WELL_ERROR, "nothing can be sent or deployed there", close,
			   "%s: '%s' is not there, or not for us to see", whose, s->where);
	else if (st.st_mode & 077)
		doctor_say(d, WELL_ERROR, "who can read it can act there in penstock's name", close,
			   "%s: '%s' has mode %03o, not 600", whose, s->where, st.st_mode & 0777);
	free(close);
}

/* What the deploy role found when it tried them, where the provider can be asked. */
static void one_fabric(struct doctor *d, const struct conf_fabric *f)
{
	json_t *item;
	const json_t *told = NULL;
	const char *state;
	size_t i;

	json_array_foreach(json_object_get(d->status, "fabrics"), i, item)
		if (strcmp(show_text(item, "id"), f->name) == 0)
			told = json_object_get(item, "credential");
	state = show_text(told, "state");
	if (strcmp(state, "ok") == 0)
		doctor_say(d, WELL_OK, NULL, NULL, "fabric %s: %s", f->name,
			   show_text(told, "text"));
	else if (strcmp(state, "error") == 0)
		doctor_say(d, WELL_ERROR, "deployments there fail", "penstock fabrics",
			   "fabric %s: %s", f->name, show_text(told, "text"));
	else
		doctor_say(d, WELL_NOT_ASKED, NULL, NULL, "fabric %s (%s): %s", f->name,
			   conf_provider_word(f->provider), d->status ? "this provider cannot be "
			   "asked" : "the agent would ask, and does not run");
}

void doctor_credentials(struct doctor *d)
{
	size_t before = json_array_size(d->items);

	for (size_t i = 0; d->cfg && i < d->cfg->nfabrics; i++) {
		const struct conf_fabric *f = &d->cfg->fabrics[i];

		one_secret(d, f->name, &f->token);
		one_secret(d, f->name, &f->client_secret);
		if (f->provider != CONF_LOCAL)
			one_fabric(d, f);
	}
	for (size_t i = 0; d->cfg && i < d->cfg->nnotify; i++)
		one_secret(d, d->cfg->notify[i].name, &d->cfg->notify[i].secret);
	if (json_array_size(d->items) == before)
		doctor_say(d, WELL_OK, NULL, NULL, "none is needed, or each is its owner's alone");
}

/* ---- roles ---- */

struct proc_facts {
	long uid;
	unsigned long long caps;
	int no_new_privs, seccomp;
	bool dumpable;
};

static bool read_proc(pid_t pid, struct proc_facts *f)
{
	struct buf text = BUF_INIT;
	char path[64], *at;
	struct stat st;
	bool ok;

	*f = (struct proc_facts) { .uid = -1, .no_new_privs = -1, .seccomp = -1 };
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	ok = pid > 0 && fs_read(&text, AT_FDCWD, path, 65536, NULL) == 0;
	for (char *line = ok ? strtok_r(text.data, "\n", &at) : NULL; line;
	     line = strtok_r(NULL, "\n", &at)) {
		sscanf(line, "Uid:\t%*d\t%ld", &f->uid);
		sscanf(line, "CapEff:\t%llx", &f->caps);
		sscanf(line, "NoNewPrivs:\t%d", &f->no_new_privs);
		sscanf(line, "Seccomp:\t%d", &f->seccomp);
	}
	/* the kernel gives the files of a process that may not be dumped to root */
	snprintf(path, sizeof(path), "/proc/%d/environ", (int)pid);
	f->dumpable = f->uid != 0 && stat(path, &st) == 0 && (long)st.st_uid == f->uid;
	buf_clear(&text);
	return ok && f->uid >= 0;
}

static const char *user_name(long uid, char text[32])
{
	const struct passwd *pw = getpwuid((uid_t)uid);

	snprintf(text, 32, "%s", pw ? pw->pw_name : "");
	if (!pw)
		snprintf(text, 32, "uid %ld", uid);
	return text;
}

/* The user of another role is a way around all walls of this one. */
static bool is_shared(const struct doctor *d, const json_t *role, long uid)
{
	struct proc_facts f;
	json_t *other;
	size_t i;

	json_array_foreach(json_object_get(d->status, "roles"), i, other)
		if (other != role &&
		    read_proc((pid_t)json_integer_value(json_object_get(other, "pid")), &f) &&
		    f.uid == uid)
			return true;
	return false;
}

static void one_role(struct doctor *d, const json_t *role)
{
	pid_t pid = (pid_t)json_integer_value(json_object_get(role, "pid"));
	struct buf what = BUF_INIT;
	struct proc_facts f;
	char name[32];
	bool weak;

	if (!read_proc(pid, &f)) {
		doctor_say(d, WELL_ERROR, "its work waits", "penstock status", "%s is not running",
			   show_text(role, "id"));
		return;
	}
	weak = f.uid == 0 || is_shared(d, role, f.uid) || f.no_new_privs != 1 || f.seccomp != 2;
	buf_addf(&what, "%s: user %s%s, %s, %s, %s%s", show_text(role, "id"),
		 user_name(f.uid, name), is_shared(d, role, f.uid) ? " like other roles" : "",
		 f.caps ? "capabilities" : "no capabilities",
		 f.no_new_privs == 1 ? "no new privileges" : "may gain privileges",
		 f.seccomp == 2 ? "seccomp" : "no seccomp", f.dumpable ? ", can be traced" : "");
	doctor_say(d, weak ? WELL_WARNING : WELL_OK, "what one role reads another could read; the "
		   "sandbox is the wall around a repository's code", "man penstock.yml, roles:",
		   "%s", buf_str(&what));
	buf_clear(&what);
}

void doctor_roles(struct doctor *d)
{
	size_t i;
	json_t *role;

	if (!d->status)
		doctor_say(d, WELL_NOT_ASKED, NULL, NULL, "the agent does not run");
	json_array_foreach(json_object_get(d->status, "roles"), i, role)
		one_role(d, role);
}
