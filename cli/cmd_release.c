/* release show: one release, as people read it, or as other programs do: manifest, provenance,
 * bundle. */
#include "config.h"

#include "cli/client.h"
#include "cli/cmd.h"
#include "cli/release.h"
#include "cli/show.h"
#include "common/base/clock.h"
#include "common/plan/bundle.h"
#include "common/plan/manifest.h"

enum { OPT_REPO, OPT_PROJECT, OPT_MANIFEST, OPT_PROVENANCE, OPT_BUNDLE };

int release_fetch(struct cli *cli, const char *thing, const char *repository, const char *project,
		  json_t **out)
{
	struct buf path = BUF_INIT;
	int code;

	buf_adds(&path, "/release");
	client_param(&path, "thing", thing);
	client_param(&path, "repository", repository);
	client_param(&path, "project", project);
	code = client_get(cli, buf_str(&path), out);
	buf_clear(&path);
	return code;
}

static const struct column label_cols[] = {
	{ "VERSION", "version", COL_ID, 0 }, { "REF", "ref", COL_NAME, 0 },
	{ "COMMIT", "commit", COL_OID, 2 },  { "REPOSITORY", "repository", COL_NAME, 3 },
	{ "EVENT", "event", COL_ID, 0 },     { "PUSHER", "pusher", COL_NAME, 1 },
	{ "WHEN", "created", COL_TIME, 0 },  { 0 },
};

static const struct column artifact_cols[] = {
	{ "ARTIFACT", "file", COL_NAME, 0 },
	{ "PIPELINE", "pipeline", COL_NAME, 2 },
	{ "SHA-256", "sha256", COL_OID, 0 },
	{ "BYTES", "size", COL_TEXT, 1 },
	{ 0 },
};

static const struct column deployment_cols[] = {
	{ "ID", "id", COL_ID, 0 },
	{ "STATE", "state", COL_STATE, 0 },
	{ "ENVIRONMENT", "environment", COL_NAME, 2 },
	{ "FABRIC", "fabric", COL_NAME, 0 },
	{ "VERSION", "version", COL_NAME, 1 },
	{ "SINCE", "since", COL_TIME, 0 },
	{ 0 },
};

static void table(struct cli *cli, const struct column *cols, const json_t *items)
{
	struct buf b = BUF_INIT;

	if (json_array_size(items) == 0)
		return;
	term_table(&b, &cli->out, cols, items, clock_wall_ms());
	printf("\n%s", buf_str(&b));
	buf_clear(&b);
}

static void show(struct cli *cli, const json_t *doc)
{
	json_t *manifest = json_loads(show_text(doc, "manifest"), 0, NULL);
	struct buf state = BUF_INIT;

	term_state(&state, &cli->out, show_text(doc, "state"), NULL);
	printf("release %s  %s\n", show_text(doc, "id"), buf_str(&state));
	show_field(cli, "digest", doc, "digest");
	show_field(cli, "project", doc, "project");
	show_field(cli, "made", doc, "created");
	if (json_is_null(json_object_get(doc, "signed_by")))
		printf("  %-10s %s\n", "signed by", "nobody yet");
	show_field(cli, "signed by", doc, "signed_by");
	show_field(cli, "toolchain", manifest, "toolchain");
	table(cli, label_cols, json_object_get(doc, "labels"));
	table(cli, artifact_cols, json_object_get(manifest, "artifacts"));
	table(cli, deployment_cols, json_object_get(doc, "deployments"));
	buf_clear(&state);
	json_decref(manifest);
}

/* Exactly its bytes, so that their SHA-256 is the id; a terminal gets the end of the line too. */
static int put_manifest(struct cli *cli, const json_t *doc)
{
	fputs(show_text(doc, "manifest"), stdout);
	if (cli->out.tty)
		putchar('\n');
	return CLI_OK;
}

/* Of how it was reached first. */
static json_t *provenance_of(const json_t *doc, const struct bundle *b, struct ps_err *err)
{
	const json_t *labels = json_object_get(doc, "labels");
	const json_t *first = json_array_get(labels, json_array_size(labels) - 1);
	struct provenance_label l = {
		.repository = show_text(first, "repository"),
		.ref = json_string_value(json_object_get(first, "ref")),
		.commit = json_string_value(json_object_get(first, "commit")),
		.version = json_string_value(json_object_get(first, "version")),
		.event = json_string_value(json_object_get(first, "event")),
		.made = json_string_value(json_object_get(doc, "created")),
	};
	struct manifest m;
	json_t *v;

	if (manifest_read(&m, b->manifest, b->n, b->id, err) < 0)
		return NULL;
	v = provenance_json(&m, b, &l);
	manifest_clear(&m);
	return v;
}

static int put_document(struct cli *cli, const json_t *doc, bool provenance)
{
	struct ps_err err = { 0 };
	struct bundle b;
	json_t *v = NULL;

	if (bundle_from(&b, doc, &err) == 0) {
		v = provenance ? provenance_of(doc, &b, &err) : bundle_json(&b);
		bundle_clear(&b);
	}
	if (!v) {
		ps_err_prefix(&err, "release %s", show_text(doc, "id"));
		return cli_fail_err(cli, &err, err.code == PS_ENOENT ? "penstock key list" : NULL);
	}
	show_json(v);
	json_decref(v);
	return CLI_OK;
}

static int show_exec(struct cli *cli, const struct cmd_args *a)
{
	json_t *doc;
	int code;

	if (!!a->opt[OPT_MANIFEST] + !!a->opt[OPT_PROVENANCE] + !!a->opt[OPT_BUNDLE] > 1)
		return cli_fail(
			cli, CLI_USAGE, NULL,
			"--manifest, --provenance and --bundle are three documents; ask for one");
	code = release_fetch(cli, a->arg[0], a->opt[OPT_REPO], a->opt[OPT_PROJECT], &doc);
	if (code)
		return code;
	if (a->opt[OPT_MANIFEST])
		code = put_manifest(cli, doc);
	else if (a->opt[OPT_PROVENANCE] || a->opt[OPT_BUNDLE])
		code = put_document(cli, doc, a->opt[OPT_PROVENANCE] != NULL);
	else if (cli->json)
		show_json(doc);
	else
		show(cli, doc);
	json_decref(doc);
	return code;
}

const struct cmd cmd_release_show = {
	.name = "release show",
	.usage = "RELEASE [--manifest|--provenance|--bundle]",
	.group = "Releases",
	.help = "Show a release: how it was reached, what is in it, who signed it, where it went",
	.more = "RELEASE is the beginning of its id (four digits or more), a version or a ref; of "
		"a ref the newest counts.\n"
		"--manifest prints the bytes that were signed: their SHA-256 is the id. "
		"--provenance prints an in-toto\n"
		"statement. --bundle prints what 'penstock verify FILE' proves on another machine.",
	.example = "release show v1.0.0 --bundle",
	.needs = CMD_INSTANCE,
	.min = 1,
	.max = 1,
	.opts = { { "repo", 'R', "REPO", "only labels of this repository" },
		  { "project", 'p', "PROJECT", "only labels of this project" },
		  { "manifest", 0, NULL, "its canonical manifest, byte for byte" },
		  { "provenance", 0, NULL,
		    "where its artifacts come from, as an in-toto statement" },
		  { "bundle", 0, NULL, "manifest and signature in one JSON document" } },
	.exec = show_exec,
};
