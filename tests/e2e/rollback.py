#!/usr/bin/python3
"""What a fabric has, and going back: orphans, prune, rollback with its pin, unpin, verifying by a run.

With a real agent, real pushes and real sandboxes; the one wheel of the project is written by its setup.py, so a bare
Python prefix is toolchain enough. Judged by the definitions in force on the fabric, byte for byte, and by the printed
JSON. Exit status 77 where no sandbox can be made.
"""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import jobs  # noqa: E402
from agent import BUILD, SRC, Instance, check, main, run, wait  # noqa: E402

MAIN, P = "refs/heads/main", "sales_report"
# A wheel whose main does what the file says; nothing of Spark is in it.
SETUP = """
import sys, zipfile
with zipfile.ZipFile(f"{sys.argv[-1]}/sales_report-1.0-py3-none-any.whl", "w") as z:
    def put(path, text):
        i = zipfile.ZipInfo(path)
        i.external_attr = 0o100644 << 16
        z.writestr(i, text)
    put("sales_report/__init__.py", "")
    put("sales_report/pipeline.py", "def main():\\n    " + open("body.txt").read() + "\\n")
    put("sales_report-1.0.dist-info/METADATA", "Name: sales_report\\nVersion: 1.0\\n")
    put("sales_report-1.0.dist-info/entry_points.txt", "[console_scripts]\\nmain = sales_report.pipeline:main\\n")
# setup(name='sales_report', version='1.0')
"""
PIPELINE = f"pipelines:\n  pipelines/{P}:\n    name: {P}\n    language: python\n    mode: batch\n"
jobs.HEAD = jobs.HEAD.replace("buildSystem: ''", "buildSystem: wheel").replace("pipelines: {}\n", PIPELINE)
jobs.JOB = jobs.JOB.replace("    pipelines: []\n", f"    pipelines:\n    - pipelines/{P}\n")
jobs.TASK.update({
    "libraries": [{"whl": "dbfs:/FileStore/prophecy/artifacts/dev/execution/__PROJECT_ID_PLACEHOLDER__/"
                          f"__PROJECT_RELEASE_VERSION_PLACEHOLDER__/pipeline/{P}-1.0-py3-none-any.whl"}],
    "python_wheel_task": {"package_name": P, "entry_point": "main", "parameters": []}})


class Scene(Instance):
    """An instance where main goes to production by itself."""

    def __init__(self, more=""):
        if run(os.path.join(BUILD, "sandbox_try"), "--probe", expect=None).returncode:
            print("SKIP: no sandbox on this machine")
            sys.exit(77)
        super().__init__()
        prefix = os.path.join(self.dir, "toolchains", "default")
        run("/usr/bin/python3", "-m", "venv", "--without-pip", prefix)
        with open(os.path.join(prefix, ".penstock-toolchain"), "w", encoding="utf-8") as f:
            f.write("penstock-toolchain 1\n")
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        at, end = text.index("environments:"), text.index("projects:  ")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:at] + "environments:\n  - { name: production, refs: [refs/heads/main], fabric: "
                    f"production,\n      push: developers, deploy: auto{more} }}\n"
                    "  - { name: tagged, refs: ['refs/tags/**'], fabric: production, deploy: auto, push: developers }\n"
                    "  - { name: nowhere, refs: [refs/heads/nowhere], fabric: development, deploy: auto }\n\n" + text[end:])
        self.n = 0

    def as_(self, who, *args, expect=0):
        p = self.penstock("--as", who, *args, expect=expect)
        return p.stdout + p.stderr

    def project(self, body="pass"):
        """A clone of a new repository with the pipeline; its jobs come with release()."""
        c, code = self.clone(self.repository("jobs")), f"pipelines/{P}/code"
        shutil.copytree(os.path.join(SRC, "examples", "sales", code), os.path.join(c.path, code),
                        ignore=shutil.ignore_patterns("test"))
        run("chmod", "-R", "u+w", c.path)
        c.write(f"{code}/setup.py", SETUP)
        c.write(f"{code}/body.txt", body)
        return c

    def on_it(self, state=None):
        """Key to release of each job that production has."""
        return {j["id"]: j["release"] for j in self.items("jobs", "production") if state in (None, j["state"])}

    def history(self):
        return self.items("history", "production")

    def newest(self, *states):
        """The newest deployment, once it is another than the one that was waited for last, and in this state."""
        def look():
            d = self.history()
            found = d and int(d[0]["id"][1:]) > self.n and d[0]["state"] in states
            return d[0] if found else None
        d = wait(f"a deployment after d{self.n} is {states}", look, every=0.1)
        self.n = int(d["id"][1:])
        return d

    def verified(self, number):
        """Its deployment once it is known whether it is verified."""
        return wait(f"{number} is verified or not", lambda: next(
            (d for d in self.history() if d["id"] == number and d["verified"] is not None), None), every=0.1)

    def configure(self, old, new):
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        check(text.count(old) == 1, f"penstock.yml has {old!r} {text.count(old)} times")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        self.penstock("reload")

    def release(self, clone, **definitions):
        """Pushes these jobs to main and waits until they are deployed and verified."""
        jobs.write(clone, **definitions)
        clone.push("HEAD:" + MAIN)
        d = self.newest("deployed")
        check(self.verified(d["id"])["verified"], d)
        return d

    def files(self, repo="jobs"):
        top = self.fabric("production", "jobs", repo, "current", "jobs")
        return {n: open(os.path.join(top, n), "rb").read() for n in sorted(os.listdir(top))}

    def paused(self, repo="jobs"):
        return sorted(os.listdir(self.fabric("production", "jobs", repo, "paused", "jobs")))


