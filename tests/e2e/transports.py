#!/usr/bin/python3
"""Pushes over real transports: who it was, what he reads, byte by byte, and where the push was judged. No builds.

    tests/e2e/transports.py [CASE...]     cwd is the build folder; one account per person needs root
"""
import os
import pty
import re
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import hosts  # noqa: E402

hosts.enter(__file__)
from agent import BUILD, check, main  # noqa: E402
from hosts import NAMELESS, PEOPLE, ROOT, UID, Hosts  # noqa: E402

# What ana's name is put into by somebody who is not her.
LIES = {v: "ana" for v in ("WHO", "GL_USER", "GL_USERNAME", "REMOTE_USER", "PENSTOCK_AS", "PENSTOCK_PUSHER", "GITEA_PUSHER_NAME",
                           "GITHUB_USER_LOGIN", "USER", "LOGNAME")} | {"REQUEST_METHOD": "POST"}
OPTIONS = ["GL_USER=ana", "REMOTE_USER=ana", "penstock.as=ana"]
GIT_SAYS = re.compile(rb"To \S+| [*!] \[.*\] +\S+ -> \S+.*|error: failed to push some refs to '\S+'")


def remote_lines(p, what):
    """The lines of the remote, after every byte on stderr was looked at: whole lines, git's own or ours, without codes."""
    raw = p.stderr
    check(p.stdout == b"", f"{what}: stdout: {p.stdout!r}")
    check(raw.endswith(b"\n"), f"{what}: the last line is not whole: {raw!r}")
    check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw), f"{what}: control characters: {raw!r}")
    raw.decode()
    lines = []
    for line in raw[:-1].split(b"\n"):
        if GIT_SAYS.fullmatch(line):
            continue
        # git puts eight blanks behind each line that is not empty, and none behind one that is
        m = re.fullmatch(rb"remote: (?:(.*\S) {8})?", line)
        check(m, f"{what}: a line that is neither git's nor whole: {line!r} in {raw!r}")
        lines.append((m[1] or b"").decode())
    return lines


def left_behind():
    """Hooks and gate programs that outlive their push; they would hold its stderr."""
    found = []
    for pid in (int(n) for n in os.listdir("/proc") if n.isdigit()):
        try:
            if os.readlink(f"/proc/{pid}/exe") in (BUILD + "/penstock-hook", BUILD + "/penstock"):
                found.append(pid)
        except OSError:
            pass		# it has ended, or is not ours to look into
    return found


def push(host, clone, who, *refs, expect=0, **more):
    p = host.push(clone, who, *refs, **more)
    what, left = f"{host.name}, {who or 'nobody'}", left_behind()
    check(not left, f"{what}: hooks live on: {left}")
    check((p.returncode == 0) == (expect == 0), f"{what}: exit {p.returncode}: {p.stderr.decode()}")
    return remote_lines(p, what)


def common(lines, host, ref, event="ID"):
    """Without what differs from one push of the same content to another."""
    text = "\n".join(lines).replace(ref.removeprefix("refs/heads/"), "REF").replace(host.short, "REPO")
    return re.sub(rf"\b{event}\b", "ID", text).split("\n")


def event(h, ref):
    found = [e for e in h.items("events", "--ref", ref)]
    check(len(found) == 1, f"{ref}: one event, not {found}")
    return found[0]


def judged_as(h, host, who):
    """Where the gate role cannot read the quarantine the hook's own account judges; else the role does."""
    want = [UID.get(who, NAMELESS)] if host.root == "people" else []
    got = h.judged_by()
    check(got == want, f"{host.name}: the gate program ran as {got}, not {want}")


def right_pusher(h, fine, _):
    """Two people on each transport; what they read is the same everywhere."""
    read = {}
    for n, host in enumerate(h.hosts.values()):
        for who in PEOPLE:
            fine.commit(f"by {who}")
            ref = f"refs/heads/right-{n}-{who}"
            lines = push(host, fine, who, "HEAD:" + ref)
            judged_as(h, host, who)
            e = event(h, ref)
            check(e.get("pusher") == who, f"{host.name}: {who} pushed, not {e.get('pusher')}")
            check(len(lines) <= 12, f"{host.name}: twelve lines at most: {lines}")
            read[host.name, who] = common(lines, host, ref, e["id"])
    want = next(iter(read.values()))
    check(want[0].startswith("success: ") and any("event ID refs/heads/REF" in l for l in want), f"{want}")
    check(all(got == want for got in read.values()), f"the same on each transport: {read}")


