#!/usr/bin/python3
"""A project that is deployed to a workspace of Databricks: pushed, changed, gone back, pruned.

With a real agent, real pushes and sandboxes, and the fake workspace in place of one; judged by what that has.
"""
import base64
import hashlib
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import jobs  # noqa: E402
import rollback  # noqa: E402
from agent import check, main, wait  # noqa: E402
from planted import planted  # noqa: E402
from workspace import Workspace  # noqa: E402

TOKEN = planted("databricks")
jobs.TASK["existing_cluster_id"] = "0101-120000-abcdefgh"
SCHEDULE = {"quartz_cron_expression": "0 0 3 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"}


class Scene(rollback.Scene):
    """The fabric production is that workspace."""

    def __init__(self, workspace, more="", environment=""):
        super().__init__(environment)
        self.w = workspace
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        at = text.index("  production:\n    id: 4004")
        block, rest = text[at:].split("provider: local", 1)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:at] + block + "provider: databricks\n    databricks: { host: " + workspace.url
                    + ", token: { env: WORKSPACE_TOKEN }" + more + " }\n    http: { retry: 5ms, per_second: 0 }" + rest)
        self.env["WORKSPACE_TOKEN"] = TOKEN

    def ids(self):
        return {j["settings"]["name"]: j["job_id"] for j in self.w.jobs()}

    def text(self, name):
        return self.w.job(name)["settings"]["tags"]["text"]

    def wheels(self):
        return [p for p in self.w.files() if p.endswith(".whl")]

    def names_what_is_there(self):
        for j in self.w.jobs():
            whl = j["settings"]["tasks"][0]["libraries"][0]["whl"]
            check(whl in self.w.files(), f"{j['settings']['name']} names {whl}, and there are {self.wheels()}")


def a_project_s_life():
    with tempfile.TemporaryDirectory(prefix="penstock-test.") as folder, Workspace(folder, token=TOKEN) as w, Scene(w) as a:
        c = a.project()
        r1 = a.release(c, one="1", left="1")
        first = a.ids()
        check(set(first) == {"one", "left"} and len(a.wheels()) == 1, first)
        a.names_what_is_there()
        check(a.text("one") == "1" and w.job("one")["settings"]["tags"]["penstock-release"].startswith(r1["release"]), w.job("one"))
        asked = len(w.calls())
        check(a.json("plan", "production")["state"] == "unchanged" and len(w.calls()) == asked, "a plan asked the workspace")
        check(a.json("plan", "production", "--refresh")["seen"] and len(w.calls()) > asked, "a look did not")
        writes = len(w.calls("POST", "/api/2.2/jobs/*"))
        r2 = a.release(c, one="2", new="1")
        check({n: i for n, i in a.ids().items() if n in first} == first, "other jobs than before")
        asked = len(w.calls())
        back = a.json("plan", "production", r1["release"][:12])
        check({j["id"]: j["state"] for j in back["items"]} == {"jobs/one": "changed", "jobs/left": "changed", "jobs/new": "orphan"}
              and len(w.calls()) == asked, f"a plan from known state, in {len(w.calls()) - asked} calls: {back['items']}")
        check(a.text("one") == "2" and set(a.ids()) == {"one", "left", "new"}, a.ids())
        check("penstock-paused" in w.job("left")["settings"]["tags"], "the orphan is not marked")
        check(len(w.calls("POST", "/api/2.2/jobs/*")) == writes + 3, "one reset, one create, one pause")
        a.names_what_is_there()
        a.as_("kim", "rollback", "production", "-m", "wrong totals")
        d = a.newest("deployed")
        check(d["release"] == r1["release"] and a.verified(d["id"])["verified"], d)
        check(a.text("one") == "1" and a.ids()["one"] == first["one"], "not gone back")
        check("penstock-paused" not in w.job("left")["settings"]["tags"], "what is wanted again still sleeps")
        check("penstock-paused" in w.job("new")["settings"]["tags"], "what the newer one made is awake")
        a.as_("kim", "unpin", "production")
        a.as_("kim", "prune", "production", "--job", "new", "-m", "no one needs it")
        a.newest("deployed")
        check(set(a.ids()) == {"one", "left"}, a.ids())
        check(r2["release"] != r1["release"], "one release")


# both names stand in the path of the wheel, which the job names; the other key nowhere
SECRETS = """[{ scope: execution, key: sales_report, value: { file: %s/value }, readers: [analysts] },
        { scope: nowhere, key: none, value: { env: WORKSPACE_TOKEN } }]"""


def write(folder, text):
    with open(os.path.join(folder, "value"), "w", encoding="utf-8") as f:
        f.write(text + "\n")


