/* fuzz_project – pbt_project.yml: the reader, all rules, the survey and the reduced file of a
 * build. */
#include "config.h"

#include "common/project/survey.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/judging.h"

static const char *const mine[] = { "pbt_project.yml", NULL };

/* What a build sees is YAML again, and reduced once more it is the same. */
static void check_reduced(const struct survey_project *p, const char *key)
{
	struct survey_project next = { .path = p->path };
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct doc_fault fault;
	struct ps_err err;

	if (survey_reduced_yaml(p, key, &once, &err) == 0 && once.len < PS_YAML_MAX) {
		FUZZ_CHECK(doc_yaml(&next.doc, once.data, once.len, &fault) == 0,
			   "reduced to '%s' it is not read: %u:%u %s\n%s", key, fault.at.line,
			   fault.at.col, fault.text, once.data);
		FUZZ_CHECK(survey_reduced_yaml(&next, key, &twice, &err) == 0 &&
			   strcmp(once.data, buf_str(&twice)) == 0,
			   "reduced twice it differs:\n%s\n%s", once.data, buf_str(&twice));
		doc_free(next.doc);
	}
	buf_clear(&once);
	buf_clear(&twice);
}

static void check_survey(const struct memfile *files, size_t n)
{
	struct tree *t = memtree_open(files, n);
	struct survey s = { .nprojects = 0 };
	struct ps_err err = { 0 };

	FUZZ_CHECK(survey_tree(t, &s, &err) == 0, "no survey: %s", err.msg);
	for (size_t i = 0; i < s.nprojects; i++)
		for (size_t k = 0; k < s.projects[i].npipelines && k < 3; k++)
			check_reduced(&s.projects[i], s.projects[i].pipelines[k].key);
	survey_clear(&s);
	tree_close(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memfile files[JUDGING_FILES];
	size_t n = judging_files(files, data, size, mine);

	judging_run(files, n, mine[0]);
	check_survey(files, n);
	return 0;
}