def orphans_stay_until_they_are_pruned():
    with Scene() as a:
        c = a.project()
        r1 = a.release(c, one="1", left="1")["release"]
        r2 = a.release(c, one="2", new="1")["release"]
        check(a.on_it() == {"jobs/one": r2, "jobs/new": r2, "jobs/left": r1}, a.on_it())
        check(a.on_it("orphan") == {"jobs/left": r1}, a.on_it("orphan"))
        check(sorted(a.files()) == ["left.json", "new.json", "one.json"] and a.paused() == ["left.json"], a.paused())
        fabric = next(f for f in a.items("fabrics") if f["id"] == "production")
        check(fabric["state"] == "live" and fabric["release"] == r2 and fabric["projects"][0]["orphans"] == 1, fabric)
        # somebody pauses a job on the fabric: no deployment wakes it
        with open(a.fabric("production", "jobs", "jobs", "paused", "jobs", "one.json"), "w", encoding="utf-8"):
            pass
        said = a.as_("ana", "prune", "production", expect=1)
        check("may not prune: fabric production is for team prod_support (kim, lee)" in said, said)
        check("no orphan 'other'" in a.as_("kim", "prune", "production", "--job", "other", expect=1), "another orphan")
        a.as_("kim", "prune", "production", "--job", "left", "-m", "no one needs it")
        d = a.newest("deployed")
        check((d["asked"], d["jobs"]) == ("prune", ["jobs/left"]), d)
        check(sorted(a.files()) == ["new.json", "one.json"] and a.paused() == ["one.json"], a.files())
        check(a.on_it() == {"jobs/one": r2, "jobs/new": r2}, a.on_it())
        check("has no orphans" in a.as_("kim", "prune", "production", expect=1), "nothing to prune")
        # a part of an older release: the fabric says that it is mixed
        first = next(d["id"] for d in a.history() if d["release"] == r1)
        a.as_("kim", "redeploy", first, "--jobs", "jobs/one", "-m", "only this one")
        part = a.newest("deployed")
        check(a.on_it() == {"jobs/one": r1, "jobs/new": r2} and sorted(a.files()) == ["new.json", "one.json"], a.on_it())
        fabric = next(f for f in a.items("fabrics") if f["id"] == "production")
        check((fabric["state"], fabric["release"]) == ("mixed", None), fabric)
        check(r1 + ": 1" in fabric["reason"] and r2 + ": 1" in fabric["reason"], fabric)
        check("mixed (" in a.penstock("fabrics").stdout, a.penstock("fabrics").stdout)
        a.verified(part["id"])
        r3 = a.release(c, one="3", new="1", left="1")["release"]	# made anew: awake
        check(a.on_it("live") == {"jobs/one": r3, "jobs/new": r3, "jobs/left": r3}, a.on_it())
        check(a.paused() == ["one.json"], a.paused())


