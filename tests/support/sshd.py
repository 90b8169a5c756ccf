"""A real sshd on loopback that lets one key in for sftp, and the home of the user who comes.

    if enter(__file__): ...         first of all: runs the script again where that user's home is a folder of ours
    with Sshd() as s:
        s.address(folder)           "sftp://USER@127.0.0.1:PORT/FOLDER"
        s.known(other=True)         known_hosts: its key, another one's, or (known(none=True)) no key
        s.stop(), s.start()

ssh takes its user's home from passwd, whatever HOME says: so the test gets a passwd of its own, which
needs root.
"""
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.getuid() == 0
INSIDE = """set -e
mount --bind "$SSHD_TOP/passwd" /etc/passwd
mount -t tmpfs -o mode=755 none /run
mkdir -m 755 /run/sshd
exec "$@"
"""


def enter(script):
    """False: it cannot be had, for a reason that is printed."""
    if "SSHD_TOP" in os.environ:
        return True
    why = ("not installed: openssh-server" if not os.path.exists("/usr/sbin/sshd") else
           "a home that is not the user's needs root: ssh finds it in passwd" if not ROOT else
           "root may not make a mount namespace here"
           if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode else None)
    if why:
        print(f"no sshd: {why}", flush=True)
        return False
    top = tempfile.mkdtemp(prefix="penstock-sshd.")
    os.makedirs(os.path.join(top, "home", ".ssh"), 0o700)
    me = pwd.getpwuid(os.getuid())
    with open("/etc/passwd", encoding="utf-8") as f:
        lines = [l for l in f.read().splitlines() if l.split(":")[0] != me.pw_name]
    with open(os.path.join(top, "passwd"), "w", encoding="utf-8") as f:
        f.write("\n".join([f"{me.pw_name}:x:{me.pw_uid}:{me.pw_gid}::{top}/home:/bin/sh", *lines]) + "\n")
    os.chmod(top, 0o755)
    p = subprocess.run(["unshare", "-m", "sh", "-c", INSIDE, "sh", sys.executable, os.path.abspath(script), *sys.argv[1:]],
                       env={**os.environ, "SSHD_TOP": top, "HOME": top + "/home"})
    shutil.rmtree(top)
    sys.exit(p.returncode)


class Sshd:
    def __init__(self):
        self.top, self.user, self.proc = os.environ["SSHD_TOP"], pwd.getpwuid(os.getuid()).pw_name, None
        self.ssh = os.path.join(self.top, "home", ".ssh")

    def __enter__(self):
        for path in (f"{self.top}/host", f"{self.top}/other", f"{self.ssh}/id_ed25519"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", path], check=True)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        with open(f"{self.top}/config", "w", encoding="utf-8") as f:
            f.write(f"ListenAddress 127.0.0.1:{self.port}\nHostKey {self.top}/host\nPidFile none\nStrictModes no\n"
                    f"AuthorizedKeysFile {self.ssh}/id_ed25519.pub\nPasswordAuthentication no\n"
                    "KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nUsePAM no\n"
                    "MaxStartups 100\nSubsystem sftp internal-sftp\n")
        self.known()
        self.start()
        return self

    def __exit__(self, *why):
        self.stop()
        if why[0] and not (why[0] is SystemExit and not why[1].code) and os.path.exists(f"{self.top}/log"):
            with open(f"{self.top}/log", encoding="utf-8", errors="replace") as f:
                sys.stderr.write("---- sshd, its end\n" + "".join(f.readlines()[-20:]) + "----\n")

    def start(self):
        with open(f"{self.top}/log", "ab") as log:
            self.proc = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", f"{self.top}/config"], stdin=subprocess.DEVNULL,
                                         stdout=log, stderr=log)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if self.proc.poll() is not None:
                raise RuntimeError(f"sshd ended with {self.proc.returncode}")
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise RuntimeError("sshd does not listen")

    def stop(self):
        if self.proc:
            self.proc.terminate()
            self.proc.wait(10)
        self.proc = None

    def known(self, none=False, other=False):
        line = ""
        if not none:
            with open(f"{self.top}/{'other' if other else 'host'}.pub", encoding="utf-8") as f:
                line = f"[127.0.0.1]:{self.port} " + f.read()
        with open(f"{self.ssh}/known_hosts", "w", encoding="utf-8") as f:
            f.write(line)

    def address(self, folder):
        return f"sftp://{self.user}@127.0.0.1:{self.port}{folder}"
