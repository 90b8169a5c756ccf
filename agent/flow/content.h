/*
 * content – what a surveyed project comes to: the key of each pipeline's build, and the manifest of
 * its release. Pure. The pass (after the push) and the forecast (during it) both ask here, so that
 * what was said and what is done cannot differ.
 */
#ifndef PS_CONTENT_H
#define PS_CONTENT_H

#include "agent/store/build.h"
#include "common/base/digest.h"
#include "common/plan/manifest.h"
#include "common/wire/msg.h"

/* Why this project cannot be built at all; NULL when it can. free() it. */
char *content_hopeless(const struct wire_project *pr);
/* Inputs of one pipeline: its own folder and what the project shares. free() the list. */
struct wire_tree_input *content_inputs(const struct wire_project *pr,
				       const struct wire_pipeline *pl, size_t *n);
/* The key of its build with these inputs. Not for a project that is hopeless. */
int content_key(const struct wire_pipeline *pl, const struct wire_tree_input *in, size_t n,
		const char *toolchain, char key[DIGEST_HEX], struct ps_err *err) PS_MUSTCHECK;

/* The manifest borrows its texts from pr and builds, which has one with digest and name for each
 * pipeline; only the lists are its own: content_manifest_drop(). */
void content_manifest(struct manifest *m, const struct wire_project *pr,
		      const struct builds *builds, const char *toolchain);
void content_manifest_drop(struct manifest *m);

#endif
