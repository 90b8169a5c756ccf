/*
 * brought – the files that a rendered definition brings with it: in components that hold the path
 * and the text, a task's script and dbt's script and profile; in our own member, the configuration
 * files of the project (render.h: RENDER_CONFIGURATIONS).
 */
#ifndef PS_BROUGHT_H
#define PS_BROUGHT_H

#include <jansson.h>

#include "common/base/ps.h"

struct brought {	   /* borrowed from the definition */
	/* of a message: "the script of", "the dbt script of", "the dbt profile of", "the
	 * configuration file" */
	const char *what;
	const char *node;  /* the task, or the file's name; "" */
	const char *given; /* as the component has it: "dbfs:/FileStore/prophecy/artifacts/..." */
	const char *path;  /* the part of it from "prophecy/artifacts" on; NULL: it is none */
	const char *content;
	bool replace; /* its path has no version ("latest"): it gets other bytes */
};

/* The nth one; false: there are no more. */
bool brought_nth(const json_t *doc, size_t n, struct brought *out);

#endif
