/*
 * rule_rows – every rule of the gate, one row each; included with RULE(...) defined, many times.
 *
 * RULE(id, code, level, what holds, why, what breaks it, how to mend it)
 *
 * Codes are stable. Their number is that of the rule in the reference of the project format, from
 * 101 on ours. The level is what the evidence allows (docs/rules.md says what each means); an admin
 * may set another one per rule and ref (`rules:` in penstock.yml), which is why the rows stand here
 * and not beside their functions in common/gate.
 */

/* ---- the project file ---- */
RULE(YAML, "PS-PROJ-001", ERROR, "pbt_project.yml is well-formed YAML",
     "Prophecy's tool cannot read the project otherwise",
     "name: [demo", "close what was opened; the line named is where reading stopped")
RULE(CONFLICT, "PS-PROJ-002", ERROR, "no merge conflict markers in project files",
     "an unfinished merge breaks every build",
     "<<<<<<< HEAD", "finish the merge, remove the markers, commit again")
RULE(TOP, "PS-PROJ-003", ERROR, "the top of pbt_project.yml is a map",
     "nothing in it can be found otherwise", "- name: demo", "write keys at the top: name: demo")
RULE(DUPLICATE, "PS-PROJ-004", ERROR,
     "no key is there twice in pbt_project.yml, outside of datasets and subgraphs",
     "the last one wins silently and the entries of the others are lost",
     "pipelines/a: {...} and again pipelines/a: {...}", "rename one or merge the two entries")
RULE(MISSING, "PS-PROJ-005", ERROR, "name, version, language, pipelines and jobs are there",
     "Prophecy's tool stops without them",
     "a pbt_project.yml without language", "add the key; {} where there is nothing to list")
RULE(SHAPE, "PS-PROJ-006", ERROR, "name is text; pipelines and jobs are maps",
     "Prophecy's tool stops otherwise", "pipelines: []", "write {} for none; quote the name")
RULE(LANGUAGE, "PS-PROJ-007", WARNING, "the language is python, scala or sql",
     "nothing else is known to be built or run", "language: java", "name one of the three")
RULE(ENTRY, "PS-PROJ-008", ERROR, "each pipeline has name and language, each job a name",
     "Prophecy's tool stops otherwise",
     "pipelines/a: {name: a}", "add the missing part to the entry")
RULE(KEY, "PS-PROJ-009", ERROR, "keys are paths that stay in the project",
     "a key is used as a folder name; '..' would lead out",
     "pipelines/../x", "name the folder itself: pipelines/x")
RULE(SECTION, "PS-PROJ-010", WARNING, "pipeline keys begin pipelines/, job keys jobs/",
     "Prophecy's tool looks for them there", "pipelines: {workflows/a: {...}}",
     "move the folder and name it pipelines/a")
RULE(LETTERS, "PS-PROJ-011", WARNING, "pipeline keys are letters, digits, '-', '_', '.' and blanks",
     "Prophecy's tool cuts references at anything else", "pipelines/caf\xc3\xa9",
     "rename the folder")
RULE(CASE, "PS-PROJ-012", WARNING, "no two keys differ in case alone",
     "a clone on Windows or macOS has room for one of them", "pipelines/a and pipelines/A",
     "rename one of them")
RULE(BASE_PIPELINE, "PS-PROJ-051", ERROR, "each of pipelineConfigurations has a basePipeline",
     "Prophecy's tool stops without it", "pipelineConfigurations/x: {configurations: {}}",
     "name the pipeline: basePipeline: 123/pipelines/x")
RULE(NO_FOLDER, "PS-PROJ-058", WARNING, "declared datasets and subgraphs have their folders",
     "Prophecy cannot open them otherwise", "datasets/a is declared and datasets/a/ is not there",
     "commit the folder, or remove the entry")
RULE(SEMVER, "PS-PROJ-062", OFF, "the version is MAJOR.MINOR.PATCH",
     "Prophecy's versioning commands need it", "version: '1.0'", "version: '1.0.0'")
RULE(RAISED, "PS-PROJ-064", OFF, "a project that changes on a branch raises its version",
     "two releases have one version otherwise; for branches that people release from",
     "a pipeline changes, and version: 1.0.0 stays", "raise the version in pbt_project.yml")
RULE(DEPENDENCIES, "PS-PROJ-066", WARNING, "dependencies is a list",
     "what is in it is not found otherwise", "dependencies: {}", "dependencies: []")
