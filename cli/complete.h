/*
 * complete – what may stand next on a command line, for the completion of shells.
 *
 * The table of commands says which words and options there are; what an argument is called in its
 * usage ("FABRIC") says which names may stand there, and those are asked for: of penstock.yml, of
 * the agent. It is quick, changes nothing, and says nothing when it cannot know.
 *
 * Printed are lines "word<TAB>what it is". ":files" and ":folders" mean that the shell knows
 * better.
 */
#ifndef PS_COMPLETE_H
#define PS_COMPLETE_H

#include "cli/cmd.h"

/* Where names come from. */
enum complete_kind {
	COMPLETE_NOTHING,	/* a text of one's own: a message, a time */
	COMPLETE_FILES,
	COMPLETE_FOLDERS,
	COMPLETE_ENVIRONMENTS,
	COMPLETE_FABRICS,
	COMPLETE_PLACES,	/* both, and deployments that wait */
	COMPLETE_DEPLOYMENTS,	/* those that wait for people */
	COMPLETE_RELEASES,
	COMPLETE_EVENTS,
	COMPLETE_HELD,		/* events that are held */
	COMPLETE_BUILDS,
	COMPLETE_WORK,		/* all that is under way or waits, and what came last */
	COMPLETE_JOBS,
	COMPLETE_REPOSITORIES,
	COMPLETE_REFS,
	COMPLETE_PROJECTS,
	COMPLETE_PEOPLE,
	COMPLETE_RULES,
	COMPLETE_TOOLCHAINS,
	COMPLETE_OUTBOX,
	COMPLETE_TOKENS,
};

/* Prints the names of one kind that begin with prefix. */
void complete_names(struct cli *cli, enum complete_kind kind, const char *prefix);
/* One line, unless it does not begin with prefix or cannot be typed as it is. */
void complete_word(const char *word, const char *what, const char *prefix);

#endif