def going_back():
    with Scene() as a:
        c = a.project()
        r1 = a.release(c, one="1", left="1")
        said = a.as_("kim", "rollback", "production", "-m", "too early", expect=1)
        check("nothing to go back to" in said and "before " + r1["release"] in said, said)
        before = a.files()
        r2 = a.release(c, one="2", new="1")
        check("may not rollback" in a.as_("ana", "rollback", "production", "-m", "x", expect=1), "a developer")
        check("say why" in a.as_("kim", "rollback", "production", expect=1), "without a reason")
        said = a.as_("kim", "rollback", "production", "-m", "wrong totals")
        check(f"({r1['release']}) in place of" in said and "nothing about data is undone" in said, said)
        d = a.newest("deployed")
        check((d["release"], d["asked"]) == (r1["release"], "rollback") and "kim" in d["asked_by"], d)
        now = a.files()
        check({n: now[n] for n in before} == before and sorted(set(now) - set(before)) == ["new.json"], now)
        check(a.paused() == ["new.json"], a.paused())
        check(a.on_it() == {"jobs/one": r1["release"], "jobs/left": r1["release"], "jobs/new": r2["release"]}, a.on_it())
        check(a.verified(d["id"])["verified"], d)
        fabric = next(f for f in a.items("fabrics") if f["id"] == "production")
        check("wrong totals" in fabric["pinned"] and "kim" in fabric["pinned"], fabric)
        # what comes now waits, and only the newest of it goes on
        jobs.write(c, one="3")
        c.push("HEAD:" + MAIN)
        third = a.newest("waiting")
        wait("it waits for the pin", lambda: a.history()[0].get("reason") == "pinned", every=0.1)
        said = a.penstock("why", third["id"]).stdout
        check("pinned" in said and "kim" in said and "penstock unpin production" in said, said)
        jobs.write(c, one="4")
        c.git("tag", "v1.0.0")
        c.push("v1.0.0")	# another environment of the same fabric
        fourth = a.newest("waiting")
        check("may not unpin" in a.as_("ana", "unpin", "production", expect=1), "a developer unpins")
        a.as_("kim", "unpin", "production", "-m", "mended")
        wait("the newest goes on", lambda: a.history()[0]["state"] == "deployed", every=0.1)
        states = {d["id"]: d["state"] for d in a.history()}
        check((states[third["id"]], states[fourth["id"]]) == ("superseded", "deployed"), states)
        check(b'"text":"4"' in a.files()["one.json"], a.files())
        a.verified(fourth["id"])
        # an emergency: it waits for no approval, no window and no other environment
        a.configure("developers, deploy: auto", "developers, deploy: approve, after: nowhere, windows: [{ days: [mon], "
                    "from: '00:00', to: '00:01', zone: UTC }]")
        said = a.as_("kim", "rollback", "production", "-m", "again", "--to", r2["release"])
        check(r2["release"] in said, said)
        last = a.newest("deployed")
        check(last["release"] == r2["release"] and a.verified(last["id"])["verified"], last)
        said = a.penstock("why", last["id"]).stdout
        check("verified" in said, said)
        said = a.as_("kim", "rollback", "production", "-m", "y", "--to", "ffff", expect=1)
        check("ffff" in said, said)


def what_fails_to_verify_goes_back_once():
    with Scene(", rollback: auto, verify: { run: jobs/one, timeout: 2m }") as a:
        body = f"pipelines/{P}/code/body.txt"
        c = a.project()
        r1 = a.release(c, one="1")
        check(a.items("runs")[0]["who"] == f"penstock (verify {r1['id']})", a.items("runs"))
        c.write(body, "raise SystemExit('wrong totals')")
        jobs.write(c, one="2")
        c.push("HEAD:" + MAIN)
        # it may be gone back from before anybody looks
        bad = wait("it is deployed", lambda: next((d for d in a.history() if d["release"] != r1["release"]
                                                   and d["state"] == "deployed"), None), every=0.2)
        d = a.verified(bad["id"])
        check(d["state"] == "deployed" and not d["verified"] and "not verified: x2 failed" in d["verification"], d)
        a.n = int(bad["id"][1:])
        back = a.newest("deployed")
        check((back["release"], back["asked"], back["asked_by"]) == (r1["release"], "rollback", "penstock"), back)
        check(a.verified(back["id"])["verified"], back)
        fabric = next(f for f in a.items("fabrics") if f["id"] == "production")
        check("pinned by penstock" in fabric["pinned"] and bad["id"] in fabric["pinned"], fabric)
        a.as_("kim", "unpin", "production")
        said = a.as_("kim", "rollback", "production", "-m", "x", "--to", bad["release"], expect=1)
        check("was never verified on fabric production" in said, said)
        c.write(body, "pass")
        third = a.release(c, one="3")
        # what goes back is not turned back once more, whatever becomes of its verifying
        a.configure("run: jobs/one,", "run: jobs/one, config: nowhere,")
        a.as_("kim", "rollback", "production", "-m", "y")
        d = a.verified(a.newest("deployed")["id"])
        check(d["release"] == r1["release"] != third["release"] and d["verified"] is False, d)
        check("no config instance 'nowhere'" in d["verification"], d)
        by_core = [e for e in a.items("audit") if (e["what"], e["who"]) == ("rollback", "penstock")]
        check(len(by_core) == 1 and a.history()[0]["id"] == d["id"], by_core)


if __name__ == "__main__":
    main(orphans_stay_until_they_are_pruned, going_back, what_fails_to_verify_goes_back_once)