RULE(SECRET, "PS-PROJ-067", WARNING, "no credentials in files",
     "whoever can read the repository, or its history, has them",
     "\"aws_key\": \"AKIA...\"", "take it out, make a new one, keep it in a secret scope")
RULE(LINK, "PS-PROJ-068", WARNING, "no symbolic link and no submodule inside a project",
     "tools read through it, fabrics hold neither", "a link pipelines/b -> a",
     "commit the files themselves")
RULE(BUILT, "PS-PROJ-069", WARNING, "no wheel, jar or egg is committed",
     "nobody can say what it was built from", "lib/helper-1.0-py3-none-any.whl",
     "name it as a dependency, or commit its source")
RULE(BYTES, "PS-PROJ-071", WARNING, "pbt_project.yml has no CR LF, byte order mark or tab",
     "other tools may not read it", "a file saved by an editor on Windows",
     "save it as UTF-8 without mark, with LF")
RULE(UNCHECKED, "PS-PROJ-072", WARNING, "files are within the sizes that are checked",
     "larger or deeper files are let in unchecked",
     "a pbt_project.yml of 5 MB", "make it smaller, or look at it by other means")
RULE(DBT, "PS-PROJ-073", WARNING, "an sql project has dbt_project.yml", "dbt cannot run without it",
     "language: sql and no dbt_project.yml", "commit the file")
RULE(PROJECT_UID, "PS-PROJ-074", WARNING, "projectUID of a dependency is its key",
     "one of them names another project", "'12': {projectUID: 13}", "correct the one that is wrong")
RULE(VERSION, "PS-PROJ-104", WARNING, "the version is text",
     "a number loses its zeros: 1.10 is read as 1.1", "version: 1.10", "version: '1.10'")
RULE(CONFIGURATION, "PS-PROJ-105", WARNING, "each of pipelineConfigurations has its file",
     "the configuration is left out silently", "a configuration whose .json is not there",
     "commit the file, or remove the entry")
RULE(NAME, "PS-PROJ-110", WARNING, "names of files can stand on a fabric",
     "the file system or object store of a fabric refuses them",
     "a name with a line feed, or of 300 bytes", "rename the file")
RULE(POINTER, "PS-PROJ-111", WARNING, "files that are read are no Git LFS pointers",
     "what stands in the pointer is not the file: it is not checked, and nothing is built of it",
     "databricks-job.json under filter=lfs in .gitattributes",
     "take the file out of Git LFS (git lfs untrack) and commit it itself")
RULE(CASE_FILES, "PS-PROJ-112", WARNING, "no two names of a folder differ in case alone",
     "a clone on Windows or macOS has room for one of them", "functions/a.py and functions/A.py",
     "rename one of them")
RULE(DUPLICATE_LISTED, "PS-PROJ-113", WARNING, "no key is there twice in datasets and subgraphs",
     "the last one wins; only Prophecy's editor reads them, and it has written such files itself",
     "datasets/a: {...} and again datasets/a: {...}", "remove one of the two entries")

/* ---- pipelines ---- */
RULE(FOLDER, "PS-PIPE-013", NEWLY, "a declared pipeline has its folder",
     "it cannot be built", "pipelines/a is declared and pipelines/a/ is not there",
     "commit the folder, or remove the entry")
RULE(SETUP_PY, "PS-PIPE-014", NEWLY, "a Python pipeline has code/setup.py",
     "it cannot be built", "pipelines/a/code/ without setup.py", "commit the file")
RULE(POM_XML, "PS-PIPE-015", NEWLY, "a Scala pipeline has code/pom.xml",
     "it cannot be built", "pipelines/a/code/ without pom.xml", "commit the file")
RULE(NO_WORKFLOW, "PS-PIPE-017", WARNING, "a pipeline has its workflow.latest.json",
     "Prophecy cannot open the pipeline otherwise", "code/.prophecy/ without the file",
     "save the pipeline in Prophecy")
RULE(WORKFLOW, "PS-PIPE-018", ERROR, "workflow.latest.json is a JSON object",
     "Prophecy cannot open the pipeline otherwise", "an empty workflow.latest.json",
     "save the pipeline again in Prophecy, or take the file of an earlier commit")
