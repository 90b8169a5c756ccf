#!/usr/bin/python3
"""kill -9 of core or the deployer before and after every journal write of a deployment of 20 jobs.

One agent after the other on one instance: each is armed to freeze one of the two at the nth time it comes
to a point of the journal; the frozen one is killed, the parent starts it again, and the deployment ends by
itself. Judged by the fabric: what is in force is what was pushed, and every file that was there when the
process froze is the same file at the end, so nothing was done twice. What the nth time is at most shows when
nobody freezes any more.
"""
import hashlib
import json
import os
import signal
import sys

sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
from agent import BUILD, Instance, check, main, plain_toolchain, run, wait, zombie  # noqa: E402

MAIN = "refs/heads/main"
YML, MODEL = "pbt_project.yml", "jobs/job_development"
JOBS = [f"job_{n:02}" for n in range(20)]
# Who, where, and how often: two wheels, the set, the switch, the look; core says that it has both their begin and their end.
POINTS = (
    ("deploying", "deploy.begin", 5), ("deploying", "deploy.begun", 5), ("deploying", "deploy.done", 5),
    ("deploying", "deploy.end", 1), ("core", "frame.recv.step_begin.core", 5), ("core", "frame.send.step_ok.core", 10),
    ("core", "frame.recv.step_done.core", 5), ("core", "frame.recv.deploy_end.core", 1),
)


class Many:
    """An instance whose project has 20 jobs for the fabric development and two wheels."""

    def __init__(self):
        self.a = a = Instance(plain_toolchain())
        self.clone, self.n = a.example(a.repository("sales")), 0
        for pipeline in ("customers_orders", "sales_report"):	# there is no pytest and no Spark here
            self.clone.git("rm", "-rq", f"pipelines/{pipeline}/code/test")
        text = self.clone.read(YML)
        at, end = text.index(f"  {MODEL}:"), text.index("  jobs/job_reports:")
        self.clone.write(YML, text[:at] + "".join(text[at:end].replace("job_development", j) for j in JOBS) + text[end:])
        self.model = self.clone.read(f"{MODEL}/code/databricks-job.json")
        for j in JOBS:
            for path in ("pbt_aspects.yml", "code/prophecy-job.json"):
                self.clone.write(f"jobs/{j}/{path}", self.clone.read(f"{MODEL}/{path}").replace("job_development", j))
        self.clone.git("rm", "-rq", MODEL)

    def change(self):
        """Every job becomes another one: its retries are the number of the change."""
        self.n += 1
        for j in JOBS:
            self.clone.write(f"jobs/{j}/code/databricks-job.json", self.model.replace("job_development", j)
                             .replace('"max_retries" : 0', f'"max_retries" : {self.n}'))
        return self.clone.commit(f"change {self.n}")

    def files(self):
        """Path below the fabric to what tells one file from its copy; half-made ones left out."""
        found, top = {}, self.a.fabric("development")
        for folder, subs, names in os.walk(top):
            subs[:] = [s for s in subs if not s.startswith(".tmp-")]
            for n in names + [s for s in subs if os.path.islink(os.path.join(folder, s))]:
                path = os.path.join(folder, n)
                s = os.lstat(path)
                if not n.startswith(".tmp-"):
                    found[os.path.relpath(path, top)] = (s.st_ino, s.st_mtime_ns, os.readlink(path) if os.path.islink(path) else None)
        return found

    def as_planned(self):
        """In force are the 20 jobs as they were pushed last, with wheels that are there as they were built."""
        jobs = self.a.jobs("development", "sales")
        check(sorted(jobs) == [f"jobs/{j}" for j in JOBS], f"in force: {sorted(jobs)}")
        wheels = {b["name"]: b["digest"] for b in self.a.builds()}
        check(len(wheels) == 2, f"wheels: {wheels}")
        for key, job in jobs.items():
            for task in job["request"]["tasks"]:
                check(task["max_retries"] == self.n, f"{key}: {task['max_retries']}, not {self.n}")
                path = task["libraries"][0]["whl"].removeprefix("dbfs:/FileStore/")
                with open(self.a.fabric("development", "FileStore", path), "rb") as f:
                    check(hashlib.sha256(f.read()).hexdigest() == wheels[os.path.basename(path)], f"other bytes: {path}")

    def deployments(self):
        return self.a.items("history", "development")

    def undisturbed(self):
        commit = self.change()
        self.a.start()
        self.clone.push("HEAD:" + MAIN)
        self.a.wait_event(MAIN, commit)
        self.as_planned()
        self.a.stop()

    def disturbed(self, who, point, nth):
        """False when nobody came to that point so often."""
        a, log = self.a, os.path.join(self.a.base, f"points-{who}-{point}-{nth}")
        commit = self.change()
        a.start({"PENSTOCK_FAILPOINTS": f"{who}/{point}=once@{nth}", "PENSTOCK_FAILPOINT_LOG": log})
        self.clone.push("HEAD:" + MAIN)
        pid = wait(f"{who} comes to {point}, or it is done", lambda: stopped(log) or self.over(commit))
        if pid is not True:
            before = self.files()
            os.kill(pid, signal.SIGKILL)
            wait("the frozen one is gone", lambda: zombie(pid))
        wait("the agent answers", a.answers)
        a.wait_event(MAIN, commit)
        wait("the deployment is known", lambda: self.deployments()[0]["state"] == "deployed")
        self.as_planned()
        if pid is not True:
            self.nothing_twice(before, f"{who} at {point}, {nth}")
        check(len(self.deployments()) == self.n, f"{len(self.deployments())} deployments of {self.n} pushes")
        a.stop()
        return pid is not True

    def over(self, commit):
        """True when it was deployed; core may stand still and not answer, so its files are asked."""
        jobs = self.a.jobs("development", "sales")
        there = len(jobs) == len(JOBS) and all(j["request"]["tasks"][0]["max_retries"] == self.n for j in jobs.values())
        if not there:
            return False
        p = run("timeout", "1", os.path.join(BUILD, "penstock"), "-C", self.a.dir, "events", "--json", expect=None)
        return p.returncode == 0 and any(e["new"] == commit and e["state"] == "done" for e in json.loads(p.stdout)["items"])

    def nothing_twice(self, before, what):
        after, gone = self.files(), []
        for path, known in before.items():
            if path.endswith("/current") and known != after.get(path) and self.was_switched_since(known, after.get(path)):
                continue
            if path in after and after[path] != known:
                gone.append(path)
        check(not gone, f"{what}: done again: {gone}")

    @staticmethod
    def was_switched_since(known, now):
        """The link may be another when it leads elsewhere: then the switch had not been made yet."""
        return now is not None and known[2] != now[2]


def stopped(log):
    """Pid of the one that stands at the armed point; None when nobody does."""
    if os.path.exists(log):
        with open(log, encoding="utf-8") as f:
            for line in f:
                if line.startswith("stopped "):
                    return int(line.split()[2])
    return None


def every_journal_write():
    m, kills = Many(), 0
    try:
        m.undisturbed()
        for who, point, times in POINTS:
            nth = 1
            while m.disturbed(who, point, nth):
                nth += 1
            check(nth - 1 == times, f"{who} came to {point} {nth - 1} times, not {times}")
            kills += times
        print(f"kills: {kills} in {len(POINTS)} places of the journal, {len(JOBS)} jobs each, done twice 0")
    except BaseException:
        m.a.tell_logs()
        raise
    finally:
        m.a.stop()
        m.a.remove()


if __name__ == "__main__":
    main(every_journal_write)
