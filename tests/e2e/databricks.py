#!/usr/bin/python3
"""A project that is deployed to a workspace of Databricks: pushed, changed, gone back, pruned.

With a real agent, real pushes and sandboxes, and the fake workspace in place of one; judged by what that has.
"""
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import jobs  # noqa: E402
import rollback  # noqa: E402
from agent import check, main  # noqa: E402
from workspace import Workspace  # noqa: E402

TOKEN = "dapi-of-a-test"
jobs.TASK["existing_cluster_id"] = "0101-120000-abcdefgh"
SCHEDULE = {"quartz_cron_expression": "0 0 3 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"}


class Scene(rollback.Scene):
    """The fabric production is that workspace."""

    def __init__(self, workspace, more=""):
        super().__init__()
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


def a_hand_on_the_workspace():
    """What somebody changes there is seen by the plan and put back; a credential that does not count is told."""
    with tempfile.TemporaryDirectory(prefix="penstock-test.") as folder, \
            Workspace(folder, token=TOKEN) as w, Scene(w, ", volume: /Volumes/main/jobs/wheels") as a:
        c = a.project()
        a.release(c, one="1")
        check(a.wheels()[0].startswith("/Volumes/main/jobs/wheels/prophecy/artifacts/"), a.wheels())
        a.names_what_is_there()
        number = a.ids()["one"]
        w.edit("one", set={"/max_concurrent_runs": 7})
        w.edit("one", set={"/tags/text": "by hand"})
        a.release(c, one="2")
        s = w.job("one")["settings"]
        check((s["max_concurrent_runs"], s["tags"]["text"], a.ids()["one"]) == (1, "2", number), s)
        w.faults({"match": "POST /api/2.2/jobs/reset", "fault": "number_code", "status": 403, "message": "Invalid access token."})
        jobs.write(c, one="3")
        c.push("HEAD:" + rollback.MAIN)
        d = a.newest("failed")
        check("Invalid access token" in d["reason"] and "put a credential that counts" in d["reason"], d)
        check(a.text("one") == "2", "something was written")


if __name__ == "__main__":
    main(a_project_s_life, a_hand_on_the_workspace)