RULE(DIAGNOSTIC, "PS-PIPE-019", WARNING, "Prophecy found no error in the pipeline",
     "`pbt validate` refuses it", "a diagnostic of severity 1 in workflow.latest.json",
     "open the pipeline in Prophecy, mend what it shows, save")
RULE(DIAGNOSTIC_WARNING, "PS-PIPE-020", OFF, "Prophecy has no warning about the pipeline",
     "`pbt validate --treat-warnings-as-errors` refuses it",
     "a diagnostic of severity 2 in workflow.latest.json", "open the pipeline in Prophecy")
RULE(INSTANCE, "PS-PIPE-047", ERROR, "each config instance is an object, and is not cut off",
     "a run with it fails", "prod.json holds [], or ends before its last brace",
     "write an object: {}; close what was opened")
RULE(LOOSE_INSTANCE, "PS-PIPE-114", WARNING, "each config instance is plain JSON",
     "a run reads HOCON, so commas at the end, comments, keys without quotes and an empty file may "
     "be meant; but it may be a slip, and what stands behind it is not checked",
     "{\"limit\": 10,}", "write plain JSON: {\"limit\": 10}")
RULE(ASPECT, "PS-PIPE-050", WARNING,
     "each configuration of pbt_aspects.yml has a file, but default, which needs none",
     "a run with it fails at its start", "configurations: [prod] and no prod.json",
     "commit the file, or take the name out")
RULE(STRAY_PIPELINE, "PS-PIPE-055", WARNING,
     "each folder of pipelines/ that holds a folder code is declared",
     "nobody builds it: the entry may have been forgotten",
     "a folder pipelines/copy/code and no entry pipelines/copy",
     "declare it, or remove the folder")
RULE(PIPELINE_NAME, "PS-PIPE-059", OFF, "a pipeline is named as its folder",
     "a rename left the two apart", "pipelines/a: {name: b}", "`pbt rename-sync`")
RULE(VERSIONS, "PS-PIPE-063", OFF, "setup.py has the version of the project",
     "`pbt versioning --check-sync` refuses it", "setup(version='1.0') in a project of 1.1",
     "set both to the same version")

/* ---- jobs ---- */
RULE(JOB_FILE, "PS-JOB-021", WARNING, "a Databricks job has code/databricks-job.json",
     "it cannot be deployed", "jobs/j is declared and its file is not there",
     "save the job in Prophecy so that it is generated, or remove the entry")
RULE(JOB_JSON, "PS-JOB-022", ERROR, "databricks-job.json is a JSON object",
     "it cannot be deployed", "a databricks-job.json that is cut off",
     "save the job again in Prophecy, or take the file of an earlier commit")
RULE(JOB_SHAPE, "PS-JOB-023", ERROR, "databricks-job.json has components and request",
     "it cannot be deployed", "{\"components\": []}", "save the job again in Prophecy")
RULE(FABRIC_ID, "PS-JOB-024", WARNING, "databricks-job.json has a fabric_id",
     "Prophecy's tool cannot tell where it belongs", "a file without fabric_id and fabricId",
     "save the job again in Prophecy")
RULE(COMPONENT, "PS-JOB-026", WARNING, "each component is an object with one key",
     "its kind cannot be told otherwise", "\"components\": [{}]", "save the job again in Prophecy")
RULE(NO_REFERENCE, "PS-JOB-027", WARNING, "each PipelineComponent names a pipeline",
     "the task has nothing to run", "\"pipelineId\": \"\"", "pick the pipeline in Prophecy, save")
RULE(REFERENCE, "PS-JOB-028", WARNING, "a pipeline that a job names is declared",
     "the task has nothing to run", "a component with \"id\": \"pipelines/gone\"",
     "declare the pipeline, or take the task out of the job")
RULE(GIT_REFERENCE, "PS-JOB-030", WARNING, "a reference to another repository has its five parts",
     "Prophecy's tool stops at it", "gitUri=...&tag=1.0", "subscribe to the project again")
RULE(FIRST_PATH, "PS-JOB-031", WARNING, "the first component of a job has a path",
     "Prophecy's own commands stop otherwise", "a DLT component in the first place",
     "put another component first")
RULE(NODE, "PS-JOB-032", WARNING, "each component is a task of the job",
     "it never runs", "\"nodeName\": \"gone\"", "save the job again in Prophecy")
RULE(TASKS, "PS-JOB-033", ERROR, "task keys are unique, dependencies exist and end",
     "the job can never finish", "two tasks that depend on each other",
     "name each task once, and break the circle")
