/* config_value – how each type of value is written: one reader per type, in one table. */
#include <config.h>

#include "common/config/config_read.h"

#include <ctype.h>
#include <errno.h>

#include "common/config/mapping.h"

enum { NAME_MAX_LEN = 64, TEXT_MAX_LEN = 4096 };

static bool starts_alnum(const char *s)
{
	return isalnum((unsigned char)*s) != 0;
}

bool conf_is_name(const char *s)
{
	return starts_alnum(s) && strlen(s) <= NAME_MAX_LEN &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       strlen(s);
}

static bool is_variable(const char *s)
{
	return !isdigit((unsigned char)*s) && *s &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
		       strlen(s);
}

static void set(void *at, const char *text)
{
	free(*(char **)at);
	*(char **)at = xstrdup(text);
}

/* Decimal digits at the start of s, behind them *rest. False without any, or when too large. */
static bool digits(const char *s, int64_t *n, const char **rest)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	*n = strtoll(s, &end, 10);
	*rest = end;
	return errno == 0;
}

static bool read_string(struct conf_reader *r, const struct conf_key *k,
			const struct conf_node *node, void *at)
{
	if (!*node->text || strlen(node->text) > TEXT_MAX_LEN) {
		conf_error(r, node->pos, "PS-CONF-010", "'%s' is %s", k->name,
			   *node->text ? "longer than allowed" : "empty");
		return false;
	}
	set(at, node->text);
	return true;
}

static bool read_name(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		      void *at)
{
	if (!conf_is_name(node->text)) {
		conf_error(r, node->pos, "PS-CONF-020",
			   "'%s' is not a name for %s: letters, digits, "
			   "'.', '_' and '-', at most %d", node->text, k->name, NAME_MAX_LEN);
		return false;
	}
	set(at, node->text);
	return true;
}

static bool read_path(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		      void *at)
{
	if (node->text[0] != '/' && !(k->flags & CONF_RELATIVE)) {
		conf_error(r, node->pos, "PS-CONF-021", "'%s' must be an absolute path, not '%s'",
			   k->name, node->text);
		return false;
	}
	return read_string(r, k, node, at);
}

static bool read_url(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		     void *at)
{
	const char *s = node->text, *host = NULL;
	size_t n;

	if (ps_starts(s, "https://"))
		host = s + strlen("https://");
	else if (ps_starts(s, "http://"))
		host = s + strlen("http://");
	n = host ? strcspn(host, "/?#") : 0;
	if (!n || strpbrk(s, " \\\"<>")) {
		conf_error(r, node->pos, "PS-CONF-022",
			   "'%s' must be an address like https://host, not '%s'", k->name, s);
		return false;
	}
	if (memchr(host, '@', n)) {
		conf_error(r, node->pos, "PS-CONF-014",
			   "'%s' has a user or password inside: write the address "
			   "alone, and the credential by file, env or credential", k->name);
		return false;
	}
	return read_string(r, k, node, at);
}

static bool read_job_key(struct conf_reader *r, const struct conf_key *k,
			 const struct conf_node *node, void *at)
{
	if (!ps_starts(node->text, "jobs/") || !conf_is_name(node->text + strlen("jobs/"))) {
		conf_error(r, node->pos, "PS-CONF-020",
			   "'%s' must be a job like jobs/NAME, not '%s'", k->name, node->text);
		return false;
	}
	set(at, node->text);
	return true;
}

static bool read_bool(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		      void *at)
{
	bool yes = ps_streq(node->text, "true");

	if (!node->plain || (!yes && !ps_streq(node->text, "false"))) {
		conf_error(r, node->pos, "PS-CONF-007", "'%s' must be true or false, not '%s'",
			   k->name, node->text);
		return false;
	}
	*(bool *)at = yes;
	return true;
}

