#!/usr/bin/python3
"""Pushes at once, by real gits into different repositories of one agent: each is judged by the gate, none by chance.

    tests/e2e/manypushes.py [CASE]     cwd is the build folder
"""
import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import Instance, check, main  # noqa: E402

PUSHES = 32
BUDGET = "60s"      # the test is about order and counts: a busy machine is no reason to fail


def at_once(*calls):
    """What each returns, in their order; the first failure is raised."""
    got, bad, gate = [None] * len(calls), [], threading.Barrier(len(calls))

    def run(i):
        try:
            gate.wait()
            got[i] = calls[i]()
        except Exception as e:      # told below, in the one thread that may fail the test
            bad.append(e)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if bad:
        raise bad[0]
    return got


def different_repositories():
    a = Instance()
    path = os.path.join(a.dir, "penstock.yml")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("budget: 4s", f"budget: {BUDGET}"))
    with a:
        clones = [a.example(a.repository(f"r{i}")) for i in range(PUSHES)]
        for i, c in enumerate(clones):
            c.write("README.md", f"repository {i}\n")
            if i % 8 == 7:
                c.edit("pbt_project.yml", "name: sales\n", "")
            c.commit("of its own")
        pushed = at_once(*(lambda c=c: c.push("HEAD:refs/heads/topic", expect=None) for c in clones))
        for i, p in enumerate(pushed):
            check("not judged" not in p.all and "kept" not in p.all and "not recorded" not in p.all, p.all)
            wrong = i % 8 == 7
            check((p.code != 0) == wrong, f"push {i}: exit {p.code}\n{p.all}")
            check(("PS-PROJ-005" in p.text) == wrong, p.all)
        good = PUSHES - PUSHES // 8
        check(len(a.events("refs/heads/topic")) == good, f"{good} events")
        with open(os.path.join(a.base, "agent.log"), encoding="utf-8", errors="replace") as f:
            told = [line for line in f if "not judged" in line or "workers of the gate were busy" in line]
        check(not told, "".join(told))


main(different_repositories)
