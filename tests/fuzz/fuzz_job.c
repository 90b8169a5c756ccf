/* fuzz_job – the JSON files of jobs and pipelines, each the same bytes: both readers and all
 * rules. */
#include "config.h"

#include "common/project/doc.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/judging.h"

static const char *const mine[] = {
	"jobs/j/code/databricks-job.json", "jobs/j/code/prophecy-job.json",
	"jobs/k/code/prophecy-job.json", "pipelines/a/code/.prophecy/workflow.latest.json",
	"pipelines/a/code/configs/resources/config/prod.json", NULL
};

/* The reader with nodes and the one without agree. */
static void check_readers(const uint8_t *data, size_t size)
{
	struct doc_fault a, b;
	struct doc *doc = NULL;
	enum doc_kind top;
	int with = doc_json(&doc, (const char *)data, size, &a);
	int without = doc_json_scan(&top, (const char *)data, size, &b);

	/* nodes are counted by one of them alone */
	FUZZ_CHECK(with == without || with == PS_ELIMIT, "%d and %d", with, without);
	FUZZ_CHECK(with < 0 || doc->root->kind == top, "two kinds");
	if (with == 0)
		doc_free(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memfile files[JUDGING_FILES];
	size_t n = judging_files(files, data, size, mine);

	check_readers(data, size);
	judging_run(files, n, mine[0]);
	return 0;
}
