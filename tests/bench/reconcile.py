#!/usr/bin/python3
"""What a reconcile pass costs over many repositories: copies of one empty bare one, in memory.

    tests/bench/reconcile.py [N]     N repositories (10,000); cwd is the build folder

Counts are checked: a pass with nothing to do lists none and asks about a thousand per frame. Times
are printed, never judged.
"""
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import Instance, check, clean_env, run  # noqa: E402

BATCH = 1000


def memory_of(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) // 1024 for line in f if line.startswith("VmRSS"))


def copies(agent, n):
    """The first is installed; the others are copies with an id of their own, as --new-id makes it."""
    first = os.path.join(agent.dir, "repos", "r0.git")
    run("git", "init", "-q", "--bare", first, env=clean_env())
    agent.penstock("install", first)
    shutil.rmtree(first + "/hooks")
    os.mkdir(first + "/hooks")
    agent.penstock("install", first)
    with open(first + "/config") as f:
        config = f.read()
    own = run("git", "-C", first, "config", "penstock.id", env=clean_env()).stdout.strip()
    for i in range(1, n):
        path = os.path.join(agent.dir, "repos", f"r{i}.git")
        shutil.copytree(first, path, symlinks=True)
        with open(path + "/config", "w") as f:
            f.write(config.replace(own, f"{i:032x}"))


def timed(agent, what, *args):
    began = time.monotonic()
    done = agent.json("reconcile", *args)
    print(f"{what}: {done['repositories']} asked, {done['listed']} listed, {time.monotonic() - began:.2f} s", flush=True)
    return done


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    base = tempfile.mkdtemp(prefix="penstock-bench.", dir="/dev/shm")
    agent = Instance(folder=base)
    try:
        agent.start()
        began = time.monotonic()
        copies(agent, n)
        print(f"{n} repositories made in {time.monotonic() - began:.1f} s", flush=True)
        agent.penstock("reconcile", expect=None)            # may outlast the command's own limit
        began = time.monotonic()
        while True:
            done = timed(agent, "until all are known and old enough")
            if done["repositories"] == n and not done["listed"]:
                break
            check(time.monotonic() - began < 1800, "it does not come to rest")
            time.sleep(1)
        before = agent.json("status")["reconcile"]
        done = timed(agent, "nothing to do")
        after = agent.json("status")["reconcile"]
        check((done["repositories"], done["listed"], done["events"]) == (n, 0, 0), f"none is listed: {done}")
        check(after["frames"] - before["frames"] == (n + BATCH - 1) // BATCH, "a thousand per frame")
        print(f"core: {memory_of(agent.role('core'))} MB")
        print(f"ok: {n} repositories, {after['frames'] - before['frames']} frames, 0 listed")
    finally:
        agent.stop()
        agent.remove()
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
