/* pass_stop – what stops work whatever its own gates say: read once per pass, asked for each thing.
 */
#include "config.h"

#include "agent/flow/pass.h"

int pass_read_stops(struct store_tx *tx, struct pass *p, struct ps_err *err)
{
	pauses_clear(&p->pauses);
	return pauses_all(tx, &p->pauses, err);
}

const char *pass_stopped(const struct pass *p, enum pause_work work, const char *environment,
			 const char *fabric, char **detail)
{
	const struct pause *stop = pause_of(&p->pauses, work, environment, fabric);

	*detail = stop ? pause_text(stop) : NULL;
	return stop ? "paused" : NULL;
}
