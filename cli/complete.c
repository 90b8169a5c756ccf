/* complete – the words of a command line and what may follow; see complete.h. */
#include "config.h"

#include "cli/complete.h"

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/show.h"

/* What a usage or an option calls its value, and which names it has there. Some mean something of
 * their own in one command. */
static const struct named {
	const char *command;	/* NULL: anywhere else */
	const char *called;
	enum complete_kind kind;
} named[] = {
	{ "cancel", "ID", COMPLETE_WORK },
	{ "runs", "ID", COMPLETE_WORK },
	{ "outbox", "ID", COMPLETE_OUTBOX },
	{ "outbox resend", "ID", COMPLETE_OUTBOX },
	{ "token revoke", "ID", COMPLETE_TOKENS },
	{ "job derive", "ID", COMPLETE_NOTHING },
	{ "job derive", "PROJECT", COMPLETE_FOLDERS },
	{ "install", "REPO", COMPLETE_FOLDERS },
	{ "uninstall", "REPO", COMPLETE_FOLDERS },
	{ "toolchain check", "NAME", COMPLETE_TOOLCHAINS },
	{ "init", "PREFIX", COMPLETE_FOLDERS },
	{ NULL, "ID", COMPLETE_WORK },
	{ NULL, "ID|KEY", COMPLETE_BUILDS },
	{ NULL, "THING", COMPLETE_WORK },
	{ NULL, "T", COMPLETE_NOTHING },
	{ NULL, "ENVIRONMENT", COMPLETE_ENVIRONMENTS },
	{ NULL, "E", COMPLETE_ENVIRONMENTS },
	{ NULL, "FABRIC", COMPLETE_FABRICS },
	{ NULL, "FABRIC|jobs/JOB", COMPLETE_FABRICS },
	{ NULL, "K=V", COMPLETE_NOTHING },
	{ NULL, "F", COMPLETE_FABRICS },
	{ NULL, "DEPLOYMENT", COMPLETE_DEPLOYMENTS },
	{ NULL, "DEPLOYMENT|ENVIRONMENT", COMPLETE_PLACES },
	{ NULL, "RELEASE", COMPLETE_RELEASES },
	{ NULL, "LABEL", COMPLETE_RELEASES },
	{ NULL, "LABEL|RELEASE", COMPLETE_RELEASES },
	{ NULL, "RELEASE|FILE", COMPLETE_RELEASES },
	{ NULL, "EVENT", COMPLETE_HELD },
	{ NULL, "BUILD|TEST|EVENT", COMPLETE_WORK },
	{ NULL, "JOB", COMPLETE_JOBS },
	{ NULL, "J", COMPLETE_JOBS },
	{ NULL, "A,B", COMPLETE_JOBS },
	{ NULL, "REPO", COMPLETE_REPOSITORIES },
	{ NULL, "R", COMPLETE_REPOSITORIES },
	{ NULL, "REF", COMPLETE_REFS },
	{ NULL, "PROJECT", COMPLETE_PROJECTS },
	{ NULL, "P", COMPLETE_PROJECTS },
	{ NULL, "CODE", COMPLETE_RULES },
	{ NULL, "W", COMPLETE_PEOPLE },
	{ NULL, "FILE", COMPLETE_FILES },
	{ NULL, "PATH", COMPLETE_FILES },
	{ NULL, "PUBLIC", COMPLETE_FILES },
	{ NULL, "FILE|DIR", COMPLETE_FILES },
	{ NULL, "DIR", COMPLETE_FOLDERS },
	{ NULL, "FOLDER", COMPLETE_FOLDERS },
	{ NULL, "REVISION", COMPLETE_NOTHING },
	{ NULL, "NAME", COMPLETE_NOTHING },
	{ NULL, "TEXT", COMPLETE_NOTHING },
	{ NULL, "N", COMPLETE_NOTHING },
	{ NULL, "S", COMPLETE_NOTHING },
	{ NULL, "STATE", COMPLETE_NOTHING },
	{ NULL, "WORD", COMPLETE_NOTHING },
	{ NULL, "PATTERN", COMPLETE_NOTHING },
	{ NULL, "PREFIX", COMPLETE_FOLDERS },
	{ NULL, "HOST", COMPLETE_NOTHING },
	{ NULL, "I", COMPLETE_NOTHING },
	{ NULL, "SECONDS", COMPLETE_NOTHING },
	{ NULL, "MS", COMPLETE_NOTHING },
	{ NULL, "N:HASH", COMPLETE_NOTHING },
	{ NULL, "jobs/A", COMPLETE_NOTHING },
	{ NULL, "jobs/B", COMPLETE_NOTHING },
};

