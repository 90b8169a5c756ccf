#!/usr/bin/python3
"""Mutants of the example project: for every rule one thing is made wrong; exactly that is found, with its
code at its line, and nothing else. A rule of `penstock rules` without a mutant fails the test.

What is legal and odd in real projects stands in test_gate_rules; here each rule is shown to bite, and only it.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile

BUILD = os.path.abspath(os.environ.get("PENSTOCK_BUILD", "."))
SRC = os.path.abspath(os.environ.get("srcdir", os.path.join(os.path.dirname(__file__), "..", "..")))
PENSTOCK = os.path.join(BUILD, "penstock")
ENV = {**{k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PENSTOCK_"))},
       "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}

YML = "pbt_project.yml"
PIPE = "pipelines/sales_report"
SETUP = PIPE + "/code/setup.py"
FLOW = PIPE + "/code/.prophecy/workflow.latest.json"
PROD = PIPE + "/code/configs/resources/config/prod.json"
JOB = "jobs/job_reports/code/databricks-job.json"
PJOB = "jobs/job_reports/code/prophecy-job.json"
AIR = "jobs/airflow_orders/code/prophecy-job.json"
SQL = "name: x\nversion: '1'\nlanguage: sql\npipelines: %s\njobs: {}\n"
FIRST = None            # stands for line 1
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "1" * 64 + "\nsize 5\n"


def edit(path, old, new):
    def run(top):
        with open(os.path.join(top, path), newline="", encoding="utf-8") as f:
            text = f.read()
        assert old in text, f"{path} does not hold {old!r}"
        with open(os.path.join(top, path), "w", newline="", encoding="utf-8") as f:
            f.write(text.replace(old, new, 1))
    return run


def write(path, text):
    def run(top):
        full = os.path.join(top, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
    return run


def remove(path):
    def run(top):
        full = os.path.join(top, path)
        shutil.rmtree(full) if os.path.isdir(full) else os.unlink(full)
    return run


def link(path, to):
    return lambda top: os.symlink(to, os.path.join(top, path))


# A project of its own beside the example's, so that a mutant of it changes nothing else.
def beside(pipelines, *more):
    return (write("sub/" + YML, SQL % pipelines), write("sub/dbt_project.yml", "name: x\n"), *more)


def reference(ref):
    return edit(JOB, '"pipelineId" : "pipelines/sales_report"', f'"pipelineId" : "{ref}"')


SCALA = ("name: x\nversion: '1'\nlanguage: scala\npipelines:\n  pipelines/a: {name: a, language: scala}\njobs: {}\n")
PYTHON = SCALA.replace("scala", "python")
FLOWS = write("sub/pipelines/a/code/.prophecy/workflow.latest.json", "{}")

# code, what is done, the file of the finding, and a text on its line (the first that has it)
MUTANTS = [
    ("PS-PROJ-001", [edit(YML, "language: python\nbuild", "language: [python\nbuild")], YML, "buildSystem: ''"),
    ("PS-PROJ-002", [edit(YML, "author: ana", "<<<<<<< HEAD\nauthor: ana")], YML, "<<<<<<<"),
    ("PS-PROJ-002", [edit(SETUP, "setup(", ">>>>>>> theirs\nsetup(")], SETUP, ">>>>>>>"),
    ("PS-PROJ-003", [write("sub/" + YML, "- a\n")], "sub/" + YML, FIRST),
    ("PS-PROJ-004", [edit(YML, "\nsubgraphs:\n", "\nsqlmacros:\n  m: {a: 1}\n  m: {a: 2}\nsubgraphs:\n")], YML, "m: {a: 2}"),
    ("PS-PROJ-005", [edit(YML, "version: 1.0.0\n", "")], YML, FIRST),
    ("PS-PROJ-006", [edit(YML, "name: sales\n", "name: 7\n")], YML, FIRST),
    ("PS-PROJ-007", [*beside("{}"), edit("sub/" + YML, "sql", "java")], "sub/" + YML, "language"),
    ("PS-PROJ-008", [edit(YML, "    name: sales_report\n", "")], YML, "  pipelines/sales_report:"),
    ("PS-PROJ-009", [edit(YML, "jobs:\n", "jobs:\n  ../x: {name: x, fabricUID: 1174, scheduler: {MWAA: {}}}\n")], YML, "../x"),
    ("PS-PROJ-010", beside("{p/a: {name: a, language: sql}}"), "sub/" + YML, "p/a"),
    ("PS-PROJ-011", beside("{'pipelines/a,b': {name: a, language: sql}}"), "sub/" + YML, "a,b"),
    ("PS-PROJ-012", beside("\n  pipelines/a: {name: a, language: sql}\n  pipelines/A: {name: b, language: sql}"),
     "sub/" + YML, "pipelines/A"),
    ("PS-PROJ-051", [edit(YML, "pipelineConfigurations: {}", "pipelineConfigurations:\n  pipelineConfigurations/P/x: {}")],
     YML, "pipelineConfigurations/P/x"),
    ("PS-PROJ-058", [remove("datasets/orders")], YML, "  datasets/orders:"),
    ("PS-PROJ-058", [edit(YML, "subgraphs:\n  subgraphs/clean_orders:",
                          "subgraphs:\n  subgraphs/gone: {name: gone}\n  subgraphs/clean_orders:")], YML, "subgraphs/gone"),
    ("PS-PROJ-062", [edit(YML, "version: 1.0.0", "version: '1.0'")], YML, "version:"),
    ("PS-PROJ-066", [edit(YML, "dependencies: []\nflags", "dependencies: {}\nflags")], YML, "\ndependencies: {}"),
    ("PS-PROJ-067", [edit(PROD, "{", '{ "key": "AKIA' + 'ABCDEFGHIJKLMNOP",')], PROD, "AKIA"),
    ("PS-PROJ-067", [write("lib/key.pem", "text\n-----BEGIN RSA " + "PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA" * 4 + "\n")], "lib/key.pem", "BEGIN"),
    ("PS-PROJ-067", [write("lib/a.py", "token = 'dapi" + "0123456789abcdef" * 2 + "'\n")], "lib/a.py", FIRST),
    ("PS-PROJ-067", [write("lib/a.py", "token = 'AIza" + "a" * 35 + "'\n")], "lib/a.py", FIRST),
    ("PS-PROJ-067", [write("lib/a.py", "\ntoken = 'ghp_" + "a1" * 18 + "'\n")], "lib/a.py", "ghp_"),
    ("PS-PROJ-068", [link("functions/money.py", "sales_functions/money.py")], "functions/money.py", FIRST),
    ("PS-PROJ-069", [write("lib/x-1.0-py3-none-any.whl", "PK")], "lib/x-1.0-py3-none-any.whl", FIRST),
    ("PS-PROJ-071", [edit(YML, "name: sales\n", "name: sales\r\n")], YML, FIRST),
    ("PS-PROJ-071", [edit(YML, "name: sales\n", "name: sales # a\tb\n")], YML, FIRST),
    ("PS-PROJ-071", [edit(YML, "name: sales\n", "\ufeffname: sales\n")], YML, FIRST),
    ("PS-PROJ-072", [write("lib/" + YML, "a: " + "[" * 300 + "]" * 300 + "\n")], "lib/" + YML, FIRST),
    ("PS-PROJ-073", [write("sub/" + YML, SQL % "{}")], "sub/" + YML, FIRST),
    ("PS-PROJ-074", [edit(YML, "projectDependencies: {}", "projectDependencies:\n  '12': {projectUID: 13}")], YML, "'12'"),
    ("PS-PROJ-104", [edit(YML, "version: 1.0.0", "version: 1.10")], YML, "version:"),
    ("PS-PROJ-105", [edit(YML, "pipelineConfigurations: {}", "pipelineConfigurations:\n  pipelineConfigurations/P/x:\n"
                          "    basePipeline: 1/pipelines/x\n    configurations:\n      pipelineConfigurations/P/x/prod: {}")],
     YML, "P/x/prod"),
    ("PS-PROJ-110", [write("functions/a\tb", "x")], "functions/a\tb", FIRST),
    ("PS-PROJ-110", [write("lib/a\033b/c", "x")], "lib/a\033b", FIRST),
    ("PS-PROJ-110", [write("lib/a\udcff", "x")], "lib/a\\xff", FIRST),
    ("PS-PROJ-111", [write("sub/" + YML, POINTER)], "sub/" + YML, FIRST),
    ("PS-PROJ-111", [write(JOB, POINTER)], JOB, FIRST),
    ("PS-PROJ-111", [write(PJOB, POINTER)], PJOB, FIRST),
    ("PS-PROJ-111", [write(FLOW, POINTER)], FLOW, FIRST),
    ("PS-PROJ-111", [write(PROD, POINTER)], PROD, FIRST),
    ("PS-PROJ-112", [write("lib/a.py", ""), write("lib/A.py", "")], "lib/a.py", FIRST),
    ("PS-PROJ-113", [edit(YML, "datasets:\n  datasets/orders:", "datasets:\n  datasets/orders: {}\n  datasets/orders:")],
     YML, "  datasets/orders:\n"),
    ("PS-PROJ-113", [edit(YML, "\nsubgraphs:\n", "\nsubgraphs:\n  subgraphs/clean_orders: {}\n")], YML, "  subgraphs/clean_orders:\n"),
    ("PS-PIPE-013", [edit(YML, "pipelines:\n", "pipelines:\n  pipelines/gone: {name: gone, language: python}\n")],
     YML, "pipelines/gone"),
    ("PS-PIPE-014", [write("sub/" + YML, PYTHON), FLOWS], "sub/" + YML, "pipelines/a"),
    ("PS-PIPE-015", [write("sub/" + YML, SCALA), FLOWS], "sub/" + YML, "pipelines/a"),
    ("PS-PIPE-017", [remove(FLOW)], YML, "  pipelines/sales_report:"),
    ("PS-PIPE-018", [write(FLOW, "[]")], FLOW, FIRST),
    ("PS-PIPE-019", [edit(FLOW, '"diagnostics" : []', '"diagnostics" :\n [{"severity": 1, "message": "m"}]')], FLOW, '"message": "m"'),
    ("PS-PIPE-020", [edit(FLOW, '"diagnostics" : []', '"diagnostics" :\n [{"severity": 2, "message": "m"}]')], FLOW, '"message": "m"'),
    ("PS-PIPE-047", [write(PROD, "[]")], PROD, FIRST),
    ("PS-PIPE-047", [write(PROD, '{\n"a": "b')], PROD, '"b'),
    ("PS-PIPE-114", [write(PROD, '{\n"a": 1,\n}')], PROD, "}"),
    ("PS-PIPE-114", [write(PROD, "")], PROD, FIRST),
    ("PS-PIPE-050", [edit(PIPE + "/pbt_aspects.yml", "- prod\n", "- prod\n- live\n")], PIPE + "/pbt_aspects.yml", "live"),
    ("PS-PIPE-055", [write("pipelines/copy/code/setup.py", "x")], "pipelines/copy", FIRST),
    ("PS-PIPE-059", [edit(YML, "    name: sales_report\n", "    name: report\n")], YML, "    name: report\n"),
    ("PS-PIPE-063", [], SETUP, FIRST),
    ("PS-JOB-021", [remove("jobs/job_reports")], YML, "  jobs/job_reports:"),
    ("PS-JOB-022", [write(JOB, "[]")], JOB, FIRST),
    ("PS-JOB-023", [edit(JOB, '"request" : {', '"request" : [], "was" : {')], JOB, '"request"'),
    ("PS-JOB-024", [edit(JOB, '"fabric_id" :', '"fabric" :')], JOB, FIRST),
    ("PS-JOB-026", [edit(JOB, '    }\n  ],\n  "request"', '    },\n    { }\n  ],\n  "request"')], JOB, "    { }"),
    ("PS-JOB-027", [reference("")], JOB, "pipelineId"),
    ("PS-JOB-028", [reference("pipelines/gone")], JOB, "pipelineId"),
    ("PS-JOB-030", [reference("gitUri=x&tag=1")], JOB, "pipelineId"),
    ("PS-JOB-031", [edit(JOB, '        "path" :', '        "way" :')], JOB, "    {\n"),
    ("PS-JOB-032", [edit(JOB, '"nodeName" : "sales_report"', '"nodeName" : "other"')], JOB, "    {\n"),
    ("PS-JOB-033", [edit(JOB, '"max_retries" : 0', '"max_retries" : 0,\n"depends_on" : [ { "task_key" : "no" } ]')],
     JOB, '"no"'),
    ("PS-JOB-034", [edit(PJOB, '"fabricId" : "4004"', '"fabricId" : "1174"')], PJOB, '"fabricId"'),
    ("PS-JOB-034", [edit(JOB, '"fabric_id" : "4004"', '"fabric_id" : "1174"')], JOB, '"fabric_id"'),
    ("PS-JOB-035", [edit(YML, "    fabricUID: 4004\n", "    fabricUID: prod\n")], YML, "fabricUID: prod"),
    ("PS-JOB-036", [edit(YML, "    scheduler:\n      Composer: {}\n", "    scheduler: Composer\n")], YML, "scheduler: Composer"),
    ("PS-JOB-037", [edit(YML, "Composer: {}\n", "Cron: {}\n"), edit(AIR, '"Composer"', '"Cron"')], YML, "      Cron"),
    ("PS-JOB-038", [write(PJOB, "[]")], PJOB, FIRST),
    ("PS-JOB-039", [edit(AIR, '"type" : "Composer"', '"type" : "MWAA"')], AIR, '"MWAA"'),
    ("PS-JOB-040", [edit(AIR, '"jobId" : "jobs/airflow_orders"', '"jobId" : "jobs/other"')], AIR, '"jobId"'),
    ("PS-JOB-041", [edit(AIR, '"name" : "airflow_orders"', '"name" : "other"')], AIR, '"other"'),
    ("PS-JOB-041", [edit(JOB, '"name" : "job_reports"', '"name" : "other"')], JOB, '"other"'),
    ("PS-JOB-042", [edit(YML, "    name: job_reports\n", "    name: job_development\n"),
                    edit(YML, "    fabricUID: 4004\n", "    fabricUID: 1174\n"),
                    edit(JOB, '"name" : "job_reports"', '"name" : "job_development"'),
                    edit(PJOB, '"name" : "job_reports"', '"name" : "job_development"'),
                    edit(JOB, '"4004"', '"1174"'), edit(PJOB, '"fabricId" : "4004"', '"fabricId" : "1174"')],
     YML, "  jobs/job_reports:\n    name: job_development"),
    ("PS-JOB-043", [remove("jobs/airflow_orders/code/dag.py")], YML, "  jobs/airflow_orders:"),
    ("PS-JOB-044", [edit(AIR, '"dagName" : "sales_orders_due"', '"dagName" : ""')], AIR, '"dagName"'),
    ("PS-JOB-046", [edit(AIR, '\n  "connections" : [', '\n  "connections" : [ {"source": "nobody"},')], AIR, '"nobody"'),
    ("PS-JOB-049", [remove("pipelines/customers_orders/code/configs/resources/config/prod.json"),
                    edit("pipelines/customers_orders/pbt_aspects.yml", "- prod\n", "")],
     "jobs/job_development/code/databricks-job.json", '"task_key" : "customers_orders"'),
    ("PS-JOB-048", [edit(JOB, '"-i", "prod"', '"-i", "live"')], JOB, '"live"'),
    ("PS-JOB-052", ["substitute"], JOB, '"path"'),
    ("PS-JOB-053", [edit(JOB, '"format" :', '"x" : "__PROJEKT_ID_PLACEHOLDER__",\n"format" :')], JOB, "__PROJEKT"),
    ("PS-JOB-054", [edit(JOB, '    }\n  ],\n  "request"', '    },\n    { "ScriptComponent" : { "nodeName" : "sales_report",\n'
                         '"content" : "# \u00e4" } }\n  ],\n  "request"')], JOB, "\u00e4"),
    ("PS-JOB-056", [write("jobs/copy/code/dag.py", "x")], "jobs/copy", FIRST),
    ("PS-JOB-060", [edit(YML, "    name: job_reports\n", "    name: reports\n"),
                    edit(JOB, '"name" : "job_reports"', '"name" : "reports"'),
                    edit(PJOB, '"name" : "job_reports"', '"name" : "reports"')], YML, "    name: reports\n"),
    ("PS-JOB-101", [edit(YML, "    fabricUID: 5005\n", "    fabricUID: 99\n"), edit(AIR, '"fabricId" : "5005"', '"fabricId" : "99"')],
     YML, "fabricUID: 99"),
    ("PS-JOB-102", [remove(PJOB)], YML, "  jobs/job_reports:"),
    ("PS-JOB-102", [edit(PJOB, '"processes"', '"procs"')], PJOB, FIRST),
    ("PS-JOB-103", [edit(YML, "Composer: {}\n", "Composer: {}\n      MWAA: {}\n")], YML, "      Composer: {}"),
    ("PS-JOB-106", [edit(JOB, '"0 0 7 * * ? *"', '"0 0 25 * * ? *"')], JOB, '"0 0 25'),
    ("PS-JOB-107", [edit(JOB, '"timezone_id" : "UTC"', '"timezone_id" : "Europe/Berlim"')], JOB, "Berlim"),
    ("PS-JOB-108", [edit(JOB, '"max_concurrent_runs" : 1', '"max_concurrent_runs" : 1001')], JOB, "1001"),
    ("PS-JOB-109", [edit(JOB, "/pipeline/sales_report-1.0-py3", "/pipeline/sales_report-1.1-py3")], JOB, '"path"'),
]
# Of a push, or of what a push takes away: told by test_gate and test_gate_rights, hook.py, derive.py and rights.py.
ELSEWHERE = {"PS-JOB-110", "PS-JOB-111", "PS-PROJ-064", "PS-PUSH-001", "PS-PUSH-002", "PS-PUSH-003", "PS-PUSH-004", "PS-PUSH-005", "PS-PUSH-006", "PS-JOB-075"}
# The example breaks these by itself, so they are on for their own mutants alone.
OFF = {"PS-JOB-049", "PS-PIPE-020", "PS-PIPE-059", "PS-PIPE-063", "PS-JOB-060", "PS-PROJ-062"}


def substitute(top):
    """What Prophecy's own tool leaves in the work tree: no placeholder in the whole file."""
    path = os.path.join(top, JOB)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for word, value in (("PROJECT_ID", "1"), ("PROJECT_RELEASE_VERSION", "1.0"), ("PROPHECY_URL", "http://x")):
        text = text.replace(f"__{word}_PLACEHOLDER__", value)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def line_of(top, path, needle):
    if needle is FIRST:
        return 1
    with open(os.path.join(top, path), newline="", encoding="utf-8") as f:
        text = f.read()
    at = text.index(needle)
    return text.count("\n", 0, at + len(needle.rstrip("\n"))) + 1


