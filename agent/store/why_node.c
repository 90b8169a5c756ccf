/* why_node – see why_node.h. */
#include "config.h"

#include "agent/store/why_node.h"

json_t *why_node(const char *what)
{
	json_t *n = json_object();

	put_text(n, "what", what);
	json_object_set_new(n, "lines", json_array());
	json_object_set_new(n, "children", json_array());
	return n;
}

void why_say(json_t *node, const char *fmt, ...)
{
	va_list ap;
	char *text, *end;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	for (char *line = text; line; line = end) {
		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		put_line(json_object_get(node, "lines"), "%s", line);
	}
	free(text);
}

void why_add(json_t *node, json_t *child)
{
	json_array_append_new(json_object_get(node, "children"), child);
}

/* State, reason, since and the lines that belong to a waiting or ended thing. */
void why_put_state(json_t *node, const json_t *row)
{
	static const char *const same[] = { "id", "state", "reason", "detail", "blocked_by", "since", "ahead", "lift" };
	const char *state = get_text(row, "state"), *reason = get_text(row, "reason"), *detail = get_text(row, "detail");
	const struct wait_reason *w = wait_reason(reason);
	bool waits = strcmp(state, "waiting") == 0 || strcmp(state, "queued") == 0;
	json_int_t ahead = json_integer_value(json_object_get(row, "ahead"));

	for (size_t i = 0; i < PS_NELEM(same); i++)
		json_object_set(node, same[i], json_object_get(row, same[i]) ? json_object_get(row, same[i]) : json_null());
	if (waits && w)
		why_say(node, "%s%s%s", w->means, strcmp(detail, w->means) ? ": " : "", strcmp(detail, w->means) ? detail : "");
	else if (*detail && strcmp(detail, state) != 0)
		why_say(node, "%s", detail);
	if (!waits && *reason)
		why_say(node, "%s", reason);
	if (waits && ahead)
		why_say(node, "%lld ahead of it", (long long)ahead);
	if (waits && *get_text(row, "lift"))
		why_say(node, "lifted by: %s", get_text(row, "lift"));
}

/* The deepest thing that failed, else that waits, else is under way: what the reader can act on. */
const json_t *why_deepest(const json_t *node, const char *const *states)
{
	const char *state = get_text(node, "state");
	const json_t *found = NULL;
	size_t i;
	json_t *child;

	json_array_foreach(json_object_get(node, "children"), i, child)
		if ((found = why_deepest(child, states)))
			return found;
	if (!*get_text(node, "id") && !*get_text(node, "fabric"))
		return NULL;		/* a step or task: its owner has the command */
	for (; *states; states++)
		if (strcmp(*states, state) == 0)
			return node;
	return NULL;
}

static char *command_for(const json_t *node)
{
	const char *id = get_text(node, "id"), *state = get_text(node, "state"), *fabric = get_text(node, "fabric");
	const struct wait_reason *w = wait_reason(get_text(node, "reason"));

	if (*get_text(node, "lift"))
		return xstrdup(get_text(node, "lift"));
	if (w)
		return xstrdup("penstock status");
	if (ps_starts(get_text(node, "reason"), "maps nowhere"))
		return xasprintf("penstock which --all --repo %s %s", get_text(node, "repository"), get_text(node, "ref"));
	if (*id == 't')
		return xasprintf("penstock tests %s", id);
	if (*id == 'b' || *id == 'x')
		return xasprintf("penstock log %s%s", strcmp(state, "running") == 0 ? "-f " : "", id);
	if (*fabric)
		return xasprintf("penstock history %s", fabric);
	return xstrdup("penstock status");
}

void why_put_next(json_t *root)
{
	static const char *const failed[] = { "failed", "unknown", NULL };
	static const char *const waits[] = { "waiting", "queued", NULL };
	static const char *const busy[] = { "running", "claimed", "active", NULL };
	static const char *const live[] = { "deployed", NULL };
	static const char *const good[] = { "passed", NULL };
	static const char *const *const order[] = { failed, waits, busy, live, good };
	const json_t *found = NULL;
	char *command;

	for (size_t i = 0; !found && i < PS_NELEM(order); i++)
		found = why_deepest(root, order[i]);
	command = command_for(found ? found : root);
	put_text(root, "next", command);
	free(command);
}
