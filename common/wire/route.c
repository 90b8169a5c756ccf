/* route – see route.h. */
#include "config.h"

#include "common/wire/route.h"

#include "common/base/failpoint.h"

static const struct { const char *name, *program; } speakers[SPEAKER_COUNT] = {
#define ROW(who, program) [SPEAKER_##who] = { #who, program },
	WIRE_SPEAKERS(ROW)
#undef ROW
};

static const struct route { enum msg_type type; enum speaker from, to; } routes[] = {
#define ROW(type, from, to) { MSG_##type, SPEAKER_##from, SPEAKER_##to },
	WIRE_ROUTES(ROW)
#undef ROW
};

enum speaker route_speaker(const char *name)
{
	for (int i = SPEAKER_NONE + 1; i < SPEAKER_COUNT; i++)
		if (strcmp(speakers[i].name, name) == 0)
			return (enum speaker)i;
	return SPEAKER_NONE;
}

size_t route_count(enum msg_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < PS_NELEM(routes); i++)
		n += routes[i].type == type;
	return n;
}

void route_document(FILE *out, enum msg_type type)
{
	const char *sep = "";

	for (size_t i = 0; i < PS_NELEM(routes); i++)
		if (routes[i].type == type) {
			fprintf(out, "%s%s → %s", sep, speakers[routes[i].from].name,
				speakers[routes[i].to].name);
			sep = ", ";
		}
}

#ifdef PENSTOCK_FAILPOINTS

/* The points of both ends of each row, in the order of routes[]. */
static struct failpoint sends[] = {
#define ROW(type, from, to) { "frame.send." #type "." #from, false },
	WIRE_ROUTES(ROW)
#undef ROW
};

static struct failpoint recvs[] = {
#define ROW(type, from, to) { "frame.recv." #type "." #to, false },
	WIRE_ROUTES(ROW)
#undef ROW
};

static enum speaker self;
/* Those of `self`, by type. */
static struct failpoint *send_of[MSG_COUNT], *recv_of[MSG_COUNT];

static bool same_program(enum speaker who)
{
	return strcmp(speakers[who].program, speakers[self].program) == 0;
}

void route_as(enum speaker who)
{
	bool first = self == SPEAKER_NONE;

	self = who;
	memset(send_of, 0, sizeof(send_of));
	memset(recv_of, 0, sizeof(recv_of));
	for (size_t i = 0; i < PS_NELEM(routes); i++) {
		const struct route *r = &routes[i];

		if (r->from == self && !send_of[r->type])
			send_of[r->type] = &sends[i];
		if (r->to == self && !recv_of[r->type])
			recv_of[r->type] = &recvs[i];
		if (first && same_program(r->from))
			failpoint_add(&sends[i]);
		if (first && same_program(r->to))
			failpoint_add(&recvs[i]);
	}
	failpoint_as(speakers[self].name);
}

static bool passes(struct failpoint *fp, const char *direction, enum msg_type type)
{
	char name[96];

	if (fp)
		return failpoint_hit(fp);
	if (self == SPEAKER_NONE || type == MSG_NONE)
		return false;
	snprintf(name, sizeof(name), "frame.%s.%s.%s", direction, msg_name(type),
		 speakers[self].name);
	failpoint_unlisted(name);
	return false;
}

bool route_send_fails(enum msg_type type)
{
	return passes(send_of[type], "send", type);
}

bool route_recv_fails(enum msg_type type)
{
	return passes(recv_of[type], "recv", type);
}

#else

void route_as(enum speaker who)
{
	(void)who;
}

bool route_send_fails(enum msg_type type)
{
	(void)type;
	return false;
}

bool route_recv_fails(enum msg_type type)
{
	(void)type;
	return false;
}

#endif
