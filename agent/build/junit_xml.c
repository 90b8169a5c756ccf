/*
 * junit_xml – from XML to records, inside the child that has no privilege; see junit.h.
 *
 * A record is eight texts, each ended by a NUL (XML has none): outcome, milliseconds, file, class,
 * name, message, trace, and "." as the end. Nothing here opens, allocates without bound or prints.
 */
#include "config.h"

#include "agent/build/junit.h"

#include <errno.h>
#include <unistd.h>

#include <expat.h>

#include "common/base/escape.h"

enum { DEPTH_MAX = 16 };

/* The elements that say how a test ended. */
static const struct {
	const char *element;
	enum junit_outcome outcome;
} endings[] = {
	{ "failure", JUNIT_FAILED },
	{ "error", JUNIT_ERROR },
	{ "skipped", JUNIT_SKIPPED },
};

struct reading {
	XML_Parser parser;
	struct buf out;
	char why[256];
	unsigned depth;
	unsigned in_case, in_ending; /* the depth of the element we are in; 0: not in one */
	enum junit_outcome outcome;
	struct buf file, class_name, name, message, trace;
	long long took_ms;
	unsigned lines;
};

static void give_up(struct reading *r, const char *why)
{
	if (!r->why[0])
		snprintf(r->why, sizeof(r->why), "%s", why);
	XML_StopParser(r->parser, XML_FALSE);
}

/* At most max bytes, never half a character. */
static void take(struct buf *to, const char *text, size_t max)
{
	size_t n = strlen(text);

	buf_reset(to);
	if (n > max) {
		n = max;
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	buf_add(to, text, n);
}

/* Seconds with a fraction; anything else is no time. */
static long long milliseconds(const char *text)
{
	double s = strtod(text, NULL);

	return s > 0 && s < 1e7 ? (long long)(s * 1000 + 0.5) : 0;
}

static void begin_case(struct reading *r, const char **attrs)
{
	struct buf *const all[] = { &r->file, &r->class_name, &r->name, &r->message, &r->trace };

	for (size_t i = 0; i < PS_NELEM(all); i++)
		buf_reset(all[i]);
	r->in_case = r->depth;
	r->outcome = JUNIT_PASSED;
	r->took_ms = 0;
	r->lines = 0;
	for (; attrs[0]; attrs += 2) {
		if (ps_streq(attrs[0], "file"))
			take(&r->file, attrs[1], JUNIT_NAME_MAX);
		else if (ps_streq(attrs[0], "classname"))
			take(&r->class_name, attrs[1], JUNIT_NAME_MAX);
		else if (ps_streq(attrs[0], "name"))
			take(&r->name, attrs[1], JUNIT_NAME_MAX);
		else if (ps_streq(attrs[0], "time"))
			r->took_ms = milliseconds(attrs[1]);
	}
}

/* The first ending of a test is the one that is told; a failure is not made good by a skip. */
static void begin_ending(struct reading *r, const char *element, const char **attrs)
{
	for (size_t i = 0; i < PS_NELEM(endings); i++) {
		if (!ps_streq(element, endings[i].element) || r->outcome != JUNIT_PASSED)
			continue;
		r->outcome = endings[i].outcome;
		r->in_ending = r->depth;
		for (; attrs[0]; attrs += 2)
			if (ps_streq(attrs[0], "message"))
				take(&r->message, attrs[1], JUNIT_MESSAGE_MAX);
		return;
	}
}

static void on_start(void *arg, const char *element, const char **attrs)
{
	struct reading *r = arg;

	if (++r->depth > DEPTH_MAX)
		give_up(r, "its elements are nested too deep");
	else if (r->depth == 1 && !ps_streq(element, "testsuites") &&
		 !ps_streq(element, "testsuite"))
		give_up(r, "its outermost element is no 'testsuites'");
	else if (ps_streq(element, "testcase") && r->in_case)
		give_up(r, "a test inside a test");
	else if (ps_streq(element, "testcase"))
		begin_case(r, attrs);
	else if (r->in_case && !r->in_ending)
		begin_ending(r, element, attrs);
}

static void put(struct reading *r, const struct buf *text)
{
	buf_add(&r->out, buf_str(text), text->len + 1);
}

static void end_case(struct reading *r)
{
	buf_addf(&r->out, "%d", (int)r->outcome);
	buf_addch(&r->out, '\0');
	buf_addf(&r->out, "%lld", r->took_ms);
	buf_addch(&r->out, '\0');
	put(r, &r->file);
	put(r, &r->class_name);
	put(r, &r->name);
	put(r, &r->message);
	put(r, &r->trace);
	buf_add(&r->out, ".", 2);
	r->in_case = 0;
}

static void on_end(void *arg, const char *element)
{
	struct reading *r = arg;

	(void)element;
	if (r->in_ending == r->depth)
		r->in_ending = 0;
	if (r->in_case == r->depth)
		end_case(r);
	r->depth--;
}

static void on_text(void *arg, const char *text, int n)
{
	struct reading *r = arg;

	if (!r->in_ending)
		return;
	for (int i = 0; i < n && r->lines < JUNIT_TRACE_LINES; i++) {
		/* whole characters: expat hands out no half ones */
		if (r->trace.len >= JUNIT_TRACE_MAX && ((unsigned char)text[i] & 0xc0) != 0x80)
			return;
		r->lines += text[i] == '\n';
		buf_addch(&r->trace, text[i]);
	}
}

static void on_doctype(void *arg, const char *name, const char *system, const char *public_id,
		       int internal)
{
	(void)name;
	(void)system;
	(void)public_id;
	(void)internal;
	give_up(arg, "it has a document type, which no report needs");
}

/* What was told so far, so that memory stays small whatever the report's size. */
static bool flush_out(struct reading *r, int out)
{
	size_t at = 0;

	while (at < r->out.len) {
		ssize_t n = write(out, r->out.data + at, r->out.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	buf_reset(&r->out);
	return true;
}

static void say_syntax(struct reading *r)
{
	if (!r->why[0])
		snprintf(r->why, sizeof(r->why), "line %lu: %s",
			 (unsigned long)XML_GetCurrentLineNumber(r->parser),
			 XML_ErrorString(XML_GetErrorCode(r->parser)));
}

static void parse_all(struct reading *r, int fd, int out)
{
	char block[16384];
	ssize_t n;

	do {
		n = read(fd, block, sizeof(block));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			give_up(r, "it cannot be read");
		else if (memchr(block, '\0', (size_t)n)) /* UTF-16: a mark beats the encoding */
			give_up(r, "it is not UTF-8");
		else if (XML_Parse(r->parser, block, (int)n, n == 0) != XML_STATUS_OK)
			say_syntax(r);
		else if (!flush_out(r, out))
			give_up(r, "nobody takes what is read");
	} while (n > 0 && !r->why[0]);
}

const char *junit_parse(int fd, int out)
{
	static struct reading r;

	/* the encoding given here beats the one that is declared */
	r.parser = XML_ParserCreate("UTF-8");
	if (!r.parser)
		return "no memory";
	XML_SetHashSalt(r.parser, 0x70656e73746f636bUL);
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	parse_all(&r, fd, out);
	return r.why[0] ? r.why : NULL;
}
