/* memo – see memo.h: a table with open addressing; keys are digests and spread by themselves. */
#include "config.h"

#include "common/gate/memo.h"

#include "common/base/digest.h"

struct slot {
	struct memo_key key;
	struct buf value;
	enum { EMPTY, ABSENT, KNOWN, FRESH } state;	/* ABSENT: the place behind has it not */
};

struct memo {
	char *salt;
	struct memo_behind behind;
	struct slot *v;
	size_t n, size;			/* size is a power of two */
};

enum { FIRST_SIZE = 256 };

struct memo *memo_new(const char *salt, const struct memo_behind *behind)
{
	struct memo *m = xcalloc(1, sizeof(*m));

	m->salt = xstrdup(salt);
	if (behind)
		m->behind = *behind;
	m->size = FIRST_SIZE;
	m->v = xcalloc(m->size, sizeof(*m->v));
	return m;
}

void memo_free(struct memo *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->size; i++)
		buf_clear(&m->v[i].value);
	free(m->v);
	free(m->salt);
	free(m);
}

static void add_text(struct digest *d, const char *text)
{
	digest_add(d, text, strlen(text) + 1);		/* with its NUL: "ab","c" is not "a","bc" */
}

void memo_key(const struct memo *m, struct memo_key *out, ...)
{
	struct digest *d = digest_new();
	const char *text;
	va_list ap;

	add_text(d, m->salt);
	va_start(ap, out);
	while ((text = va_arg(ap, const char *)))
		add_text(d, text);
	va_end(ap);
	digest_end_raw(d, out->b);
}

static struct slot *find(struct slot *v, size_t size, const struct memo_key *k)
{
	size_t at;

	memcpy(&at, k->b, sizeof(at));
	for (at &= size - 1; v[at].state != EMPTY; at = (at + 1) & (size - 1))
		if (memcmp(&v[at].key, k, sizeof(*k)) == 0)
			break;
	return &v[at];
}

static struct slot *slot_of(struct memo *m, const struct memo_key *k)
{
	struct slot *s;

	if (m->n * 2 >= m->size) {
		struct slot *wider = xcalloc(m->size * 2, sizeof(*wider));

		for (size_t i = 0; i < m->size; i++)
			if (m->v[i].state != EMPTY)
				*find(wider, m->size * 2, &m->v[i].key) = m->v[i];
		free(m->v);
		m->v = wider;
		m->size *= 2;
	}
	s = find(m->v, m->size, k);
	if (s->state == EMPTY) {
		s->key = *k;
		s->state = ABSENT;
		m->n++;
		if (m->behind.get && m->behind.get(m->behind.arg, k, &s->value))
			s->state = KNOWN;
	}
	return s;
}

const struct buf *memo_get(struct memo *m, const struct memo_key *k)
{
	const struct slot *s = slot_of(m, k);

	return s->state == ABSENT ? NULL : &s->value;
}

void memo_put(struct memo *m, const struct memo_key *k, struct buf *value)
{
	struct slot *s = slot_of(m, k);

	buf_clear(&s->value);
	s->value = *value;
	*value = (struct buf)BUF_INIT;
	s->state = FRESH;
}

void memo_take_new(struct memo *m,
		   void (*fn)(void *arg, const struct memo_key *k, const struct buf *value),
		   void *arg)
{
	for (size_t i = 0; i < m->size; i++)
		if (m->v[i].state == FRESH) {
			fn(arg, &m->v[i].key, &m->v[i].value);
			m->v[i].state = KNOWN;
		}
}
