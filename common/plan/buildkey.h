/*
 * buildkey – the name of a build: everything that goes in, and nothing else. Pure.
 *
 * What is not in the key is not in the sandbox (design: BUILDS). The key is the SHA-256 of
 * canonical JSON of recipe, subtree ids at their project-relative paths, the project file reduced
 * to this pipeline, toolchain, architecture, and, from profile.h, the environment and the profile's
 * revision. Commit, branch, pusher, time, repository and the project's place in it are not in it:
 * the same tree on another branch is the same build.
 */
#ifndef PS_BUILDKEY_H
#define PS_BUILDKEY_H

#include "common/base/digest.h"
#include "common/base/err.h"

struct buildkey_input {
	const char *path; /* relative to the project */
	const char *oid;  /* of the tree or blob there */
	bool is_dir;
};

struct buildkey {
	const char *recipe; /* "python-wheel" */
	unsigned recipe_revision;
	const char *pipeline;                /* folder that is built, relative to the project */
	const struct buildkey_input *inputs; /* any order; the pipeline's folder is one of them */
	size_t ninputs;
	const char *project_digest; /* SHA-256 of the reduced pbt_project.yml */
	const char *toolchain_digest;
	const char *arch; /* buildkey_arch() */
};

/* PS_EINVAL for a path that is not UTF-8 or comes twice. */
int buildkey_make(char hex[DIGEST_HEX], const struct buildkey *k, struct ps_err *err) PS_MUSTCHECK;
/* "x86_64": the machine as the kernel names it. */
const char *buildkey_arch(void);
/* The recipe that builds a language: name and revision; false when this version has none. */
bool buildkey_recipe(const char *language, const char **name, unsigned *revision);

#endif