def secrets(folder):
    write(folder, "first value")
    return SECRETS % folder


def secret(w):
    return base64.b64decode(w.ask("GET", "/api/2.0/secrets/get?scope=execution&key=sales_report")[1]["value"]).decode()


def a_hand_on_the_workspace():
    """What somebody changes there is seen by the plan and put back; a credential that does not count is told."""
    with tempfile.TemporaryDirectory(prefix="penstock-test.") as folder, \
            Workspace(folder, token=TOKEN) as w, Scene(w, ", volume: /Volumes/main/jobs/wheels, secrets: " + secrets(folder)) as a:
        c = a.project()
        a.release(c, one="1")
        scope = {"keys": ["sales_report"], "acls": {"tester@example.net": "MANAGE", "analysts": "READ"}}
        check({k: w.scopes()["execution"][k] for k in scope} == scope and len(w.scopes()) == 1, w.scopes())
        check(secret(w) == "first value", secret(w))
        write(folder, "second value")
        a.penstock("reload")
        check(a.wheels()[0].startswith("/Volumes/main/jobs/wheels/prophecy/artifacts/"), a.wheels())
        a.names_what_is_there()
        number = a.ids()["one"]
        w.edit("one", set={"/max_concurrent_runs": 7})
        w.edit("one", set={"/tags/text": "by hand"})
        a.release(c, one="2")
        s = w.job("one")["settings"]
        check((s["max_concurrent_runs"], s["tags"]["text"], a.ids()["one"]) == (1, "2", number), s)
        check(secret(w) == "second value", secret(w))
        told = [os.path.join(a.dir, "logs", n) for n in os.listdir(os.path.join(a.dir, "logs"))] + [os.path.join(a.dir, "state", "store.db")]
        for path in told:
            with open(path, "rb") as f:
                check(b"second value" not in f.read(), f"{path} has the value of a secret")
        w.faults({"match": "POST /api/2.2/jobs/reset", "fault": "number_code", "status": 403, "message": "Invalid access token."})
        jobs.write(c, one="3")
        c.push("HEAD:" + rollback.MAIN)
        d = a.newest("failed")
        check("Invalid access token" in d["reason"] and "put a credential that counts" in d["reason"], d)
        check(a.text("one") == "2", "something was written")


NIGHT = (", jobs: { derive: [{ from: jobs/one, as: jobs/night, enforce_schedule: true, schedule: { quartz_cron_expression: "
         "0 0 3 * * ?, timezone_id: UTC } }] }")


def check_walls(a):
    """Who looks after a run has one filter of system calls more than its role: it starts no programs."""
    def filters(pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("Seccomp_filters:"))
    role = a.role("deploy")
    with open(f"/proc/{role}/task/{role}/children", encoding="utf-8") as f:
        workers = [int(pid) for pid in f.read().split()]
    if filters(role) > filters("self"):     # else a build for sanitizers, which has none
        check(workers and all(filters(pid) == filters(role) + 1 for pid in workers), f"{[filters(p) for p in [role, *workers]]}")


def verified_by_a_run():
    """`verify` runs a job there: what fails is deployed and not verified, and is gone back from. A schedule that is enforced
    is woken by the next deployment, and a plan with a look says so."""
    with tempfile.TemporaryDirectory(prefix="penstock-test.") as folder, Workspace(folder, token=TOKEN) as w, \
            Scene(w, environment=", rollback: auto, verify: { run: jobs/one, timeout: 2m }" + NIGHT) as a:
        c = a.project()
        w.set(runs="hand")

        def run_ends(n, result):
            run = wait(f"run {n} has begun", lambda: w.runs()[n - 1:] or None, every=0.1)[0]
            w.move(run["run_id"], result=result)

        jobs.write(c, one="1")
        c.push("HEAD:" + rollback.MAIN)
        r1 = a.newest("deployed")
        wait("run 1 has begun", w.runs, every=0.1)
        check_walls(a)
        run_ends(1, "SUCCESS")
        check(a.verified(r1["id"])["verified"], r1)
        one = a.ids()["one"]
        check([(r["job_id"], r["result"]) for r in w.runs()] == [(one, "SUCCESS")], w.runs())
        check(a.items("runs")[0]["who"] == f"penstock (verify {r1['id']})", a.items("runs"))
        pause = lambda: w.job("night")["settings"]["schedule"]["pause_status"]     # noqa: E731
        w.edit("night", set={"/schedule/pause_status": "PAUSED"})
        plan = a.json("plan", "production", "--refresh")
        check({j["id"]: j["state"] for j in plan["items"]} == {"jobs/one": "unchanged", "jobs/night": "changed"}, plan["items"])
        jobs.write(c, one="2")
        c.push("HEAD:" + rollback.MAIN)
        bad = wait("it is deployed", lambda: next((d for d in a.history() if d["release"] != r1["release"]
                                                   and d["state"] == "deployed"), None), every=0.2)
        run_ends(2, "FAILED")
        d = a.verified(bad["id"])
        check(d["verified"] is False and "not verified: x2 failed" in d["verification"], d)
        a.n = int(bad["id"][1:])
        back = a.newest("deployed")
        run_ends(3, "SUCCESS")
        check((back["release"], back["asked"], back["asked_by"]) == (r1["release"], "rollback", "penstock"), back)
        check(a.verified(back["id"])["verified"], back)
        check((a.text("one"), a.ids()["one"], pause()) == ("1", one, "UNPAUSED"), w.jobs())
        check([r["job_id"] for r in w.runs()] == [one] * 3, w.runs())


