/*
 * states – how a state looks: symbol, ASCII letter, colour role. One table for everything we print.
 *
 * State is symbol + word + colour, in that order of trust. Two states of one role differ by symbol
 * and by word; no symbol has an emoji form or double width.
 */
#ifndef PS_STATES_H
#define PS_STATES_H

#include "common/base/ps.h"

enum role { ROLE_NONE, ROLE_GOOD, ROLE_BAD, ROLE_RUN, ROLE_WAIT, ROLE_IDLE, ROLE_ODD };

struct look {
	const char *state;	/* the word of the vocabulary, as stored */
	const char *symbol;	/* UTF-8, one column */
	char ascii;
	enum role role;
};

/* Never NULL: an unknown word looks like "unknown" with its own word kept by the caller. */
const struct look *state_look(const char *state);
/* Did it end, well or not? */
bool state_ended(const char *state);
bool state_good(const char *state);	/* passed, deployed, done */

#endif
