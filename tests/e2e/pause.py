#!/usr/bin/python3
"""Pause and resume: who may, what waits and says so, what the pusher reads, that it lasts through a start."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main  # noqa: E402

MAIN = "refs/heads/main"


def refused(a, *args):
    p = a.penstock(*args, expect=1)
    return p.stdout + p.stderr


def who_may():
    """Owners of the fabric, and whoever runs the agent; others read whose it is."""
    with Instance() as a:
        a.penstock("--as", "kim", "pause", "fabric", "production", "-m", "quarter end")
        check(a.json("status")["paused"][0]["who"].endswith("(as kim)"), a.json("status")["paused"])
        text = a.penstock("status").stdout
        check("quarter end" in text and "penstock resume fabric production" in text, text)
        check("no fabric 'nowhere'" in refused(a, "pause", "fabric", "nowhere", "-m", "x"), "it was paused")
        a.penstock("resume", "fabric", "production")
        check(a.json("status")["paused"] == [], "it is still there")


def lasts_and_is_told():
    """A push while paused: recorded, its ref's pause is printed; after a start it still is, then goes on."""
    with Instance() as a:
        c = a.clone(a.repository("r"))
        c.write("README", "x\n")
        c.commit()
        a.penstock("pause", "environment", "development", "-m", "a move of machines")
        a.penstock("pause", "fabric", "production", "-m", "not about this ref")
        p = c.push("HEAD:" + MAIN)
        check("environment development is paused by" in p.text and "a move of machines" in p.text, p.all)
        check("not about this ref" not in p.text, p.all)
        check(len(p.lines) <= 12, p.all)
        a.stop()
        a.start()
        names = sorted(i["id"] for i in a.json("status")["paused"])
        check(names == ["environment development", "fabric production"], names)
        since = [i["since"] for i in a.json("status")["paused"]]
        a.penstock("pause", "fabric", "production", "-m", "another reason")
        check([i["since"] for i in a.json("status")["paused"]] == since, "pausing again moved since when")
        a.penstock("resume", "--all")
        check(a.json("status")["paused"] == [], "something is still paused")
        p = c.push("HEAD:refs/heads/other")
        check("paused" not in p.text, p.all)


if __name__ == "__main__":
    main(who_may, lasts_and_is_told)
