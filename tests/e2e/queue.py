#!/usr/bin/python3
"""The queue from outside: who waits and for what, newer pushes end older ones, a shared build stays, turns, and
what is built already is not built again. Wheels only; one slot."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import SRC, Instance, check, main, run, toolchain, wait  # noqa: E402

MAIN = "refs/heads/main"
SETUP = "pipelines/sales_report/code/setup.py"
PARTS = ("reason", "detail", "blocked_by", "since", "ahead", "lift")


def nodes(node):
    yield node
    for child in node["children"]:
        yield from nodes(child)


def waiting(a):
    """What waits, by id; nothing of why is missing, in the queue and in `why`."""
    items = [i for i in a.items("queue") if i["state"] in ("queued", "waiting")]
    for i in items:
        for part in PARTS:
            check(i[part] is not None, f"{i['id']} waits without {part}: {i}")
    for i in items:
        for n in nodes(a.json("why", i["id"])):
            if n["state"] in ("queued", "waiting"):
                for part in PARTS:
                    check(n[part] is not None, f"why {i['id']}: without {part}: {n}")
    return {i["id"]: i for i in items}


def busy(a, name):
    """A build that takes the only slot for as long as the case lasts."""
    slow = a.example(a.repository(name), "bo")
    slow.write(SETUP, "import time\nprint('waiting', flush=True)\ntime.sleep(600)\n")
    slow.commit("slow")
    slow.push("HEAD:" + MAIN)
    return wait("a build runs", lambda: next((b["id"] for b in a.builds() if b["state"] == "running"
                                              and b["pipeline"] == "pipelines/sales_report"), None), every=0.2)


def settled(a):
    """Every event was read, every demand has its builds."""
    return wait("all is in line", lambda: all(i["state"] != "open" and i["reason"] not in ("order", "toolchain")
                                              for i in a.items("queue")), every=0.2)


def change(c, n):
    c.write(SETUP, c.read(SETUP) + f"# {n}\n")
    return c.commit(f"change {n}")


def demands_of(a, event):
    return a.json("why", event)["children"]


def builds_of(a, event):
    """The builds of an event's only demand: ids of those of the pipeline that changes."""
    return [n["id"] for n in nodes(demands_of(a, event)[0]) if (n["id"] or "").startswith("b")
            and "sales_report" in n["what"]]


def many_pushes():
    """While the slot is taken: newer pushes of main end older ones; the tag's build stays; all say why."""
    with Instance(toolchain(spark=False)) as a:
        blocker = busy(a, "slow")
        c = a.example(a.repository("sales"))
        change(c, 1)
        c.push("HEAD:" + MAIN)
        c.git("tag", "v1.0")
        c.push("v1.0")
        settled(a)
        first, tag = a.events(MAIN)[-1]["id"], a.events("refs/tags/v1.0")[-1]["id"]
        shared = builds_of(a, first)
        check(shared == builds_of(a, tag) and len(shared) == 1, f"not shared: {shared} {builds_of(a, tag)}")
        change(c, 2)
        c.push("HEAD:" + MAIN)
        settled(a)
        second = a.events(MAIN)[-1]["id"]
        own = builds_of(a, second)
        change(c, 3)
        c.push("HEAD:" + MAIN)
        settled(a)
        third = a.events(MAIN)[-1]["id"]
        state = {b["id"]: b for b in a.builds()}
        for older, newer in ((first, second), (second, third)):
            d = demands_of(a, older)[0]
            check((d["state"], d["reason"]) == ("superseded", f"superseded by {newer}"), d)
        check(state[shared[0]]["state"] == "queued", f"the tag's build was ended: {state[shared[0]]}")
        check(state[own[0]]["state"] == "cancelled" and state[own[0]]["reason"] == "no demand is left", state[own[0]])
        check(demands_of(a, tag)[0]["state"] == "waiting", demands_of(a, tag))
        w = waiting(a)
        line = [i for i in w.values() if i["id"].startswith("b")]
        check([i["ahead"] for i in line] == list(range(len(line))) and line, f"not one line: {line}")
        check(all(i["reason"] == "builder" and i["blocked_by"] == blocker for i in line), line)
        text = a.penstock("queue").stdout
        check("1 of 1 builders busy" in text and "queued: builder" in text and blocker in text, text)
        # a small repository that comes last does not wait for all of the busy one
        for n in range(4, 7):
            change(c, n)
            c.push(f"HEAD:refs/heads/main", expect=0)
            c.git("tag", f"v1.{n}")
            c.push(f"v1.{n}")
        settled(a)
        small = a.example(a.repository("small"), "kim")
        change(small, "small")
        small.push("HEAD:" + MAIN)
        settled(a)
        mine = builds_of(a, a.events(MAIN)[-1]["id"])[0]
        w = waiting(a)
        after = [i for i in w.values() if i["id"].startswith("b") and i["what"].startswith("sales:")
                 and i["ahead"] > w[mine]["ahead"]]
        check(after, f"{mine} stands behind all of the busy repository: {w}")


def built_once():
    """A tag on the commit, a merge with the same tree, a README outside the project: no build, the same release."""
    with Instance(toolchain(spark=False)) as a:
        c = a.clone(a.repository("mono"))
        shutil.copytree(os.path.join(SRC, "examples", "sales"), os.path.join(c.path, "sales"))
        run("chmod", "-R", "u+w", c.path)
        c.commit("the project, in a folder")
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        built = [b["id"] for b in a.builds()]
        check(built and all(b["state"] == "passed" for b in a.builds()), a.builds())
        releases = {r["id"] for r in a.items("releases")}
        check(len(releases) == 1, releases)
        c.git("tag", "v1.0")
        c.push("v1.0")
        wait("the tag waits for its approval", lambda: any(
            i["reason"] == "approval" and "v1.0" in i["what"] for i in a.items("queue")), every=0.2)
        c.git("checkout", "-q", "-b", "side")
        c.git("commit", "-q", "--allow-empty", "-m", "on a side")
        c.git("checkout", "-q", "-")
        c.git("merge", "-q", "--no-ff", "-m", "a merge of the same content", "side")
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN, new=c.git("rev-parse", "HEAD").stdout.strip())
        c.write("README", "not the project's\n")
        c.commit("a README beside it")
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN, new=c.git("rev-parse", "HEAD").stdout.strip())
        check([b["id"] for b in a.builds()] == built, f"built again: {a.builds()}")
        check({r["id"] for r in a.items("releases")} == releases, a.items("releases"))
        labels = a.items("releases")[0]["labels"]
        check(labels == 4, f"{labels} labels")
        waiting(a)


def priority_first():
    """An environment's priority: its build goes before older ones; limits and priorities are read."""
    with Instance(toolchain(spark=False)) as a:
        path = os.path.join(a.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            yml = f.read()
        check("- name: production\n" in yml, yml)
        with open(path, "w", encoding="utf-8") as f:
            f.write(yml.replace("- name: production\n", "- name: production\n    priority: 50\n"))
        a.penstock("reload")
        busy(a, "slow")
        c = a.example(a.repository("sales"))
        change(c, 1)
        c.push("HEAD:" + MAIN)
        settled(a)
        change(c, 2)
        c.git("tag", "v2.0")
        c.push("v2.0")
        settled(a)
        plain, urgent = (builds_of(a, a.events(r)[-1]["id"])[0] for r in (MAIN, "refs/tags/v2.0"))
        w = waiting(a)
        check(w[urgent]["ahead"] < w[plain]["ahead"], w)


if __name__ == "__main__":
    main(many_pushes, built_once, priority_first)
