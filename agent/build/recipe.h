/*
 * recipe – how one kind of pipeline becomes an artifact. One file per recipe behind one table; in
 * this version: python, one wheel by the pipeline's own setup.py.
 *
 * A recipe first proves that the export is what the build key says (it need not believe the gate),
 * builds in a sandbox, and seals what the one output folder holds: exactly one regular file of the
 * expected name, opened without following links after everything inside is dead, size-capped,
 * digested into the content store. Straight-line code for a process of its own (sandbox.h).
 */
#ifndef PS_RECIPE_H
#define PS_RECIPE_H

#include "agent/build/runlog.h"
#include "agent/build/sandbox.h"
#include "common/base/digest.h"

struct recipe_input {
	const char *path, *oid;
	bool is_dir;
};

struct recipe_job {
	const char *export;         /* laid out as /build */
	const char *work;           /* a folder of this job alone; made and removed */
	const char *artifacts;      /* content store */
	const char *pipeline;       /* its folder, relative to the export */
	const char *artifact;       /* expected file name; NULL: any, of the recipe's kind */
	const char *project_digest; /* SHA-256 of pbt_project.yml in the key; NULL: not told */
	const struct recipe_input *inputs;
	size_t ninputs;
	const char *prefix, *java; /* toolchain; java may be NULL */
	uid_t uid;
	const char *mark; /* sandbox.h */
	struct sandbox_limits limits;
	struct runlog *log;
	const char *sealed; /* digest of the artifact that the key has already; NULL: none */
	bool check;         /* only compare with it: nothing is sealed */
};

enum recipe_state {
	RECIPE_PASSED,
	/* the same again would fail again: setup.py, or an export that is not the key's */
	RECIPE_FAILED,
	RECIPE_AGAIN,  /* ours: no sandbox, a full disk */
};

struct recipe_end {
	enum recipe_state state;
	char reason[1024]; /* first cause; empty when passed, but for a check: "reproducible" */
	char digest[DIGEST_HEX];
	char *name; /* file name; free() */
	uint64_t size;
};

struct recipe {
	const char *name; /* in the build key, with the revision that profile.h gives */
	void (*build)(const struct recipe_job *job, struct recipe_end *end);
};

extern const struct recipe recipe_python;

/* Is the export exactly the inputs and a pbt_project.yml? PS_ESTALE with the first difference. */
int recipe_verify(const struct recipe_job *job, struct ps_err *err) PS_MUSTCHECK;
/* Takes the one file of folder `out` into the content store. PS_EINVAL: not what was expected.
 * Where the key has an artifact already, other bytes are kept out: PS_ECONFLICT, "not reproducible:
 * ..." with the first entry that differs. The first artifact sealed for a key stays the artifact of
 * that key; when its bytes are not kept any more, the new ones take its place (a check fails then).
 */
int recipe_seal(const struct recipe_job *job, const char *out, const char *suffix,
		struct recipe_end *end, struct ps_err *err) PS_MUSTCHECK;

#endif
