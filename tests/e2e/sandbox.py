#!/usr/bin/python3
"""From inside the sandbox: reach for what is outside, and hit the limits.

Each attempt is one Python text that prints REACHED when it got what it must not get. It runs in the sandbox, where it must
not, and in the same sandbox without the one wall that holds it (sandbox_try -x), where it must: so no wall is there for
nothing, and no attempt is one that could not succeed. Both as root, which gives each slot a uid, and as a user without any
privilege. Exit status 77 (skipped) where no sandbox can be made.
"""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TRY = os.path.abspath(os.environ.get("SANDBOX_TRY", "./sandbox_try"))
PY = "/usr/bin/python3"
UID = 60601 + os.getpid() % 400      # as root the limit of processes counts per uid, also of other tests
NAMESPACES = "import ctypes, os; c = ctypes.CDLL(None, use_errno=True)\n"
failures = 0


def check(what, ok, detail=""):
    global failures
    print(("ok   " if ok else "FAIL ") + what + ("" if ok else ": " + detail))
    failures += not ok


class Host:
    """What is there to be reached: files, sockets, a process, shared memory, a descriptor."""

    def __init__(self):
        self.top = top = tempfile.mkdtemp(prefix="penstock-sandbox-")
        os.chmod(top, 0o755)
        shutil.copy(TRY, f"{top}/sandbox_try")
        for name in ("state/store", "keys/key", "work/other/setup.py", "home/secret", "work/one/export/file", "descriptor"):
            os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
            with open(f"{top}/{name}", "w") as f:
                f.write("given\n" if name.endswith("file") else "secret")
            os.chmod(f"{top}/{name}", 0o666)
        os.mkdir(f"{top}/work/one/out")
        self.fd = os.open(f"{top}/descriptor", os.O_RDONLY)
        self.port = socket.create_server(("127.0.0.1", 0))
        self.abstract, self.named = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.abstract_name = f"penstock-test-{os.getpid()}"
        self.abstract.bind("\0" + self.abstract_name)
        self.named.bind(f"{top}/state/api.sock")
        os.chmod(f"{top}/state/api.sock", 0o666)
        self.abstract.listen(64)
        self.named.listen(64)
        self.libc = ctypes.CDLL(None)
        self.libc.shmat.restype = ctypes.c_void_p
        self.key = 0x70530000 + os.getpid() % 0xffff
        self.shm = self.libc.shmget(self.key, 4096, 0o1666)
        ctypes.memmove(self.libc.shmat(self.shm, None, 0), b"secret", 6)
        self.process = None
        if os.getuid() == 0:		# a device that all may open, and a program that makes its caller root
            os.mknod(f"{top}/work/one/export/null", 0o20666, os.makedev(1, 3))
            os.chmod(f"{top}/work/one/export/null", 0o666)
            shutil.copy("/usr/bin/id", f"{top}/work/one/export/setuid-id")
            os.chmod(f"{top}/work/one/export/setuid-id", 0o4755)

    def as_seen_by(self, uid):
        """Files and a process of the uid that foreign code has: what only another uid keeps from it is no wall here."""
        own = uid or UID if os.getuid() == 0 else os.getuid()
        for name in ("work/one/out", "work/one", "work/one/export", "home", "home/secret"):
            if os.getuid() == 0:
                os.chown(f"{self.top}/{name}", own, own)
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = subprocess.Popen(as_user(own) + ["/bin/sleep", "98765"])
        wait_for("a process to look at", lambda: self.process.pid in alive("/bin/sleep", "98765"))

    def end(self):
        self.process.kill()
        self.process.wait()
        self.libc.shmctl(self.shm, 0, None)
        shutil.rmtree(self.top)


