/*
 * hook_options – what the pusher asks for by `git push -o`, or by push.pushOption of his own
 * configuration. Git gives them to pre-receive and post-receive when the repository advertises push
 * options (`penstock install` sets that). Options that do not begin with "penstock." are somebody
 * else's.
 */
#include "config.h"

#include "hooks/hook.h"

static const char ours[] = "penstock.";

static const struct { const char *name; size_t flag; } known[] = {
	{ "dry-run", offsetof(struct hook, dry_run) },
	{ "skip", offsetof(struct hook, skip) },
};

/* "NAME", "NAME=true", "NAME=false". Another value is not understood: then a dry run it is all the
 * same, because the other mistake moves refs. */
static void take(struct hook *h, const char *option)
{
	const char *word = option + strlen(ours);
	size_t n = strcspn(word, "=");
	const char *value = word[n] ? word + n + 1 : "true";

	for (size_t i = 0; i < PS_NELEM(known); i++) {
		bool *flag = (bool *)((char *)h + known[i].flag);

		if (strlen(known[i].name) != n || memcmp(known[i].name, word, n) != 0)
			continue;
		*flag = strcmp(value, "false") != 0 &&
			(flag == &h->dry_run || strcmp(value, "true") == 0);
		if (!h->post && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			hook_say("warning: push option '%s' is true or false; taken as %s", option,
				 *flag ? "true" : "false");
		return;
	}
	if (!h->post)
		hook_say("warning: push option '%s' is not known; penstock knows penstock.dry-run "
			 "and penstock.skip", option);
}

void hook_find_options(struct hook *h)
{
	const char *count = getenv("GIT_PUSH_OPTION_COUNT");
	unsigned long n = count ? strtoul(count, NULL, 10) : 0;
	const char *option = "";
	char name[48];

	for (unsigned long i = 0; i < n && option; i++) {
		snprintf(name, sizeof(name), "GIT_PUSH_OPTION_%lu", i);
		option = getenv(name);
		if (option && ps_starts(option, ours))
			take(h, option);
	}
}