RULE(FABRIC_DIFFERS, "PS-JOB-034", WARNING,
     "the job's files name the fabric that the project names",
     "it is deployed to another place than Prophecy shows", "fabricUID 647 and fabric_id 648",
     "pick the fabric again in Prophecy, save")
RULE(FABRIC_UID, "PS-JOB-035", WARNING, "a job has a fabricUID that is a whole number",
     "nobody can tell where it belongs", "fabricUID: dev", "pick the fabric in Prophecy, save")
RULE(SCHEDULER, "PS-JOB-036", ERROR, "a job's scheduler is a map with one key",
     "Prophecy's tool stops otherwise", "scheduler: Databricks", "scheduler: {Databricks: {}}")
RULE(SCHEDULER_WORD, "PS-JOB-037", WARNING,
     "the scheduler is Databricks, Composer, MWAA or Prophecy",
     "it is treated as Airflow", "scheduler: {Cron: {}}", "pick the scheduler again in Prophecy")
RULE(PROPHECY_JOB, "PS-JOB-038", ERROR, "prophecy-job.json is a JSON object",
     "Prophecy cannot open the job otherwise", "an empty prophecy-job.json",
     "save the job again in Prophecy, or take the file of an earlier commit")
RULE(META_TYPE, "PS-JOB-039", WARNING, "the type in prophecy-job.json is the scheduler",
     "Prophecy shows another kind of job than is deployed", "type Databricks, scheduler Composer",
     "save the job again in Prophecy")
RULE(META_ID, "PS-JOB-040", WARNING, "the jobId in prophecy-job.json ends with the job's key",
     "the file belongs to another job", "jobId jobs/a in jobs/b", "save the job again in Prophecy")
RULE(JOB_NAMES, "PS-JOB-041", WARNING, "a job has the same name in all its files",
     "jobs are found by name, another one may be overwritten", "name a and request.name b",
     "rename the job in Prophecy, save")
RULE(SAME_JOB, "PS-JOB-042", ERROR, "no two Databricks jobs of a fabric have the same name",
     "the one deployed later overwrites the other",
     "jobs/a and jobs/b, both named x on fabric 1174",
     "rename one of them")
RULE(DAG_FILE, "PS-JOB-043", WARNING, "an enabled Airflow job has code/dag.py",
     "nothing is deployed", "enabled: true and no dag.py",
     "open the job in Prophecy, mend what its diagnostics show, save")
RULE(DAG_NAME, "PS-JOB-044", WARNING, "an Airflow job has a dagName",
     "the file has no name on the fabric", "\"dagName\": \"\"", "name the DAG in Prophecy")
RULE(CONNECTION, "PS-JOB-046", WARNING, "connections lead from process to process",
     "Prophecy cannot draw the job", "a target that is no process",
     "save the job again in Prophecy")
RULE(USES_INSTANCE, "PS-JOB-048", WARNING, "the config instance that a task picks exists",
     "the run fails at its start", "parameters [\"-i\", \"prod\"] and no prod.json",
     "add the instance to the pipeline, or pick another")
RULE(DERIVED_INSTANCE, "PS-JOB-049", OFF,
     "pipelines have the config instance that an environment derives a job with",
     "the release cannot be planned there; for branches that people release from",
     "derive: {from: jobs/j, config: prod} and no prod.json", "add the instance to the pipeline")
RULE(SUBSTITUTED, "PS-JOB-052", WARNING,
     "artifact paths have their placeholders, but in a file of the form that is older than those",
     "a deployment by hand was committed; the next release would use the old file",
     ".../artifacts/dev/execution/1/1.0/pipeline/x.whl", "take the file of the commit before")
RULE(PLACEHOLDER, "PS-JOB-053", WARNING, "placeholders are known ones",
     "it stays in the text as it is", "__PROJEKT_ID_PLACEHOLDER__",
     "one of __PROJECT_ID_, __PROJECT_RELEASE_VERSION_, __PROJECT_FULL_RELEASE_TAG_ and "
     "__PROPHECY_URL_PLACEHOLDER__")
RULE(ASCII, "PS-JOB-054", WARNING, "script components are ASCII",
     "Prophecy's own tool cannot upload them", "a comment with an umlaut", "write it in ASCII")
