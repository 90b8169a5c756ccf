#!/usr/bin/python3
"""What a service manager hears from penstockd, and whether systemd takes the unit and the accounts that we ship. No Spark.

    tests/e2e/systemd.py [CASE...]     cwd is the build folder
"""
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading

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
        self.sock.settimeout(0.2)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.listen, daemon=True)     # a queue holds ten
        self.thread.start()
        self.env = {"NOTIFY_SOCKET": "@" + name if abstract else name}

    def listen(self):
        while not self.ended.is_set():
            try:
                self.heard += self.sock.recv(4096).decode().split("\n")
            except TimeoutError:
                pass

    def count(self, line):
        return list(self.heard).count(line)

    def end(self):
        self.ended.set()
        self.thread.join(10)
        self.sock.close()


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
            run("sleep", "0.2")		# what was under way is heard
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
            wait("the end is told", lambda: m.count("STOPPING=1") == 1, 10)
        finally:
            m.end()
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


MAIN = "refs/heads/main"


class Sockets:
    """What a service manager has bound: hook.sock and api.sock, and one that is none of ours."""

    def __init__(self, a):
        self.all = []
        for path in (a.base + "/another.sock", a.dir + "/run/api.sock", a.dir + "/run/hook.sock"):
            s = socket.socket(socket.AF_UNIX)
            s.bind(path)
            os.chmod(path, 0o666)
            s.listen(64)
            self.all.append(s)

    def start(self, a):
        """As a service manager starts it: the sockets from 3 on, and the number of the process itself."""
        code = ("import fcntl, os, sys\nfds = [fcntl.fcntl(int(f), fcntl.F_DUPFD, 20) for f in sys.argv[1].split(',')]\n"
                "for n, f in enumerate(fds):\n    os.dup2(f, 3 + n)\nos.closerange(3 + len(fds), 64)\n"
                "os.environ.update(LISTEN_FDS=str(len(fds)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='x')\n"
                "os.execv(sys.argv[2], sys.argv[2:])")
        a.log = open(a.base + "/agent.log", "ab")
        a.parent = subprocess.Popen([sys.executable, "-c", code, ",".join(str(s.fileno()) for s in self.all),
                                     BUILD + "/penstockd", a.dir], stdin=subprocess.DEVNULL, stdout=a.log, stderr=a.log,
                                    env=clean_env(), pass_fds=[s.fileno() for s in self.all])

    def close(self):
        for s in self.all:
            s.close()


def inode(a):
    return [os.stat(f"{a.dir}/run/{n}.sock").st_ino for n in ("hook", "api")]


def sockets():
    """Sockets that listen before the agent does: who calls meanwhile is served, at the start, after core died and after a
    restart; they stay what they are. One that is not ours is closed."""
    a = Instance()
    c = a.clone(a.repository("r"))
    at = Sockets(a)
    try:
        before = inode(a)
        c.write("README", "x\n")
        c.commit("before there is anybody")
        push = subprocess.Popen(["git", "-C", c.path, "push", "-q", "origin", "HEAD:" + MAIN], env=clean_env(PENSTOCK_AS="ana"),
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        wait("it waits at the door", lambda: select.select([at.all[2]], [], [], 5)[0])
        at.start(a)
        wait("the agent answers", a.answers)
        text = push.communicate(timeout=30)[1]
        check(push.returncode == 0 and "not running" not in text, text)
        a.wait_event(MAIN, limit=30)
        for role in ("core", "gate", "build", "deploy") if os.getuid() == 0 else ():
            with open(f"/proc/{a.role(role)}/environ", "rb") as f:
                check(b"LISTEN_" not in f.read(), role)
            links = [os.readlink(f"/proc/{a.role(role)}/fd/{n}") for n in os.listdir(f"/proc/{a.role(role)}/fd")]
            mine = [f"socket:[{os.fstat(s.fileno()).st_ino}]" for s in at.all]
            check([m in links for m in mine] == [False] + [role == "core"] * 2, f"{role} holds {links}, ours are {mine}")
        with open(a.base + "/agent.log", encoding="utf-8") as f:
            check(f.read().count("none of the agent's") == 1, "the third one is told of")
        old = a.role("core")
        os.kill(old, signal.SIGKILL)
        wait("core is there again", lambda: a.role("core") != old)
        p = c.push("HEAD:refs/heads/b")
        check("not running" not in p.text, p.all)
        check(inode(a) == before, "they were made anew")
        a.stop()
        check(inode(a) == before, "they were taken away")
        at.start(a)
        wait("the agent answers", a.answers)
        check(inode(a) == before, "they were made anew")
        a.stop()
    finally:
        a.stop(audit=False)
        at.close()
        a.remove()


def activated():
    """systemd-socket-activate starts it at the first call, which is answered."""
    if not shutil.which("systemd-socket-activate"):
        print("     SKIP: systemd is not installed: apt-get install systemd")
        return
    a = Instance()
    try:
        a.log = open(a.base + "/agent.log", "ab")
        a.parent = subprocess.Popen(["systemd-socket-activate", "-l", a.dir + "/run/hook.sock", "-l", a.dir + "/run/api.sock",
                                     BUILD + "/penstockd", a.dir], stdin=subprocess.DEVNULL, stdout=a.log, stderr=a.log,
                                    env=clean_env())
        wait("it listens", lambda: os.path.exists(a.dir + "/run/api.sock"), 10, every=0.01)
        check(len(a.processes()) == 1, "nobody has called yet")
        check(a.json("status")["agent"]["state"] == "running", "the first call is answered")
        check(a.role("core"), "it runs")
        a.stop()
        check(os.path.exists(a.dir + "/run/api.sock"), "it is not the agent's to take away")
    finally:
        a.stop(audit=False)
        a.remove()


def unit():
    """systemd finds nothing to complain of in the service, in the socket and in the accounts."""
    if not shutil.which("systemd-analyze") or not shutil.which("systemd-sysusers"):
        print("     SKIP: systemd is not installed: apt-get install systemd")
        return
    with tempfile.TemporaryDirectory() as top:
        with open(SRC + "/packaging/penstock.service.in", encoding="utf-8") as f:
            text = f.read()
        check(text.count("@bindir@") == 1, text)
        with open(top + "/penstock.service", "w", encoding="utf-8") as f:
            f.write(text.replace("@bindir@", BUILD))
        shutil.copy(SRC + "/packaging/penstock.socket.in", top + "/penstock.socket")
        p = run("systemd-analyze", "verify", "--man=no", top + "/penstock.service", top + "/penstock.socket", expect=None,
                env=clean_env())
        said = [l for l in (p.stdout + p.stderr).splitlines() if "penstock" in l]
        check(p.returncode == 0 and not said, f"{p.returncode}: {p.stdout}{p.stderr}")
        os.mkdir(top + "/etc")
        run("systemd-sysusers", "--root=" + top, SRC + "/packaging/sysusers.d/penstock.conf")
        with open(top + "/etc/passwd", encoding="utf-8") as f:
            names = {l.split(":")[0] for l in f}
        check({"git", "penstock-core", "penstock-build", "penstock-deploy"} <= names, names)


main(told, nobody_listens, sockets, activated, unit)
