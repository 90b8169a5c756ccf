/*
 * yaml_scalar – what a plain scalar means, by YAML 1.1 as PyYAML's SafeLoader resolves it.
 *
 * The rows are PyYAML's own: a set of possible first characters and an expression. YAML 1.2 readers
 * differ (`yes`, `010`, `1:30`), but this is what Prophecy's tool sees.
 */
#include "config.h"

#include "common/project/doc_build.h"

#include <regex.h>

enum { RESOLVE_MAX = 1024 };		/* a longer plain scalar is text */

static struct row {
	enum yaml_plain is;
	const char *first;		/* characters a match may begin with */
	const char *regex;
	regex_t re;
} rows[] = {
	{ .is = YAML_IS_BOOL, .first = "yYnNtTfFoO",
	  .regex = "^(yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$" },
	{ .is = YAML_IS_NULL, .first = "~nN", .regex = "^(~|null|Null|NULL)$" },
	{ .is = YAML_IS_INT, .first = "-+0123456789",
	  .regex = "^([-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+|"
		   "[-+]?[1-9][0-9_]*(:[0-5]?[0-9])+)$" },
	{ .is = YAML_IS_FLOAT, .first = "-+0123456789.",
	  .regex = "^([-+]?([0-9][0-9_]*)\\.[0-9_]*([eE][-+][0-9]+)?|\\.[0-9][0-9_]*([eE][-+][0-9]+)?|"
		   "[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+\\.[0-9_]*|[-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN))$" },
	{ .is = YAML_IS_TIME, .first = "0123456789",
	  .regex = "^([0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]|"
		   "[0-9][0-9][0-9][0-9]-[0-9][0-9]?-[0-9][0-9]?([Tt]|[ "
	  "\t]+)[0-9][0-9]?:[0-9][0-9]:[0-9][0-9]"
		   "(\\.[0-9]*)?([ \t]*(Z|[-+][0-9][0-9]?(:[0-9][0-9])?))?)$" },
	{ .is = YAML_IS_MERGE, .first = "<", .regex = "^<<$" },
	{ .is = YAML_IS_VALUE, .first = "=", .regex = "^=$" },
};

static void compile(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	for (size_t i = 0; i < PS_NELEM(rows); i++)
		PS_BUG_IF(regcomp(&rows[i].re, rows[i].regex, REG_EXTENDED | REG_NOSUB) != 0,
			  "expression of row %zu", i);
}

enum yaml_plain yaml_plain(const char *text, size_t len)
{
	if (!len)
		return YAML_IS_NULL;
	if (len > RESOLVE_MAX || strlen(text) != len)
		return YAML_IS_STRING;
	compile();
	for (size_t i = 0; i < PS_NELEM(rows); i++)
		if (strchr(rows[i].first, *text) && regexec(&rows[i].re, text, 0, NULL, 0) == 0)
			return rows[i].is;
	return YAML_IS_STRING;
}

bool yaml_bool(const char *text)
{
	/* yes, true, on: the only ones of the row with these second letters */
	return *text == 'y' || *text == 'Y' || *text == 't' || *text == 'T' ||
		((*text == 'o' || *text == 'O') && (text[1] == 'n' || text[1] == 'N'));
}

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' &&
		(c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

int64_t yaml_int(const char *text)
{
	bool minus = *text == '-', sixty = strchr(text, ':') != NULL;
	int64_t value = 0, part = 0;
	int base = 10;

	if (*text == '-' || *text == '+')
		text++;
	if (*text == '0' && text[1]) {
		base = text[1] == 'b' ? 2 : text[1] == 'x' ? 16 : 8;
		text += base == 8 ? 1 : 2;
	}
	for (; *text; text++) {
		if (*text == '_')
			continue;
		if (sixty && *text == ':') {
			if (__builtin_mul_overflow(value + part, 60, &value))
				return minus ? INT64_MIN : INT64_MAX;
			part = 0;
		} else if (__builtin_mul_overflow(part, base, &part) ||
			   __builtin_add_overflow(part, digit(*text), &part)) {
			return minus ? INT64_MIN : INT64_MAX;
		}
	}
	if (__builtin_add_overflow(value, part, &value))
		return minus ? INT64_MIN : INT64_MAX;
	return minus ? -value : value;
}
