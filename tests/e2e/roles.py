#!/usr/bin/python3
"""Roles that end or stop alone while pushes come, and what the configuration of a later moment does."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, toolchain, wait  # noqa: E402

MAIN = "refs/heads/main"


def each_role_killed():
    """kill -9 of one role alone: it is started again, and every push meanwhile is one event that ends."""
    with Instance(toolchain()) as a:
        clone = a.example(a.repository("sales"))
        pushed = []
        for name in ("core", "gate", "build", "deploy"):
            old = a.role(name)
            os.kill(old, signal.SIGKILL)
            pushed.append(clone.commit(f"while {name} is gone"))
            clone.push("HEAD:" + MAIN)
            wait(f"{name} runs again", lambda: a.role(name) != old)
            wait("the agent answers", a.answers)
        a.wait_event(MAIN, pushed[-1])
        wait("the last push is live", lambda: a.items("history", "development")[0]["commit"] == pushed[-1] and
             a.items("history", "development")[0]["state"] == "deployed", every=0.2)
        check([e["new"] for e in a.events(MAIN)] == pushed, f"events: {a.events(MAIN)}")
        check(all(e["state"] in ("done", "superseded") for e in a.events(MAIN)), f"events: {a.events(MAIN)}")


def judged_while_core_was_stopped():
    """Core hears the intent twice: from who hung up, unjudged, and from the spool, judged. Not held."""
    with Instance() as a:
        clone = a.example(a.repository("sales"))
        core = a.role("core")
        os.kill(core, signal.SIGSTOP)
        try:
            p = clone.push("HEAD:refs/heads/nowhere")
        finally:
            os.kill(core, signal.SIGCONT)
        check(p.text.count("agent not running; event kept") == 1, f"said once, by post-receive:\n{p.all}")
        a.wait_event("refs/heads/nowhere", states=("done",))


def airflow_waits():
    """A fabric that cannot be reached: the deployment waits and why says for what."""
    with Instance(toolchain()) as a:
        clone = a.example(a.repository("sales"))
        clone.push("HEAD:refs/heads/airflow")
        wait("why names what is missing",
             lambda: "has no dags folder" in a.penstock("why", "refs/heads/airflow").stdout, every=0.2)
        why = a.penstock("why", "refs/heads/airflow").stdout
        check("waiting: fabric" in why, why)


def reload_adds_an_environment():
    """What maps nowhere maps to the new environment with the first push after the reload."""
    with Instance() as a:
        clone = a.example(a.repository("sales"))
        check("maps nowhere" in clone.push("HEAD:refs/heads/later").text, "it maps somewhere")
        a.wait_event("refs/heads/later")
        path = os.path.join(a.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        at = text.index("\n", text.index("\nenvironments:") + 1) + 1
        with open(path, "w", encoding="utf-8") as f:
            f.write(text[:at] + "  - { name: later, refs: [refs/heads/later], fabric: development, deploy: auto }\n" + text[at:])
        a.penstock("reload")
        clone.commit("after the reload")
        check("later: . -> later (auto)" in clone.push("HEAD:refs/heads/later").text, "it maps nowhere still")
        wait("a demand waits", lambda: "toolchain" in a.penstock("why", "refs/heads/later").stdout, every=0.2)


if __name__ == "__main__":
    main(judged_while_core_was_stopped, reload_adds_an_environment, airflow_waits, each_role_killed)
