/*
 * cmd_check_push – the gate program: one push, judged with the pusher's own rights from where its
 * objects wait. Started by the hook when core does not answer or may not read the quarantine.
 */
#include "config.h"

#include "cli/cmd_check.h"

#include <pwd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/config/policy.h"
#include "common/gate/gate.h"
#include "common/wire/frame.h"

enum { INPUT_MAX = 32 << 20, TELL_MS = 1000, MS = 1000000 };

struct commands {
	struct buf input;
	struct gate_command *v;
	size_t n, cap;
};

static bool is_oid(const char *s)
{
	return digest_is_hex(s, 40) || digest_is_hex(s, 64);
}

/* One line "old new ref", cut in place. */
static int take_line(struct commands *c, char *line, struct ps_err *err)
{
	char *new = strchr(line, ' '), *ref = new ? strchr(new + 1, ' ') : NULL;

	if (!ref)
		return ps_err_set(err, PS_EPROTO, "a line of the push has no three parts");
	*new++ = '\0';
	*ref++ = '\0';
	if (!is_oid(line) || !is_oid(new) || !*ref || strlen(ref) > PS_REF_MAX)
		return ps_err_set(err, PS_EPROTO, "a line of the push is not 'old new ref'");
	c->v = xgrow(c->v, c->n, &c->cap, sizeof(*c->v));
	c->v[c->n++] = (struct gate_command) { line, new, ref };
	return 0;
}

static int read_commands(struct commands *c, struct ps_err *err)
{
	int rc = fs_read_fd(&c->input, STDIN_FILENO, INPUT_MAX, err);
	char *save = NULL;

	if (rc == 0 && !c->input.len)
		return ps_err_set(err, PS_EPROTO, "no push command on standard input");
	for (char *line = rc == 0 ? strtok_r(c->input.data, "\n", &save) : NULL; line && rc == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		if (c->n == PS_PUSH_REFS_MAX)
			rc = ps_err_set(err, PS_ELIMIT, "more than %d refs in one push",
					PS_PUSH_REFS_MAX);
		else
			rc = take_line(c, line, err);
	}
	return rc;
}

/* The repository's name as the rules of the configuration know it; below no root, its folder's. */
static char *name_of(const struct config *cfg, const char *base, const char *path)
{
	char *name = NULL;

	if (!config_root_of(cfg, base, path, &name)) {
		const char *slash = strrchr(path, '/');

		name = xstrdup(slash ? slash + 1 : path);
		if (ps_ends(name, ".git"))
			name[strlen(name) - 4] = '\0';
	}
	return name;
}

static bool is_member_of_any(const struct config *cfg, const char *login)
{
	for (size_t i = 0; i < cfg->nteams; i++)
		if (config_is_member(cfg, cfg->teams[i].name, login))
			return true;
	return false;
}

/* As core believes it: with `identity: uid` the account this runs as, no word of the hook. */
static const char *pusher_of(const struct config *cfg, const char *base, const char *path,
			     const struct check_push *how)
{
	char *name = NULL;
	const struct conf_root *root = config_root_of(cfg, base, path, &name);
	const struct passwd *pw;

	free(name);
	if (how->as && cfg->trusted_caller && is_member_of_any(cfg, how->as))
		return how->as;
	if (!root || root->identity != CONF_ID_UID)
		return how->pusher;
	pw = getpwuid(getuid());
	return pw ? pw->pw_name : NULL;
}

static int tell(int fd, const struct gate_input *in, const struct gate_result *r, int64_t stamp,
		struct ps_err *err)
{
	struct wire_ref_line *v = xcalloc(in->ncommands, sizeof(*v));
	struct wire_verdict m = {
		.verdict = gate_verdict_word(r->verdict), .text = buf_str(&r->text),
			.errors = r->all.errors, .skipped = r->skipped,
		.warnings = r->all.n - r->all.errors, .problem = r->slow, .stamp = (uint64_t)stamp,
		.refs = { v, in->ncommands },
	};
	int rc;

	for (size_t i = 0; i < in->ncommands; i++)
		v[i] = (struct wire_ref_line) {
			.ref = in->commands[i].ref, .old = in->commands[i].old_oid,
				.new = in->commands[i].new_oid,
			.target = ps_streq(r->refs[i].target, in->commands[i].ref) ? NULL :
				r->refs[i].target,
			.seen = *r->refs[i].seen ? r->refs[i].seen : NULL, .ordinal = i,
		};
	rc = frame_send(fd, MSG_verdict, &m, -1, clock_boot_ns() + (int64_t)TELL_MS * MS, err);
	free(v);
	return rc;
}

static int judge(const struct check_push *how, struct ps_err *err)
{
	struct repo_quarantine q = { getenv("GIT_OBJECT_DIRECTORY"),
				     getenv("GIT_ALTERNATE_OBJECT_DIRECTORIES") };
	int64_t start = clock_boot_ns();
	const char *dir = getenv("GIT_DIR");
	char *path = realpath(dir ? dir : ".", NULL), *base = NULL, *name = NULL;
	struct gate_who who;
	struct gate_input in = { .who = &who, .dry_run = how->dry_run, .skip = how->skip };
	struct commands c = { .v = NULL };
	struct gate_result r = { 0 };
	struct config *cfg = NULL;
	int rc = path ? read_commands(&c, err) : ps_err_errno(err, "cannot find the repository");

	if (rc == 0)
		rc = policy_read_config(&cfg, &base, how->policy, err);
	if (rc == 0) {
		name = name_of(cfg, base, path);
		who.name = pusher_of(cfg, base, path, how);
		in.repo_name = name;
		in.commands = c.v;
		in.ncommands = c.n;
		in.config = cfg;
		in.deadline_ns = start + (how->budget_ms ? how->budget_ms :
					  cfg->repo.budget_ms) * 9 / 10 * MS;
		/* git runs this repository's hooks for the pusher: it has checked */
		repo_trust_owners();
		rc = repo_open(&in.repo, path, &q, err);
	}
	if (rc == 0) {
		gate_judge(&in, &r);
		rc = tell(how->fd, &in, &r, start, err);
	}
	gate_result_clear(&r);
	repo_close(in.repo);
	config_free(cfg);
	buf_clear(&c.input);
	free(c.v);
	free(name);
	free(base);
	free(path);
	return rc;
}

int check_push(struct cli *cli, const struct check_push *how)
{
	struct ps_err err = { 0 };
	int rc = judge(how, &err);

	cli->command = NULL;	/* who reads this has typed git push */

	return rc < 0 ? cli_fail_err(cli, &err, NULL) : CLI_OK;
}