def lies_do_not_count(h, fine, _):
    """kim says in every way that a client has that he is ana."""
    for n, host in enumerate(h.hosts.values()):
        fine.commit("a lie")
        ref = f"refs/heads/lie-{n}"
        lines = push(host, fine, "kim", "HEAD:" + ref, lies=LIES, options=OPTIONS)
        judged_as(h, host, "kim")
        e = event(h, ref)
        check(e.get("pusher") == "kim" and "ana" not in str(e), f"{host.name}: kim pushed: {e}")
        check(any(l.startswith("warning: push option 'penstock.as=ana' is not known") for l in lines), f"{host.name}: {lines}")


def refused_with_its_place(h, _, broken):
    """What is broken is refused with file, line and column, judged by the role or by the program."""
    read = {}
    for n, host in enumerate(h.hosts.values()):
        ref = f"refs/heads/broken-{n}"
        lines = push(host, broken, "ana", "HEAD:" + ref, expect=1)
        judged_as(h, host, "ana")
        check(h.items("events", "--ref", ref) == [], f"{host.name}: no event of what was refused")
        check(lines[0].startswith("error: ") and lines[-1].startswith("hint: "), f"{host.name}: key words: {lines}")
        check(lines[1].startswith("pbt_project.yml:2:1: error: "), f"{host.name}: its place: {lines}")
        read[host.name] = common(lines, host, ref)
    check(len({tuple(lines) for lines in read.values()}) == 1, f"the same on each transport: {read}")


def nobody_follows_policy(h, fine, _):
    """Who has no name, whatever he says: held, refused, let in."""
    for policy in ("hold", "refuse", "accept"):
        h.set(unknown_pusher=policy)
        for n, host in enumerate(h.hosts.values()):
            if not host.anonymous:
                continue
            fine.commit("by nobody")
            ref = f"refs/heads/{policy}-{n}"
            lines = push(host, fine, None, "HEAD:" + ref, lies=LIES, expect=int(policy == "refuse"))
            if policy == "refuse":
                check(any("[PS-PUSH-006]" in l for l in lines) and h.items("events", "--ref", ref) == [], f"{host.name}: {lines}")
                continue
            judged_as(h, host, None)
            e = event(h, ref)
            check(not e.get("pusher") and (e["state"] == "held") == (policy == "hold"), f"{policy}, {host.name}: {e}")


def a_terminal_gets_gits_colours(h, _, broken):
    """The key words are there for the client to colour; what stands behind a line is the client's, too."""
    host = h.hosts["ssh, one account"]
    argv, env = host.argv(broken, "ana", "HEAD:refs/heads/coloured")
    ours, theirs = pty.openpty()
    p = subprocess.Popen(argv, env={**env, "TERM": "xterm"}, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs)
    os.close(theirs)
    raw = b""
    try:
        while chunk := os.read(ours, 65536):
            raw += chunk
    except OSError:		# the other side is closed
        pass
    os.close(ours)
    check(p.wait(60) == 1, f"refused, not {p.returncode}")
    # its own progress comes by the same road
    lines = [l for l in re.findall(rb"remote: ([^\r\n]*)\x1b\[K\r\n", raw) if not l.startswith(b"Resolving deltas")]
    check(len(lines) == 3 and lines[0].startswith(b"\x1b[1;31merror\x1b[m: ") and b"\x1b" not in lines[1] and
          lines[2].startswith(b"\x1b[33mhint\x1b[m: "), f"{lines} in {raw!r}")


def a_hanging_gate_program_holds_no_push(h, fine, _):
    """It and its child have the push's stderr: were one left, the client would wait for it (Host.push() has a limit)."""
    if not ROOT:
        return
    h.set(budget="1s")
    with open(h.base + "/hang", "w", encoding="utf-8"):
        pass
    host = h.hosts["ssh, own account"]
    lines = push(host, fine, "ana", "HEAD:refs/heads/hung")
    judged_as(h, host, "ana")
    check(any(l.startswith("warning: not judged within") for l in lines), f"{lines}")
    check(event(h, "refs/heads/hung")["state"] == "held", "what was not judged is held")


CASES = [right_pusher, lies_do_not_count, refused_with_its_place, a_terminal_gets_gits_colours, nobody_follows_policy,
         a_hanging_gate_program_holds_no_push]
CHOSEN = sys.argv[1:]
del sys.argv[1:]


def five_transports():
    """All cases with one agent and one set of servers."""
    with Hosts() as h:
        unused = h.repository("unused", install=False)	# they push to addresses
        fine, broken = h.example(unused), h.example(unused)
        broken.write("pbt_project.yml", "name: [\n")
        broken.commit("broken")
        if not ROOT:
            print("     only root makes accounts: not tried are a path and ssh with one account per person")
        for case in CASES:
            if not CHOSEN or case.__name__ in CHOSEN:
                began = time.monotonic()
                case(h, fine, broken)
                print(f"     {case.__name__} ({time.monotonic() - began:.1f} s)", flush=True)


main(five_transports)
