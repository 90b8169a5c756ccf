/*
 * testkey – the name of a test: the build, what it made, and how it is tested. Pure.
 *
 * SHA-256 of canonical JSON of the build's key, the artifact's digest, the recipe of the tests with
 * its revision, the limits that may end them, the sandbox profile's revision and the FABRIC_NAME
 * they see. The test files are in it by the build's key: they lie in the pipeline's folder.
 */
#ifndef PS_TESTKEY_H
#define PS_TESTKEY_H

#include "common/base/digest.h"
#include "common/base/err.h"
#include "common/config/config.h"

struct testkey {
	const char *build_key, *digest; /* of the build; of its artifact */
	const char *fabric_name;
	const struct conf_builder *limits;
};

int testkey_make(char hex[DIGEST_HEX], const struct testkey *k, struct ps_err *err) PS_MUSTCHECK;

#endif
