/* forecast_text – a forecast as lines for the pusher: whole, escaped, wrapped at 72 columns. */
#include "config.h"

#include "agent/flow/forecast.h"

#include "common/base/buf.h"
#include "common/base/escape.h"
#include "common/config/mapping.h"

enum { COLUMNS = 72, PLAN_LINES = 3, FIELDS_SHOWN = 3 };

static void add_safe(struct buf *b, const char *text)
{
	escape_buf(b, text, strlen(text), false);
}

/* ---- builds ---- */

static void add_subject(struct buf *b, const char *ref, const char *project)
{
	add_safe(b, mapping_short_ref(ref));
	buf_adds(b, ": ");
	if (strcmp(project, ".") == 0)
		return;
	add_safe(b, project);
	buf_adds(b, ": ");
}

static void add_counts(struct buf *b, const struct forecast_counts *n)
{
	size_t same = n->pipelines - n->to_build - n->under_way;

	if (!n->pipelines) {
		buf_adds(b, "no pipelines to build");
	} else if (same == n->pipelines) {
		buf_addf(b, "nothing to build (%zu pipeline%s unchanged)", same,
			 same == 1 ? "" : "s");
	} else {
		buf_addf(b, "%zu of %zu pipeline%s to build", n->to_build, n->pipelines,
			 n->pipelines == 1 ? "" : "s");
		if (same && n->under_way)
			buf_addf(b, " (%zu unchanged, %zu under way)", same, n->under_way);
		else if (same)
			buf_addf(b, " (%zu unchanged)", same);
		else if (n->under_way)
			buf_addf(b, " (%zu under way)", n->under_way);
	}
}

void forecast_say_builds(struct forecast_row *row, const struct forecast_in *in, const char *ref,
			 const char *project, const struct conf_environment *env,
			 const struct forecast_counts *n)
{
	const struct conf_fabric *f = config_fabric(in->cfg, env->fabric);
	struct buf b = BUF_INIT;

	add_subject(&b, ref, project);
	if (in->held)
		buf_adds(&b, "once let go, ");
	add_counts(&b, n);
	buf_addf(&b, "; then %s (", env->name);
	if (env->after)
		buf_addf(&b, "after %s, ", env->after);
	if (env->deploy == CONF_DEPLOY_APPROVE)
		buf_addf(&b, "needs approval of %s", f->owner);
	else if (env->deploy == CONF_DEPLOY_MANUAL)
		buf_addf(&b, "by hand of %s", f->owner);
	else
		buf_adds(&b, conf_deploy_word(env->deploy));
	buf_adds(&b, env->nwindows ? ", in its windows)" : ")");
	row->builds = buf_steal(&b);
}

void forecast_say_hopeless(struct forecast_row *row, const char *ref, const char *project,
			   const char *why)
{
	struct buf b = BUF_INIT;

	add_subject(&b, ref, project);
	buf_adds(&b, "cannot be built: ");
	add_safe(&b, why);
	row->builds = buf_steal(&b);
}

/* ---- the plan ---- */

static void add_item(struct forecast_row *row, char *text)
{
	row->items = xgrow(row->items, row->nitems, &row->cap, sizeof(*row->items));
	row->items[row->nitems++] = text;
}

static const char *job_name(const char *key)
{
	return ps_starts(key, "jobs/") && key[5] ? key + 5 : key;
}

/* "request.schedule.timezone_id" is schedule; of a task it is the task's part that has changed, or
 * the task itself. free() it. */
static char *field_name(const char *path)
{
	static const char *const wraps[] = { "request.", "CreateNewJobRequest.",
					     RENDER_OWN "." };
	const char *close;

	for (size_t i = 0; i < PS_NELEM(wraps); i++)
		if (ps_starts(path, wraps[i]))
			path += strlen(wraps[i]);
	close = ps_starts(path, "tasks[") ? strchr(path, ']') : NULL;
	if (close && close[1] != '.')
		return xasprintf("task %.*s", (int)(close - path) - 6, path + 6);
	if (close)
		path = close + 2;
	return xstrndup(path, strcspn(path, ".["));
}

