/*
 * rendered – what a plan comes to on its fabric, as one digest: every artifact's path and bytes and
 * every definition that is wanted there. Unlike plan->digest it does not depend on the environment
 * that asked, nor on what the fabric had before. The same before plan_write() and after
 * plan_read().
 */
#ifndef PS_RENDERED_H
#define PS_RENDERED_H

#include "common/plan/plan.h"

void plan_rendered(const struct plan *p, char digest[65]);

#endif