RULE(STRAY_JOB, "PS-JOB-056", WARNING,
     "each folder of jobs/ that holds a folder code is declared",
     "nobody deploys it: the entry may have been forgotten",
     "a folder jobs/copy/code and no entry jobs/copy",
     "declare it, or remove the folder")
RULE(JOB_NAME, "PS-JOB-060", OFF, "a job is named as its folder",
     "a rename left the two apart", "jobs/a: {name: b}", "rename the folder, or the job")
RULE(REMOVED, "PS-JOB-075", ERROR, "no pipeline is removed that a job still names",
     "the next run of that job would find nothing",
     "a push that removes pipelines/a and not its task",
     "take the task out of the job in the same push")
RULE(FABRIC, "PS-JOB-101", ERROR, "the fabric that a job names is one of penstock.yml",
     "nobody would deploy it anywhere", "fabricUID: 999",
     "pick a fabric that the admin knows (penstock fabrics), or ask for it to be added")
RULE(PROPHECY_JOB_LACKS, "PS-JOB-102", WARNING, "prophecy-job.json is there and has its parts",
     "Prophecy cannot open the job otherwise", "a prophecy-job.json without connections",
     "save the job again in Prophecy")
RULE(SCHEDULERS, "PS-JOB-103", WARNING, "a job has one scheduler",
     "the first one counts", "scheduler: {Databricks: {}, Composer: {}}", "leave one of them")
RULE(CRON, "PS-JOB-106", WARNING, "the schedule is a Quartz cron expression",
     "Databricks refuses the job", "0 0 25 * * ? *", "second minute hour day month weekday [year]")
RULE(ZONE, "PS-JOB-107", WARNING, "the time zone of the schedule exists",
     "Databricks refuses the job", "Europe/Berlim", "a name like Europe/Berlin, or UTC")
RULE(LIMITS, "PS-JOB-108", WARNING, "a job is within the limits of Databricks",
     "Databricks refuses the job", "1001 tasks", "split the job")
RULE(WHEEL, "PS-JOB-109", WARNING, "a task's wheel is the one that its pipeline builds",
     "the run finds no such file", "a-1.0-...whl and setup(version='1.1')",
     "save the job again in Prophecy")
RULE(DERIVED_FROM, "PS-JOB-110", WARNING,
     "the project has the job that its environment derives another from",
     "its release cannot be deployed there", "derive: {from: jobs/a, as: jobs/b} and no jobs/a",
     "name the job as the rule does, or ask the admin to mend the rule")
RULE(DERIVED_TWICE, "PS-JOB-111", ERROR,
     "a project has no job of the key that its environment derives on that fabric",
     "its release cannot be deployed there: which of the two would it be?",
     "derive: {..., as: jobs/b} and jobs/b with the fabricUID of that fabric",
     "rename or remove the job, or ask the admin to take the rule away")

/* ---- the push itself ---- */
RULE(RESERVED, "PS-PUSH-001", ERROR, "refs below refs/penstock/ belong to penstock",
     "they keep what is queued, released and deployed", "git push origin x:refs/penstock/keep/x",
     "push to a branch or a tag")
RULE(TWICE, "PS-PUSH-002", ERROR, "a push names each ref once",
     "nobody could say which movement was meant", "git push origin a:refs/heads/m b:refs/heads/m",
     "push each ref once")
RULE(TAG_VERSION, "PS-PUSH-003", WARNING, "a version tag says the version of its project",
     "the release is called by the tag, its files by the project",
     "tag v1.4.0 on a commit with version: 1.3.0",
     "set the version and tag that commit, or name the tag by the version that is there")
RULE(RIGHT, "PS-PUSH-004", ERROR,
     "who moves a ref is one of those whose pushes its environment takes",
     "what goes to a fabric is for its owners, or for whom `push:` names, to decide",
     "a developer creates v1.4.0, and production has push: prod_support",
     "ask one of those named to push it, or the admin for the right")
RULE(RELEASED, "PS-PUSH-005", ERROR,
     "a tag that an environment has taken is neither moved nor deleted",
     "two releases would have one name, and artifacts of one path other bytes",
     "git push -f origin v1.4.0", "raise the version and push a new tag")
RULE(UNKNOWN, "PS-PUSH-006", ERROR, "somebody is known to push, where the admin wants that",
     "`unknown_pusher: refuse` asks for a name", "a push by a deploy key that is no person",
     "push with an account or key of your own")
