"""The frames of common/wire in plain Python, and a role program started as its parent would.

    role = Role(program, instance, yaml)       # hello and configuration are done when it returns
    answer = role.ask("look", id=1, repository=path, refs=[])
    role.stop()

Messages are dicts with `type`; absent optional fields are left out. Everything waits with a limit.
"""
import array
import fcntl
import hashlib
import os
import select
import signal
import socket
import struct
import time

LIMIT = 60


def pack(v):
    """One value as msgpack; only the kinds our messages have."""
    if v is None:
        return b"\xc0"
    if v is True or v is False:
        return b"\xc3" if v else b"\xc2"
    if isinstance(v, int):
        if 0 <= v < 128:
            return bytes([v])
        return struct.pack(">BQ", 0xCF, v) if v >= 0 else struct.pack(">Bq", 0xD3, v)
    if isinstance(v, str):
        b = v.encode()
        return struct.pack(">BI", 0xDB, len(b)) + b
    if isinstance(v, (bytes, bytearray)):
        return struct.pack(">BI", 0xC6, len(v)) + bytes(v)
    if isinstance(v, (list, tuple)):
        return struct.pack(">BI", 0xDD, len(v)) + b"".join(map(pack, v))
    if isinstance(v, dict):
        return struct.pack(">BI", 0xDF, len(v)) + b"".join(pack(k) + pack(x) for k, x in v.items())
    raise TypeError(f"cannot pack {type(v)}")


_RAW = {0xC4: "B", 0xC5: "H", 0xC6: "I", 0xD9: "B", 0xDA: "H", 0xDB: "I"}
_NUM = {0xCA: "f", 0xCB: "d", 0xCC: "B", 0xCD: "H", 0xCE: "I", 0xCF: "Q", 0xD0: "b", 0xD1: "h", 0xD2: "i", 0xD3: "q"}
_LIST, _MAP = {0xDC: "H", 0xDD: "I"}, {0xDE: "H", 0xDF: "I"}


def _number(b, at, fmt):
    n = struct.calcsize(fmt)
    return struct.unpack(">" + fmt, b[at:at + n])[0], at + n


def _value(b, at):
    t, at = b[at], at + 1
    if t < 0x80:
        return t, at
    if t >= 0xE0:
        return t - 256, at
    if t in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[t], at
    if t in _NUM:
        return _number(b, at, _NUM[t])
    if 0xA0 <= t < 0xC0 or t in _RAW:
        n, at = (t & 31, at) if t < 0xC0 else _number(b, at, _RAW[t])
        raw = b[at:at + n]
        return (bytes(raw) if t in (0xC4, 0xC5, 0xC6) else raw.decode()), at + n
    if 0x90 <= t < 0xA0 or t in _LIST:
        n, at = (t & 15, at) if t < 0xA0 else _number(b, at, _LIST[t])
        out = []
        for _ in range(n):
            v, at = _value(b, at)
            out.append(v)
        return out, at
    if 0x80 <= t < 0x90 or t in _MAP:
        n, at = (t & 15, at) if t < 0x90 else _number(b, at, _MAP[t])
        out = {}
        for _ in range(n):
            k, at = _value(b, at)
            out[k], at = _value(b, at)
        return out, at
    raise ValueError(f"byte {t:#x} is no msgpack of ours")


def unpack(b):
    v, at = _value(b, 0)
    if at != len(b):
        raise ValueError(f"{len(b) - at} bytes behind the value")
    return v


def send(sock, type, fd=None, **fields):
    body = pack({"type": type, "version": 1, **fields})
    data = struct.pack(">I", len(body)) + body
    if fd is not None:
        n = sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
        data = data[n:]
    sock.sendall(data)


def recv(sock, limit=LIMIT):
    """The next message; EOFError when the other end has closed, TimeoutError past the limit."""
    until = time.monotonic() + limit

    def exactly(n):
        out = b""
        while len(out) < n:
            if not select.select([sock], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError(f"no message in {limit} s")
            got = sock.recv(n - len(out))
            if not got:
                raise EOFError("the other end has closed")
            out += got
        return out

    return unpack(exactly(struct.unpack(">I", exactly(4))[0]))


class Role:
    """A role program with us as its parent (descriptor 3) and, with core=True, as core (4).

    yaml None: configure() is called by the test. stderr: a descriptor."""

    def __init__(self, program, instance, yaml, core=True, env=None, stderr=None):
        self.yaml_id = 0
        self.status = None
        self.kept = []                  # messages that came while another was waited for
        self.parent, up = socket.socketpair()
        self.core, side = socket.socketpair() if core else (None, None)
        actions = []
        high = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD_CLOEXEC, 20) for s in (up, side) if s]
        if stderr is not None:      # as low as 3 or 4 it would be gone by then
            high.append(fcntl.fcntl(stderr, fcntl.F_DUPFD_CLOEXEC, 20))
        for want, fd in zip((3, 4) if core else (3,), high):
            actions.append((os.POSIX_SPAWN_DUP2, fd, want))
        if stderr is not None:
            actions.append((os.POSIX_SPAWN_DUP2, high[-1], 2))
        self.pid = os.posix_spawn(program, [program, instance], dict(os.environ if env is None else env),
                                  file_actions=actions)
        for fd in high:
            os.close(fd)
        up.close()
        if side:
            side.close()
        self.hello = recv(self.parent)
        assert self.hello["type"] == "hello", self.hello
        if self.core:
            assert recv(self.core)["type"] == "hello"
        problem = yaml is not None and self.configure(yaml)
        if problem:
            self.kill()
            raise ValueError(problem)

    def configure(self, yaml):
        """Offers a configuration and lets it be taken; returns the role's problem or None."""
        self.yaml_id += 1
        yaml = yaml.encode() if isinstance(yaml, str) else yaml
        send(self.parent, "config_offer", id=self.yaml_id, yaml=yaml, digest=hashlib.sha256(yaml).hexdigest())
        answer = recv(self.parent)
        while answer["type"] == "started":     # of the offer before
            answer = recv(self.parent)
        assert answer["type"] == "config_answer" and answer["id"] == self.yaml_id, answer
        send(self.parent, "config_take", id=self.yaml_id, drop="problem" in answer)
        return answer.get("problem")

    def send(self, type, fd=None, **fields):
        send(self.core, type, fd, **fields)

    def recv(self, limit=LIMIT):
        return self.kept.pop(0) if self.kept else recv(self.core, limit)

    def answer(self, id, limit=LIMIT):
        """The message with this id; others that come meanwhile are kept for later."""
        for i, m in enumerate(self.kept):
            if m.get("id") == id:
                return self.kept.pop(i)
        while True:
            m = recv(self.core, limit)
            if m.get("id") == id:
                return m
            self.kept.append(m)

    def ask(self, type, limit=LIMIT, **fields):
        self.send(type, **fields)
        return self.answer(fields["id"], limit)

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            return [int(x) for x in f.read().split()]

    def wait(self, limit=LIMIT):
        if self.status is None:
            fd = os.pidfd_open(self.pid)
            try:
                if not select.select([fd], [], [], limit)[0]:
                    raise TimeoutError(f"process {self.pid} did not end in {limit} s")
            finally:
                os.close(fd)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            for s in (self.parent, self.core):
                if s:
                    s.close()
        return self.status

    def stop(self):
        """Asks it to end; its exit code (negative: the signal)."""
        if self.status is None:
            try:
                send(self.parent, "stop", why="test")
            except BrokenPipeError:
                pass
        return self.wait()

    def kill(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
        return self.wait()
