/* quartz – see quartz.h. The grammar is that of Quartz' own CronExpression. */
#include "config.h"

#include "common/project/quartz.h"

#include <ctype.h>
#include <strings.h>

#include "common/base/fsutil.h"

static const char *const months[] = { "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL",
				      "AUG", "SEP", "OCT", "NOV", "DEC", NULL };
static const char *const days[] = { "SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", NULL };

enum { DAY_OF_MONTH = 3, DAY_OF_WEEK = 5, FIELDS_MIN = 6, FIELDS_MAX = 7 };

static const struct field {
	const char *name;
	unsigned min, max;
	const char *const *words; /* the first is 1 */
} fields[FIELDS_MAX] = {
	{ "second", 0, 59, NULL },       { "minute", 0, 59, NULL },  { "hour", 0, 23, NULL },
	{ "day of month", 1, 31, NULL }, { "month", 1, 12, months }, { "day of week", 1, 7, days },
	{ "year", 1970, 2199, NULL },
};

/* A number or word at *p; false when there is none in range. */
static bool value(const struct field *f, const char **p)
{
	unsigned n = 0;
	size_t len = 0;

	for (size_t i = 0; f->words && f->words[i]; i++)
		if (strncasecmp(*p, f->words[i], 3) == 0) {
			*p += 3;
			return true;
		}
	while (isdigit((unsigned char)(*p)[len]) && len < 5)
		n = n * 10 + (unsigned)((*p)[len++] - '0');
	*p += len;
	return len && n >= f->min && n <= f->max;
}

/* Quartz turns the whole of it into capitals before it looks. */
static bool letter(const char **p, char capital)
{
	if (toupper((unsigned char)**p) != capital)
		return false;
	++*p;
	return true;
}

/* A step is no longer than its field; that of years is free. */
static bool step(const struct field *f, const char **p)
{
	unsigned n = 0;
	size_t len = 0;

	if (**p != '/')
		return true;
	++*p;
	while (isdigit((unsigned char)(*p)[len]) && len < 5)
		n = n * 10 + (unsigned)((*p)[len++] - '0');
	*p += len;
	return n && len < 5 && n <= f->max;
}

/* What only days know: L, L-3, LW, L-3W. */
static bool day_word(const struct field *f, const char **p)
{
	static const struct field offset = { "offset", 0, 30, NULL };
	bool month = f == &fields[DAY_OF_MONTH];

	if ((!month && f != &fields[DAY_OF_WEEK]) || !letter(p, 'L'))
		return false;
	if (month && **p == '-') {
		++*p;
		if (!value(&offset, p))
			return false;
	}
	if (month)
		letter(p, 'W');
	return true;
}

/* 15W, 6L, 6#3, 1-5, 1/5. */
static bool after_value(const struct field *f, const char **p)
{
	if (f == &fields[DAY_OF_MONTH] && letter(p, 'W'))
		return step(f, p);
	if (f == &fields[DAY_OF_WEEK] && letter(p, 'L'))
		return step(f, p);
	if (f == &fields[DAY_OF_WEEK] && **p == '#') {
		++*p;
		if (**p < '1' || **p > '5')
			return false;
		++*p;
	} else if (**p == '-') {
		++*p;
		return value(f, p) && step(f, p);
	}
	return step(f, p);
}

/* One part of a list. */
static bool part(const struct field *f, const char **p)
{
	if (**p == '*') {
		++*p;
		return step(f, p);
	}
	if (**p == '/')
		return step(f, p);
	return day_word(f, p) || (value(f, p) && after_value(f, p));
}

static bool field_ok(const struct field *f, const char *text)
{
	const char *p = text;

	if (strcmp(text, "?") == 0)
		return f == &fields[DAY_OF_MONTH] || f == &fields[DAY_OF_WEEK];
	p += strspn(p, ",");
	do {
		if (!part(f, &p))
			return false;
	} while (*p == ',' && *(p += strspn(p, ","))); /* Quartz minds no comma too many */
	return *p == '\0';
}

static char *judge(char *const *text, size_t n)
{
	bool open_month, open_week;

	if (n < FIELDS_MIN || n > FIELDS_MAX)
		return xasprintf(
			"has %zu fields, not 6 or 7: second minute hour day-of-month month "
			"day-of-week [year]",
			n);
	for (size_t i = 0; i < n; i++)
		if (!field_ok(&fields[i], text[i]))
			return xasprintf(
				"%s '%s' is not from %u to %u, a list, a range or a step of "
				"those",
				fields[i].name, text[i], fields[i].min, fields[i].max);
	open_month = strcmp(text[DAY_OF_MONTH], "?") == 0;
	open_week = strcmp(text[DAY_OF_WEEK], "?") == 0;
	return open_month != open_week
		       ? NULL
		       : xasprintf("exactly one of day-of-month and day-of-week must be '?'");
}

