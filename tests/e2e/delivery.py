#!/usr/bin/python3
"""Where archives of an Airflow lie: behind an sshd, which is real, and behind an uploader, which is none; with faults.

The driver's own functions (tests/support/place_try.c), judged by the bytes in the folder and by what the other end saw.
"""
import os
import stat
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import sshd  # noqa: E402

far = sshd.enter(__file__)
from agent import BUILD, check, main, run  # noqa: E402
from uploader import Uploader  # noqa: E402

class Place:
    """One folder, and how it is reached."""

    def __init__(self, top, dags, *uploader):
        self.folder, self.dags, self.uploader = top, dags, uploader or ("-", "-", "-")

    def do(self, *words):
        p = run(os.path.join(BUILD, "place_try"), self.dags, *self.uploader, *words, expect=None)
        check(p.returncode in (0, 1), f"exit {p.returncode}: {p.stdout}{p.stderr}")
        return p.stdout

    def write(self, text, name="x.zip"):
        with tempfile.NamedTemporaryFile("w") as f:
            f.write(text)
            f.flush()
            return self.do("write", name, f.name)

    def there(self, name="x.zip"):
        try:
            with open(os.path.join(self.folder, name), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return None


def put_and_removed(p):
    """Of either: there, in place of what was there, and gone; twice is as once."""
    for text in ("first", "second", "second"):
        check(p.write(text) == "" and p.there() == text, p.there())
    for _ in range(2):
        check(p.do("remove", "x.zip") == "" and p.there() is None, p.there())


def refused(said, p, *words, before="before"):
    """It is an error that says so, and nothing has changed."""
    check(said.startswith("error ") and all(w in said for w in words), said)
    check(p.there() == before, f"{p.there()!r}, not {before!r}")


# ---- sftp ----

def over_sftp():
    with tempfile.TemporaryDirectory(prefix="penstock dags.") as top:
        p = Place(top, server.address(top.replace(" ", "%20")))
        check(p.do("read", "x.zip").startswith(f"error {NO_FILE} "), p.do("read", "x.zip"))
        put_and_removed(p)
        p.write("whole")
        check(p.do("read", "x.zip") == "whole", p.do("read", "x.zip"))
        check(stat.S_IMODE(os.stat(os.path.join(top, "x.zip")).st_mode) == 0o644, "others cannot read it")
        check(sorted(os.listdir(top)) == [".penstock", "x.zip"], os.listdir(top))
        check(os.listdir(os.path.join(top, ".penstock")) == [".airflowignore"], "what was written stays")


def by_whom_it_cannot():
    with tempfile.TemporaryDirectory(prefix="penstock-dags.") as top:
        p = Place(top, server.address(top))
        p.write("before")
        for how, words in (({"none": True}, "Host key verification failed"), ({"other": True}, "Host key verification failed")):
            server.known(**how)
            for said in (p.write("after"), p.do("remove", "x.zip"), p.do("read", "x.zip")):
                refused(said, p, words, p.dags)
        server.known()
        os.rename(f"{server.ssh}/id_ed25519", f"{server.ssh}/away")
        refused(p.write("after"), p, "Permission denied (publickey)")
        os.rename(f"{server.ssh}/away", f"{server.ssh}/id_ed25519")
        server.stop()
        refused(p.do("read", "x.zip"), p, "Connection refused")
        refused(p.write("after"), p, "Connection refused")
        server.start()
        p.dags = server.address(top + "/no")
        for said in (p.write("after"), p.do("read", "x.zip"), p.do("remove", "x.zip")):
            refused(said, p, "No such file")
            check(not said.startswith(f"error {NO_FILE} "), f"no folder is no file: {said}")


def no_right_to_write():
    """What is not there for the owner of the files either: a file system that takes nothing."""
    with tempfile.TemporaryDirectory(prefix="penstock-dags.") as top:
        p = Place(top, server.address(top))
        p.write("before")
        run("mount", "--bind", "-o", "ro", top, top)
        try:
            refused(p.write("after"), p, "sftp to")
            refused(p.do("remove", "x.zip"), p, "sftp to")
            check(p.do("read", "x.zip") == "before", p.do("read", "x.zip"))
        finally:
            run("umount", top)


# ---- an uploader ----

def uploaded():
    with tempfile.TemporaryDirectory(prefix="penstock dags & more+.") as top, Uploader(top) as u:
        p = Place(top, top, u.url, u.user, u.password)
        put_and_removed(p)
        calls = u.calls()
        check(len(calls) == 5, calls)
        check(all(" & " not in c and "+" not in c and "penstock%20dags%20%26%20more%2B." in c for c in calls), calls)
        p.dags = "hdfs://namenode:8020" + top
        put_and_removed(p)
        check(all("/api/v1/hdfs/" in c for c in u.calls()), "not by hdfs")


def what_is_no_yes():
    """Only 2xx is one. What may have come from a proxy is asked again, what was decided is not."""
    with tempfile.TemporaryDirectory(prefix="penstock-dags.") as top, Uploader(top) as u:
        p = Place(top, top, u.url, u.user, u.password)
        p.write("before")
        u.calls()
        for fault in ("401", "403", "404", "409", "302"):
            u.fail(fault)
            refused(p.write("after"), p, f"upload of '{top}': it answered {fault}")
            if fault != "404":      # of a remove: there is none
                u.fail(fault)
                refused(p.do("remove", "x.zip"), p, f"delete of '{top}/x.zip': it answered {fault}")
        check(len(u.calls()) == 9, "something was asked twice")
        for fault in ("500", "503", "drop"):
            u.fail(*[fault] * 50)
            refused(p.write("after"), p, "upload of")
            check(len(u.calls()) > 1, f"{fault}: asked once")
            u.fail(fault, fault, "ok")
            check(p.write(fault) == "" and p.there() == fault, p.there())
            p.write("before")
            u.calls()
        p.uploader = (u.url, u.user, "wrong")
        refused(p.write("after"), p, "it answered 401", "'user' and 'password' of 'uploader'")
        p.uploader = (u.url, "-", "-")
        refused(p.write("after"), p, "it answered 401")
        p.uploader, p.dags = (u.url, u.user, u.password), os.path.dirname(top)
        refused(p.write("after"), p, "it answered 403")


def a_lost_answer():
    """Done, and nobody heard: it is done once more, with the same bytes."""
    with tempfile.TemporaryDirectory(prefix="penstock-dags.") as top, Uploader(top) as u:
        p = Place(top, top, u.url, u.user, u.password)
        u.fail("lost")
        check(p.write("once") == "" and p.there() == "once", p.there())
        u.fail("lost")
        check(p.do("remove", "x.zip") == "" and p.there() is None, p.there())
        check([c.split()[0] for c in u.calls()] == ["lost", "200", "lost", "404"], "not as it was to be")


with tempfile.TemporaryDirectory(prefix="penstock-dags.") as empty:
    NO_FILE = Place(empty, empty).do("read", "x").split()[1]       # the number that says so
if far:
    with sshd.Sshd() as server:
        main(over_sftp, by_whom_it_cannot, no_right_to_write, uploaded, what_is_no_yes, a_lost_answer)
main(uploaded, what_is_no_yes, a_lost_answer)
