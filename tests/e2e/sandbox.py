#!/usr/bin/python3
"""From inside the sandbox: reach for what is outside, and hit the limits.

Each attempt is one Python text that prints REACHED when it got what it must not get. It runs twice:
plainly, where it must succeed (else this test could not fail), and in the sandbox, where it must not.
Both as the caller and, for root, as a user without any privilege.
Exit status 77 (skipped) where no sandbox can be made.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TRY = os.path.abspath(os.environ.get("SANDBOX_TRY", "./sandbox_try"))
PY = "/usr/bin/python3"
UID = 60601 + os.getpid() % 400      # as root the limit of processes counts per uid, also of other tests
failures = 0


def check(what, ok, detail=""):
    global failures
    print(("ok   " if ok else "FAIL ") + what + ("" if ok else ": " + detail))
    failures += not ok


def attempts(top, port, abstract, host_pid, fd):
    """name -> text; paths are those of the host."""
    secret = f"print('REACHED' if open({{!r}}).read() == 'secret' else 'other')"
    return {
        "listener on the host's 127.0.0.1":
            f"import socket; socket.create_connection(('127.0.0.1', {port}), 2); print('REACHED')",
        "abstract socket":
            "import socket; s = socket.socket(socket.AF_UNIX);"
            f"s.connect('\\0' + {abstract!r}); print('REACHED')",
        "the store": secret.format(f"{top}/state/store"),
        "the keys": secret.format(f"{top}/keys/key"),
        "another export": secret.format(f"{top}/work/other/setup.py"),
        "a home folder": secret.format(f"{top}/home/secret"),
        "/root": "import os; os.listdir('/root'); print('REACHED')",
        "writing beside the output":
            f"open({top!r} + '/work/one/beside', 'w').write('x'); print('REACHED')",
        "writing beside the output, by its inner path":
            f"import os; p = os.environ.get('OUTSIDE', '/out') + '/../beside2';"
            "open(p, 'w').write('x');"
            f"print('REACHED' if os.path.exists({top!r} + '/work/one/beside2') else 'own')",
        "changing the export":
            f"import os; p = {top!r} + '/work/one/export' if 'OUTSIDE' in os.environ else '/export';"
            "open(p + '/new', 'w').write('x'); print('REACHED')",
        "seeing a host pid":
            f"import os; t = open('/proc/{host_pid}/cmdline').read();"
            "print('REACHED' if 'sleep 98765' in t.replace('\\0', ' ') else 'other')",
        "signalling a host pid":
            f"import os; os.kill({host_pid}, 0) if {host_pid} > 100 else 1 / 0; print('REACHED')",
        "an inherited descriptor":
            f"import os; print('REACHED' if os.pread({fd}, 6, 0) == b'secret' else 'other')",
        "environment of the caller":
            "import os; print('REACHED' if os.environ.get('LEAKED') else 'none')",
    }


# What even the plain user's shell may not do, or is dangerous to show outside: inside only.
INSIDE_ONLY = {
    "a new user namespace":
        "import ctypes, os; c = ctypes.CDLL(None, use_errno=True);"
        "print('REACHED' if c.unshare(0x10000000) == 0 else os.strerror(ctypes.get_errno()))",
    "a mount":
        "import ctypes; c = ctypes.CDLL(None);"
        "print('REACHED' if c.mount(b'x', b'/tmp', b'tmpfs', 0, None) == 0 else 'refused')",
    "capabilities":
        "t = open('/proc/self/status').read();"
        "print('REACHED' if any(int(l.split()[1], 16) for l in t.splitlines()"
        " if l.startswith(('CapPrm', 'CapEff', 'CapBnd', 'CapAmb'))) else 'none')",
    "vsock": "import socket; socket.socket(40, socket.SOCK_STREAM); print('REACHED')",
    "writing to /": "open('/x', 'w').write('x'); print('REACHED')",
    "writing to /dev": "open('/dev/x', 'w').write('x'); print('REACHED')",
    "writing to /usr": "open('/usr/x', 'w').write('x'); print('REACHED')",
    "writing a kernel setting":
        "open('/proc/sys/kernel/core_pattern', 'w').write('x'); print('REACHED')",
    "a host path in our own command line":
        "t = open('/proc/1/cmdline').read(); print('REACHED' if '/penstock-' + 'sandbox-' in t else 'none')",
    "more than three descriptors":
        "import os; print('REACHED' if len(os.listdir('/proc/self/fd')) > 4 else 'three')",
}


def as_user(uid):
    if os.getuid() == 0 and uid:
        return ["/usr/bin/setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return []


def inside(top, uid, argv, options=(), **more):
    out = f"{top}/work/one/out"
    binds = ["-r", f"{top}/work/one/export:/export", "-w", f"{out}:/out"]
    return subprocess.run(as_user(uid) + [f"{top}/sandbox_try", "-u", str(UID), *binds, *options, *argv],
                          capture_output=True, text=True, timeout=60, **more)


def own(top, uid):
    for name in ("work/one/out", "work/one", "work/one/export"):
        os.chown(f"{top}/{name}", uid or UID, uid or UID)


def reach(top, uid, port, abstract, host_pid, fd):
    who = f"uid {uid or os.getuid()}"
    env = {"LEAKED": "yes", "PATH": "/usr/bin:/bin"}
    for name, text in attempts(top, port, abstract, host_pid, fd).items():
        if name == "/root" and uid:
            continue    # a plain user cannot read it outside either
        outside = subprocess.run(as_user(uid) + [PY, "-c", text], capture_output=True, text=True,
                                 pass_fds=(fd,), timeout=60,
                                 env={**env, "OUTSIDE": f"{top}/work/one/out"})
        check(f"{who}: {name}: succeeds outside", "REACHED" in outside.stdout, outside.stderr)
        for left in ("work/one/beside", "work/one/beside2", "work/one/export/new"):
            if os.path.exists(f"{top}/{left}"):
                os.unlink(f"{top}/{left}")
        p = inside(top, uid, [PY, "-c", text], ["-f", str(fd)], pass_fds=(fd,), env=env)
        check(f"{who}: {name}: not inside", "REACHED" not in p.stdout and p.returncode < 100
              and "exit status" in p.stderr, p.stdout + p.stderr)
        for left in ("work/one/beside", "work/one/beside2", "work/one/export/new"):
            check(f"{who}: {name}: {left} not there", not os.path.exists(f"{top}/{left}"))
    for name, text in INSIDE_ONLY.items():
        p = inside(top, uid, [PY, "-c", text])
        check(f"{who}: {name}: not inside", "REACHED" not in p.stdout and p.returncode < 100,
              p.stdout + p.stderr)
    p = inside(top, uid, ["/bin/sh", "-c", "echo made > /out/x; cat /export/file; hostname; id -u"])
    check(f"{who}: what is allowed works", p.stdout == f"given\npenstock\n{UID}\n"
          and open(f"{top}/work/one/out/x").read() == "made\n", p.stdout + p.stderr)


LIMITS = [
    ("wall time", "wall=1000", "import time\nwhile True: print(1); time.sleep(.05)", "not done after 1 s"),
    ("quiet time", "quiet=1000", "import time; time.sleep(60)", "no output for 1 s"),
    ("memory", "memory=100", "import time\na = []\nwhile True: a.append(b'x' * 5000000); time.sleep(.02)",
     " of 100 MB, stopped"),
    ("memory at once", "memory=100", "import time\na = b'x' * (1 << 30); time.sleep(60)",
     " of 100 MB, stopped"),
    ("memory of many", "memory=200", "import os, time\nfor i in range(5): os.fork()\n"
     "a = os.urandom(20 << 20); time.sleep(60)", " of 200 MB, stopped"),
    ("disk", "disk=8", "import time\nfor i in range(1000):\n"
     "    open('/out/f%d' % i, 'wb').write(b'x' * 1000000); time.sleep(.02)", " of 8 MB written, stopped"),
    ("one file", "disk=8", "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
     "open('/out/f', 'wb').write(b'x' * 20000000)", "a file grew past 8 MB"),
    ("tmpfs", "disk=8", "for i in range(9):\n    open('/tmp/f%d' % i, 'wb').write(b'x' * 1000000)",
     "exit status 1; disk: 8 MB of 8 MB in /tmp"),
    ("tmpfs for the build", "disk=8", "open('/build/f', 'wb').write(b'x' * 9000000)", "disk: 8 MB of 8 MB in /build"),
    ("processes at once", "processes=40", "import subprocess\nv = []\n"
     "while True: v.append(subprocess.Popen(['/bin/sleep', '60']))", "limit of 40 processes"),
    ("processes", "processes=40", "import subprocess, time\nv = []\ntry:\n"
     "    while True: v.append(subprocess.Popen(['/bin/sleep', '60']))\n"
     "except OSError: time.sleep(4); raise SystemExit(1)", "limit of 40 processes"),
]


def limits(top, uid):
    for name, option, text, want in LIMITS:
        p = inside(top, uid, [PY, "-c", text], ["-l", option, "-W", f"{top}/work/one/out"])
        check(f"uid {uid or os.getuid()}: limit of {name}", want in p.stderr, p.stdout[-300:] + p.stderr)
        shutil.rmtree(f"{top}/work/one/out")
        os.mkdir(f"{top}/work/one/out")
        own(top, uid)


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
    top = tempfile.mkdtemp(prefix="penstock-sandbox-")
    listener = socket.create_server(("127.0.0.1", 0))
    abstract = f"penstock-test-{os.getpid()}"
    named = socket.socket(socket.AF_UNIX)
    named.bind("\0" + abstract)
    named.listen(64)
    host = subprocess.Popen(["/bin/sleep", "98765"])
    try:
        os.chmod(top, 0o755)
        shutil.copy(TRY, f"{top}/sandbox_try")
        for name in ("state/store", "keys/key", "work/other/setup.py", "home/secret",
                     "work/one/export/file", "descriptor"):
            os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
            with open(f"{top}/{name}", "w") as f:
                f.write("given\n" if name.endswith("file") else "secret")
        os.mkdir(f"{top}/work/one/out")
        fd = os.open(f"{top}/descriptor", os.O_RDONLY)
        for uid in ([0, 65534] if os.getuid() == 0 else [os.getuid()]):
            own(top, uid)
            if uid == 65534:
                host.kill()
                host.wait()
                host = subprocess.Popen(as_user(uid) + ["/bin/sleep", "98765"])
                wait_for("helper runs", lambda: host.pid in alive("/bin/sleep", "98765"))
            reach(top, uid, listener.getsockname()[1], abstract, host.pid, fd)
            limits(top, uid)
            ends_with_caller(top, uid)
    finally:
        host.kill()
        host.wait()
        shutil.rmtree(top)
    left = [d for d, _, _ in os.walk("/sys/fs/cgroup") if "/penstock-sandbox_try-" in d
            and not os.path.exists("/proc/" + d.rsplit("-", 1)[1])]
    check("no cgroup is left", not left, str(left))
    print(f"{failures} failures")
    return 1 if failures else 0


sys.exit(main())