char *quartz_fault(const char *text)
{
	char *copy = xstrdup(text), *rest = copy, *word, *why;
	char *words[FIELDS_MAX + 1];
	size_t n = 0;

	while (n < PS_NELEM(words) && (word = strtok_r(rest, " \t", &rest)))
		words[n++] = word;
	why = judge(words, n);
	free(copy);
	return why;
}

enum { ZONE_MAX = 64 };

/* Blanks around each. */
static const char *const zones[] = {
	/* the short names of java.util.TimeZone that are in no zoneinfo */
	" ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT "
	"PST SST VST ",
	/* Names of old, which systems may leave out of zoneinfo; Java has them. */
	" Africa/Asmera Africa/Timbuktu America/Argentina/ComodRivadavia America/Atka "
	"America/Buenos_Aires America/Catamarca America/Coral_Harbour America/Cordoba "
	"America/Ensenada America/Fort_Wayne America/Godthab America/Indianapolis America/Jujuy "
	"America/Knox_IN America/Louisville America/Mendoza America/Montreal America/Nipigon "
	"America/Pangnirtung America/Porto_Acre America/Rainy_River America/Rosario "
	"America/Santa_Isabel America/Shiprock America/Thunder_Bay America/Virgin "
	"America/Yellowknife Antarctica/South_Pole Asia/Ashkhabad Asia/Calcutta Asia/Choibalsan "
	"Asia/Chongqing Asia/Chungking Asia/Dacca Asia/Harbin Asia/Istanbul Asia/Kashgar "
	"Asia/Katmandu Asia/Macao Asia/Rangoon Asia/Saigon Asia/Tel_Aviv Asia/Thimbu "
	"Asia/Ujung_Pandang Asia/Ulan_Bator Atlantic/Faeroe Atlantic/Jan_Mayen Australia/ACT "
	"Australia/Canberra Australia/Currie Australia/LHI Australia/NSW Australia/North "
	"Australia/Queensland Australia/South Australia/Tasmania Australia/Victoria "
	"Australia/West Australia/Yancowinna Brazil/Acre Brazil/DeNoronha Brazil/East "
	"Brazil/West CET CST6CDT Canada/Atlantic Canada/Central Canada/East-Saskatchewan "
	"Canada/Eastern Canada/Mountain Canada/Newfoundland Canada/Pacific Canada/Saskatchewan "
	"Canada/Yukon Chile/Continental Chile/EasterIsland Cuba EET EST EST5EDT Egypt Eire "
	"Europe/Belfast Europe/Kiev Europe/Nicosia Europe/Tiraspol Europe/Uzhgorod "
	"Europe/Zaporozhye GB GB-Eire Greenwich HST Hongkong Iceland Iran Israel Jamaica Japan "
	"Kwajalein Libya MET MST MST7MDT Mexico/BajaNorte Mexico/BajaSur Mexico/General NZ "
	"NZ-CHAT Navajo PRC PST8PDT Pacific/Enderbury Pacific/Johnston Pacific/Ponape "
	"Pacific/Samoa Pacific/Truk Pacific/Yap Poland Portugal ROC ROK Singapore Turkey UCT "
	"US/Alaska US/Aleutian US/Arizona US/Central US/East-Indiana US/Eastern US/Hawaii "
	"US/Indiana-Starke US/Michigan US/Mountain US/Pacific US/Pacific-New US/Samoa Universal "
	"W-SU WET Zulu ",
	/* names that zoneinfo has since 2020 only */
	" America/Ciudad_Juarez America/Coyhaique America/Nuuk Europe/Kyiv Pacific/Kanton ",
};

static bool is_named(const char *name)
{
	char word[ZONE_MAX + 3];

	snprintf(word, sizeof(word), " %s ", name);
	for (size_t i = 0; i < PS_NELEM(zones); i++)
		if (strstr(zones[i], word))
			return true;
	return false;
}

bool quartz_zone_in(const char *base, const char *name)
{
	char *path;
	bool known;

	if (!*name || strlen(name) > ZONE_MAX || !fs_is_clean_relative(name) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-_/:") !=
		    strlen(name))
		return false;
	if (strcmp(name, "Z") == 0 || is_named(name) || ps_starts(name, "GMT") ||
	    ps_starts(name, "UTC"))
		return true; /* with an offset behind, as Java writes them */
	path = fs_join(base, name);
	known = !fs_exists(base) || fs_exists(path);
	free(path);
	return known;
}

bool quartz_zone_is_known(const char *name)
{
	return quartz_zone_in("/usr/share/zoneinfo", name);
}
