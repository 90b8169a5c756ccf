/* verify: is a release what was signed, and are files its artifacts? Proven here; the agent is
 * asked for the release alone, and for a file not at all. */
#include "config.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/release.h"
#include "cli/show.h"
#include "common/base/digest.h"
#include "common/base/fsutil.h"
#include "common/config/keys.h"
#include "common/plan/bundle.h"
#include "common/plan/canon.h"
#include "common/plan/manifest.h"

enum { OPT_KEY, OPT_ARTIFACT, OPT_REPO, OPT_PROJECT };

struct proof {
	struct bundle b;
	struct manifest m;
	bool read;         /* m is */
	json_t *artifacts; /* id, state, sha256 */
	bool bad;          /* one of them */
};

/* ---- what is to be proven ---- */

static bool is_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int from_file(struct bundle *b, const char *path, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	json_t *doc = NULL;
	int rc = fs_read(&text, AT_FDCWD, path, PS_JSON_MAX, err);

	if (rc == 0)
		rc = canon_read(&doc, buf_str(&text), text.len, path, err);
	if (rc == 0 && (rc = bundle_from(b, doc, err)) < 0)
		ps_err_prefix(err, "'%s'", path);
	json_decref(doc);
	buf_clear(&text);
	return rc;
}

/* 0, or an exit code after saying why. */
static int load(struct cli *cli, const struct cmd_args *a, bool file, struct bundle *b)
{
	struct ps_err err = { 0 };
	json_t *doc;
	int code;

	if (file)
		return from_file(b, a->arg[0], &err) < 0 ? cli_fail_err(cli, &err, NULL) : 0;
	code = release_fetch(cli, a->arg[0], a->opt[OPT_REPO], a->opt[OPT_PROJECT], &doc);
	if (code)
		return code;
	if (bundle_from(b, doc, &err) < 0) {
		ps_err_prefix(&err, "release %s", show_text(doc, "id"));
		code = cli_fail_err(cli, &err, "penstock key list");
	}
	json_decref(doc);
	return code;
}

/* ---- whose signature ---- */

static int find_key(struct cli *cli, const struct cmd_args *a, const struct bundle *b,
		    struct sign_public *pub, struct ps_err *err)
{
	const struct key_known *k;
	struct keys_known known;
	struct key_known one;
	int rc;

	if (a->opt[OPT_KEY]) {
		rc = keys_read_public(&one, AT_FDCWD, a->opt[OPT_KEY], err);
		*pub = one.pub;
		return rc;
	}
	rc = keys_list(&known, cli->paths.keys, err);
	if (rc < 0)
		return rc;
	k = keys_find(&known, b->signed_by);
	if (k)
		*pub = k->pub;
	else
		rc = ps_err_set(err, PS_ECONFLICT,
				"release %.12s is signed by the key %s, which is none of this "
				"instance's in "
				"'%s'",
				b->id, b->signed_by, cli->paths.keys);
	keys_clear(&known);
	return rc;
}

/* ---- artifacts ---- */

static int digest_of(const char *path, char hex[DIGEST_HEX], struct ps_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return ps_err_errno(err, "cannot open '%s'", path);
	rc = digest_fd(hex, fd, NULL, err);
	close(fd);
	return rc;
}

static void add(struct proof *p, const char *name, const char *state, const char *hex)
{
	json_t *o =
		json_pack("{so ss ss?}", "id", show_string(name), "state", state, "sha256", hex);

	json_array_append_new(p->artifacts, o);
	p->bad = p->bad || strcmp(state, "valid") != 0;
}

/* One file: by its name in the manifest; one that was renamed by its digest. */
static int check_file(struct proof *p, const char *path, struct ps_err *err)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const struct manifest_artifact *is = manifest_artifact_named(&p->m, name);
	char hex[DIGEST_HEX];
	bool same;
	int rc = digest_of(path, hex, err);

	if (rc < 0)
		return rc;
	same = is && strcmp(is->sha256, hex) == 0;
	for (size_t i = 0; !is && i < p->m.nartifacts; i++)
		same = same || strcmp(p->m.artifacts[i].sha256, hex) == 0;
	add(p, name, same ? "valid" : is ? "other bytes" : "not in the release", hex);
	return 0;
}

