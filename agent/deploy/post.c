/* post – see post.h. */
#include "config.h"

#include "agent/deploy/post.h"

#include <unistd.h>

#include "agent/deploy/secret.h"
#include "common/base/escape.h"
#include "common/base/log.h"
#include "common/wire/frame.h"

void post_ends(struct post_end *end, const char *state, const char *fmt, ...)
{
	char text[sizeof(end->problem)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	end->state = state;
	escape_line(end->problem, sizeof(end->problem), text);
}

static void webhook(const struct wire_post *m, const struct conf_notify *n, int fd,
		    struct post_end *end)
{
	struct ps_err err = { 0 };
	char *secret;

	if (secret_read(&secret, fd, &err) < 0)
		post_ends(end, "failed", "%s", err.msg);
	else if (!secret)
		post_ends(end, "again",
			  "its secret could not be opened; the agent's log says why. After it was "
			  "put there: "
			  "penstock reload");
	else
		post_webhook(m, n, secret, strlen(secret), end);
	secret_free(secret);
}

int post_run(int sock, const struct wire_post *m, const struct conf_notify *n, int secret)
{
	struct post_end end = { .state = "done" };
	struct wire_posted p = { .id = m->id, .fence = m->fence };
	struct ps_err err = { 0 };

	alarm(POST_LIMIT_S); /* whatever the limits inside have missed */
	if (n->url)
		webhook(m, n, secret, &end);
	else
		post_mail(m, n, &end);
	p.state = end.state;
	p.after_ms = (uint64_t)end.after_ms;
	p.problem = *end.problem ? end.problem : NULL;
	if (frame_send(sock, MSG_posted, &p, -1, 0, &err) == 0)
		return 0;
	log_error("post", NULL, "what came of it did not reach core: %s", err.msg);
	return 1;
}