def attempts(h):
    """name: the wall that holds it (several where each holds it alone), and the text. Paths are those of the host."""
    top, files = h.top, f"files={h.top}"
    secret = "print('REACHED' if open({!r}).read() == 'secret' else 'other')"
    beside = f"{top}/work/one/beside"
    return {
        "a listener on the host's 127.0.0.1":
            ("net", f"import socket; socket.create_connection(('127.0.0.1', {h.port.getsockname()[1]}), 2); print('REACHED')"),
        "an abstract socket of the agent":
            ("net", f"import socket; socket.socket(socket.AF_UNIX).connect('\\0{h.abstract_name}'); print('REACHED')"),
        "a socket of the agent, by its path":
            (files, f"import socket; socket.socket(socket.AF_UNIX).connect({top + '/state/api.sock'!r}); print('REACHED')"),
        "the host's interfaces":
            ("net", "import socket; print('REACHED' if len(socket.if_nameindex()) > 1 else 'loopback alone')"),
        "the store": (files, secret.format(f"{top}/state/store")),
        "a credential": (files, secret.format(f"{top}/keys/key")),
        "another build's export": (files, secret.format(f"{top}/work/other/setup.py")),
        "a home folder": (files, secret.format(f"{top}/home/secret")),
        "a file outside, by a link in the output":
            (files, f"import os; os.symlink('{top}/keys/key', '/out/link'); " + secret.format("/out/link")),
        "a file outside, by a hard link":
            (files, f"import os; os.link('{top}/home/secret', '{top}/work/one/out/hard'); print('REACHED')"),
        "writing beside the output":
            (files, f"open('{beside}', 'w').write('x'); print('REACHED')"),
        "writing beside the output, by its inner path":
            (files, f"import os; open('/out/../beside2', 'w').write('x') if not os.path.isdir('{top}') else "
             f"open('{top}/work/one/out/../beside2', 'w').write('x'); print('REACHED')"),
        "writing outside, by an archive with such names":
            (files, "import io, os, subprocess, tarfile\nb = io.BytesIO(); t = tarfile.open(fileobj=b, mode='w')\n"
             f"for name in ('{beside}', '../../../../../../..{beside}'):\n    i = tarfile.TarInfo(name); i.size = 1\n"
             "    t.addfile(i, io.BytesIO(b'x'))\n"
             "t.close(); subprocess.run(['tar', '-C', '/tmp', '-xPf', '-'], input=b.getvalue(), stderr=subprocess.DEVNULL)\n"
             f"print('REACHED' if os.path.exists('{beside}') and os.path.exists('{top}/state') else 'own')"),
        "changing the export": ("ro", "open('/export/new', 'w').write('x'); print('REACHED')"),
        "writing to /": ("ro caps", "open('/x', 'w').write('x'); print('REACHED')"),
        "writing to /dev": ("ro caps", "open('/dev/x', 'w').write('x'); print('REACHED')"),
        "a process of the host":
            ("pid", f"t = open('/proc/{h.process.pid}/cmdline').read();"
             "print('REACHED' if 'sleep 98765' in t.replace('\\0', ' ') else 'other')"),
        "a signal to it":
            ("pid", f"import os; t = open('/proc/{h.process.pid}/cmdline').read() or 1 / 0;"
             f"os.kill({h.process.pid}, 0); print('REACHED' if 'sleep\\x0098765' in t else 'other')"),
        "descriptors and environment of others":
            ("pid", "import os; print('REACHED' if [p for p in os.listdir('/proc') if p.isdigit() and int(p) > 100] else 'own')"),
        "shared memory of the host":
            ("ipc", f"import ctypes; c = ctypes.CDLL(None); c.shmat.restype = ctypes.c_void_p; i = c.shmget({h.key}, 4096, 0);"
             "print('REACHED' if i >= 0 and ctypes.string_at(c.shmat(i, None, 0o10000), 6) == b'secret' else 'none')"),
        "an inherited descriptor":
            (f"fd={h.fd}", f"import os; print('REACHED' if os.pread({h.fd}, 6, 0) == b'secret' else 'other')"),
        "environment of the caller": ("env", "import os; print('REACHED' if os.environ.get('LEAKED') else 'none')"),
        "a user namespace inside":
            ("seccomp userns", NAMESPACES + "print('REACHED' if c.unshare(0x10000000) == 0 else os.strerror(ctypes.get_errno()))"),
        "a mount, in a namespace of its own":
            ("seccomp userns", NAMESPACES + "u = os.getuid()\nif c.unshare(0x10020000) == 0:\n"
             "    open('/proc/self/uid_map', 'w').write(f'0 {u} 1')\n"
             "    print('REACHED' if c.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0 else os.strerror(ctypes.get_errno()))"),
        "tracing":
            ("seccomp", NAMESPACES + "print('REACHED' if c.ptrace(0, 0, None, None) == 0 else os.strerror(ctypes.get_errno()))"),
        "memory of another process":
            ("seccomp", NAMESPACES + "import time\nclass V(ctypes.Structure):\n"
             "    _fields_ = [('b', ctypes.c_void_p), ('n', ctypes.c_size_t)]\n"
             "own, its = ctypes.create_string_buffer(b'other!'), ctypes.create_string_buffer(b'secret')\n"
             "p = os.fork() or time.sleep(9)\n"
             "a, b = V(ctypes.addressof(own), 6), V(ctypes.addressof(its), 6)\n"
             "n = c.process_vm_readv(p, ctypes.byref(a), 1, ctypes.byref(b), 1, 0); os.kill(p, 9)\n"
             "print('REACHED' if n == 6 and own.raw[:6] == b'secret' else os.strerror(ctypes.get_errno()))"),
        "the kernel's key rings":
            ("seccomp", NAMESPACES + "print('REACHED' if c.syscall(250, 0, -3, 0) != -1 or ctypes.get_errno() not in (1, 38)"
             " else os.strerror(ctypes.get_errno()))"),
        "a kind of socket that no build needs":
            ("seccomp", "import errno, socket\ntry:\n    socket.socket(socket.AF_PACKET, socket.SOCK_RAW); print('REACHED')\n"
             "except OSError as e:\n    print('REACHED' if e.errno != errno.EAFNOSUPPORT else e)"),
        "capabilities":
            ("caps", "t = open('/proc/self/status').read();"
             "print('REACHED' if any(int(l.split()[1], 16) for l in t.splitlines() if l.startswith('CapEff')) else 'none')"),
        "a mount": ("caps seccomp", NAMESPACES + "print('REACHED' if c.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0 else 'refused')"),
        "a device": ("dev", "open('/export/null', 'wb').write(b'x'); print('REACHED')"),
    }


