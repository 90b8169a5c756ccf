#!/usr/bin/python3
"""200 jobs and 200 wheels of a workspace, one of them changed: calls and time of penstock beside Prophecy's own tool.

    tests/bench/deploys.py [N]           N jobs, each with a wheel of its own (200); cwd is the build folder

Both deploy the same project to the fake workspace (tests/fake), an empty one each: all of it, then the next version, in
which one pipeline has other code. penstock: an agent, from `git push` to deployed and verified; its plan is asked for
before. Prophecy's tool (pinned in tests/real/pbt.txt): `deploy-v2` with its state file and wheels that are made already.
Counts are checked: no call for a plan, two uploads at most and one write of a job.
"""
import json
import os
import shutil
import sys
import tempfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "e2e")]
import agent  # noqa: E402
import jobs  # noqa: E402
import prophecy_tool  # noqa: E402
from bench import Bench, program  # noqa: E402
from workspace import Workspace  # noqa: E402

MAIN, CHANGED = "refs/heads/main", 7
HEAD, JOB = jobs.HEAD, jobs.JOB     # as they are before tests/e2e makes them its own
WHEEL = "{name}-1.0-py3-none-any.whl"
PATH = "dbfs:/FileStore/prophecy/artifacts/dev/execution/__PROJECT_ID_PLACEHOLDER__/__PROJECT_RELEASE_VERSION_PLACEHOLDER__/pipeline/"
PIPELINE = "  pipelines/{name}:\n    name: {name}\n    language: python\n    mode: batch\n"
# what penstock's build runs; the tool gets the same wheel from wheel()
SETUP = """import sys, zipfile
with zipfile.ZipFile(f"{{sys.argv[-1]}}/{wheel}", "w") as z:
    for path, text in {files!r}.items():
        i = zipfile.ZipInfo(path)
        i.external_attr = 0o100644 << 16
        z.writestr(i, text)
# setup(name='{name}', version='1.0')
"""
UPLOADS = ("/api/2.0/dbfs/create", "/api/2.0/dbfs/add-block", "/api/2.0/dbfs/close", "/api/2.0/dbfs/move", "/api/2.0/dbfs/put")
WRITES = ("create", "reset", "update", "delete")


def name_of(i):
    return f"load_{i:03}"


def files_of(name, body):
    return {f"{name}/__init__.py": "", f"{name}/pipeline.py": f"def main():\n    print({body!r})\n",
            f"{name}-1.0.dist-info/METADATA": f"Name: {name}\nVersion: 1.0\n",
            f"{name}-1.0.dist-info/entry_points.txt": f"[console_scripts]\nmain = {name}.pipeline:main\n"}


