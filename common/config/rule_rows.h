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
RULE(DUPLICATE, "PS-PROJ-004", ERROR, "no key is there twice in pbt_project.yml",
     "the last one wins silently and the entries of the others are lost",
     "pipelines/a: {...} and again pipelines/a: {...}", "rename one or merge the two entries")
RULE(MISSING, "PS-PROJ-005", ERROR, "name, version, language, pipelines and jobs are there",
     "Prophecy's tool stops without them",
     "a pbt_project.yml without language", "add the key; {} where there is nothing to list")
RULE(SHAPE, "PS-PROJ-006", ERROR, "name is text; pipelines and jobs are maps",
     "Prophecy's tool stops otherwise", "pipelines: []", "write {} for none; quote the name")
RULE(ENTRY, "PS-PROJ-008", ERROR, "each pipeline has name and language, each job a name",
     "Prophecy's tool stops otherwise",
     "pipelines/a: {name: a}", "add the missing part to the entry")
RULE(KEY, "PS-PROJ-009", ERROR, "keys are paths that stay in the project",
     "a key is used as a folder name; '..' would lead out",
     "pipelines/../x", "name the folder itself: pipelines/x")
RULE(LINK, "PS-PROJ-068", WARNING, "no symbolic link and no submodule inside a project",
     "tools read through it, fabrics hold neither", "a link pipelines/b -> a",
     "commit the files themselves")
RULE(UNCHECKED, "PS-PROJ-072", WARNING, "files are within the sizes that are checked",
     "larger or deeper files are let in unchecked",
     "a pbt_project.yml of 5 MB", "make it smaller, or look at it by other means")

/* ---- pipelines ---- */
RULE(FOLDER, "PS-PIPE-013", NEWLY, "a declared pipeline has its folder",
     "it cannot be built", "pipelines/a is declared and pipelines/a/ is not there",
     "commit the folder, or remove the entry")
RULE(SETUP_PY, "PS-PIPE-014", NEWLY, "a Python pipeline has code/setup.py",
     "it cannot be built", "pipelines/a/code/ without setup.py", "commit the file")
RULE(POM_XML, "PS-PIPE-015", NEWLY, "a Scala pipeline has code/pom.xml",
     "it cannot be built", "pipelines/a/code/ without pom.xml", "commit the file")
RULE(WORKFLOW, "PS-PIPE-018", ERROR, "workflow.latest.json is a JSON object",
     "Prophecy cannot open the pipeline otherwise", "an empty workflow.latest.json",
     "save the pipeline again in Prophecy, or take the file of an earlier commit")
RULE(INSTANCE, "PS-PIPE-047", ERROR, "each config instance is a JSON object",
     "a run with it fails", "prod.json holds []", "write an object: {}")

/* ---- jobs ---- */
RULE(JOB_FILE, "PS-JOB-021", WARNING, "a Databricks job has code/databricks-job.json",
     "it cannot be deployed", "jobs/j is declared and its file is not there",
     "save the job in Prophecy so that it is generated, or remove the entry")
RULE(JOB_JSON, "PS-JOB-022", ERROR, "databricks-job.json is a JSON object",
     "it cannot be deployed", "a databricks-job.json that is cut off",
     "save the job again in Prophecy, or take the file of an earlier commit")
RULE(JOB_SHAPE, "PS-JOB-023", ERROR, "databricks-job.json has components and request",
     "it cannot be deployed", "{\"components\": []}", "save the job again in Prophecy")
RULE(REFERENCE, "PS-JOB-028", WARNING, "a pipeline that a job names is declared",
     "the task has nothing to run", "a component with \"id\": \"pipelines/gone\"",
     "declare the pipeline, or take the task out of the job")
RULE(TASKS, "PS-JOB-033", ERROR, "task keys are unique, dependencies exist and end",
     "the job can never finish", "two tasks that depend on each other",
     "name each task once, and break the circle")
RULE(PROPHECY_JOB, "PS-JOB-038", ERROR, "prophecy-job.json is a JSON object",
     "Prophecy cannot open the job otherwise", "an empty prophecy-job.json",
     "save the job again in Prophecy, or take the file of an earlier commit")
RULE(USES_INSTANCE, "PS-JOB-048", WARNING, "the config instance that a task picks exists",
     "the run fails at its start", "parameters [\"-i\", \"prod\"] and no prod.json",
     "add the instance to the pipeline, or pick another")
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

/* ---- the push itself ---- */
RULE(RESERVED, "PS-PUSH-001", ERROR, "refs below refs/penstock/ belong to penstock",
     "they keep what is queued, released and deployed", "git push origin x:refs/penstock/keep/x",
     "push to a branch or a tag")
RULE(TWICE, "PS-PUSH-002", ERROR, "a push names each ref once",
     "nobody could say which movement was meant", "git push origin a:refs/heads/m b:refs/heads/m",
     "push each ref once")