# What cannot be shown to succeed on a machine that is to go on working: inside only.
INSIDE_ONLY = {
    "writing to /usr": "open('/usr/x', 'w').write('x'); print('REACHED')",
    "writing a kernel setting":
        "open('/proc/sys/kernel/core_pattern', 'w').write('x'); print('REACHED')",
    "a host path in our own command line":
        "t = open('/proc/1/cmdline').read(); print('REACHED' if '/penstock-' + 'sandbox-' in t else 'none')",
    "more than three descriptors":
        "import os; print('REACHED' if len(os.listdir('/proc/self/fd')) > 4 else 'three')",
    "a core file": "import resource; print('REACHED' if resource.getrlimit(resource.RLIMIT_CORE)[1] else 'none')",
}
SETUID = "/export/setuid-id"


def as_user(uid):
    if os.getuid() == 0 and uid:
        return ["/usr/bin/setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return []


def inside(top, uid, argv, options=(), own=UID, out=None, **more):
    out = out or f"{top}/work/one/out"
    binds = ["-r", f"{top}/work/one/export:/export", "-w", f"{out}:/out"]
    return subprocess.run(as_user(uid) + [f"{top}/sandbox_try", "-u", str(own), *binds, *options, *argv],
                          capture_output=True, text=True, timeout=60, **more)


def tidy(top):
    """Removes what attempts have made, and says what of it lies outside the output."""
    left = [n for n in ("work/one/beside", "work/one/beside2", "work/one/export/new") if os.path.lexists(f"{top}/{n}")]
    for name in left + [f"work/one/out/{n}" for n in os.listdir(f"{top}/work/one/out")]:
        os.unlink(f"{top}/{name}")
    return left


def reach(h, uid):
    who, top = f"uid {uid or os.getuid()}", h.top
    more = {"pass_fds": (h.fd,), "env": {"LEAKED": "yes", "PATH": "/usr/bin:/bin"}}
    for name, (wall, text) in attempts(h).items():
        p = inside(top, uid, [PY, "-c", text], ["-f", str(h.fd)], **more)
        left = tidy(top)
        check(f"{who}: {name}: held", "REACHED" not in p.stdout and p.returncode < 100 and "exit status" in p.stderr
              and not left, f"{left} {p.stdout}{p.stderr}")
        if name in ("a device", "a mount") and (uid or os.getuid()):
            continue		# nothing that we could take away gives a user these
        away = [o for w in wall.split() for o in ("-x", w)]
        p = inside(top, uid, [PY, "-c", text], ["-f", str(h.fd), *away], **more)
        tidy(top)
        check(f"{who}: {name}: not without {' and '.join(w.split('=')[0] for w in wall.split())}", "REACHED" in p.stdout, p.stdout + p.stderr)
    for name, text in INSIDE_ONLY.items():
        p = inside(top, uid, [PY, "-c", text])
        check(f"{who}: {name}: held", "REACHED" not in p.stdout and p.returncode < 100, p.stdout + p.stderr)
    if os.getuid() == 0:
        outside = subprocess.run([*as_user(UID), f"{top}/work/one/export/setuid-id", "-u"], capture_output=True, text=True)
        p = inside(top, uid, [SETUID, "-u"])
        check(f"{who}: a setuid program: held", outside.stdout == "0\n" and p.stdout == f"{UID}\n", outside.stdout + p.stdout + p.stderr)
    p = inside(top, uid, ["/bin/sh", "-c", "echo made > /out/x; cat /export/file; hostname; id -u"])
    check(f"{who}: what is allowed works", p.stdout == f"given\npenstock\n{UID}\n"
          and open(f"{top}/work/one/out/x").read() == "made\n", p.stdout + p.stderr)
    tidy(top)


# name, limit, text that prints REACHED where nothing ends it, what is said
LIMITS = [
    ("wall time", "wall=700", "import time\nfor i in range(20): print(1, flush=True); time.sleep(.1)", "not done after"),
    ("quiet time", "quiet=700", "", "no output for"),
    ("memory", "memory=100", "import time\na = []\nfor i in range(40): a.append(b'x' * 5000000); time.sleep(.02)",
     " of 100 MB, stopped"),
    ("memory at once", "memory=100", "a = b'x' * (300 << 20)", " of 100 MB, stopped"),
    ("memory of many", "memory=200", "import os\nfor i in range(4): os.fork()\n"
     "a = os.urandom(20 << 20)", " of 200 MB, stopped"),
    ("disk", "disk=8", "import time\nfor i in range(30):\n"
     "    open('/out/f%d' % i, 'wb').write(b'x' * 1000000); time.sleep(.02)", " of 8 MB written, stopped"),
    ("files in the output", "disk=8", "for i in range(4000): open('/out/f%d' % i, 'w')",
     " of 8 MB written, stopped"),
    ("files in a folder that may not be read", "disk=8", "import os\nos.mkdir('/out/d'); os.chmod('/out/d', 0o300)\n"
     "for i in range(20): open('/out/d/f%d' % i, 'wb').write(b'x' * 1000000)", ", stopped"),
    ("files too deep to be counted", "disk=8", "import os\nos.chdir('/out')\n"
     "for i in range(300): os.mkdir('d'); os.chdir('d')", "too deep or not to be read, stopped"),
    ("files in /tmp", "disk=8", "for i in range(4000): open('/tmp/f%d' % i, 'w')",
     " of 8 MB in /tmp, stopped"),
    ("files in /dev/shm", "disk=8", "for i in range(20000): open('/dev/shm/f%d' % i, 'w')",
     " of 64 MB in /dev/shm, stopped"),
    ("one file", "disk=8", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
     "open('/out/f', 'wb').write(b'x' * 20000000)", "a file grew past 8 MB"),
    # who is refused the rest stays a while, so that he is there to be measured
    ("tmpfs", "disk=8", "import time\ntry:\n    for i in range(9): open('/tmp/f%d' % i, 'wb').write(b'x' * 1000000)\n"
     "except OSError: time.sleep(3); raise", "exit status 1; disk: 8 MB of 8 MB in /tmp"),
    ("tmpfs for the build", "disk=8", "import time\ntry: open('/build/f', 'wb').write(b'x' * 9000000)\n"
     "except OSError: time.sleep(3); raise", "disk: 8 MB of 8 MB in /build"),
    ("processes at once", "processes=40", "import subprocess\nv = [subprocess.Popen(['/bin/sleep', '2']) for i in range(60)]",
     "limit of 40 processes"),
]


def limits(h, uid):
    """All at once, each with an output folder and a uid of its own: they mostly wait."""
    def one(at):
        name, option, text, want = LIMITS[at // 2]
        out, own = f"{h.top}/work/limit-{at}", UID + 400 + at
        os.mkdir(out)
        if os.getuid() == 0:
            os.chown(out, uid or own, uid or own)
        options = ["-l", "disk=0"] if at % 2 else ["-l", option, "-W", out]
        end = "\nprint('REACHED')" if at % 2 else "\nimport time; time.sleep(50); print('REACHED')"
        p = inside(h.top, uid, [PY, "-c", text + end], options, own, out)
        subprocess.run(["chmod", "-R", "u+rwx", out], check=False)
        shutil.rmtree(out)
        return f"uid {uid or os.getuid()}: {name}: {'without the limit it goes on' if at % 2 else 'ended'}", \
            (at % 2 or want in p.stderr) and ("REACHED" in p.stdout) == bool(at % 2), p.stdout[-300:] + p.stderr
    some, results = threading.Semaphore(6), {}

    def run_one(at):
        with some:
            results[at] = one(at)
    threads = [threading.Thread(target=run_one, args=(at,)) for at in range(2 * len(LIMITS))]
    for t in threads:
        t.start()
    for at, t in enumerate(threads):
        t.join()
        check(*results.get(at, (f"limit {at}", False, "it broke: see above")))


def alive(*words):
    """Processes with exactly this command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as f:
                if f.read() == "".join(w + "\0" for w in words):
                    found.append(int(pid))
        except OSError:
            pass
    return found


def wait_for(what, condition):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            return check(what, False, "not within 20 s")
        time.sleep(0.02)
    check(what, True)


def ends_with_caller(top, uid):
    """The caller is killed: nothing inside survives, not even who left his session."""
    mark = f"4{os.getpid()}{uid}"
    p = subprocess.Popen(as_user(uid) + [f"{top}/sandbox_try", "-u", str(UID), "/bin/sh", "-c",
                         f"setsid sleep {mark} & setsid sleep {mark} & wait"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("sandbox runs", lambda: len(alive("sleep", mark)) == 2)
    p.send_signal(signal.SIGKILL)
    p.wait()
    wait_for(f"uid {uid or os.getuid()}: nothing survives its caller", lambda: not alive("sleep", mark))
    p = inside(top, uid, ["/bin/sh", "-c", f"setsid sleep {mark} & exit 3"])
    check("a process left behind is dead when we get the answer",
          p.returncode == 3 and not alive("sleep", mark), p.stderr)


def main():
    if subprocess.run([TRY, "--probe"], stdout=subprocess.DEVNULL).returncode:
        print("no sandbox on this machine:", subprocess.run([TRY, "--probe"], capture_output=True,
                                                            text=True).stdout.strip())
        return 77
    h = Host()
    try:
        for uid in ([0, 65534] if os.getuid() == 0 else [os.getuid()]):
            h.as_seen_by(uid)
            reach(h, uid)
            limits(h, uid)
            ends_with_caller(h.top, uid)
    finally:
        h.end()
    left = [d for d, _, _ in os.walk("/sys/fs/cgroup") if "/penstock-sandbox_try-" in d
            and not os.path.exists("/proc/" + d.rsplit("-", 1)[1])]
    check("no cgroup is left", not left, str(left))
    print(f"{failures} failures")
    return 1 if failures else 0


sys.exit(main())
