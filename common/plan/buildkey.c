/* buildkey – see buildkey.h. */
#include "config.h"

#include "common/plan/buildkey.h"

#include <sys/utsname.h>

#include <jansson.h>

#include "common/base/buf.h"
#include "common/plan/canon.h"
#include "common/plan/profile.h"

static const struct {
	const char *language, *recipe;
	unsigned revision;
} recipes[] = {
	{ "python", PROFILE_RECIPE_PYTHON, PROFILE_RECIPE_PYTHON_REVISION },
};

bool buildkey_recipe(const char *language, const char **name, unsigned *revision)
{
	for (size_t i = 0; i < PS_NELEM(recipes); i++) {
		if (!ps_streq(recipes[i].language, language))
			continue;
		*name = recipes[i].recipe;
		*revision = recipes[i].revision;
		return true;
	}
	return false;
}

const char *buildkey_arch(void)
{
	static struct utsname u;

	return u.machine[0] || uname(&u) == 0 ? u.machine : "unknown";
}

/* {"path": "tree <oid>"}: an object, so the order in which inputs come cannot matter. */
static int add_inputs(json_t *doc, const struct buildkey *k, struct ps_err *err)
{
	json_t *inputs = json_object();

	if (json_object_set_new(doc, "inputs", inputs) < 0)
		return ps_err_set(err, PS_EINVAL, "cannot make a build key");
	for (size_t i = 0; i < k->ninputs; i++) {
		const struct buildkey_input *in = &k->inputs[i];
		json_t *value = json_sprintf("%s %s", in->is_dir ? "tree" : "blob", in->oid);

		if (json_object_get(inputs, in->path)) {
			json_decref(value);
			return ps_err_set(err, PS_EINVAL, "'%s' is an input twice", in->path);
		}
		if (json_object_set_new(inputs, in->path, value) < 0)
			return ps_err_set(err, PS_EINVAL, "the path of an input is not UTF-8");
	}
	return 0;
}

#define ENV_MEMBER(name, value) rc |= json_object_set_new(env, name, json_string(value));

static json_t *environment(void)
{
	json_t *env = json_object();
	int rc = 0;

	PROFILE_ENV(ENV_MEMBER)
	PS_BUG_IF(rc, "the environment of profile.h is not UTF-8");
	return env;
}

int buildkey_make(char hex[DIGEST_HEX], const struct buildkey *k, struct ps_err *err)
{
	struct buf text = BUF_INIT;
	json_t *doc =
		json_pack("{s:i, s:s, s:i, s:s, s:s, s:s, s:s, s:o}", "profile", PROFILE_REVISION,
			  "recipe", k->recipe, "recipe_revision", (int)k->recipe_revision,
			  "pipeline", k->pipeline, "project", k->project_digest, "toolchain",
			  k->toolchain_digest, "arch", k->arch, "env", environment());
	int rc;

	if (!doc)
		return ps_err_set(err, PS_EINVAL, "the pipeline's path is not UTF-8");
	rc = add_inputs(doc, k, err);
	if (rc == 0)
		rc = canon_write(doc, &text, err);
	if (rc == 0)
		digest_bytes(hex, buf_str(&text), text.len);
	json_decref(doc);
	buf_clear(&text);
	return rc;
}