/* Every artifact of the release must be in the folder. */
static int check_folder(struct proof *p, const char *path, struct ps_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < p->m.nartifacts && rc == 0; i++) {
		char *file = fs_join(path, p->m.artifacts[i].file);

		if (fs_exists(file))
			rc = check_file(p, file, err);
		else
			add(p, p->m.artifacts[i].file, "missing", NULL);
		free(file);
	}
	return rc;
}

static int check_artifacts(struct proof *p, const char *path, struct ps_err *err)
{
	if (!path)
		return 0;
	return is_file(path) ? check_file(p, path, err) : check_folder(p, path, err);
}

/* ---- the answer ---- */

static void tell_json(const struct proof *p, const char *problem)
{
	json_t *doc =
		json_pack("{s[{ss# ss ss ss s:s? sO}]}", "items", "id", p->b.id, 12, "state",
			  problem || p->bad ? "invalid" : "valid", "digest", p->b.id, "signed_by",
			  p->b.signed_by, "reason", problem, "artifacts", p->artifacts);

	show_json(doc);
	json_decref(doc);
}

static int tell(struct cli *cli, const struct proof *p, const char *problem)
{
	json_t *item;
	size_t i;

	if (cli->json)
		tell_json(p, problem);
	if (problem)
		return cli_fail(cli, CLI_NO, NULL, "%s", problem);
	if (!cli->json)
		printf("valid: release %.12s of project %s, signed by the key %s\n", p->b.id,
		       p->m.project, p->b.signed_by);
	json_array_foreach(p->artifacts, i, item) if (!cli->json)
	{
		printf("%s: ", show_text(item, "state"));
		show_escaped(show_text(item, "id"));
		putchar('\n');
	}
	return p->bad ? cli_fail(cli, CLI_NO, NULL, "not every artifact is the release's") : CLI_OK;
}

static int verify_exec(struct cli *cli, const struct cmd_args *a)
{
	struct proof p = { .artifacts = json_array() };
	struct sign_public pub;
	struct ps_err err = { 0 };
	bool file = is_file(a->arg[0]);
	int rc, code = 0;

	if (!file || !a->opt[OPT_KEY]) /* a file and a key need nothing of ours */
		code = cli_instance(cli);
	if (code == 0)
		code = load(cli, a, file, &p.b);
	if (code == 0) {
		rc = find_key(cli, a, &p.b, &pub, &err);
		if (rc == 0)
			rc = bundle_prove(&p.b, &pub, &p.m, &err);
		p.read = rc == 0;
		if (rc == 0)
			rc = check_artifacts(&p, a->opt[OPT_ARTIFACT], &err);
		code = tell(cli, &p, rc < 0 ? ps_err_msg(&err, rc) : NULL);
	}
	if (p.read)
		manifest_clear(&p.m);
	bundle_clear(&p.b);
	json_decref(p.artifacts);
	return code;
}

const struct cmd cmd_verify = {
	.name = "verify",
	.usage = "RELEASE|FILE [--key PUBLIC] [--artifact PATH]",
	.group = "Releases",
	.help = "Prove that a release is what was signed",
	.more = "FILE was written by 'penstock release show R --bundle'; with --key it needs no "
		"agent and no instance.\n"
		"RELEASE is asked from the agent and proven here. Without --key the public keys of "
		"the instance count,\n"
		"retired ones too (penstock key list). A word that is the name of a file is a "
		"FILE.",
	.example = "verify v1.0.0.json --key release.pub --artifact dist/",
	.needs = CMD_NOTHING,
	.min = 1,
	.max = 1,
	.opts = { { "key", 'k', "PUBLIC",
		    "the public key that must have signed it (penstock key export)" },
		  { "artifact", 'a', "PATH",
		    "a wheel that must be one of the release's; a folder: all of them, by name" },
		  { "repo", 'R', "REPO", "only labels of this repository" },
		  { "project", 'p', "PROJECT", "only labels of this project" } },
	.exec = verify_exec,
};
