#!/usr/bin/python3
"""Completion with the names that there are now, by bash, zsh and fish themselves; and status --watch."""
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.dont_write_bytecode = True
from agent import BUILD, SRC, Instance, check, clean_env, run, wait  # noqa: E402

SCRIPTS = os.path.join(SRC, "packaging", "completion")


def words(a, *typed):
    """What may stand next, without what it means."""
    out = run(os.path.join(BUILD, "penstock"), "__complete", "--", "penstock", "-C", a.dir, *typed, env=clean_env())
    check(out.stderr == "", f"nothing is said: {out.stderr}")
    return [l.split("\t")[0] for l in out.stdout.split("\n") if l]


def shells(a):
    """Each shell's own completion of a line, by name."""
    env = clean_env(PENSTOCK_INSTANCE=a.dir, PATH=BUILD + ":" + os.environ["PATH"], HOME=a.base)

    def bash(*typed):
        script = (f'source {SCRIPTS}/penstock.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _penstock 2>/dev/null; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        return run("bash", "-c", script, "x", "penstock", *typed, env=env).stdout.split()

    def fish(*typed):
        line = " ".join(("penstock",) + typed)
        out = run("fish", "--no-config", "-c", f'source {SCRIPTS}/penstock.fish; complete -C "{line}"', env=env).stdout
        return [l.split("\t")[0] for l in out.split("\n") if l]

    def zsh(*typed):
        # the function with its helpers told to print what they were given
        script = ('_describe() { local v=$argv[-1]; print -l -- "${(@P)v%%:*}" }; _files() { print :files }; '
                  f'words=("$@"); CURRENT=$#; source {SCRIPTS}/_penstock')
        return run("zsh", "-f", "-c", script, "x", "penstock", *typed, env=env).stdout.split()

    found = {"bash": bash, "fish": fish, "zsh": zsh}
    for name in [n for n in found if not shutil.which(n)]:
        print(f"SKIP {name}: it is not installed")
        del found[name]
    return found


def case_live_names(a):
    repo = a.repository("sales/etl")
    c = a.clone(repo)
    c.commit()
    c.push("HEAD:refs/heads/main")
    wait("the event is there", lambda: a.events("refs/heads/main"))
    event = a.events("refs/heads/main")[0]["id"]
    check(words(a, "st") == ["status", "stop"], f"commands: {words(a, 'st')}")
    check(words(a, "audit", "") == ["verify", "export"], f"second words: {words(a, 'audit', '')}")
    check(words(a, "plan", "pr") == ["production"], f"environments: {words(a, 'plan', 'pr')}")
    check(words(a, "history", "") == ["development", "production", "airflow"], "fabrics")
    check(words(a, "pause", "fabric", "dev") == ["development"], "what a pause names")
    check(event in words(a, "why", ""), f"events: {words(a, 'why', '')}")
    check(words(a, "events", "--repo", "") == ["sales/etl"], "repositories")
    check(words(a, "events", "--ref", "refs/h") == ["refs/heads/main"], "refs")
    check("--dry-run" in words(a, "install", "--"), "options")
    check(words(a, "install", "") == [":folders"] and words(a, "config", "check", "") == [":files"], "files")
    check(words(a, "events", "--state", "he") == ["held"], "words of an option")
    check(words(a, "approve", "-m", "") == [], "a text is one's own")
    for name, complete in shells(a).items():
        check(complete("st") == ["status", "stop"], f"{name}: {complete('st')}")
        check(complete("plan", "pr") == ["production"], f"{name}: {complete('plan', 'pr')}")
        check(event in complete("why", "e"), f"{name} knows live names: {complete('why', 'e')}")


def case_quick_and_silent(a):
    """An agent that hangs, none at all, no instance: a prompt waits for nobody and reads no error."""
    a.penstock("status")
    core = a.role("core")
    os.kill(core, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        check(words(a, "approve", "") == [], "nothing is known")
        took = time.monotonic() - begun
        check(words(a, "plan", "prod") == ["production"], "what a file says is known all the same")
    finally:
        os.kill(core, signal.SIGCONT)
    check(took < 3, f"it took {took:.1f} s")
    a.stop(audit=False)
    check(words(a, "approve", "") == [] and words(a, "plan", "prod") == ["production"], "without an agent")
    for line in (["-C", "/nowhere", "history", ""], ["nonsense", "x", ""], ["--", ""], []):
        run(os.path.join(BUILD, "penstock"), "__complete", "--", "penstock", *line, env=clean_env())


def case_watch(a):
    """A log gets a block for each change; a terminal is drawn anew; Ctrl-C says that the work goes on."""
    p = subprocess.Popen([os.path.join(BUILD, "penstock"), "-C", a.dir, "status", "--watch", "--every", "1s"],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_env())
    line = p.stdout.readline()
    check(line.startswith("---- "), line)
    a.penstock("pause", "fabric", "production", "-m", "quarter end")
    seen = []
    while not any("quarter end" in l for l in seen):
        seen.append(p.stdout.readline())
        check(seen[-1], "it goes on")
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=20)
    check(p.returncode == 130 and "the work goes on" in err, f"{p.returncode}: {err}")
    check((line + "".join(seen) + out).count("---- ") == 2, "one block for each change, and no other")
    check("\033" not in "".join(seen), "no colour in a log")
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(os.path.join(BUILD, "penstock"), ["penstock", "-C", a.dir, "status", "-w", "--every", "1s"],
                  clean_env(TERM="xterm", COLUMNS="80"))
    text = b""
    while text.count(b"\033[H\033[2J") < 3:
        check(select.select([fd], [], [], 30)[0], f"it is drawn again: {text[-200:]}")
        text += os.read(fd, 65536)
    os.kill(pid, signal.SIGINT)
    check(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130, "Ctrl-C")
    os.close(fd)
    check(b"\033[3" in text, "a terminal gets colour")


def main():
    wanted = sys.argv[1:]
    for case in (case_live_names, case_quick_and_silent, case_watch):
        if wanted and not any(w in case.__name__ for w in wanted):
            continue
        begun = time.monotonic()
        with Instance() as a:
            case(a)
        print(f"ok {case.__name__[5:]} ({time.monotonic() - begun:.1f} s)", flush=True)


main()
