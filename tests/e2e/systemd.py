#!/usr/bin/python3
"""What a service manager hears from penstockd, and whether systemd takes the unit and the accounts that we ship. No Spark.

    tests/e2e/systemd.py [CASE...]     cwd is the build folder
"""
import os
import re
import shutil
import signal
import socket
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import BUILD, SRC, Instance, check, clean_env, main, run, wait  # noqa: E402


class Manager:
    """The socket of a service manager, by a path or an abstract name; keeps each message."""

    def __init__(self, folder, abstract):
        self.sock, self.heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), []
        name = f"penstock-notify-{os.getpid()}" if abstract else folder + "/notify"
        self.sock.bind("\0" + name if abstract else name)
        self.sock.setblocking(False)
        self.env = {"NOTIFY_SOCKET": "@" + name if abstract else name}

    def count(self, line):
        try:
            while True:
                self.heard += self.sock.recv(4096).decode().split("\n")
        except BlockingIOError:
            return self.heard.count(line)


def told():
    """Ready when it answers and not before, alive while its loop turns, each reload, and the end."""
    for abstract in (False, True):
        a = Instance()
        m = Manager(a.base, abstract)
        try:
            a.start(env={**m.env, "WATCHDOG_USEC": "200000"})
            wait("READY=1", lambda: m.count("READY=1") == 1, 10)
            check(a.answers(), "it said that it is ready")
            alive = m.count("WATCHDOG=1")
            wait("it is alive", lambda: m.count("WATCHDOG=1") > alive + 3, 10)
            for role in ("core", "gate", "build", "deploy") if os.getuid() == 0 else ():
                with open(f"/proc/{a.role(role)}/environ", "rb") as f:
                    check(b"NOTIFY_SOCKET" not in f.read(), f"{role} could speak for the agent")
            a.parent.send_signal(signal.SIGSTOP)
            wait("it stands", lambda: open(f"/proc/{a.parent.pid}/stat").read().split(") ")[1][0] == "T")
            alive = m.count("WATCHDOG=1")
            check(run("sleep", "0.5") and m.count("WATCHDOG=1") == alive, "a parent that stands is not alive")
            a.parent.send_signal(signal.SIGCONT)
            a.parent.send_signal(signal.SIGHUP)
            wait("the reload is told", lambda: (m.count("RELOADING=1"), m.count("READY=1")) == (1, 2), 10)
            check(any(re.fullmatch("MONOTONIC_USEC=[1-9][0-9]+", l) for l in m.heard), m.heard)
            with open(a.dir + "/penstock.yml", "a", encoding="utf-8") as f:
                f.write("\nnonsense: 1\n")
            a.penstock("reload", expect=1)
            wait("and one that is refused", lambda: (m.count("RELOADING=1"), m.count("READY=1")) == (2, 3), 10)
            check(m.count("STOPPING=1") == 0, m.heard)
            a.stop()
            check(m.count("STOPPING=1") == 1, m.heard)
        finally:
            a.stop(audit=False)
            a.remove()


def nobody_listens():
    """A socket that is not there, or no socket: the work goes on."""
    for name in ("/nowhere/notify", "notify"):
        a = Instance()
        try:
            a.start(env={"NOTIFY_SOCKET": name})
            a.stop()
        finally:
            a.stop(audit=False)
            a.remove()


def unit():
    """systemd finds nothing to complain of in the service and in the accounts."""
    if not shutil.which("systemd-analyze") or not shutil.which("systemd-sysusers"):
        print("     SKIP: systemd is not installed: apt-get install systemd")
        return
    with tempfile.TemporaryDirectory() as top:
        with open(SRC + "/packaging/penstock.service.in", encoding="utf-8") as f:
            text = f.read()
        check(text.count("@bindir@") == 1, text)
        with open(top + "/penstock.service", "w", encoding="utf-8") as f:
            f.write(text.replace("@bindir@", BUILD))
        p = run("systemd-analyze", "verify", "--man=no", top + "/penstock.service", expect=None, env=clean_env())
        said = [l for l in (p.stdout + p.stderr).splitlines() if "penstock" in l]
        check(p.returncode == 0 and not said, f"{p.returncode}: {p.stdout}{p.stderr}")
        os.mkdir(top + "/etc")
        run("systemd-sysusers", "--root=" + top, SRC + "/packaging/sysusers.d/penstock.conf")
        with open(top + "/etc/passwd", encoding="utf-8") as f:
            names = {l.split(":")[0] for l in f}
        check({"git", "penstock-core", "penstock-build", "penstock-deploy"} <= names, names)


main(told, nobody_listens, unit)
