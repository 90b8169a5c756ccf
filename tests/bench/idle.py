#!/usr/bin/python3
"""What an agent takes that has nothing to do: memory of all its processes, shared pages by their share, and how often
they are woken, fresh and after pushes.

    tests/bench/idle.py     from a build folder
"""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path[:0] = [HERE, os.path.join(HERE, "..", "support")]
from agent import Instance, bare_toolchain, program_of, pss, slept, wait  # noqa: E402
from bench import ROUNDS, SECONDS, Bench  # noqa: E402

PUSHES = 40
WATCHED = max(SECONDS * 2, 2)


def at_rest(b, a, when):
    kb = {}
    for pid in a.processes() if os.getuid() == 0 else ():      # others may not look at what roles have mapped
        name = program_of(pid)
        kb[name] = kb.get(name, 0) + pss(pid)
    for name in sorted(kb):
        b.add(f"{name}, {when}", kb[name] / 1000, unit="MB")
    if kb:
        b.add(f"all roles together, {when}", sum(kb.values()) / 1000, unit="MB")
    before = {p: slept(p) for p in a.processes()}
    time.sleep(WATCHED)
    b.add(f"woken, all together, {when}", sum(slept(p) - n for p, n in before.items()) / WATCHED, unit="1/s")


def main():
    b = Bench("idle", "memory (PSS) and wake-ups of an agent that has nothing to do")
    for _ in range(min(ROUNDS, 3)):
        a = Instance()
        bare_toolchain(a)
        with a:
            wait("the toolchain is known", lambda: a.json("status")["toolchain"]["state"] != "unknown")
            at_rest(b, a, "fresh")
            c = a.example(a.repository("sales"))
            for i in range(PUSHES):
                c.commit(f"push {i}")
                c.push("HEAD:refs/heads/topic")
            a.wait_event("refs/heads/topic")
            at_rest(b, a, f"after {PUSHES} pushes")
    for when in ("fresh", f"after {PUSHES} pushes"):
        b.goal(f"all roles together, {when}", 20)
    if os.getuid():
        b.note("memory is told to root alone")
    return b.end()


sys.exit(main())