static const struct named *find_named(const struct cmd *c, const char *called)
{
	for (size_t i = 0; i < PS_NELEM(named); i++)
		if (strcmp(named[i].called, called) == 0 &&
		    (!named[i].command || strcmp(named[i].command, c->name) == 0))
			return &named[i];
	return NULL;
}

void complete_word(const char *word, const char *what, const char *prefix)
{
	if (!ps_starts(word, prefix) || strpbrk(word, " \t\n'\"\\$`"))
		return;
	show_escaped(word);
	if (what && *what) {
		putchar('\t');
		show_escaped(what);
	}
	putchar('\n');
}

/* ---- what stands there already ---- */

struct line {
	const struct cmd *c;
	const char *first;	/* a word that begins commands of two words */
	bool help;
	const struct cmd_opt *value_of;	/* the word at hand is this option's value */
	bool of_global;		/* ... of one that may stand anywhere */
	const char *args[4];	/* the arguments so far */
	size_t nargs;
};

static const struct cmd_opt globals[] = {
	{ "json", 0, NULL, "one JSON document on standard output" },
	{ "help", 'h', NULL, "what the command does, with an example" },
	{ "as", 0, "NAME", "speak as a member of a team" },
	{ "color", 0, "WHEN", "always, never or auto" },
	{ "token-file", 0, "FILE", "a token for the agent's listener" },
	{ "instance", 'C', "DIR", "the instance" },
};

static const struct cmd_opt *match(const struct cmd_opt *opts, size_t n, const char *word)
{
	for (size_t i = 0; i < n && opts[i].name; i++)
		if (word[1] == '-' ? strcmp(opts[i].name, word + 2) == 0 :
		    opts[i].letter && word[1] == opts[i].letter && !word[2])
			return &opts[i];
	return NULL;
}

static void take_name(struct line *l, char *const *words, int *i, int n)
{
	int took = 0;

	if (!l->c && !l->help && strcmp(words[*i], "help") == 0) {
		l->help = true;
		return;
	}
	l->c = cmd_find(n - *i, words + *i, &took);
	if (l->c)
		*i += took - 1;
	else
		l->first = words[*i];
}

/* All words but the last, which is the one at hand. */
static void read_line(struct cli *cli, struct line *l, char *const *words, int n)
{
	for (int i = 0; i < n; i++) {
		const struct cmd_opt *o = NULL;
		bool global = false;

		if (words[i][0] == '-' && words[i][1]) {
			if (l->c)
				o = match(l->c->opts, CMD_OPTS_MAX, words[i]);
			if (!o && (o = match(globals, PS_NELEM(globals), words[i])))
				global = true;
			if (o && o->arg && i + 1 == n) {
				l->value_of = o;
				l->of_global = global;
			} else if (o && o->arg) {
				i++;
				if (global && o->letter == 'C')
					cli->instance = words[i];
			}
		} else if (!l->c) {
			take_name(l, words, &i, n);
		} else if (l->nargs < PS_NELEM(l->args)) {
			l->args[l->nargs++] = words[i];
		}
	}
}

/* ---- what may follow ---- */

/* What a first word means alone; "" when it is none. */
static const char *help_of(const char *word)
{
	for (size_t i = 0; cmd_table[i]; i++)
		if (strcmp(cmd_table[i]->name, word) == 0)
			return cmd_table[i]->help;
	return "";
}