/* What all numbers share: the form, then the limits. shown: how a limit is written. */
static bool limits(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		   int64_t n, int64_t unit, const char *shown)
{
	if (n >= k->min && n <= k->max)
		return true;
	conf_error(r, node->pos, "PS-CONF-010", "'%s' must be from %lld%s to %lld%s, not '%s'",
		   k->name, (long long)(k->min / unit), shown, (long long)(k->max / unit), shown,
		   node->text);
	return false;
}

static bool read_int(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		     void *at)
{
	const char *rest = "";
	int64_t n = 0;

	/* 010 is eight to some readers of YAML and ten to others: no leading zero */
	if (!node->plain || !digits(node->text, &n, &rest) || *rest ||
	    (node->text[0] == '0' && node->text[1])) {
		conf_error(r, node->pos, "PS-CONF-010", "'%s' must be a whole number, not '%s'",
			   k->name, node->text);
		return false;
	}
	if (!limits(r, k, node, n, 1, ""))
		return false;
	if (k->type == CONF_UNSIGNED)
		*(unsigned *)at = (unsigned)n;
	else
		*(int64_t *)at = n;
	return true;
}

struct unit { const char *name; int64_t factor; };

static bool with_unit(const char *text, const struct unit *units, size_t nunits, int64_t *n)
{
	const char *rest;

	if (!digits(text, n, &rest))
		return false;
	for (size_t i = 0; i < nunits; i++)
		if (strcmp(rest, units[i].name) == 0)
			return !__builtin_mul_overflow(*n, units[i].factor, n);
	return false;
}

static bool read_size(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		      void *at)
{
	static const struct unit units[] = {
		{ "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { "T", 1LL << 40 },
	};
	int64_t n;

	if (!with_unit(node->text, units, PS_NELEM(units), &n)) {
		conf_error(r, node->pos, "PS-CONF-011",
			   "'%s' must be a size like 64M or 4G, not '%s'", k->name, node->text);
		return false;
	}
	if (!limits(r, k, node, n, 1 << 20, "M"))
		return false;
	*(int64_t *)at = n;
	return true;
}

static bool read_time(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		      void *at)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
	};
	int64_t n;

	if (!with_unit(node->text, units, PS_NELEM(units), &n)) {
		conf_error(r, node->pos, "PS-CONF-012",
			   "'%s' must be a time like 500ms, 4s or 10m, not '%s'", k->name,
			   node->text);
		return false;
	}
	if (!limits(r, k, node, n, 1, "ms"))
		return false;
	*(int64_t *)at = n;
	return true;
}

static bool read_word(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		      void *at)
{
	char list[256] = "", near[320];
	size_t n = 0, i;

	while (k->words[n])
		n++;
	for (i = 0; i < n && strcmp(k->words[i], node->text) != 0; i++)
		;
	if (i == n) {
		for (size_t j = 0; j < n; j++) {
			strncat(list, j ? ", " : "", sizeof(list) - strlen(list) - 1);
			strncat(list, k->words[j], sizeof(list) - strlen(list) - 1);
		}
		conf_error(r, node->pos, "PS-CONF-009", "'%s' must be one of %s, not '%s'%s",
			   k->name, list, node->text, conf_nearest(near, node->text, k->words, n));
		return false;
	}
	if (k->type == CONF_EITHER)
		*(bool *)at = i == 0;
	else
		*(unsigned *)at = (unsigned)i;	/* every enum here has no negative member */
	return true;
}

/* What the pusher's own git or ssh may set on the host, in an ordinary setup of both: no name can
 * come from there. An entry that ends in _ stands for all that begin so. */
static bool is_of_the_pusher(const char *variable)
{
	static const char *const theirs[] = { "GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_PROTOCOL",
					      "GIT_PUSH_", "LANG", "LANGUAGE", "LC_",
					      "SSH_ORIGINAL_COMMAND", "TERM" };

	for (size_t i = 0; i < PS_NELEM(theirs); i++)
		if (theirs[i][strlen(theirs[i]) - 1] == '_' ? ps_starts(variable, theirs[i]) :
		    strcmp(variable, theirs[i]) == 0)
			return true;
	return false;
}

