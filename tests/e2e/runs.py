#!/usr/bin/python3
"""Runs at a provider: a whole agent deploys to the fake Databricks workspace and runs a job there. What it has
started, ended and repaired is judged by the workspace's own record; what people see, by what they are told."""
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, Instance, check, clean_env, main, plain_toolchain, wait  # noqa: E402
from planted import plant  # noqa: E402
from scene import PIPELINE, SETUP  # noqa: E402
from workspace import Workspace  # noqa: E402

JOB, FIRST, SECOND = "job_development", "customers_orders", "sales_report"
RUN = ("run", JOB, "--fabric", "development")


def configure(a, w):
    """The fabric of main is the workspace; its credential is a file."""
    secret = plant(os.path.join(a.base, "token"), w.token)
    path = os.path.join(a.dir, "penstock.yml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    old = "    provider: local                 # local | databricks | airflow\n"
    check(old in text, "the first fabric is written differently now")
    new = (f"    provider: databricks\n    databricks: {{ host: '{w.url}', token: {{ file: '{secret}' }} }}\n"
           "    http: { retry: 50ms, patience: 2s, per_second: 0 }\n")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new, 1))


def push(a):
    clone = a.example(a.repository("sales"))
    for name in (FIRST, SECOND):
        code = f"pipelines/{name}/code"
        clone.write(f"{code}/{name}/pipeline.py", PIPELINE)
        clone.write(f"{code}/setup.py", SETUP.format(name=name))
        clone.git("rm", "-rq", f"{code}/test")
    clone.commit("without Spark")
    clone.push("HEAD:refs/heads/main")
    a.wait_event("refs/heads/main")


class Case:
    def __init__(self, a, w):
        self.a, self.w = a, w

    def ask(self, *more):
        return self.a.json("--as", "ana", *RUN, *more, "--no-wait")["id"]

    def show(self, x):
        return self.a.json("runs", x)

    def until(self, x, what, condition):
        """Waits; the answer that fitted."""
        last = [None]

        def look():
            last[0] = self.show(x)
            return condition(last[0])
        wait(f"{x}: {what}; it is {last[0]}", look)
        return last[0]

    def remote(self, x):
        return int(self.until(x, "its id is known", lambda r: r["remote"])["remote"])

    def runs(self):
        return [r for r in self.w.runs()]

    def started(self):
        return len(self.w.calls("POST", "/api/2.2/jobs/run-now"))

    def end(self, x, *states):
        """Each task in order comes to this; then the run has ended."""
        for task, state in zip((FIRST, SECOND), states):
            self.w.move(self.remote(x), task=task, state=state)
        return self.until(x, "it has ended", lambda r: r["state"] not in ("queued", "running"))


