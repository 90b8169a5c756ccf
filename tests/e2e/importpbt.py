#!/usr/bin/python3
"""A project changes over from Prophecy's own tool: its jobs on the workspace are the same ones, and nothing is there twice.

    tests/e2e/importpbt.py [CASE]       needs pbt (tests/support/pbt.py)

With that tool itself, a real agent, real pushes and the fake workspace; judged by what that has and by the calls it
counted. Exit status 77 where there is no pbt or no sandbox.
"""
import contextlib
import json
import os
import shlex
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import planted  # noqa: E402
import prophecy_tool  # noqa: E402
from agent import Instance, check, main, plain_toolchain, wait  # noqa: E402
from prophecy_tool import PROJECT_ID, Tool  # noqa: E402
from workspace import Workspace  # noqa: E402

DEV, PROD = "fabric_1174", "fabric_4004"
URL = "https://app.example.net"
JOBS = {"jobs/job_development": DEV, "jobs/job_reports": PROD}
STAMPS = {"penstock-job", "penstock-definition", "penstock-release", "penstock-project", "penstock-fence"}
# What penstock sends otherwise than that tool, besides its stamps; docs/ADMIN.md says why.
DIFFERENCES = {
    "/format": ("MULTI_TASK", None),            # 2.2 has no other
    "/queue": (None, {"enabled": False}),       # of 2.2, what 2.1 did where nothing is said
}


def two_jobs(text):
    """pbt_project.yml without the job of an Airflow, which these fabrics have none for."""
    return text[:text.index("  jobs/airflow_orders:")] + text[text.index("gemContainer:"):]


# A configuration of each kind; no placeholder in them is replaced.
CONFIGURATIONS = {
    "projectConfigurations/config/code/configs/prod.json": '{"id": "__PROJECT_ID_PLACEHOLDER__"}\n',
    "projectConfigurations/Other/shared/qa.json": "{}\n",
    "pipelineConfigurations/Other/Omega/default.json": "[1]\n",
    "pipelineConfigurations/Other/Omega/d2.json": "[2]\n",
}
DECLARED = """projectConfigurations:
  projectConfigurations/Other/shared: {configurations: {projectConfigurations/Other/shared/qa: {name: qa}}}
pipelineConfigurations:
  pipelineConfigurations/Other/Omega:
    basePipeline: 1665/pipelines/Omega
    configurations:
      pipelineConfigurations/Other/Omega/default: {name: default}
      pipelineConfigurations/Other/Omega/d2: {name: Delta}
      pipelineConfigurations/Other/Omega/gone: {name: gone}
"""


def configured(text):
    return text.replace("pipelineConfigurations: {}\n", "").replace("projectConfigurations: {}\n", "") + DECLARED


def configurations(w, version):
    """What there is of a version, as of any."""
    return {p.replace(f"/{version}/", "/VERSION/"): f["sha256"] for p, f in w.files().items() if f"/{version}/configurations/" in p}


