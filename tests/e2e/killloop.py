#!/usr/bin/python3
"""kill -9 at every failpoint of a push-to-deploy: at every durable write and at every frame.

Undisturbed scenes (tests/support/scene.py) say who comes by which point, and what the fabric looks like
afterwards. Then, for each point and each who: the one that comes there is frozen (SIGSTOP) and killed,

    all      with everything of the agent and the push that is under way; the agent is started again. Only
             those who keep something (core, parent, hook, the deploying child), and frames where they came
    alone    by itself, while a second developer pushes on and on; the parent starts it again

and the scene is played to its end. At the end the fabric must be byte-equal, each line of every reflog
must be one event and nothing else, each key one passed build, and no process, mount or temporary file may
be left. A point that is compiled in and never hit fails the test: it would be a promise that nobody tries.
So does a message without a row in common/wire/route.h.

PENSTOCK_KILL_ONLY=NAME,... tries these points, PENSTOCK_KILL_MODES=alone that mode, PENSTOCK_KILL_JOBS=N so
many at once (default: one more than processors, at most 3: each waits now and then).
"""
import os
import sys

# in the place of our own folder: there is a queue.py, which is not Python's
sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
import concurrent.futures  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402

from agent import BUILD, Failed, Instance, check, main, run  # noqa: E402
from scene import Scene  # noqa: E402

PROGRAMS = ("penstock-core", "penstock-gate", "penstock-build", "penstock-deploy", "penstock-hook", "penstockd", "penstock")
KINDS = ("up", "down", "remote")
# At which hit of a point to kill. Those that many writes share are tried later too: each time something
# else has just been written.
SHARED = {"store.commit": (1, 3, 6), "store.committed": (1, 4), "fs.fsync": (1, 3), "fs.rename": (1, 3)}


def listed(name, default):
    given = os.environ.get(name)
    return given.split(",") if given else default


def compiled():
    points = set()
    for p in PROGRAMS:
        points |= set(run(os.path.join(BUILD, p), "--failpoints").stdout.split())
    return points


def small_toolchain(folder):
    """A prefix with what a wheel and a test need and no Spark: made by penstock itself."""
    given = os.environ.get("PENSTOCK_TEST_SMALL_TOOLCHAIN")
    if given:
        return given
    a = Instance(folder=folder)
    lines = os.path.join(folder, "small.txt")
    with open(lines, "w", encoding="utf-8") as f:
        f.write("pytest==9.2.0\nsetuptools==66.1.1\nwheel==0.38.4\n")
    a.penstock("toolchain", "make", "small", lines, limit=600)
    return os.path.join(a.dir, "toolchains", "small")


def undisturbed(prefix, kind, memo):
    """What was hit, and the fabric; keeps what the build role remembers of the toolchain in memo."""
    scene = Scene(prefix, kind)
    scene.calm = False			# it writes the log
    try:
        scene.prepare()
        scene.play()
        check(not scene.line("unlisted"), f"no row in common/wire/route.h: {scene.line('unlisted')}")
        hits, picture = scene.hits(), scene.a.snapshot("development")
        scene.keep_memo(memo)
        scene.calm = True
        scene.judge(None)
        scene.a.search_secrets()
        return hits, picture
    finally:
        scene.close()


def disturb(prefix, kind, who, point, nth, mode, picture, memo):
    """True when it was killed and all is well, False when nobody came by: where two race for an end."""
    scene = Scene(prefix, kind, f"{who}/{point}=once@{nth}")
    try:
        scene.prepare()
        if not point.startswith("fs."):		# writing it down is one of those
            scene.give_memo(memo)
        if scene.play():
            return False
        scene.kill(mode)
        scene.mend()
        scene.judge(picture)
        return True
    except Failed as e:
        scene.a.tell_logs()
        raise Failed(f"{who}/{point}@{nth} {mode}: {e}") from None
    finally:
        scene.close()


def worth(mode, who, point):
    """With everything: those who leave something durable behind. A worker or a job that ends leaves to them what
    it has done; and a frame that was not received is one that was not sent."""
    return mode != "all" or (who in ("core", "parent", "hook", "deploying") and
                             (not point.startswith("frame.") or point.startswith("frame.recv.")))


def plan(seen):
    """(kind, who, point, nth, mode) of everything that is tried."""
    only, modes = listed("PENSTOCK_KILL_ONLY", []), listed("PENSTOCK_KILL_MODES", ["all", "alone"])
    for (who, point), kind in sorted(seen.items()):
        if not only or point in only or f"{who}/{point}" in only:
            for mode in [m for m in modes if worth(m, who, point)]:
                for nth in SHARED.get(point, (1,)):
                    yield kind, who, point, nth, mode


def try_all(prefix, seen, picture, memo):
    """Number of kills, texts of what did not recover."""
    jobs = int(os.environ.get("PENSTOCK_KILL_JOBS", min(3, os.cpu_count() + 1)))
    kills, bad = 0, []

    def one(what):
        kind, who, point, nth, mode = what
        began = time.monotonic()
        try:
            if not any(disturb(prefix, kind, who, point, nth, mode, picture, memo) for _ in range(5 if nth == 1 else 1)):
                return None if nth > 1 else f"{who}/{point}@{nth} {mode}: was hit before and is not now"
        except Exception as e:
            return str(e) if isinstance(e, Failed) else f"{who}/{point}@{nth} {mode}: {type(e).__name__}: {e}"
        return (f"{who}/{point}@{nth} {mode}", time.monotonic() - began)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for got in pool.map(one, plan(seen)):
            if isinstance(got, tuple):
                kills += 1
                print(f"killed {got[0]}: recovered ({got[1]:.1f} s)", flush=True)
            elif got:
                bad.append(got)
                print(f"FAIL {got}", flush=True)
    return kills, bad


def every_point():
    with tempfile.TemporaryDirectory(prefix="penstock-kill.") as folder:
        os.chmod(folder, 0o755)
        prefix, memo = small_toolchain(folder), os.path.join(folder, "memo")
        seen, pictures = {}, []
        for kind in KINDS:
            hits, picture = undisturbed(prefix, kind, memo)
            pictures.append(picture)
            for pair in hits:
                seen.setdefault(pair, kind)
        check(pictures[0] and all(p == pictures[0] for p in pictures), "undisturbed runs differ")
        points = compiled()
        kills, bad = try_all(prefix, seen, pictures[0], memo)
        never = sorted(points - {point for _, point in seen})
        print(f"points compiled in: {len(points)}, hit: {len(points) - len(never)}, by somebody: {len(seen)}, "
              f"kills: {kills}, lost 0, doubled 0" if not bad else f"{len(bad)} did not recover")
        check(not bad, f"{len(bad)} points did not recover")
        check(not never, "never hit: " + ", ".join(never))


if __name__ == "__main__":
    main(every_point)
