/*
 * mapping – which environment does this ref of this project go to, and why. Pure.
 *
 * First match wins. `*` matches within one path part, `**` crosses '/', `?` one character of a
 * part. A project pattern is `repository:project`; a part without ':' is an error of the
 * configuration.
 */
#ifndef PS_MAPPING_H
#define PS_MAPPING_H

#include "common/config/config.h"

struct mapping_step {
	const struct conf_environment *env;	/* the rule looked at */
	bool ref_matches, project_matches;
	/* the ref pattern that matched, NULL when none did */
	const char *pattern;
};

/* Why a text is no pattern ("does not begin with 'refs/', like ..."), to stand behind its name;
 * NULL when it is one. */
const char *mapping_ref_fault(const char *pattern);
const char *mapping_project_fault(const char *pattern);
/* Does every text that `narrow` matches certainly match `wide`? false means "not certainly". */
bool mapping_covers(const char *wide, const char *narrow);
bool mapping_project_covers(const char *wide, const char *narrow);

/* A doubled star and a slash at the beginning of a part match nothing as well: one pattern takes
 * release and release/x. Both in at most |pattern| * |text| steps. */
bool mapping_glob(const char *pattern, const char *text);
/* A ref as people say it: without refs/heads/ and refs/tags/. Points into it. */
const char *mapping_short_ref(const char *ref);
/* A pattern repository:project against repository and project path. */
bool mapping_project(const char *pattern, const char *repo, const char *project);
/* The environment, or NULL. index (may be NULL) gets the rule's number from 1. */
const struct conf_environment *mapping_find(const struct config *c, const char *repo,
					    const char *project, const char *ref, size_t *index);
/* May this rule take the ref for some project of the repository, or does it for every one that no
 * earlier rule takes? repo NULL: whatever the repository is called. */
enum mapping_reach { MAPPING_NONE, MAPPING_SOME, MAPPING_ALL };
enum mapping_reach mapping_reach(const struct conf_environment *e, const char *repo,
				 const char *ref);
/* Every rule in order with what matched: for `which --all`. steps has c->nenvironments places. */
void mapping_explain(const struct config *c, const char *repo, const char *project, const char *ref,
		     struct mapping_step *steps);

#endif
