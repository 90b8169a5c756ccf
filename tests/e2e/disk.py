#!/usr/bin/python3
"""A full disk: the instance on a small tmpfs of the test's own, filled before, during and between pushes.

Pushes are answered within their budget, what was acknowledged is never lost, and once there is room all
goes on without hands. Needs root (a mount namespace); the repositories are elsewhere, since git itself
could not take a push otherwise.
"""
import os
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, run, wait  # noqa: E402
import jobs  # noqa: E402

MAIN = "refs/heads/main"
BUDGET = 4 + 2		# pre-receive's own, and post-receive's; git's share is counted with a generous limit
SIZE = "8m"


class Small(Instance):
    """All of it on a tmpfs of 8 MB, but for repos/."""

    def __init__(self):
        base = tempfile.mkdtemp(prefix="penstock-disk.")
        os.makedirs(os.path.join(base, "instance"))
        os.makedirs(os.path.join(base, "repos"))
        self.disk = os.path.join(base, "instance")
        run("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", self.disk)
        super().__init__(folder=base)
        run("mount", "--bind", os.path.join(base, "repos"), os.path.join(self.disk, "repos"))
        self.filler = os.path.join(self.disk, "filler")

    def remove(self):
        run("umount", os.path.join(self.disk, "repos"))
        run("umount", self.disk)
        super().remove()

    def fill(self, leave=0):
        """A file takes all that is free, but for so many bytes."""
        with open(self.filler, "ab", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
            if leave:
                f.truncate(max(0, f.tell() - leave))

    def free(self):
        if os.path.exists(self.filler):
            os.unlink(self.filler)

    def level(self):
        return self.json("status")["disks"][0]["state"]


def timed(a, c, ref=MAIN):
    """The push and how long it was; git itself must have moved the ref."""
    began = time.monotonic()
    p = c.push("HEAD:" + ref, limit=120)
    check(time.monotonic() - began < BUDGET + 20, f"a push took {time.monotonic() - began:.1f} s\n{p.all}")
    return p


def acknowledged(p):
    return [l.split()[2] for l in p.lines if l.startswith("penstock: event e")]


def tips(a, c):
    """The last event of each ref ends where git's ref is, and its events join."""
    def agree():
        es = a.events(MAIN)
        return bool(es) and es[-1]["new"] == c.git("ls-remote", "origin", MAIN).stdout.split()[0]
    wait("the events end where the ref is", agree, every=0.5)
    es = a.events(MAIN)
    for before, after in zip(es, es[1:]):
        check(before["new"] == after["old"], f"events do not join: {before} {after}")


def waits_and_goes_on():
    """Levels on the way up and down: builds' reason, the pusher's line, the reserve gone and back."""
    with Small() as a:
        c = a.clone(a.repository("r"))
        jobs.write(c, j="one")
        timed(a, c)
        a.wait_event(MAIN)
        reserve = os.path.join(a.disk, "state", "reserve")
        wait("there is a reserve", lambda: os.path.exists(reserve))
        check(os.stat(reserve).st_blocks * 512 >= 400 << 10, os.stat(reserve))
        a.fill(leave=200 << 10)
        wait("only intake writes", lambda: a.level() == "only intake writes")
        check("% full" in a.penstock("status").stdout, a.penstock("status").stdout)
        jobs.write(c, j="two")
        p = timed(a, c)
        check(any("warning: only this record is written" in l for l in p.lines), p.all)
        check(acknowledged(p), p.all)
        check(len(p.lines) <= 12, p.all)
        a.free()
        wait("there is room", lambda: a.level() == "ok")
        a.wait_event(MAIN)
        wait("the reserve is back", lambda: os.path.exists(reserve))


def full_at_any_point():
    """Pushes one after the other while the disk fills up to the last byte and is freed, again and again."""
    with Small() as a:
        c = a.clone(a.repository("r"))
        jobs.write(c, j="one")
        timed(a, c)
        a.wait_event(MAIN)
        stop, told, said = threading.Event(), {}, {"kept": 0, "spooled": 0, "unsaid": 0}

        def come_and_go():
            n = 0
            while not stop.is_set():
                a.fill(leave=(0, 0, 16 << 10, 256 << 10)[n % 4])
                stop.wait(0.4)
                a.free()
                stop.wait((0.05, 0.3)[n % 2])
                n += 1
        t = threading.Thread(target=come_and_go)
        t.start()
        try:
            for n in range(25):
                new = jobs.write(c, j=f"number {n}")
                p = timed(a, c)
                for e in acknowledged(p):
                    told[e] = new
                said["kept" if acknowledged(p) else "spooled" if "event kept" in p.text else "unsaid"] += 1
        finally:
            stop.set()
            t.join()
            a.free()
        print(f"     25 pushes: {said['kept']} acknowledged, {said['spooled']} spooled, {said['unsaid']} to be found")
        wait("there is room", lambda: a.level() == "ok")
        check(a.parent.poll() is None, "the agent ended")
        wait("the spool is empty", lambda: not [n for n in os.listdir(os.path.join(a.disk, "state", "spool"))
                                                  if n not in ("aside",) and not n.startswith(".")], every=0.5)
        if said["unsaid"]:
            a.stop()		# the start looks at every ref
            a.start()
        tips(a, c)
        by_id = {e["id"]: e for e in a.events(MAIN)}
        for e, new in told.items():
            check(e in by_id and by_id[e]["new"] == new, f"{e} was acknowledged for {new}: {by_id.get(e)}")
        with open(os.path.join(a.base, "agent.log"), encoding="utf-8", errors="replace") as f:
            log = f.read()
        freed, lost = log.count("the disk is full: the reserve"), log.count("was not kept")
        check(freed, "the disk was never full for the store: this tried nothing")
        check(lost < 250, f"{lost} refused batches: something tries again without a pause")
        print(f"     events {len(by_id)}, acknowledged {len(told)}, lost 0; batches refused {lost}, reserve freed {freed}")
        jobs.write(c, j="the last")
        p = timed(a, c)
        a.wait_event(MAIN, limit=60)


def full_before_the_start():
    """The agent is started on a full disk: it may end, and starts as soon as there is room."""
    with Small() as a:
        c = a.clone(a.repository("r"))
        jobs.write(c, j="one")
        timed(a, c)
        a.wait_event(MAIN)
        a.stop()
        a.fill()
        jobs.write(c, j="two")
        p = timed(a, c)
        check(p.code == 0, p.all)
        a.free()
        a.start()
        tips(a, c)
        check(a.json("status")["recovery"] is None, "a full disk is no recovery")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: mounting a small disk needs root")
        sys.exit(77)
    if os.environ.get("PENSTOCK_TEST_NAMESPACE") != "own":
        os.environ["PENSTOCK_TEST_NAMESPACE"] = "own"
        try:
            os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable] + sys.argv)
        except OSError as e:
            print(f"SKIP: no mount namespace: {e}")
            sys.exit(77)
    main(waits_and_goes_on, full_at_any_point, full_before_the_start)
