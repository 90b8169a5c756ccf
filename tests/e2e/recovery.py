#!/usr/bin/python3
"""Backup during work and what starts from it: held events, nothing twice; copies made by hand are noticed."""
import os
import shutil
import signal
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, run, wait  # noqa: E402
import jobs  # noqa: E402

MAIN, SIDE = "refs/heads/main", "refs/heads/side"


def deployments(a, state=None):
    items = sorted(a.items("history", "development"), key=lambda d: int(d["id"][1:]))
    return [d for d in items if state is None or d["state"] == state]


def push(a, c, text, ref=MAIN, states=("done",)):
    oid = jobs.write(c, j=text)
    c.push("HEAD:" + ref)
    return a.wait_event(ref, oid, states=states)


def in_recovery(a):
    return a.json("status")["recovery"]


def event_of(a, ref, new):
    es = [e for e in a.events(ref) if e["new"] == new]
    return es[-1] if es else None


def steps(a, deployment):
    return [l for c in a.json("why", deployment)["children"] for l in c.get("lines", []) if c["what"].startswith("step")]


def freeze_deploys(a):
    """The deploy role stands still: what is handed to it stays under way."""
    pid = a.role("deploy")
    os.kill(pid, signal.SIGSTOP)
    return pid


def first_and_under_way(a, c):
    """One deployment is done, a second one under way and not begun; returns the frozen role."""
    push(a, c, "one")
    pid = freeze_deploys(a)
    push(a, c, "two", states=("open",))
    wait("the second deployment is under way", lambda: deployments(a, "running"))
    return pid


def backup_while_it_works():
    """Nothing deploys twice, the refs' moves are one held event each, the fabric does not go back."""
    with Instance() as a:
        repo = a.repository("r")
        c = a.clone(repo)
        pid = first_and_under_way(a, c)
        file = os.path.join(a.base, "copy.db")
        out = a.penstock("backup", file).stdout
        check("artifacts" in out and "keys" in out, out)
        check(stat.S_IMODE(os.stat(file).st_mode) == 0o600, "the backup is not private")
        check("nothing is overwritten" in a.penstock("backup", file, expect=1).stderr, "overwritten")
        os.kill(pid, signal.SIGCONT)
        a.wait_event(MAIN)
        push(a, c, "three")
        last = push(a, c, "four")["new"]
        c.push("HEAD:" + SIDE)
        a.wait_event(SIDE, last)
        fabric = a.snapshot("development")
        check("stop it first" in a.penstock("restore", file, expect=1).stderr, "restored under the agent")
        a.stop()
        a.penstock("restore", file)
        a.start()

        r = in_recovery(a)
        check(r and "backup of" in r["why"] and r["lift"] == "penstock resume --all", r)
        text = a.penstock("status").stdout
        check("in recovery since" in text.split("FABRIC")[0] and "penstock resume --all" in text, text)
        for ref in (MAIN, SIDE):
            wait(f"{ref} was looked at", lambda: event_of(a, ref, last))
            es = a.events(ref)
            check(es[-1]["state"] == "held" and es[-1]["kind"] == "gap", es)
            check(len([e for e in es if e["state"] == "held"]) == 1, es)
        check([d["state"] for d in deployments(a)] == ["deployed", "unknown"], deployments(a))
        why = a.json("why", "d2")
        check(why["reason"] == "recovery", why)
        check(a.snapshot("development") == fabric, "something was deployed in recovery")

        a.penstock("resume", "--all")
        check(in_recovery(a) is None, "still in recovery")
        wait("the old deployment has looked", lambda: deployments(a)[1]["state"] in ("failed", "deployed"))
        d = deployments(a)[1]
        check(d["state"] == "failed" and "changed after the backup" in d["reason"], d)
        check(a.snapshot("development") == fabric, "the fabric went back")
        check(a.events(MAIN)[-1]["state"] == "held", a.events(MAIN))
        push(a, c, "five")
        check(deployments(a)[-1]["state"] == "deployed", deployments(a))


def what_is_there_is_not_done_twice():
    """The deployment under way at the backup was done afterwards: its steps find everything there."""
    with Instance() as a:
        c = a.clone(a.repository("r"))
        pid = first_and_under_way(a, c)
        folder = os.path.join(a.base, "backups")
        os.mkdir(folder)
        a.penstock("backup", folder)
        os.kill(pid, signal.SIGCONT)
        a.wait_event(MAIN)
        fabric = a.snapshot("development")
        a.stop()
        a.penstock("restore", os.path.join(folder, os.listdir(folder)[0]))
        a.start()
        check(deployments(a)[1]["state"] == "unknown", deployments(a))
        a.penstock("resume", "--all")
        wait("it is deployed", lambda: deployments(a)[1]["state"] == "deployed")
        *did, looked = steps(a, "d2")		# the last step of all looks whether it is as planned
        check(did and all(s == "already there" for s in did) and looked == "as planned", steps(a, "d2"))
        check(a.snapshot("development") == fabric, "the fabric is not byte-equal")
        check(a.wait_event(MAIN)["state"] == "done", a.events(MAIN))


def pushes_in_recovery():
    """A push is judged and recorded as ever; its deployment waits with the reason and goes on after."""
    with Instance() as a:
        c = a.clone(a.repository("r"))
        push(a, c, "one")
        file = os.path.join(a.base, "copy.db")
        a.penstock("backup", file)
        a.stop()
        a.penstock("restore", file)
        a.start()
        e = push(a, c, "two", states=("open",))
        wait("its deployment waits", lambda: deployments(a, "waiting"))
        d = deployments(a, "waiting")[0]
        check(d["reason"] == "recovery" and d["lift"] == "penstock resume --all", d)
        check(e["pusher"].endswith("(as ana)"), e)
        text = a.penstock("why", MAIN).stdout
        check("lifted by: penstock resume --all" in text, text)
        a.stop()
        a.start()
        check(in_recovery(a), "a start ended the recovery")
        a.penstock("resume", "--all")
        a.wait_event(MAIN, e["new"])


def copies_by_hand():
    """store.db put back, the state folder put back, the seal gone: each is noticed. A start, a kill: not."""
    with Instance() as a:
        c = a.clone(a.repository("r"))
        push(a, c, "one")
        a.stop()
        state, file = os.path.join(a.dir, "state"), os.path.join(a.dir, "state", "store.db")
        kept, folder = os.path.join(a.base, "store.db"), os.path.join(a.base, "state")
        shutil.copy2(file, kept)
        run("cp", "-a", state, folder)
        a.start()
        check(in_recovery(a) is None, "a plain start is no recovery")
        push(a, c, "two")
        a.kill_all()
        a.start()
        check(in_recovery(a) is None, "a kill is no recovery")
        a.stop()

        shutil.copyfile(kept, file)
        a.start()
        check("somebody put a copy back" in in_recovery(a)["why"], in_recovery(a))
        wait("what moved is seen", lambda: a.events(MAIN)[-1]["state"] == "held")
        a.penstock("resume", "--all")
        a.stop()
        a.start()
        check(in_recovery(a) is None, "noticed twice")
        a.stop()

        shutil.rmtree(state)
        run("cp", "-a", folder, state)
        a.start()
        check("state folder is a copy" in in_recovery(a)["why"], in_recovery(a))
        a.penstock("resume", "--all")
        a.stop()
        os.unlink(os.path.join(state, "boot"))
        a.start()
        check("'boot' beside store.db is gone" in in_recovery(a)["why"], in_recovery(a))


if __name__ == "__main__":
    main(backup_while_it_works, what_is_there_is_not_done_twice, pushes_in_recovery, copies_by_hand)