def read(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as f:
        return f.read()


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        f.write(text)


def deployed(tool):
    """The example as the tool takes it."""
    top = tool.project()
    write(top, "pbt_project.yml", configured(two_jobs(read(top, "pbt_project.yml"))))
    for name, text in CONFIGURATIONS.items():
        os.makedirs(os.path.dirname(os.path.join(top, name)), exist_ok=True)
        write(top, name, text)
    return top


class Scene(Instance):
    """An instance whose teams, fabrics, environments and projects are those that `import pbt` printed."""

    def __init__(self, w, conf):
        super().__init__(toolchain=plain_toolchain())
        self.w, self.conf = w, conf
        self.theirs = {"DATABRICKS_HOST": w.url, "DATABRICKS_TOKEN": w.token}
        printed = self.penstock("import", "pbt", conf, env=self.theirs)
        check("2 job ids are not stored" in printed.stderr, printed.stderr)
        check(w.token not in printed.stdout + printed.stderr, "a credential was printed")
        self.text = printed.stdout
        for line in self.text.splitlines():     # as its reader would: each credential by its command
            if line.startswith("#   (umask"):
                check(not os.system(f"DATABRICKS_TOKEN={w.token}; export DATABRICKS_TOKEN; " + line.lstrip("# ")), line)
                planted.written.add(os.path.realpath(shlex.split(line[:-1])[-1]))
        old = read(self.dir, "penstock.yml")
        text = self.text.replace("    # id: ", f"    id: {PROJECT_ID}    # ").replace("    # url: ", f"    url: {URL}    # ")
        text = text.replace("provider: databricks\n", "provider: databricks\n    http: { retry: 5ms, per_second: 0 }\n")
        write(self.dir, "penstock.yml", text + "\n" + old[old.index("repositories:"):])
        self.penstock("config", "check")

    def import_ids(self, *more, expect=0):
        p = self.penstock("import", "pbt", self.conf, "--repo", "sales", *more, env=self.theirs, expect=expect)
        return p.stderr

    def project(self):
        """A clone of a new repository with what the tool deploys, without tests: there is no Spark here."""
        c = self.example(self.repository("sales"))
        for p in ("customers_orders", "sales_report"):
            c.git("rm", "-rq", f"pipelines/{p}/code/test")
        c.git("rm", "-rq", "jobs/airflow_orders")
        c.write("pbt_project.yml", configured(two_jobs(c.read("pbt_project.yml"))))
        for name, text in CONFIGURATIONS.items():
            c.write(name, text)
        c.commit("as it is deployed")
        c.push("HEAD:refs/heads/main")
        return c

    def waits(self, fabric, version):
        return wait(f"{version} waits for {fabric}", lambda: next(
            (d["id"] for d in self.items("history", fabric) if d["version"] == version and d["state"] == "waiting"), None),
            every=0.2)

    def deploy(self, fabric, version, state="deployed"):
        """Lets go what waits for that, and waits for its end."""
        number = self.waits(fabric, version)
        wait(f"{number} can be let go", lambda: self.penstock("deploy", number, expect=None).returncode == 0, every=0.2)

        def look():
            d = next(d for d in self.items("history", fabric) if d["id"] == number)
            return d if d["state"] in ("deployed", "failed") else None
        d = wait(f"{number} ends", look, every=0.1)
        check(d["state"] == state, d)
        return d

    def release(self, c, version):
        """To the one fabric by its tag, to the other by taking the same release there."""
        c.push(f"HEAD:refs/tags/{DEV}/{version}")
        self.deploy(DEV, version)
        self.penstock("promote", version, PROD)
        self.deploy(PROD, version)


def ids(w, besides=()):
    return {j["settings"]["name"]: j["job_id"] for j in w.jobs() if j["job_id"] not in besides}


@contextlib.contextmanager
def handed_over(version="1.0"):
    """A workspace to which the tool has deployed, beside a job of a stranger with a name that one of ours has."""
    with tempfile.TemporaryDirectory(prefix="penstock-test.") as folder:
        with Workspace(os.path.join(folder, "workspace")) as w:
            tool = Tool(w, os.path.join(folder, "tool"))
            status, answer, _ = w.ask("POST", "/api/2.1/jobs/create", {"name": "job_development", "tasks": []})
            check(status == 200, answer)
            conf = tool.conf()
            write(conf, "fabrics.yml", read(conf, "fabrics.yml").replace(prophecy_tool.HOST, "'{{DATABRICKS_HOST}}'"))
            tool.more["MD_PATH"] = URL      # Prophecy's address: deploy-v2 takes it from there
            tool.deploy_v2(deployed(tool), version, conf)
            yield w, tool, conf, answer["job_id"]


def the_same_jobs():
    with handed_over() as (w, tool, conf, strange):
        first, stranger, calls = ids(w, [strange]), w.job_of(strange), len(w.calls())
        sent = {j["settings"]["name"]: j["sent"] for j in w.jobs() if j["job_id"] != strange}
        check(set(first) == {"job_development", "job_reports"}, first)
        with Scene(w, conf) as a:
            said = a.penstock("import", "pbt", conf, "--repo", "sales", env=a.theirs, expect=1).stderr
            check("there is no repository 'sales'" in said and "no job id was stored" in said, said)
            c = a.project()
            for _ in range(2):
                said = a.import_ids("--dry-run")
                check(said.count("would be stored") == 2, said)
            a.theirs["DATABRICKS_HOST"] = "https://another.example.net"
            check("ids of one workspace mean nothing in another" in a.import_ids(expect=1), "another workspace")
            a.theirs["DATABRICKS_HOST"] = w.url
            said = a.import_ids()
            for key, fabric in JOBS.items():
                check(f"{key} on {fabric} is job {first[key[5:]]}: stored" in said, said)
            check(a.import_ids().count("stored already") == 2, "once more")
            check(len([r for r in a.items("audit") if r["what"] == "import"]) == 1, "the audit")
            c.push(f"HEAD:refs/tags/{DEV}/1.0.1")   # what may not be seen is not taken for gone
            a.waits(DEV, "1.0.1")
            plan = a.penstock("plan", DEV, "1.0.1").stdout
            check(f"+ jobs/job_development  takes over job {first['job_development']} there" in plan, plan)
            w.faults({"match": "GET /api/2.2/jobs/get", "fault": "forbidden"})
            check("PERMISSION_DENIED" in a.deploy(DEV, "1.0.1", "failed")["reason"], "it was not refused")
            w.faults()
            c.push(f"HEAD:refs/tags/{DEV}/1.0.2")   # nor one for ours that is called otherwise than it was
            w.edit(first["job_development"], set={"/name": "monthly"})
            failed = a.deploy(DEV, "1.0.2", "failed")["reason"]
            check("is 'monthly', and was imported as 'job_development'" in failed, failed)
            w.edit(first["job_development"], set={"/name": "job_development"})
            a.release(c, "1.1")
            check(ids(w, [strange]) == first, f"{ids(w, [strange])}, not {first}")
            made = [x["path"] for x in w.calls("POST", since=calls) if x["path"].endswith("/jobs/create")]
            check(not made and len(w.jobs()) == 3, f"{len(w.jobs())} jobs; made: {made}")
            check(w.job_of(strange) == stranger, "the stranger's job was changed")
            for j in w.jobs():
                if j["job_id"] != strange:
                    check({t for t in j["settings"]["tags"]} == STAMPS and "1.1" in json.dumps(j["settings"]), j)
            compare(sent, {j["settings"]["name"]: j["sent"] for j in w.jobs() if j["job_id"] != strange})
            theirs = configurations(w, "1.0")
            check(len(theirs) == len(CONFIGURATIONS) and configurations(w, "1.1") == theirs, f"{theirs}, {configurations(w, '1.1')}")
            # the next one, with a job that has got another name; and what is said of ids now
            c.edit("pbt_project.yml", "name: job_reports", "name: reports_daily")
            c.edit("jobs/job_reports/code/databricks-job.json", '"name" : "job_reports"', '"name" : "reports_daily"')
            c.commit("another name")
            a.release(c, "1.2")
            check(ids(w, [strange]) == {"job_development": first["job_development"], "reports_daily": first["job_reports"]},
                  f"{ids(w, [strange])}, not {first}")
            check(a.import_ids().count("penstock has deployed it") == 2, "of what is deployed")
            # one id that cannot be keeps all of them out
            more = "jobs:\n- {id: jobs/new, name: new, type: Databricks, external_job_id: '9', fabric_id: '1174'}\n"
            right = read(conf, "state.yml").replace("jobs:\n", more, 1)
            write(conf, "state.yml", right.replace(f"'{first['job_reports']}'", f"'{strange}'"))
            said = a.import_ids(expect=1)
            check(f"penstock has deployed 'jobs/job_reports' to fabric {PROD} as job {first['job_reports']} there, not {strange}"
                  in said, said)
            write(conf, "state.yml", right)
            check(f"jobs/new on {DEV} is job 9: would be stored\n" in a.import_ids("--dry-run"), "it was stored by halves")


def compare(theirs, ours):
    """The same project, of versions 1.0 and 1.1, as both have sent it."""
    check(set(ours) == set(theirs), f"{set(ours)}, {set(theirs)}")
    for name, sent in ours.items():
        sent = json.loads(json.dumps(sent).replace("1.1", "1.0"))
        sent["tags"] = {k: v for k, v in sent["tags"].items() if k not in STAMPS}
        if not sent["tags"]:
            del sent["tags"]
        differ = dict(differences(theirs[name], sent))
        check(differ == DIFFERENCES, f"{name}: {differ}")


def differences(was, is_, at=""):
    """(path, (his, ours)) of what differs."""
    if isinstance(was, dict) and isinstance(is_, dict):
        for k in sorted(set(was) | set(is_)):
            yield from differences(was.get(k), is_.get(k), f"{at}/{k}")
    elif isinstance(was, list) and isinstance(is_, list) and len(was) == len(is_):
        for n, (x, y) in enumerate(zip(was, is_)):
            yield from differences(x, y, f"{at}/{n}")
    elif was != is_:
        yield at, (was, is_)


if __name__ == "__main__":
    if not prophecy_tool.program()[0]:
        print(f"SKIP: no pbt: {prophecy_tool.program()[1]}")
        sys.exit(77)
    main(the_same_jobs)
