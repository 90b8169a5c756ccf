/* report – the gate's result as lines for the pusher. UX rules: the verdict first, whole lines, no
 * colours, no tabs; the words error, warning, hint, success only where they should be coloured. */
#ifndef PS_GATE_REPORT_H
#define PS_GATE_REPORT_H

#include "common/gate/gate.h"
#include "common/project/project.h"

/* What the mapping lines need: the projects of each ref's new tree; NULL where there is no tree. */
void report_text(struct buf *out, const struct gate_input *in, struct gate_result *r,
		 const struct project_paths *const *projects);

#endif