class World:
    def __init__(self):
        self.top = tempfile.mkdtemp(prefix="penstock-rules.")
        self.instance = os.path.join(self.top, "instance")
        subprocess.run([PENSTOCK, "init", self.instance], check=True, env=ENV, stdout=subprocess.DEVNULL)
        with open(os.path.join(self.instance, "penstock.yml"), encoding="utf-8") as f:
            self.yml = f.read()
        self.levels = None
        self.work = os.path.join(self.top, "work")
        shutil.copytree(os.path.join(SRC, "examples/sales"), self.work, symlinks=True)
        subprocess.run(["chmod", "-R", "u+w", self.work], check=True)
        for args in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-q", "-m", "example"]):
            self.git(*args)

    def git(self, *args):
        subprocess.run(["git", "-C", self.work, "-c", "user.name=t", "-c", "user.email=t@example.net", *args],
                       check=True, env=ENV)

    def turn_on(self, code):
        if self.levels == code:
            return
        self.levels = code
        policy = os.path.join(self.instance, "state/policy")
        if os.path.exists(policy):      # what was accepted beats the file, and no agent accepts here
            os.unlink(policy)
        with open(os.path.join(self.instance, "penstock.yml"), "w", encoding="utf-8") as f:
            f.write(self.yml + (f"\nrules:\n  - {{ rules: [{code}], severity: warning }}\n" if code else ""))

    def check(self, *actions):
        """Findings of the example after these actions, and the lines of files as they were then."""
        for action in actions:
            substitute(self.work) if action == "substitute" else action(self.work)
        p = subprocess.run([PENSTOCK, "-C", self.instance, "--json", "check", self.work], env=ENV, capture_output=True,
                           text=True)
        assert p.returncode in (0, 1), p
        return json.loads(p.stdout)["items"]

    def mend(self):
        self.git("reset", "-q", "--hard")
        self.git("clean", "-qfdx")


