#!/usr/bin/python3
"""The cleaner: by age and by size, never what a fabric runs or could roll back to; judged by the files."""
import hashlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main  # noqa: E402
import jobs  # noqa: E402

MAIN = "refs/heads/main"
DAY = 86400


def instance(text):
    a = Instance()
    with open(os.path.join(a.dir, "penstock.yml"), "a", encoding="utf-8") as f:
        f.write(f"\nretention: {text}\n")
    return a


def put(path, text="x\n", days=0):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    age(path, days)


def age(path, days):
    then = time.time() - days * DAY
    os.utime(path, (then, then))


def artifacts(a):
    top = os.path.join(a.dir, "artifacts")
    return {two + rest for two in os.listdir(top) if len(two) == 2 for rest in os.listdir(os.path.join(top, two))}


def age_artifacts(a, days):
    for digest in artifacts(a):
        age(os.path.join(a.dir, "artifacts", digest[:2], digest[2:]), days)


def contents(c):
    """Digests of the job's files in the working copy: what its release names."""
    found = set()
    for name in ("databricks-job.json", "prophecy-job.json"):
        with open(os.path.join(c.path, "jobs", "j", "code", name), "rb") as f:
            found.add(hashlib.sha256(f.read()).hexdigest())
    return found


def releases(a, c, texts):
    named = {}
    for text in texts:
        oid = jobs.write(c, j=text)
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN, oid)
        named[text] = contents(c)
    return named


def what_a_fabric_needs_stays():
    """Of five releases the last two deployed ones stay, whatever their age; an older one is made again."""
    with instance("{ artifacts: 30d, rollbacks: 2 }") as a:
        c = a.clone(a.repository("r"))
        named = releases(a, c, ["one", "two", "three", "four", "five"])
        for text, digests in named.items():
            check(digests & artifacts(a), f"{text} has none of its files in the content store")
        there = artifacts(a)
        a.penstock("clean")
        check(artifacts(a) == there, "what is young was removed")
        age_artifacts(a, 31)
        items = a.json("clean", "--dry-run")["items"]
        check(artifacts(a) == there, "a dry run removed something")
        check(items and all(i["kind"] == "artifact" and i["state"] == "may go" for i in items), items)
        fabric = a.snapshot("development")
        a.penstock("clean")
        left = artifacts(a)
        check(there - left == {i["id"] for i in items}, "other things went than the dry run said")
        for text in ("four", "five"):
            check((named[text] & there) <= left, f"{text} was removed: a fabric runs it or could roll back to it")
        common = named["four"] | named["five"]
        for text in ("one", "two", "three"):
            check(not (named[text] - common) & left, f"{text} is still there")
        last = a.json("status")["cleaned"]
        check(last["files"] == len(items) and last["bytes"] > 0, last)
        check(a.snapshot("development") == fabric, "the fabric was touched")
        again = releases(a, c, ["one"])["one"]
        check((again & there) <= artifacts(a), "what was asked for again is not there again")


def logs_by_age_and_size():
    """Old ones go, then the oldest until they fit; the agent's own log, young ones and other files stay."""
    with instance("{ logs: 10d, logs_size: 1M, exports: 1h, aside: 2d }") as a:
        logs = os.path.join(a.dir, "logs")
        put(os.path.join(logs, "b901.log"), days=11)
        put(os.path.join(logs, "x902", "task.log"), days=11)
        age(os.path.join(logs, "x902"), 11)
        for n, days in ((903, 5), (904, 4), (905, 3)):
            put(os.path.join(logs, f"b{n}.log"), "y" * (600 << 10), days=days)
        put(os.path.join(logs, "b906.log"), "y" * (600 << 10))		# young: somebody may write it
        put(os.path.join(logs, "b908.log"), "", days=20000)
        put(os.path.join(logs, "penstockd.log"), days=400)
        put(os.path.join(logs, "notes.txt"), days=400)
        outputs = os.path.join(a.dir, "outputs")	# of runs at providers: the deploy role's
        for name, days in (("x910", 11), ("x911", 9)):
            put(os.path.join(outputs, name, "task.log"), days=days)
            age(os.path.join(outputs, name), days)
        put(os.path.join(a.dir, "work", "export", "b907", "file"), days=1)
        age(os.path.join(a.dir, "work", "export", "b907"), 1)
        aside = os.path.join(a.dir, "state", "spool", "aside")
        put(os.path.join(aside, "old.msg"), days=3)
        put(os.path.join(aside, "new.msg"), days=1)
        a.penstock("clean")
        left = set(os.listdir(logs))
        check(os.listdir(outputs) == ["x911"], f"outputs left: {os.listdir(outputs)}")
        check(not {"b901.log", "x902", "b903.log", "b904.log", "b905.log", "b908.log"} & left, left)
        check({"b906.log", "penstockd.log", "notes.txt"} <= left, left)
        check(os.listdir(os.path.join(a.dir, "work", "export")) == [], "the export is there")
        check(os.listdir(aside) == ["new.msg"], os.listdir(aside))


if __name__ == "__main__":
    main(what_a_fabric_needs_stays, logs_by_age_and_size)