static bool has_name(char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* What of it has changed: parts by name, each once. */
static void add_fields(struct buf *b, const struct plan_job *j)
{
	char **names = xcalloc(j->nfields + 1, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < j->nfields; i++) {
		const struct plan_field *f = &j->fields[i];
		bool unbuilt = ps_starts(f->path, "artifacts[") && !*f->is;
		char *name = unbuilt ? xstrdup("artifacts (if the build differs)")
				     : field_name(f->path);

		if (*name && !has_name(names, n, name))
			names[n++] = name;
		else
			free(name);
	}
	for (size_t i = 0; i < n && i < FIELDS_SHOWN; i++) {
		buf_adds(b, i ? ", " : " ");
		add_safe(b, names[i]);
	}
	if (n > FIELDS_SHOWN)
		buf_addf(b, " and %zu more", n - FIELDS_SHOWN);
	if (!n)
		buf_adds(b, " changed");
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static void add_job(struct forecast_row *row, const struct plan_job *j)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, j->change == PLAN_NEW ? "+ " : j->change == PLAN_CHANGED ? "~ " : "- ");
	add_safe(&b, job_name(j->key));
	if (j->change == PLAN_NEW)
		buf_adds(&b, " new");
	else if (j->change == PLAN_CHANGED)
		add_fields(&b, j);
	else
		buf_adds(&b, " no longer in the project");
	add_item(row, buf_steal(&b));
}

static void add_problems(struct forecast_row *row, const struct plan *plan)
{
	struct buf b = BUF_INIT;

	buf_adds(&b, "cannot be deployed: ");
	add_safe(&b, plan->problems[0]);
	if (plan->nproblems > 1)
		buf_addf(&b, ", and %zu more", plan->nproblems - 1);
	add_item(row, buf_steal(&b));
}

void forecast_say_plan(struct forecast_row *row, const struct conf_fabric *f,
		       const struct plan *plan)
{
	static const enum plan_change order[] = { PLAN_NEW, PLAN_CHANGED, PLAN_ORPHAN };
	size_t same = 0;

	row->fabric = xstrdup(f->name);
	if (plan->nproblems) {
		add_problems(row, plan);
		return;
	}
	for (size_t k = 0; k < PS_NELEM(order); k++)
		for (size_t i = 0; i < plan->njobs; i++)
			if (plan->jobs[i].change == order[k])
				add_job(row, &plan->jobs[i]);
	for (size_t i = 0; i < plan->njobs; i++)
		same += plan->jobs[i].change == PLAN_SAME;
	if (same)
		add_item(row, xasprintf("= %zu unchanged", same));
}

/* ---- among the gate's lines ---- */

/* The items in at most `max` lines, cut with "and N more"; how many lines it took. One item is
 * never cut, so a line may be long. */
static size_t add_items(struct buf *out, const struct forecast_row *row, size_t max)
{
	size_t lines = 1, column;

	buf_addf(out, "  %s: ", row->fabric);
	column = strlen(row->fabric) + 4;
	for (size_t i = 0; i < row->nitems; i++) {
		size_t n = strlen(row->items[i]);

		if (i && column + 2 + n > COLUMNS && lines == max) {
			buf_addf(out, "; and %zu more", row->nitems - i);
			break;
		}
		if (i && column + 2 + n > COLUMNS) {
			buf_adds(out, ";\n    ");
			column = 4;
			lines++;
		} else if (i) {
			buf_adds(out, "; ");
			column += 2;
		}
		buf_add(out, row->items[i], n);
		column += n;
	}
	buf_addch(out, '\n');
	return lines;
}

static const struct forecast_row *row_of(const struct forecast_rows *l, size_t line)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].line == line && l->v[i].builds)
			return &l->v[i];
	return NULL;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static size_t rows_with_items(const struct forecast_rows *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		n += l->v[i].builds && l->v[i].nitems;
	return n;
}

char *forecast_weave(const char *text, const struct forecast_rows *l, size_t max)
{
	size_t has = count_lines(text), left = rows_with_items(l);
	size_t spare = max > has ? max - has : 0;
	struct buf out = BUF_INIT;
	const char *end;

	for (size_t line = 0; *text; line++, text = *end ? end + 1 : end) {
		const struct forecast_row *row = row_of(l, line);
		size_t room = left ? spare / left : 0;

		end = strchrnul(text, '\n');
		if (row)
			buf_adds(&out, row->builds);
		else
			buf_add(&out, text, (size_t)(end - text));
		buf_addch(&out, '\n');
		if (!row || !row->nitems)
			continue;
		left--;
		if (!room && spare)
			room = 1;
		if (room)
			spare -= add_items(&out, row, room < PLAN_LINES ? room : PLAN_LINES);
	}
	return buf_steal(&out);
}