OMEGA = "pipelineConfigurations/Other/Omega"
DECLARED = f"""pipelineConfigurations:
  {OMEGA}: {{ basePipeline: 1665/pipelines/Omega, configurations: {{ {OMEGA}/default: {{ name: default }}, {OMEGA}/gone: {{ name: gone }} }} }}
datasets: {{}}
"""
AT = "/dbfs/FileStore/prophecy/artifacts/dev/execution/__PROJECT_ID_PLACEHOLDER__/__PROJECT_RELEASE_VERSION_PLACEHOLDER__/configurations/"


def configuration_files():
    """They lie where the jobs look for them, the derived one too, with the bytes of the commit; changed ones at a new path."""
    head, task = jobs.HEAD, dict(jobs.TASK)
    jobs.HEAD = head.replace("datasets: {}\n", DECLARED)
    own = "projectConfigurations/config/code/configs/prod.json"
    try:
        with tempfile.TemporaryDirectory(prefix="penstock-test.") as folder, Workspace(folder, token=TOKEN) as w, \
                Scene(w, environment=NIGHT) as a:
            c = a.project()

            def there(prod):
                """Of each job: the folder of its release, which has both files."""
                folders, files = {}, w.files()
                for j in w.jobs():
                    task = j["settings"]["tasks"][0]
                    path = task["python_wheel_task"]["parameters"][1].replace("/dbfs/", "dbfs:/")
                    at = os.path.dirname(path)
                    check(os.path.dirname(at) == os.path.dirname(os.path.dirname(task["libraries"][0]["whl"])), task)
                    for name, text in (("prod.json", prod), ("1665/pipelines/Omega/default.json", "{}")):
                        is_ = files.get(f"{at}/{name}", {}).get("sha256")
                        check(is_ == hashlib.sha256(text.encode()).hexdigest(), f"{at}/{name}: {is_} of {sorted(files)}")
                    folders[j["settings"]["name"]] = at
                check(not [p for p in files if "gone" in p], sorted(files))
                return folders

            jobs.TASK["python_wheel_task"] = {**task["python_wheel_task"], "parameters": ["-i", AT + "prod.json"]}
            c.write(own, '{"id": "__PROJECT_ID_PLACEHOLDER__"}')
            c.write(OMEGA + "/default.json", "{}")
            a.release(c, one="1")
            first = there('{"id": "__PROJECT_ID_PLACEHOLDER__"}')
            check(set(first) == {"one", "night"} and len(w.files()) == 3, sorted(w.files()))
            c.write("README.md", "another commit\n")
            c.commit()
            c.push("HEAD:" + rollback.MAIN)
            a.newest("deployed", "unchanged")
            check(there('{"id": "__PROJECT_ID_PLACEHOLDER__"}') == first and len(w.files()) == 3, "unchanged files were sent again")
            c.write(own, "{}")
            jobs.write(c, one="1")
            said = c.push("HEAD:" + rollback.MAIN)
            check("~ one configurations, version" in said.all, said.all)
            check(a.verified(a.newest("deployed")["id"])["verified"], "not verified")
            second = there("{}")
            check(not set(first.values()) & set(second.values()) and len(w.files()) == 6, f"{first} {second}")
            check(w.files()[first["one"] + "/prod.json"]["size"] > 2, "a path with a version got other bytes")
            jobs.TASK["python_wheel_task"]["parameters"] = ["-i", AT + "none.json"]
            jobs.write(c, one="2")
            c.push("HEAD:" + rollback.MAIN)
            d = a.newest("failed", "refused", "impossible")
            check("none.json', which is no configuration file of this release" in d["reason"] and a.text("one") == "1", d)
    finally:
        jobs.HEAD = head
        jobs.TASK.update(task)


if __name__ == "__main__":
    main(a_project_s_life, a_hand_on_the_workspace, verified_by_a_run, configuration_files)