static bool read_identity(struct conf_reader *r, const struct conf_key *k,
			  const struct conf_node *node, void *at)
{
	struct conf_root *root = at;
	struct conf_key words = *k;
	unsigned word = 0;

	words.type = CONF_WORD;
	if (!ps_starts(node->text, "env:")) {
		if (!read_word(r, &words, node, &word))
			return false;
		root->identity = word;
		if (root->identity != CONF_ID_ENV)
			return true;
	}
	if (!ps_starts(node->text, "env:") || !is_variable(node->text + 4)) {
		conf_error(r, node->pos, "PS-CONF-009",
			   "'%s' must name a variable, like env:REMOTE_USER", k->name);
		return false;
	}
	if (is_of_the_pusher(node->text + 4)) {
		conf_error(r, node->pos, "PS-CONF-009",
			   "'%s' must name a variable that the host sets; %s is the pusher's to "
			   "choose", k->name, node->text + 4);
		return false;
	}
	root->identity = CONF_ID_ENV;
	set(&root->identity_env, node->text + 4);
	return true;
}

/* Never the value itself: a map with the one key that says where it is found. */
static bool read_secret(struct conf_reader *r, const struct conf_key *k,
			const struct conf_node *node, void *at)
{
	static const char *const kinds[] = { "file", "env", "credential" };
	struct conf_secret *secret = at;
	struct conf_node *where = NULL;
	unsigned kind = 0;

	for (size_t i = 0; node->kind == CONF_MAP && i < PS_NELEM(kinds); i++)
		if ((where = conf_node_get(node, kinds[i])) != NULL) {
			kind = (unsigned)i + 1;
			break;
		}
	if (!where || node->n != 1 || where->kind != CONF_TEXT) {
		conf_error(r, node->pos, "PS-CONF-014",
			   "'%s' must not be in this file: write { file: PATH }, "
			   "{ env: NAME } or { credential: NAME }", k->name);
		return false;
	}
	if (kind == CONF_SECRET_FILE ? where->text[0] != '/' :
	    kind == CONF_SECRET_ENV ? !is_variable(where->text) : !conf_is_name(where->text)) {
		conf_error(r, where->pos, "PS-CONF-021", "'%s' is no %s", where->text,
			   kind == CONF_SECRET_FILE ? "absolute path" : "name of that kind");
		return false;
	}
	if (!where->blankable) {
		conf_error(r, where->pos, "PS-CONF-014",
			   "where '%s' is found must stand on one line, without "
			   "anchor or alias", k->name);
		return false;
	}
	secret->kind = kind;
	set(&secret->where, where->text);
	r->cfg->secrets = xgrow(r->cfg->secrets, r->cfg->nsecrets, &r->cap_secrets,
				sizeof(struct conf_span));
	r->cfg->secrets[r->cfg->nsecrets++] = (struct conf_span) { where->from, where->to, kind };
	return true;
}

static bool is_word(const struct conf_key *k, const char *text)
{
	size_t n = 0;

	while (k->words[n] && strcmp(k->words[n], text) != 0)
		n++;
	return k->words[n] != NULL;
}

static const char *nearest_word(char *buf, const struct conf_key *k, const char *text)
{
	size_t n = 0;

	while (k->words[n])
		n++;
	return conf_nearest(buf, text, k->words, n);
}

