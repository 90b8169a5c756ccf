/* identity – the table, and what all its rows share; see identity.h. */
#include "config.h"

#include "hooks/identity/identity.h"

#include "common/base/escape.h"
#include "common/wire/messages.h"

static const struct host {
	identity_fn *find;
	const char *refusal_prefix;
} hosts[] = {
	[CONF_ID_UID] = { identity_uid, NULL },
	[CONF_ID_GITOLITE] = { identity_gitolite, NULL },
	/* without it GitLab's pages say no more than that a hook has declined */
	[CONF_ID_GITLAB] = { identity_gitlab, "GL-HOOK-ERR: " },
	[CONF_ID_GITEA] = { identity_gitea, NULL },
	[CONF_ID_GHES] = { identity_ghes, NULL },
	[CONF_ID_HTTP] = { identity_http, NULL },
	[CONF_ID_ENV] = { identity_env, NULL },
};

static const struct host *host_of(const struct policy_root *root)
{
	return root && root->identity < PS_NELEM(hosts) ? &hosts[root->identity] : NULL;
}

void identity_find(struct identity *id, const struct policy_root *root, const char *const *env)
{
	const struct host *host = host_of(root);
	struct identity_from from = { env, root ? root->identity_env : NULL };

	*id = (struct identity) { .name = NULL };
	if (host)
		host->find(id, &from);
	else if (root)		/* a policy that a newer penstock wrote */
		identity_unknown(id, "this hook does not know the identity that the policy names");
}

const char *identity_refusal_prefix(const struct policy_root *root)
{
	const struct host *host = host_of(root);

	return host ? host->refusal_prefix : NULL;
}

/* Its value, and how often it is there: programs differ in which of two they believe. */
static size_t look_up(const struct identity_from *from, const char *variable, const char **value)
{
	size_t n = strlen(variable), times = 0;

	*value = "";
	for (const char *const *at = from->env; *at; at++)
		if (strncmp(*at, variable, n) == 0 && (*at)[n] == '=') {
			*value = *at + n + 1;
			times++;
		}
	return times;
}

const char *identity_value(const struct identity_from *from, const char *variable)
{
	const char *value;

	return look_up(from, variable, &value) == 1 && *value ? value : NULL;
}

bool identity_is_set(const struct identity_from *from, const char *variable)
{
	const char *value;
	size_t times = look_up(from, variable, &value);

	return times > 1 || (*value && strcmp(value, "0") != 0 && strcmp(value, "false") != 0);
}

/* Whatever would have to be escaped (control and bidi characters, what is no UTF-8) is in no
 * name. */
static bool is_clean(const char *name)
{
	char safe[WIRE_ID * 8 + 1];

	return strcmp(escape_line(safe, sizeof(safe), name), name) == 0;
}

void identity_take(struct identity *id, const struct identity_from *from, const char *variable)
{
	const char *value;
	size_t times = look_up(from, variable, &value);

	if (times > 1)
		identity_unknown(id, "%s is set twice", variable);
	else if (!*value)
		identity_unknown(id, "%s is %s", variable, times ? "empty" : "not set");
	else if (strlen(value) > WIRE_ID)
		identity_unknown(id, "%s is longer than %d bytes", variable, WIRE_ID);
	else if (!is_clean(value))
		identity_unknown(id, "%s holds characters that no name has", variable);
	else
		id->name = value;
}

void identity_unknown(struct identity *id, const char *fmt, ...)
{
	va_list ap;

	id->name = NULL;
	va_start(ap, fmt);
	vsnprintf(id->why, sizeof(id->why), fmt, ap);
	va_end(ap);
}