def put(top, path, text):
    path = os.path.join(top, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def write_pipeline(top, name, body, dist):
    code = f"pipelines/{name}/code"
    put(top, f"{code}/setup.py", SETUP.format(wheel=WHEEL.format(name=name), files=files_of(name, body), name=name))
    put(top, f"{code}/.prophecy/workflow.latest.json", '{"metainfo": {}, "connections": [], "processes": {}, "ports": {}}\n')
    if dist:
        os.makedirs(os.path.join(top, code, "dist"), exist_ok=True)
        with zipfile.ZipFile(os.path.join(top, code, "dist", WHEEL.format(name=name)), "w") as z:
            for path, text in files_of(name, body).items():
                z.writestr(zipfile.ZipInfo(path), text)


def write_job(top, name):
    wheel = PATH + WHEEL.format(name=name)
    task = {"task_key": name, "existing_cluster_id": "0101-120000-abcdefgh", "max_retries": 0, "libraries": [{"whl": wheel}],
            "python_wheel_task": {"package_name": name, "entry_point": "main", "parameters": []}, "email_notifications": {}}
    put(top, f"jobs/{name}/code/databricks-job.json", json.dumps({
        "fabric_id": "4004", "sorted_processes": [name],
        "components": [{"PipelineComponent": {"path": wheel, "nodeName": name, "id": name, "language": "python",
                                              "pipelineId": f"pipelines/{name}"}}],
        "request": {"format": "MULTI_TASK", "name": name, "tasks": [task], "email_notifications": {}, "max_concurrent_runs": 1}}))
    put(top, f"jobs/{name}/code/prophecy-job.json", json.dumps({
        "metainfo": {"type": "Databricks", "fabricId": "4004", "jobId": f"jobs/{name}", "name": name}, "processes": {},
        "connections": []}))
    put(top, f"jobs/{name}/pbt_aspects.yml", "version: 1\n")


def write_project(top, n, dist=False):
    names = [name_of(i) for i in range(n)]
    head = HEAD.replace("buildSystem: ''", "buildSystem: wheel").replace(
        "pipelines: {}\n", "pipelines:\n" + "".join(PIPELINE.format(name=name) for name in names))
    put(top, "pbt_project.yml", head + "".join(JOB % {"name": name} for name in names))
    for name in names:
        write_pipeline(top, name, "first", dist)
        write_job(top, name)


class Counts:
    """The calls since the last time that somebody asked, and how long they took."""

    def __init__(self, w):
        self.w, self.seen, self.began = w, 0, time.monotonic()

    def take(self, b, who, what):
        took, calls = time.monotonic() - self.began, self.w.calls(since=self.seen)
        self.seen += len(calls)
        uploads = [c for c in calls if c["path"] in UPLOADS or c["method"] == "PUT"]
        # one file is one upload, however many calls it takes
        files = [c for c in uploads if c["method"] == "PUT" or c["path"].endswith(("/create", "/put"))]
        writes = [c for c in calls if c["method"] == "POST" and "/jobs/" in c["path"] and c["path"].rsplit("/", 1)[1] in WRITES]
        b.add(f"{who}, {what}", took, unit="s")
        b.add(f"{who}, {what}: calls", len(calls), unit="")
        b.add(f"{who}, {what}: files sent", len(files), unit="")
        b.add(f"{who}, {what}: jobs written", len(writes), unit="")
        self.again()
        return len(files), len(writes)

    def again(self):
        self.seen, self.began = len(self.w.calls()), time.monotonic()


def of_penstock(b, w, n):
    import databricks   # tests/e2e: it wants a sandbox, and says so
    with databricks.Scene(w) as a:
        c = a.clone(a.repository("jobs"))
        write_project(c.path, n)
        c.commit("all of it")
        counts = Counts(w)
        c.push("HEAD:" + MAIN, limit=3600)
        d = agent.wait("all is deployed", lambda: [d for d in a.history() if d["state"] == "deployed"], limit=3600, every=0.5)[0]
        counts.take(b, "penstock", f"{n} jobs")
        a.verified(d["id"])
        a.n = int(d["id"][1:])
        write_pipeline(c.path, name_of(CHANGED % n), "second", False)
        c.commit("one pipeline")
        counts.again()
        began = time.monotonic()
        plan = a.json("plan", "production")
        b.add("penstock, a plan of what is there", time.monotonic() - began, unit="s")
        if w.calls(since=counts.seen):
            b.fail(f"{len(w.calls(since=counts.seen))} calls for a plan from known state")
        if len(plan["items"]) != n or any(j["state"] != "unchanged" for j in plan["items"]):
            b.fail(f"the plan has {len(plan['jobs'])} jobs: {sorted({j['change'] for j in plan['jobs']})}")
        counts.again()
        c.push("HEAD:" + MAIN, limit=3600)
        a.verified(a.newest("deployed")["id"])
        files, writes = counts.take(b, "penstock", "one changed")
        if files > 2 or writes != 1:
            b.fail(f"one changed: {files} files sent, {writes} jobs written")
        a.names_what_is_there()


def of_the_tool(b, w, n, folder):
    tool = prophecy_tool.Tool(w, folder)
    top = os.path.join(folder, "project")
    write_project(top, n, dist=True)
    conf = tool.conf(fabrics=("4004",))
    counts = Counts(w)
    tool.deploy_v2(top, "1.0", conf)
    counts.take(b, "Prophecy's tool", f"{n} jobs")
    write_pipeline(top, name_of(CHANGED % n), "second", True)
    counts.again()
    tool.deploy_v2(top, "1.1", conf)
    counts.take(b, "Prophecy's tool", "one changed")
    if len(w.jobs()) != n:
        b.fail(f"Prophecy's tool: {len(w.jobs())} jobs, not {n}")


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    b = Bench("deploys", f"{n} jobs and {n} wheels of a workspace, one changed")
    if not os.path.exists(program("sandbox_try")):
        print("deploys: no sandbox_try in the build folder: make sandbox_try")
        return 1
    prophecy_tool.LIMIT = 3600
    folder = tempfile.mkdtemp(prefix="penstock-bench.")
    try:
        with Workspace(os.path.join(folder, "ours"), token="dapi-of-a-test") as w:
            of_penstock(b, w, n)
        found, why = prophecy_tool.program()
        if found:
            with Workspace(os.path.join(folder, "theirs")) as w:
                of_the_tool(b, w, n, os.path.join(folder, "tool"))
            b.ratio("calls when one changed", "Prophecy's tool, one changed: calls", "penstock, one changed: calls")
            b.ratio("time when one changed", "Prophecy's tool, one changed", "penstock, one changed")
        else:
            b.note(f"Prophecy's tool is not there: {why}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return b.end()


if __name__ == "__main__":
    sys.exit(main())