static bool read_strings(struct conf_reader *r, const struct conf_key *k,
			 const struct conf_node *node, void *at)
{
	struct conf_names *names = at;
	char near[320];
	bool ok = true;

	names->v = xcalloc(node->n + 1, sizeof(char *));
	for (size_t i = 0; i < node->n; i++) {
		const struct conf_node *item = node->items[i];
		const char *why = NULL;

		if (item->kind != CONF_TEXT || conf_node_is_null(item)) {
			conf_error(r, item->pos, "PS-CONF-007", "'%s' must hold texts only",
				   k->name);
		} else if (!*item->text || strlen(item->text) > PS_REF_MAX) {
			conf_error(r, item->pos, "PS-CONF-020",
				   "an entry of '%s' is empty or too long", k->name);
		} else if (conf_names_has(names, item->text)) {
			conf_error(r, item->pos, "PS-CONF-018", "'%s' is in '%s' twice", item->text,
				   k->name);
		} else if ((k->type == CONF_REFS &&
			    (why = mapping_ref_fault(item->text)) != NULL) ||
			   (k->type == CONF_PROJECTS &&
			    (why = mapping_project_fault(item->text)) != NULL)) {
			conf_error(r, item->pos, "PS-CONF-013", "pattern '%s' %s", item->text, why);
		} else if (k->words && !is_word(k, item->text)) {
			conf_error(r, item->pos, "PS-CONF-009", "unknown '%s' in '%s'%s",
				   item->text, k->name, nearest_word(near, k, item->text));
		} else {
			names->v[names->n++] = xstrdup(item->text);
			conf_mention(r, k->refers, false, item);
			continue;
		}
		ok = false;
	}
	return ok;
}

/* One text is a team, which is resolved like every name of one; a list is of people. */
static bool read_who(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		     void *at)
{
	struct conf_who *who = at;
	struct conf_key people = { .name = k->name, .type = CONF_STRINGS };

	if (node->kind == CONF_TEXT)
		return read_name(r, k, node, &who->team);
	if (node->kind == CONF_LIST && node->n)
		return read_strings(r, &people, node, &who->people);
	conf_error(r, node->pos, "PS-CONF-007", "'%s' must be a team, or a list of people: "
		   "[kim, lee]", k->name);
	return false;
}

static const struct {
	enum conf_kind kind;
	bool any;		/* the reader judges the kind of node itself */
	bool (*read)(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		     void *at);
} types[CONF_TYPE_COUNT] = {
	[CONF_STRING] = { CONF_TEXT, false, read_string },
	[CONF_NAME] = { CONF_TEXT, false, read_name },
	[CONF_PATH] = { CONF_TEXT, false, read_path },
	[CONF_URL] = { CONF_TEXT, false, read_url },
	[CONF_KEY] = { CONF_TEXT, false, read_job_key },
	[CONF_STRINGS] = { CONF_LIST, false, read_strings },
	[CONF_REFS] = { CONF_LIST, false, read_strings },
	[CONF_PROJECTS] = { CONF_LIST, false, read_strings },
	[CONF_WHO] = { CONF_TEXT, true, read_who },
	[CONF_BOOL] = { CONF_TEXT, false, read_bool },
	[CONF_INT] = { CONF_TEXT, false, read_int },
	[CONF_UNSIGNED] = { CONF_TEXT, false, read_int },
	[CONF_SIZE] = { CONF_TEXT, false, read_size },
	[CONF_TIME] = { CONF_TEXT, false, read_time },
	[CONF_WORD] = { CONF_TEXT, false, read_word },
	[CONF_EITHER] = { CONF_TEXT, false, read_word },
	[CONF_IDENTITY] = { CONF_TEXT, false, read_identity },
	[CONF_SECRET] = { CONF_MAP, true, read_secret },
	[CONF_JSON] = { CONF_MAP, true, conf_read_json },
};

bool conf_read_value(struct conf_reader *r, const struct conf_key *k, const struct conf_node *node,
		     void *at)
{
	if (!types[k->type].any && node->kind != types[k->type].kind) {
		conf_error(r, node->pos, "PS-CONF-007", "'%s' must be %s", k->name,
			   types[k->type].kind == CONF_LIST ? "a list: [one, two]" :
			   "a single value");
		return false;
	}
	if (node->kind == CONF_TEXT && conf_node_is_null(node)) {
		conf_error(r, node->pos, "PS-CONF-007", "'%s' has no value", k->name);
		return false;
	}
	if (!types[k->type].read(r, k, node, at))
		return false;
	if (node->kind == CONF_TEXT) {
		conf_mention(r, k->defines, true, node);
		conf_mention(r, k->refers, false, node);
	}
	return true;
}
