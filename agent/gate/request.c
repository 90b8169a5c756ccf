/* request – see request.h. */
#include "config.h"

#include "agent/gate/request.h"

#include "agent/gate/work.h"
#include "common/base/escape.h"
#include "common/gate/gate.h"

enum {
	JUDGE_MS = 10000, LOOK_MS = 60000, MARK_MS = 60000, FIND_MS = 120000,
	SURVEY_MS = 120000, EXPORT_MS = 300000, KEEP_MS = 30000,
	OWN_MAX_MS = 600000,
};

static const struct request_kind kinds[] = {
	{ MSG_judge, MSG_verdict, JUDGE_MS, true, work_judge },
	{ MSG_look, MSG_looked, LOOK_MS, false, work_look },
	{ MSG_mark, MSG_marked, MARK_MS, false, work_mark },
	{ MSG_find, MSG_found, FIND_MS, false, work_find },
	{ MSG_survey, MSG_surveyed, SURVEY_MS, false, work_survey },
	{ MSG_export, MSG_done, EXPORT_MS, false, work_export },
	{ MSG_keep, MSG_done, KEEP_MS, false, work_keep },
};

const struct request_kind *request_kind(enum msg_type type)
{
	for (size_t i = 0; i < PS_NELEM(kinds); i++)
		if (kinds[i].ask == type)
			return &kinds[i];
	return NULL;
}

uint64_t request_id(const struct msg *m)
{
	switch (m->type) {
	case MSG_judge:
		return m->u.judge.id;
	case MSG_verdict:
		return m->u.verdict.id;
	case MSG_look:
		return m->u.look.id;
	case MSG_looked:
		return m->u.looked.id;
	case MSG_mark:
		return m->u.mark.id;
	case MSG_marked:
		return m->u.marked.id;
	case MSG_find:
		return m->u.find.id;
	case MSG_found:
		return m->u.found.id;
	case MSG_survey:
		return m->u.survey.id;
	case MSG_surveyed:
		return m->u.surveyed.id;
	case MSG_export:
		return m->u.export.id;
	case MSG_keep:
		return m->u.keep.id;
	case MSG_done:
		return m->u.done.id;
	default:	/* the wire has more types than the gate's few */
		return 0;
	}
}

int64_t request_limit_ms(const struct msg *m)
{
	uint64_t own = m->type == MSG_judge ? m->u.judge.deadline_ms : 0;

	return own && own < OWN_MAX_MS ? (int64_t)own : request_kind(m->type)->limit_ms;
}

void request_problem(const struct msg *m, const char *problem, struct buf *lines, struct msg *out)
{
	uint64_t id = request_id(m);
	char text[512];

	*out = (struct msg) { .type = request_kind(m->type)->answer };
	switch (out->type) {
	case MSG_verdict:
		buf_addf(lines, "warning: not judged: %s\n",
			 escape_line(text, sizeof(text), problem));
		out->u.verdict = (struct wire_verdict) {
			.id = id, .verdict = gate_verdict_word(GATE_UNDECIDED),
			.text = buf_str(lines), .problem = problem,
			.refs = { m->u.judge.refs.v, m->u.judge.refs.n },
		};
		break;
	case MSG_looked:
		out->u.looked = (struct wire_looked) { .id = id, .problem = problem };
		break;
	case MSG_marked:
		out->u.marked = (struct wire_marked) { .id = id, .problem = problem };
		break;
	case MSG_found:
		out->u.found = (struct wire_found) { .id = id, .problem = problem };
		break;
	case MSG_surveyed:
		out->u.surveyed = (struct wire_surveyed) { .id = id, .problem = problem };
		break;
	default:
		out->u.done = (struct wire_done) { .id = id, .problem = problem };
		break;
	}
}
