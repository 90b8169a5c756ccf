/* check_format – see check_format.h. */
#include "config.h"

#include "cli/check_format.h"

#include "cli/show.h"
#include "common/base/escape.h"
#include "common/gate/rules.h"

enum check_format check_format_of(const char *word)
{
	static const char *const words[CHECK_FORMATS] = { "text", "json", "sarif", "github" };
	int f = 0;

	while (f < CHECK_FORMATS && strcmp(words[f], word) != 0)
		f++;
	return (enum check_format)f;
}

static void print_text(const struct diag_list *l)
{
	struct buf text = BUF_INIT;

	diag_print_source(&text, l, 0);
	fputs(buf_str(&text), stdout);
	buf_clear(&text);
}

static void print_json(const struct diag_list *l)
{
	json_t *items = json_array(), *doc;

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(items, show_finding(&l->v[i]));
	doc = json_pack("{s:o}", "items", items);
	show_json(doc);
	json_decref(doc);
}

/* ---- SARIF 2.1.0, the parts that viewers read ---- */

static json_t *sarif_rules(void)
{
	json_t *rules = json_array();

	for (size_t i = 0; i < RULE_COUNT; i++) {
		const struct rule *r = &rule_table[i];

		json_array_append_new(rules, json_pack("{s:s, s:{s:s}, s:{s:s}, s:{s:s}}", "id",
						       r->code, "shortDescription", "text", r->text,
						       "fullDescription", "text", r->why, "help",
						       "text", r->fix));
	}
	return rules;
}

static json_t *sarif_result(const struct diag *d)
{
	/* unlike for people, columns of SARIF count UTF-16 units unless the run says otherwise */
	json_t *o = json_pack("{s:s, s:s, s:{s:o}}", "ruleId", d->code, "level",
			      d->severity == DIAG_ERROR ? "error" : "warning", "message", "text",
			      show_string(d->text));

	if (*d->path)			/* else about the push as such */
		json_object_set_new(o, "locations", json_pack("[{s:{s:{s:o}, s:{s:i, s:i}}}]",
							      "physicalLocation",
							      "artifactLocation", "uri",
							      show_string(d->path),
							      "region", "startLine", (int)d->line,
							      "startColumn", (int)d->col));
	return o;
}

static void print_sarif(const struct diag_list *l)
{
	json_t *results = json_array(), *doc;

	for (size_t i = 0; i < l->n; i++)
		json_array_append_new(results, sarif_result(&l->v[i]));
	doc = json_pack("{s:s, s:s, s:[{s:{s:{s:s, s:s, s:o}}, s:s, s:o}]}", "$schema",
			"https://json.schemastore.org/sarif-2.1.0.json", "version", "2.1.0", "runs",
			"tool", "driver", "name", "penstock", "version", PACKAGE_VERSION, "rules",
			sarif_rules(), "columnKind", "unicodeCodePoints", "results", results);
	show_json(doc);
	json_decref(doc);
}

/* ---- workflow commands ---- */

/* In a value '%' has a code; in a property ':' and ',' too. */
static void print_github_text(const char *text, bool property)
{
	struct buf safe = BUF_INIT;

	escape_buf(&safe, text, strlen(text), false);
	for (const char *p = buf_str(&safe); *p; p++)
		if (*p == '%' || (property && (*p == ':' || *p == ',')))
			printf("%%%02X", (unsigned char)*p);
		else
			putchar(*p);
	buf_clear(&safe);
}

static void print_github(const struct diag_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct diag *d = &l->v[i];

		printf("::%s ", d->severity == DIAG_ERROR ? "error" : "warning");
		if (*d->path) {
			printf("file=");
			print_github_text(d->path, true);
			printf(",line=%u,col=%u,", d->line, d->col);
		}
		printf("title=%s::", d->code);
		print_github_text(d->text, false);
		putchar('\n');
	}
}

void check_print(const struct gate_checked *c, enum check_format format)
{
	static void (*const print[CHECK_FORMATS])(const struct diag_list *l) = {
		[CHECK_TEXT] = print_text, [CHECK_JSON] = print_json,
		[CHECK_SARIF] = print_sarif, [CHECK_GITHUB] = print_github,
	};

	print[format](&c->found);
	fflush(stdout);
}