def passes(c):
    """-f prints what the tasks print; the page is the provider's; the parameters are there."""
    p = subprocess.Popen([os.path.join(BUILD, "penstock"), "-C", c.a.dir, "--as", "ana", *RUN, "--param", "day=mon", "-f"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_env())
    wait("the run is there", lambda: c.a.items("runs"))
    run = c.end("x1", "SUCCESS", "SUCCESS")
    out, err = p.communicate(timeout=20)
    check(p.returncode == 0 and run["state"] == "passed", f"exit {p.returncode}: {out}{err}")
    check("customers_orders of attempt 0" in out and "sales_report of attempt 0" in out, f"-f printed:\n{out}")
    check(f"{c.w.url}/jobs/" in run["url"] and run["url"] in out, f"page {run['url']}, told:\n{out}")
    check([t["state"] for t in run["tasks"]] == ["passed"] * 2 and all(t["url"] for t in run["tasks"]), f"{run['tasks']}")
    sent = c.w.calls("POST", "/api/2.2/jobs/run-now")
    check(len(sent) == 1 and len(c.runs()) == 1, f"{sent}")
    check(c.a.penstock("log", f"x1/{SECOND}").stdout == "sales_report of attempt 0\n", "the log is not the output")
    p = c.a.penstock("--as", "ana", "repair", "x1", expect=1)
    check("nothing to repair" in p.stderr, p.stderr)


def fails_and_is_repaired(c):
    x = c.ask()
    run = c.end(x, "SUCCESS", "FAILED")
    check(run["state"] == "failed" and SECOND in run["reason"], f"{run}")
    p = c.a.penstock("run", "show", x)
    check("RuntimeError: sales_report failed" in p.stdout and run["url"] in p.stdout, f"run show:\n{p.stdout}")
    again = c.a.json("--as", "ana", "repair", x)["items"][0]["id"]
    shown = c.until(again, "it goes on", lambda r: r["state"] == "running" and r["remote"])
    check(shown["remote"] == run["remote"] and shown["retry_of"] == x and shown["repair"], f"{shown}")
    c.until(again, "the provider has begun", lambda r: len(c.w.calls("POST", "/api/2.2/jobs/runs/repair")) == 1)
    wait("the second attempt is there", lambda: next(r for r in c.runs() if str(r["run_id"]) == run["remote"])["life"] not in
         ("TERMINATED", "INTERNAL_ERROR"))
    c.w.move(int(run["remote"]), task=SECOND, state="SUCCESS")
    shown = c.until(again, "it has ended", lambda r: r["state"] not in ("queued", "running"))
    check(shown["state"] == "passed" and [t["state"] for t in shown["tasks"]] == ["passed"] * 2, f"{shown}")
    p = c.a.penstock("--as", "ana", "repair", x, expect=1)
    check(f"repair {again}" in p.stderr, f"the first is repaired twice: {p.stderr}")


def is_cancelled(c):
    x = c.ask()
    run = c.remote(x)
    p = c.a.penstock("--as", "ana", "cancel", x, "-m", "too late")
    check("(as ana): too late" in p.stdout, p.stdout)
    check(c.show(x)["state"] == "cancelled", f"{c.show(x)}")
    check(next(r for r in c.runs() if r["run_id"] == run)["result"] == "CANCELED", f"{c.runs()}")


def deploy_role_dies_before_the_answer(c):
    """The workspace has begun it and nobody heard so: it runs once."""
    before, asked = len(c.runs()), c.started()
    c.w.faults({"match": "POST /api/2.2/jobs/run-now", "nth": 1, "fault": "slow", "after": True, "ms": 60000})
    x = c.ask()
    wait("it has begun there", lambda: len(c.runs()) == before + 1)
    os.kill(c.a.role("deploy"), signal.SIGKILL)
    c.w.faults()
    run = c.end(x, "SUCCESS", "SUCCESS")
    check(run["state"] == "passed", f"{run}")
    check(len(c.runs()) == before + 1 and c.started() >= asked + 1, f"{len(c.runs()) - before} runs, not one")


def agent_is_started_again(c):
    """Nothing is asked for again: the next one goes on by looking."""
    x = c.ask()
    c.remote(x)
    asked = c.started()
    c.a.kill_all()
    c.a.start()
    run = c.end(x, "SUCCESS", "SUCCESS")
    check(run["state"] == "passed" and c.started() == asked, f"asked {c.started() - asked} times more: {run}")


def is_not_seen(c):
    """A workspace that does not answer ends nothing."""
    x = c.ask()
    c.remote(x)
    c.w.faults({"match": "GET /api/2.2/jobs/runs/get", "from": 1, "fault": "drop"})
    run = c.until(x, "it is not seen", lambda r: "cannot see it" in (r["detail"] or ""))
    check(run["state"] == "running" and "next look at" in run["detail"], f"{run}")
    c.w.faults()
    check(c.end(x, "SUCCESS", "SUCCESS")["state"] == "passed", "it did not pass")


def runs_at_a_provider():
    a = Instance(plain_toolchain())
    with Workspace(os.path.join(a.base, "workspace"), options={"runs": "hand"}) as w:
        configure(a, w)
        with a:
            push(a)
            c = Case(a, w)
            for case in (passes, fails_and_is_repaired, is_cancelled, deploy_role_dies_before_the_answer,
                         agent_is_started_again, is_not_seen):
                case(c)
                print(f"ok {case.__name__}", flush=True)


if __name__ == "__main__":
    main(runs_at_a_provider)
