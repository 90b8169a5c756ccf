/* mail – a letter through the machine's own sendmail; see post.h. */
#include "config.h"

#include "agent/deploy/post.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/base/escape.h"
#include "common/base/fsutil.h"
#include "common/base/spawn.h"

enum { SAID_MAX = 400 };

static const char *member(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static const struct {
	const char *kind, *says;
} subjects[] = {
	{ "approval", "waits for your approval" },
	{ "deployed", "deployed" },
	{ "failed", "failed" },
	{ "rolled_back", "rolled back" },
	{ "drift", "changed on the fabric" },
};

/* One line of ASCII whatever a ref is called: what is not is encoded as RFC 2047 wants it. */
static void put_subject(struct buf *out, const struct wire_post *m, const json_t *o)
{
	const char *says = m->kind;
	char line[600], coded[900], *text;
	bool plain = true;

	for (size_t i = 0; i < PS_NELEM(subjects); i++)
		if (strcmp(subjects[i].kind, m->kind) == 0)
			says = subjects[i].says;
	text = xasprintf("[penstock] %s %s: %s (%s %s)", member(o, "environment"), says,
			 member(o, "repository"), member(o, "id"),
			 *member(o, "version") ? member(o, "version") : member(o, "ref"));
	escape_line(line, sizeof(line), text);
	free(text);
	for (const char *c = line; *c; c++)
		plain = plain && *c >= ' ' && *c < 127;
	if (plain) {
		buf_addf(out, "Subject: %s\n", line);
		return;
	}
	EVP_EncodeBlock((unsigned char *)coded, (unsigned char *)line, (int)strlen(line));
	buf_addf(out, "Subject: =?UTF-8?B?%s?=\n", coded);
}

static void put_body(struct buf *out, const json_t *o)
{
	static const char *const keys[] = { "environment", "fabric", "repository", "project",
					    "ref",         "commit", "version",    "release",
					    "event",       "pusher", "reason",     "detail",
					    "at" };

	for (size_t i = 0; i < PS_NELEM(keys); i++)
		if (*member(o, keys[i])) {
			buf_addf(out, "%s: ", keys[i]);
			escape_buf(out, member(o, keys[i]), strlen(member(o, keys[i])), true);
			buf_addch(out, '\n');
		}
	buf_addf(out, "\nnext: penstock why %s\n", member(o, "id"));
}

static void put_message(struct buf *out, const struct wire_post *m, const struct conf_notify *n,
			const json_t *o)
{
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
	buf_addf(out, "From: %s\nTo: ", n->from);
	for (size_t i = 0; i < n->to.n; i++)
		buf_addf(out, "%s%s", i ? ", " : "", n->to.v[i]);
	buf_addf(out,
		 "\nDate: %s\nMessage-ID: <%s@penstock>\nPenstock-Id: %s\nPenstock-Event: %s\n",
		 date, m->uid, m->uid, m->kind);
	put_subject(out, m, o);
	buf_adds(out, "MIME-Version: 1.0\nContent-Type: text/plain; "
		      "charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
		      "Auto-Submitted: auto-generated\n\n");
	put_body(out, o);
}

/* What sendmail has said, its first line. */
static void first_line(int fd, char *out, size_t size)
{
	ssize_t n = pread(fd, out, size - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	out[strcspn(out, "\n")] = '\0';
}

static void judge(int status, int said, const struct conf_notify *n, struct post_end *end)
{
	char how[64], line[SAID_MAX];
	bool never = WIFEXITED(status) && WEXITSTATUS(status) >= EX_USAGE &&
		     WEXITSTATUS(status) <= EX_NOHOST;

	first_line(said, line, sizeof(line));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		end->state = "done";
	else /* sysexits.h: what the letter itself is wrong with, and all else */
		post_ends(end, never ? "failed" : "again", "%s: %s%s%s", n->sendmail,
			  spawn_status_text(how, status), *line ? ": " : "", line);
}

static void send(const struct conf_notify *n, int letter, int said, struct post_end *end)
{
	static const char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL };
	const char **argv = xcalloc(n->to.n + 6, sizeof(*argv));
	struct spawn s = { .argv = argv, .env = env, .in = letter, .out = -1, .errout = said };
	struct ps_err err = { 0 };
	size_t k = 0;
	int status;
	pid_t pid;

	argv[k++] = n->sendmail;
	argv[k++] = "-i";
	argv[k++] = "-f";
	argv[k++] = n->from;
	argv[k++] = "--";
	for (size_t i = 0; i < n->to.n; i++)
		argv[k++] = n->to.v[i];
	pid = spawn_start(&s, &err);
	if (pid < 0 || spawn_wait(pid, &status, &err) < 0)
		post_ends(end, "again", "%s", err.msg);
	else
		judge(status, said, n, end);
	free(argv);
}

void post_mail(const struct wire_post *m, const struct conf_notify *n, struct post_end *end)
{
	json_t *o = json_loads(m->payload, 0, NULL);
	int letter = memfd_create("letter", MFD_CLOEXEC), said = memfd_create("said", MFD_CLOEXEC);
	struct buf text = BUF_INIT;
	struct ps_err err = { 0 };

	put_message(&text, m, n, o);
	if (letter < 0 || said < 0 || fs_write_all(letter, text.data, text.len, &err) < 0 ||
	    lseek(letter, 0, SEEK_SET) < 0)
		post_ends(end, "again", "the letter cannot be written: %s", err.msg);
	else
		send(n, letter, said, end);
	if (letter >= 0)
		close(letter);
	if (said >= 0)
		close(said);
	buf_clear(&text);
	json_decref(o);
}