static void put_commands(const struct line *l, const char *prefix)
{
	char last[32] = "", word[32];

	for (size_t i = 0; cmd_table[i]; i++) {
		const char *name = cmd_table[i]->name, *blank = strchr(name, ' ');
		size_t n = blank ? (size_t)(blank - name) : strlen(name);

		if (!cmd_table[i]->group)
			continue;
		if (l->first) {		/* the second of two words */
			if (blank && strlen(l->first) == n && strncmp(name, l->first, n) == 0)
				complete_word(blank + 1, cmd_table[i]->help, prefix);
			continue;
		}
		snprintf(word, sizeof(word), "%.*s", (int)n, name);
		if (strcmp(word, last) != 0)
			complete_word(word, help_of(word), prefix);
		memcpy(last, word, sizeof(last));
	}
	if (!l->first && !l->help)
		complete_word("help", "what a command does, with an example", prefix);
}

static void put_options(const struct cmd_opt *opts, size_t n, const char *prefix)
{
	for (size_t i = 0; i < n && opts[i].name; i++) {
		char *word = strcmp(opts[i].name, "instance") == 0 ? xstrdup("-C") :
			xasprintf("--%s", opts[i].name);

		complete_word(word, opts[i].help, prefix);
		free(word);
	}
}

/*
 * The at-th argument of a usage: "[--repo R] [--project P] [--all] REF" has one, REF; what follows
 * an option that takes a value is none. `many`: the last counts again and again. False: none.
 */
static bool argument(const struct cmd *c, size_t at, char *called, size_t size)
{
	const char *p = c->usage;
	const struct cmd_opt *o = NULL;
	bool any = false;

	for (size_t n = 0; *p; p += n) {
		p += strspn(p, "[] ");
		n = strcspn(p, "[] ");
		if (n == 0 || n >= size || (n == 1 && *p == '|') || strncmp(p, "...", n) == 0)
			continue;
		if (o && o->arg) {		/* its value */
			o = NULL;
			continue;
		}
		o = NULL;
		memcpy(called, p, n);
		called[n] = '\0';
		if (*p == '-') {
			o = match(c->opts, CMD_OPTS_MAX, called);
			continue;
		}
		any = true;
		if (at-- == 0)
			return true;
	}
	return any && c->max == CMD_ARGS_MANY;
}

/* "[environment E | fabric F | builder | all | --all]": a word first, then what it names. */
static bool put_scopes(struct cli *cli, const struct line *l, const char *prefix)
{
	static const char *const scopes[] = { "environment", "fabric", "builder", "all" };

	if (!strstr(l->c->usage, "environment E"))
		return false;
	for (size_t i = 0; l->nargs == 0 && i < PS_NELEM(scopes); i++)
		complete_word(scopes[i], "", prefix);
	if (l->nargs == 1 && strcmp(l->args[0], "environment") == 0)
		complete_names(cli, COMPLETE_ENVIRONMENTS, prefix);
	else if (l->nargs == 1 && strcmp(l->args[0], "fabric") == 0)
		complete_names(cli, COMPLETE_FABRICS, prefix);
	return true;
}

/* Words that an option's own text lists: "plain, gitea or gitlab; ...". */
static void put_listed(const struct cmd_opt *o, const char *prefix)
{
	static const struct { const char *called, *words[8]; } lists[] = {
		{ "HOST", { "plain", "gitea", "gitlab" } },
		{ "WHEN", { "always", "never", "auto" } },
		{ "WORD", { "text", "json", "sarif", "github" } },
		{ "S", { "read", "act" } },
		{ "STATE", { "open", "held", "waiting", "running", "passed", "failed", "deployed",
			     "done" } },
	};

	for (size_t i = 0; i < PS_NELEM(lists); i++)
		for (size_t k = 0; strcmp(lists[i].called, o->arg) == 0 && k < 8 &&
		     lists[i].words[k]; k++)
			complete_word(lists[i].words[k], "", prefix);
}

