/* acts_rights – see acts_rights.h. */
#include "config.h"

#include "agent/flow/acts_rights.h"

#include "common/base/buf.h"
#include "common/config/rights.h"

bool acts_may(const struct config *cfg, const struct acts_person *who, const char *pusher,
	      const char *fabric)
{
	const struct conf_fabric *f = fabric ? config_fabric(cfg, fabric) : NULL;

	return who->admin || (pusher && strcmp(pusher, who->login) == 0) ||
	       (f && config_is_member(cfg, f->owner, who->login));
}

int acts_check(const struct config *cfg, const struct acts_person *who, const char *verb,
	       const char *what, const char *pusher, const char *fabric, struct ps_err *err)
{
	const struct conf_fabric *f = fabric ? config_fabric(cfg, fabric) : NULL;
	struct buf could = BUF_INIT;
	int rc;

	if (acts_may(cfg, who, pusher, fabric))
		return 0;
	if (pusher)
		buf_addf(&could, "its pusher %s, ", pusher);
	if (f)
		rights_team_text(&could, cfg, f->owner);
	rc = ps_err_set(err, PS_EPERM,
			"'%s' may not %s %s: that is for %s%sroot or the agent's own user",
			who->shown, verb, what, buf_str(&could), f ? ", " : "");
	buf_clear(&could);
	return rc;
}