def main():
    w, bad = World(), []
    try:
        rules = {r["id"]: r["state"] for r in json.loads(subprocess.run(
            [PENSTOCK, "rules", "--json"], check=True, capture_output=True, env=ENV).stdout)["items"]}
        found = w.check()
        assert not found, f"the example itself: {found}"
        for code, actions, path, needle in MUTANTS:
            w.turn_on(code if code in OFF else None)
            found = w.check(*actions)
            want = (path, line_of(w.work, path, needle), code)
            got = {(f["path"], f["line"], f["id"]) for f in found}
            level = {"error": "error", "newly": "error"}.get(rules[code], "warning")
            if code == "PS-PIPE-063":   # the example's other pipeline says 1.0 as well
                got = {g for g in got if g[0] == SETUP}
            if got != {want} or any(f["state"] != level for f in found):
                bad.append(f"{code}: wanted {want} ({level}), found " +
                           "; ".join(f"{f['path']}:{f['line']}: {f['state']}: {f['text']} [{f['id']}]" for f in found))
            w.mend()
        missing = set(rules) - {m[0] for m in MUTANTS} - ELSEWHERE
        bad += [f"{code} has no mutant" for code in sorted(missing)]
    finally:
        shutil.rmtree(w.top)
    for line in bad:
        print("FAIL:", line)
    print(f"{len(MUTANTS)} mutants of {len(rules)} rules, {len(bad)} not as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
