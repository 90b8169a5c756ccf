#include "config.h"

#include "cli/states.h"

static const struct look looks[] = {
	{ "queued",          "○", '.', ROLE_IDLE },
	{ "claimed",         "○", '.', ROLE_IDLE },
	{ "open",            "○", '.', ROLE_IDLE },
	{ "planned",         "○", '.', ROLE_IDLE },
	{ "waiting",         "◷", '~', ROLE_WAIT },
	{ "held",            "◇", '=', ROLE_WAIT },
	{ "active",          "◐", '>', ROLE_RUN },
	{ "running",         "◐", '>', ROLE_RUN },
	{ "begun",           "◐", '>', ROLE_RUN },
	{ "in force",        "●", '*', ROLE_GOOD },
	{ "retired",         "–", ' ', ROLE_IDLE },
	{ "passed",          "✓", '+', ROLE_GOOD },
	{ "done",            "✓", '+', ROLE_GOOD },
	{ "accepted",        "✓", '+', ROLE_GOOD },
	{ "deployed",        "●", '*', ROLE_GOOD },
	{ "live",            "●", '*', ROLE_GOOD },
	{ "was live",        "✓", '+', ROLE_IDLE },
	{ "ready",           "✓", '+', ROLE_GOOD },
	{ "ok",              "✓", '+', ROLE_GOOD },
	{ "warning",         "◷", '~', ROLE_WAIT },
	{ "unfinished",      "◐", '>', ROLE_WAIT },
	{ "broken",          "✗", 'x', ROLE_BAD },
	{ "not asked",       "–", ' ', ROLE_IDLE },
	{ "none",            "–", ' ', ROLE_IDLE },
	{ "failed",          "✗", 'x', ROLE_BAD },
	{ "error",           "✗", 'x', ROLE_BAD },
	{ "refused",         "✗", 'x', ROLE_BAD },
	{ "rejected",        "✗", 'x', ROLE_BAD },
	{ "upstream failed", "⇡", '^', ROLE_IDLE },
	{ "skipped",         "»", '-', ROLE_IDLE },
	{ "cancelled",       "⊘", '/', ROLE_IDLE },
	{ "superseded",      "⊘", '/', ROLE_IDLE },
	{ "void",            "⊘", '/', ROLE_IDLE },
	{ "mixed",           "≠", '#', ROLE_ODD },
	{ "orphan",          "?", '?', ROLE_ODD },
	{ "unknown",         "◌", '_', ROLE_ODD },
};

const struct look *state_look(const char *state)
{
	size_t i = 0;

	while (i < PS_NELEM(looks) - 1 && !ps_streq(looks[i].state, state))
		i++;
	return &looks[i];
}

static bool is_one_of(const char *state, const char *const *words)
{
	for (; *words; words++)
		if (ps_streq(*words, state))
			return true;
	return false;
}

bool state_ended(const char *state)
{
	static const char *const ends[] = { "passed", "failed", "cancelled", "done", "deployed",
					    "rejected",
					    "superseded", "unknown", "skipped", "upstream failed",
					    NULL };

	return is_one_of(state, ends);
}

bool state_good(const char *state)
{
	static const char *const good[] = { "passed", "deployed", "done", NULL };

	return is_one_of(state, good);
}
