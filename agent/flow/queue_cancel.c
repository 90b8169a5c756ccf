/* queue_cancel – work under way that shall end: told to the build role by number and claim. Its
 * answer (state cancelled) comes when no process, mount and file of it is left, and ends the row as
 * any other end does. A role that is not there needs no telling: nothing of it runs, and what was
 * wished is found in the row when the claim is put back (queue_recover.c). */
#include "config.h"

#include "agent/flow/queue_parts.h"

#include "common/base/id.h"

char *queue_export_dest(const struct core *c, char kind, int64_t id, int64_t fence)
{
	return xasprintf("%s/%c%lld.%lld", c->paths->work_export, kind, (long long)id,
			 (long long)fence);
}

void queue_stop(struct core *c, char kind, int64_t id, int64_t fence, const char *why)
{
	static const struct {
		char kind;
		const char *word;
	} words[] = { { 'b', "build" }, { 't', "test" }, { 'x', "run" } };
	char name[ID_TEXT], *export = NULL, *log = NULL;
	size_t i = 0;

	while (words[i].kind != kind)
		i++;
	id_text(name, kind, id);
	if (kind != 'x') {
		export = queue_export_dest(c, kind, id, fence);
		log = xasprintf("%s/%s.log", c->paths->logs, name);
	}
	core_tell(c, CORE_BUILD, MSG_cancel,
		  &(struct wire_cancel){ .kind = words[i].word,
					 .id = (uint64_t)id,
					 .fence = (uint64_t)fence,
					 .reason = why,
					 .export = export,
					 .log = log });
	free(log);
	free(export);
}
