#!/usr/bin/python3
"""doctor: each thing that can be wrong is made wrong, found, explained, and mended by the command it names."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.dont_write_bytecode = True
from agent import BUILD, Instance, check, clean_env, run, wait  # noqa: E402
from planted import plant, planted  # noqa: E402


def rows(a, *states):
    """The rows that are not well, or have one of the states."""
    doc = a.json("doctor", expect=None)
    return [r for r in doc["items"] if r["state"] in (states or ("warning", "error"))]


def find(a, check_id, text):
    got = [r for r in rows(a) if r["id"] == check_id and text in r["text"]]
    check(got, f"{check_id}: '{text}' is not among {rows(a)}")
    check(got[0]["why"] and got[0]["mend"], f"why and how to mend it: {got[0]}")
    return got[0]


def mends(a, check_id, text):
    """Found, and gone after its own command."""
    row = find(a, check_id, text)
    words = shlex.split(row["mend"])
    if words[0] == "penstock":
        a.penstock(*words[1:])
    else:
        run(*words)
    left = [r for r in rows(a) if r["id"] == check_id and text in r["text"]]
    check(not left, f"'{row['mend']}' has not mended {left}")


def bad_free(a, *known):
    return [r for r in rows(a) if r["id"] not in ("roles",) + known]


def settings(a, old, new):
    path = a.dir + "/penstock.yml"
    with open(path, encoding="utf-8") as f:
        text = f.read()
    check(old in text, f"{old} is in penstock.yml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def case_each_is_found_and_mended(a):
    repo = a.repository("shop")
    check(bad_free(a) == [], f"at first all is well: {bad_free(a)}")
    code = a.penstock("doctor").returncode
    check(code == 0, "exit code 0")
    p = a.penstock("doctor", "--strict", expect=1)
    check("◷ warning" in p.stdout and "mend" in p.stdout, "roles of one user are a warning")
    os.unlink(repo + "/hooks/post-receive")
    p = a.penstock("doctor", "--quiet", expect=1)
    check("post-receive" in p.stdout and f"install {repo}" in p.stdout and "✓" not in p.stdout, p.stdout)
    mends(a, "repositories", "has lost a hook: post-receive")
    with open(repo + "/hooks/x", "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\n")
    os.chmod(repo + "/hooks/x", 0o755)
    os.rename(repo + "/hooks/x", repo + "/hooks/pre-receive")	# as a tool of the host does
    mends(a, "repositories", "has lost a hook: pre-receive")
    check(os.path.exists(repo + "/penstock.kept/pre-receive"), "and the other one is called")
    run("git", "-C", repo, "config", "--unset", "transfer.hideRefs", env=clean_env())
    mends(a, "repositories", "shows refs/penstock")
    run("git", "-C", repo, "config", "receive.advertisePushOptions", "false", env=clean_env())
    row = find(a, "repositories", "does not advertise push options")
    check("git config receive.advertisePushOptions true" in row["mend"], row["mend"])
    run("git", "-C", repo, "config", "receive.advertisePushOptions", "true", env=clean_env())
    a.repository("new", install=False)
    mends(a, "repositories", "is not bound")
    other = Instance(folder=make(a.base + "/other"))
    elsewhere = a.repository("elsewhere", install=False)
    with open(elsewhere + "/hooks/penstock.hook", "w", encoding="utf-8") as f:
        f.write(f"{other.dir}/run/hook.sock\n{other.dir}/state/policy\n/usr/bin/penstock\n")
    find(a, "repositories", f"is bound to another instance: {other.dir}")
    shutil.rmtree(elsewhere)
    os.chmod(a.dir + "/keys/release.key", 0o644)
    mends(a, "keys", "has mode 644")
    os.chmod(a.dir + "/state/spool", 0o755)
    mends(a, "spool", "has mode 0755")
    settings(a, "slots: 1", "slots: 2")
    mends(a, "policy", "is of an earlier penstock.yml")
    settings(a, "budget: 4s", "budget: soon")
    find(a, "configuration", "has 1 errors")
    settings(a, "budget: soon", "budget: 4s")
    os.utime(a.dir + "/state/policy", (time.time() + 9000,) * 2)
    find(a, "clock", "the clock has gone back")
    os.utime(a.dir + "/state/policy")
    check(bad_free(a) == [], f"and all is well again: {bad_free(a)}")


def make(folder):
    os.makedirs(folder)
    return folder


def case_without_an_agent(a):
    repo = a.repository("shop")
    a.stop()
    row = find(a, "agent", "does not answer")
    check(row["mend"] == f"penstockd --detach {a.dir}", row["mend"])
    ask = {r["id"] for r in rows(a, "not asked")}
    check("roles" in ask, f"what only the agent knows was not asked: {ask}")
    os.unlink(repo + "/hooks/pre-receive")
    mends(a, "repositories", "has lost a hook: pre-receive")
    os.rename(a.dir + "/state/policy", a.dir + "/state/policy.away")
    row = find(a, "policy", "state/policy")
    check("what is pushed while the agent is away is held" in row["why"], row["why"])
    os.rename(a.dir + "/state/policy.away", a.dir + "/state/policy")
    c = a.clone(repo)
    c.commit()
    c.push("HEAD:refs/heads/main")
    text = a.penstock("doctor", expect=1).stdout
    check(re.search(r"[1-9] entries wait for the agent, the oldest for \d", text), text)
    check("penstock  -C" not in text and f"-C {a.dir}" in text or "penstockd --detach" in text, text)
    check(a.json("doctor", expect=1)["state"] == "error", "for monitoring")


def case_hook_users(a):
    """As root: what another account reaches, tried as that account."""
    if os.geteuid():
        row = [r for r in rows(a, "not asked", "ok") if r["id"] == "hook users"]
        check(row, "our own account was tried")
        print("only root can become another account")
        return
    settings(a, "hook_users: [", "hook_users: [nobody, ")
    a.penstock("reload")
    check(bad_free(a, "disks") == [], f"nobody reaches all it needs: {bad_free(a)}")
    os.chmod(a.dir + "/run", 0o700)
    row = find(a, "hook users", "nobody cannot reach the hooks' socket")
    check(row["mend"].startswith("namei -l "), row["mend"])
    os.chmod(a.dir + "/run", 0o755)
    os.chmod(a.dir + "/state", 0o700)
    for text in ("cannot read the policy", "cannot leave word in the spool"):
        find(a, "hook users", "nobody " + text)
    os.chmod(a.dir + "/state", 0o755)
    settings(a, "hook_users: [nobody, ", "hook_users: [nobody-of-this-name, ")
    find(a, "hook users", "there is no account 'nobody-of-this-name'")


def case_credentials_and_roles(a):
    secret = plant(a.base + "/token", planted("doctor") + "\n", 0o640)
    with open(a.dir + "/penstock.yml", "a", encoding="utf-8") as f:
        f.write(f"\nnotify:\n  chat: {{ webhook: {{ url: 'http://127.0.0.1:9/x', secret: {{ file: {secret} }} }} }}\n")
    mends(a, "credentials", "has mode 640")
    os.unlink(secret)
    find(a, "credentials", "is not there")
    text = a.penstock("doctor", expect=None).stdout
    check(planted("doctor") not in text, "what it holds is nobody's business")
    roles = [r for r in a.json("doctor", expect=None)["items"] if r["id"] == "roles"]
    check(len(roles) >= 4 and all("user " in r["text"] for r in roles), f"each role by /proc: {roles}")
    os.kill(a.role("deploy"), 9)
    wait("a role that ended is seen, or is back", lambda: len([r for r in a.json("doctor", expect=None)["items"]
                                                              if r["id"] == "roles"]) >= 4)


def case_toolchains(a):
    one = a.items("toolchain", "list")[0]
    check(one["id"] == "default" and one["state"] == "ready" and "setuptools 66.1.1" in one["versions"], f"{one}")
    check(len(one["digest"]) == 64 and one["builds"] is None, f"a digest, and no agent to count builds: {one}")
    check(a.items("toolchain", "check")[0]["digest"] == one["digest"], "read anew it is the same")
    with open(a.dir + "/toolchains/.default.made", "w", encoding="utf-8") as f:
        f.write("0" * 64 + "\n")
    p = a.penstock("toolchain", "check", "default")
    check("not as it was made" in p.stdout, p.stdout)
    python = os.path.join(one["prefix"], "bin/python")
    with open(python, "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\necho python 3.11.2, setuptools 66.1.1, no wheel\n")
    p = a.penstock("toolchain", "check", expect=1)
    check("✗ broken" in p.stdout and "without both no pipeline is built" in p.stdout, p.stdout)
    os.mkdir(a.dir + "/toolchains/begun")
    p = a.penstock("toolchain", "list")
    check("unfinished" in p.stdout and "make it again" in p.stdout, p.stdout)
    p = a.penstock("toolchain", "check", "none", expect=1)
    check("no toolchain is called 'none'" in p.stderr and "toolchain list" in p.stderr, p.stderr)
    p = a.penstock("toolchain", "make", "begun", a.base + "/absent.txt", expect=1)
    check("cannot read" in p.stderr and "logs/toolchain-begun.log" in p.stderr, p.stderr)


def bound(a, first, n):
    """Repositories that are bound, without a process for each."""
    for i in range(first, first + n):
        path = f"{a.dir}/repos/r{i:03}.git"
        for sub in ("refs", "objects", "hooks"):
            os.makedirs(f"{path}/{sub}")
        for name, text in (("HEAD", "ref: refs/heads/main\n"),
                           ("config", "[core]\n\tbare = true\n[penstock]\n\tid = " + f"{i:032x}" + "\n[transfer]\n"
                            "\thideRefs = refs/penstock\n[receive]\n\tadvertisePushOptions = true\n"),
                           ("hooks/penstock.hook", f"{a.dir}/run/hook.sock\n{a.dir}/state/policy\n{BUILD}/penstock\n")):
            with open(f"{path}/{name}", "w", encoding="utf-8") as f:
                f.write(text)
        for name in ("pre-receive", "post-receive"):
            os.symlink(BUILD + "/penstock-hook", f"{path}/hooks/{name}")


def case_bounded_work(a):
    bound(a, 0, 20)
    few = calls(a)
    bound(a, 20, 100)
    if few:
        each = (calls(a) - few) / 100
        print(f"{each:.0f} system calls for each repository")
        check(each <= 80, f"{each} system calls for each repository")
    for i in range(30):
        os.unlink(f"{a.dir}/repos/r{i:03}.git/hooks/pre-receive")
    bad = [r for r in rows(a) if r["id"] == "repositories"]
    check(len(bad) == 11 and bad[-1]["text"].startswith("20 more"), f"ten are named, the others counted: {bad[-1:]}")


def calls(a):
    """System calls of one doctor; None where nothing can be traced."""
    if subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode:
        print("SKIP: strace cannot trace here")
        return None
    path = a.base + "/strace"
    run("strace", "-c", "-o", path, os.path.join(BUILD, "penstock"), "-C", a.dir, "doctor", "--json", env=clean_env(),
        expect=None)
    with open(path, encoding="utf-8") as f:
        return next(int(l.split()[3]) for l in f if l.split()[-1:] == ["total"])


CASES = {case_each_is_found_and_mended: True, case_without_an_agent: True, case_hook_users: True,
         case_credentials_and_roles: True, case_toolchains: False, case_bounded_work: False}


def main():
    wanted = sys.argv[1:]
    for case, agent in CASES.items():
        if wanted and not any(w in case.__name__ for w in wanted):
            continue
        begun = time.monotonic()
        prefix = os.path.join(make(f"/tmp/penstock-doctor.{os.getpid()}"), "prefix")
        os.makedirs(prefix + "/bin")
        with open(prefix + "/bin/python", "w", encoding="utf-8") as f:	# of one that has all
            f.write("#!/bin/sh\necho python 3.11.2, setuptools 66.1.1, wheel 0.38.4, no pyspark, no pytest\n")
        os.symlink("python", prefix + "/bin/python3")
        os.chmod(prefix + "/bin/python", 0o755)
        a = Instance(toolchain=prefix)
        try:
            if agent:
                a.start()
            case(a)
        except BaseException:
            a.tell_logs() if agent else None
            raise
        finally:
            a.stop(audit=False)
            a.remove()
            shutil.rmtree(os.path.dirname(prefix))
        print(f"ok {case.__name__[5:]} ({time.monotonic() - begun:.1f} s)", flush=True)


main()
