#include "config.h"

#include "cli/show.h"

#include "cli/client.h"
#include "common/base/clock.h"
#include "common/base/escape.h"

void show_json(const json_t *doc)
{
	json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
}

json_t *show_string(const char *text)
{
	struct buf b = BUF_INIT;
	json_t *v;

	if (utf8_valid(text, strlen(text)))
		return json_string_nocheck(text);
	escape_buf(&b, text, strlen(text), false);
	v = json_string_nocheck(buf_str(&b));
	buf_clear(&b);
	return v;
}

json_t *show_finding(const struct diag *d)
{
	return json_pack("{s:s, s:s, s:i, s:i, s:o, s:o, s:o*}", "id", d->code ? d->code : "",
			 "state", d->severity == DIAG_ERROR ? "error" : "warning",
			 "line", d->line ? (int)d->line : 1, "col", d->line ? (int)d->col : 1,
			 "path", show_string(d->path), "text", show_string(d->text), "hint",
			 d->hint ? show_string(d->hint) : NULL);
}

const char *show_text(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "";
}

void show_escaped(const char *text)
{
	struct buf b = BUF_INIT;

	escape_buf(&b, text, strlen(text), false);
	fputs(buf_str(&b), stdout);
	buf_clear(&b);
}

void show_field(struct cli *cli, const char *name, const json_t *item, const char *key)
{
	const json_t *v = json_object_get(item, key);
	const char *text = json_string_value(v);
	struct buf b = BUF_INIT;

	if (!v || json_is_null(v))
		return;
	if (json_is_integer(v))
		buf_addf(&b, "%lld", (long long)json_integer_value(v));
	else if (text && term_parse_time(text) >= 0)
		term_time(&b, &cli->out, text, clock_wall_ms());
	else if (text)
		escape_buf(&b, text, strlen(text), false);
	printf("  %-10s %s\n", name, buf_str(&b));
	buf_clear(&b);
}

void show_next(struct cli *cli, const char *command)
{
	fputs("next: ", stdout);
	if (ps_starts(command, "penstock ")) {
		fputs(cli_self(cli), stdout);
		command += strlen("penstock");
	}
	show_escaped(command);
	putchar('\n');
}

int show_list(struct cli *cli, const char *path, const struct column *cols, const char *nothing)
{
	struct buf text = BUF_INIT;
	json_t *doc, *items;
	int code = client_get(cli, path, &doc);

	if (code)
		return code;
	items = json_object_get(doc, "items");
	if (cli->json) {
		show_json(doc);
	} else if (json_array_size(items) == 0) {
		fprintf(stderr, "%s\n", nothing);
	} else {
		term_table(&text, &cli->out, cols, items, clock_wall_ms());
		fputs(buf_str(&text), stdout);
		if (json_is_true(json_object_get(doc, "more")))
			fprintf(stderr, "there are more: -n N shows N of them\n");
	}
	buf_clear(&text);
	json_decref(doc);
	return CLI_OK;
}

void show_fields(struct cli *cli, const json_t *item)
{
	size_t i;
	json_t *f;

	json_array_foreach(json_object_get(item, "fields"), i, f) {
		const char *was = show_text(f, "was"), *is = show_text(f, "is");

		fputs("    ~ ", stdout);
		show_escaped(show_text(f, "path"));
		fputs("  ", stdout);
		show_escaped(*was ? was : "(none)");
		fputs(cli->out.ascii ? " -> " : " → ", stdout);
		show_escaped(*is ? is : "(none)");
		putchar('\n');
	}
}