static void put_value(struct cli *cli, const struct line *l, const struct cmd_opt *o,
		      const char *called, const char *prefix)
{
	static const struct cmd nothing = { .name = "" };
	const struct named *n = find_named(l->c ? l->c : &nothing, called);

	if (o)
		put_listed(o, prefix);
	if (n && n->kind == COMPLETE_FILES)
		printf(":files\n");
	else if (n && n->kind == COMPLETE_FOLDERS)
		printf(":folders\n");
	else if (n && n->kind != COMPLETE_NOTHING)
		complete_names(cli, n->kind, prefix);
	if (strcmp(called, "RELEASE|FILE") == 0)
		printf(":files\n");
	if (!o && n && n->kind == COMPLETE_REPOSITORIES)	/* a name or a path */
		printf(":folders\n");
}

static void put_next(struct cli *cli, struct line *l, const char *prefix)
{
	char called[64];

	if (l->value_of) {
		put_value(cli, l, l->value_of, l->value_of->arg, prefix);
	} else if (*prefix == '-') {
		if (l->c)
			put_options(l->c->opts, CMD_OPTS_MAX, prefix);
		put_options(globals, PS_NELEM(globals), prefix);
	} else if (!l->c) {
		put_commands(l, prefix);
	} else if (l->help) {
		;			/* it is named already */
	} else if (!put_scopes(cli, l, prefix)) {
		if (l->nargs == 0 && !strchr(l->c->name, ' '))	/* "audit", and "audit verify" */
			put_commands(&(struct line) { .first = l->c->name }, prefix);
		if (argument(l->c, l->nargs, called, sizeof(called)))
			put_value(cli, l, NULL, called, prefix);
	}
}

/* ---- the command ---- */

/* For a test: commands, and what a usage calls by a name that nobody knows here. */
static int list_commands(void)
{
	int rc = CLI_OK;

	for (size_t i = 0; cmd_table[i]; i++) {
		const struct cmd *c = cmd_table[i];
		char called[64];

		if (!c->group)
			continue;
		printf("%s\n", c->name);
		for (size_t k = 0; k < CMD_OPTS_MAX && c->opts[k].name; k++)
			if (c->opts[k].arg && !find_named(c, c->opts[k].arg)) {
				fprintf(stderr, "%s: --%s has a value '%s'\n", c->name,
					c->opts[k].name, c->opts[k].arg);
				rc = CLI_NO;
			}
		for (size_t k = 0; !strstr(c->usage, "environment E") && k < c->max && k < 4 &&
		     argument(c, k, called, sizeof(called)); k++)
			if (!find_named(c, called)) {
				fprintf(stderr, "%s: an argument '%s'\n", c->name, called);
				rc = CLI_NO;
			}
	}
	return rc;
}

static int complete_exec(struct cli *cli, const struct cmd_args *a)
{
	struct line l = { .c = NULL };
	const char *prefix = a->n > 1 ? a->arg[a->n - 1] : "";
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (a->opt[0])
		return list_commands();
	/* what cannot be known is not completed, and a prompt is no place to say why */
	if (null < 0 || dup2(null, STDERR_FILENO) < 0)
		return CLI_OK;
	close(null);
	cli->quick = true;
	if (a->n > 2)
		read_line(cli, &l, (char *const *)(a->arg + 1), (int)a->n - 2);
	put_next(cli, &l, prefix);
	return CLI_OK;
}

const struct cmd cmd_complete = {
	.name = "__complete", .usage = "-- penstock WORD ...", .group = NULL,
	.help = "What may stand next on a command line; for the completion of shells",
	.example = "__complete -- penstock sta",
	.needs = CMD_NOTHING, .max = CMD_ARGS_MANY,
	.opts = { { "list", 0, NULL, "the commands, and what is not known of their arguments" } },
	.exec = complete_exec,
};
