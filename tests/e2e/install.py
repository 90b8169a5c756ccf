#!/usr/bin/python3
"""install and uninstall around hooks that were there before.

A hook says all it can see (input, arguments, environment, folder, what lies beside it) before penstock, with it
and after it; the three must be the same. What is in a repository is compared byte by byte, with modes, links and
times. No agent runs: pushes are judged by the gate program, which is the hook's other road.
"""
import json
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
sys.dont_write_bytecode = True
from agent import BUILD, Instance, check, clean_env, run, wait  # noqa: E402

# What differs from push to push, or by being another process.
NOT_SAME = re.compile(r"^(GIT_QUARANTINE_PATH|GIT_OBJECT_DIRECTORY|_|SHLVL)=")
SEES = """#!/bin/sh
# {name} of somebody else
here=$(dirname "$0")
{{ echo "{name} called as $(basename "$0") with $# arguments: $*"; pwd; cat; cat "$here/beside.txt"; "$here/tool"
env | sort; grep -E "^(SigIgn|SigBlk|Umask)" /proc/self/status; ls /proc/self/fd; }} >>{log} 2>&1
ls -d "$here/{name}.d" >>{log} 2>&1 && echo "{name} has its folder" >>{log}
echo "{name} says one"; echo "{name} says two" >&2
exit $(cat {log}.{name})
"""


def tree(path):
    """Everything below: kind, mode, owner, time, bytes or target."""
    out = {}
    for folder, subs, names in os.walk(path):
        subs[:] = [s for s in subs if s not in ("objects", "logs")]
        for n in names + subs + ["."]:
            full = os.path.join(folder, n)
            st = os.lstat(full)
            rel = os.path.relpath(full, path)
            kind = os.readlink(full) if os.path.islink(full) else None
            if kind is None and os.path.isfile(full):
                with open(full, "rb") as f:
                    kind = f.read()
            # git makes and removes files in these two with every push
            when = 0 if rel in (".", "refs", "refs/heads") else st.st_mtime_ns
            out[rel] = (st.st_mode, st.st_uid, st.st_gid, when, kind)
    return out


def differs(a, b):
    return [(k, a.get(k), b.get(k)) for k in sorted(set(a) | set(b)) if a.get(k) != b.get(k)]


class Foreign:
    """A repository with hooks of its own: three that speak, one by another name's link, a folder and a file."""

    def __init__(self, a, name="shop"):
        self.a, self.repo = a, a.repository(name, install=False)
        self.hooks, self.log = self.repo + "/hooks", os.path.join(a.base, name + ".log")
        for n in ("pre-receive", "update", "post-receive"):
            self.put(f"{n}.real" if n == "post-receive" else n, SEES.format(name=n, log=self.log))
            self.exit(n, 0)
        os.symlink("../hooks/post-receive.real", self.hooks + "/post-receive")
        os.mkdir(self.hooks + "/pre-receive.d")
        self.put("beside.txt", "what lies beside\n", 0o600)
        self.put("tool", "#!/bin/sh\necho a tool answers\n")
        for n in os.listdir(self.hooks):
            os.utime(os.path.join(self.hooks, n), (1e9, 1e9), follow_symlinks=False)
        os.chmod(self.hooks + "/pre-receive", 0o750)
        os.utime(self.hooks, (1.1e9, 1.1e9))
        os.utime(self.repo + "/config", (1.2e9, 1.2e9))
        self.clone = a.clone(self.repo)
        self.n = 0

    def put(self, name, text, mode=0o755):
        with open(os.path.join(self.hooks, name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(os.path.join(self.hooks, name), mode)

    def exit(self, name, code):
        with open(f"{self.log}.{name}", "w", encoding="utf-8") as f:
            f.write(f"{code}\n")

    def push(self, *refs, expect=0):
        """(what the hooks saw, what the pusher read), object names replaced by their place."""
        if os.path.exists(self.log):
            os.unlink(self.log)
        self.n += 1
        self.clone.commit(f"change {self.n}")
        p = self.clone.push(*(refs or ("HEAD:refs/heads/main",)), expect=expect)
        with open(self.log, encoding="utf-8") as f:
            seen = [l for l in f.read().split("\n") if not NOT_SAME.match(l)]
        text = "\n".join(seen)
        for i, oid in enumerate(dict.fromkeys(re.findall(r"\b(?!0{40})[0-9a-f]{40}\b", text))):
            text = text.replace(oid, f"<{i}>")
        return text, [l for l in p.lines if " says " in l], p

    def told(self, expect):
        self.n += 1
        self.clone.commit(f"change {self.n}")
        return self.clone.push("HEAD:refs/heads/main", expect=expect).all


def case_same_before_with_and_after(a):
    f = Foreign(a)
    f.push()                                        # the branch is there
    os.utime(f.hooks, (1.1e9, 1.1e9))
    start, before = tree(f.repo), f.push()
    plan = a.penstock("install", "--dry-run", f.repo).stdout
    check("keep the hook pre-receive in penstock.kept" in plan and "link" in plan, plan)
    check(not os.path.exists(f.hooks + "/penstock.hook"), "a dry run writes nothing")
    told = a.penstock("install", f.repo).stdout
    check("the hook pre-receive that was there is called by ours" in told, told)
    for n in ("pre-receive", "post-receive"):
        check(os.readlink(f"{f.hooks}/{n}") == os.path.join(BUILD, "penstock-hook"), f"{n} is ours")
    check(os.readlink(f.repo + "/penstock.kept/post-receive") == "../hooks/post-receive.real", "kept as the link it was")
    during = f.push()
    # the one thing that differs: the folder in $0
    words = during[0].replace("hooks/../penstock.kept/", "hooks/")
    check(words == before[0], f"seen before:\n{before[0]}\nand with penstock:\n{words}")
    check(during[1] == before[1], f"said before: {before[1]}, with penstock: {during[1]}")
    check("pre-receive has its folder" in before[0] and "a tool answers" in before[0], "the test sees something")
    check(any("event kept" in l for l in during[2].lines), f"penstock heard of it: {during[2].lines}")
    dry = f.clone.push("-o", "penstock.dry-run", "HEAD:refs/heads/other", expect=1).lines
    check("pre-receive says one" in dry and any("nothing was changed" in l for l in dry), f"both have judged: {dry}")
    once = tree(f.repo)
    check("already installed" in a.penstock("install", f.repo).stdout, "twice is fine")
    check(tree(f.repo) == once, f"and changes nothing: {differs(once, tree(f.repo))}")
    git = ["git", "-C", f.repo]
    run(*git, "update-ref", "refs/penstock/keep/" + "1" * 40, "refs/heads/main", env=clean_env())
    told = a.penstock("uninstall", f.repo).stdout
    check("1 refs below refs/penstock removed" in told, told)
    for n in ("refs/heads/main",):
        start.pop(n)
    end = tree(f.repo)
    end.pop("refs/heads/main")
    check(end == start, f"not as it was: {differs(start, end)}")
    check(f.push()[:2] == before[:2], "after it as before it")


def case_what_they_refuse(a):
    f = Foreign(a)
    f.push()
    a.penstock("install", f.repo)
    main = run("git", "-C", f.repo, "rev-parse", "main").stdout
    f.exit("pre-receive", 3)
    seen, said, p = f.push(expect=1)
    check(said == ["pre-receive says one", "pre-receive says two"], f"{said}")
    check(not any("accepted" in l or "penstock" in l for l in p.lines), f"penstock is not asked: {p.lines}")
    check(run("git", "-C", f.repo, "rev-parse", "main").stdout == main, "nothing moved")
    f.exit("pre-receive", 0)
    f.exit("update", 1)
    check("hook declined" in f.push(expect=1)[2].all, "update counts")
    f.exit("update", 0)
    f.exit("post-receive", 7)
    check(f.push()[1][-2:] == ["post-receive says one", "post-receive says two"], "post-receive is heard to its end")
    f.put("pre-receive.new", "#!/bin/sh\nkill -9 $$\n")
    os.rename(f.hooks + "/pre-receive.new", f.repo + "/penstock.kept/pre-receive")
    check("pre-receive hook declined" in f.told(1), "a hook that is killed has not agreed")
    with open(f.repo + "/penstock.kept/pre-receive", "w", encoding="utf-8") as h:
        h.write("echo 'no first line' >&2; cat >/dev/null\n")
    os.chmod(f.repo + "/penstock.kept/pre-receive", 0o755)
    check("no first line" in f.told(0), "a script without a first line runs, as git runs it")
    os.chmod(f.repo + "/penstock.kept/pre-receive", 0o644)
    check("no first line" not in f.told(0), "one that may not be executed does not count, as with git")


def case_hosts_with_folders(a):
    """Gitea and GitLab start all files of a folder: there nothing is moved."""
    gitea = a.repository("gitea", install=False)
    for n in ("pre-receive", "post-receive"):
        os.mkdir(f"{gitea}/hooks/{n}.d")
        for path, text in ((f"{n}.d/gitea", "#!/bin/sh\ncat >/dev/null\necho gitea >&2\n"),
                           (n, "#!/bin/bash\ndata=$(cat)\nfor h in ${GIT_DIR}/hooks/$(basename $0).d/*; do\n"
                               'test -x "$h" && test -f "$h" || continue\necho "$data" | "$h" || exit 1\ndone\n')):
            with open(f"{gitea}/hooks/{path}", "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(f"{gitea}/hooks/{path}", 0o755)
    gitlab = a.repository("gitlab", install=False)
    start = tree(gitea), tree(gitlab)
    a.penstock("install", gitea)
    a.penstock("install", "--host", "gitlab", gitlab)
    check(os.path.islink(gitea + "/hooks/pre-receive.d/penstock") and not os.path.islink(gitea + "/hooks/pre-receive"),
          "a link among Gitea's own")
    check(os.path.islink(gitlab + "/custom_hooks/post-receive.d/penstock"), "a link in custom_hooks")
    check(os.path.exists(gitlab + "/hooks/penstock.hook"), "the agent can know it as bound")
    c = a.clone(gitea)
    c.commit()
    lines = c.push("HEAD:refs/heads/main").lines
    check(lines.count("gitea") == 2 and any("event kept" in l for l in lines), f"both are called: {lines}")
    # as Gitaly starts it
    p = run(gitlab + "/custom_hooks/pre-receive.d/penstock", cwd=gitlab, expect=None,
            stdin="0" * 40 + " " + "1" * 40 + " refs/heads/main\n", env={**clean_env(), "GIT_DIR": gitlab})
    check("install" not in p.stderr and "started by git as" not in p.stderr, f"it finds its bearings: {p.stderr}")
    a.penstock("uninstall", gitea, gitlab)
    run("git", "-C", gitea, "update-ref", "-d", "refs/heads/main")
    for repo, was in zip((gitea, gitlab), start):
        now = tree(repo)
        # the times of these folders are not put back
        left = [d for d in differs(was, now) if not d[0].startswith((".", "custom_hooks", "hooks", "refs"))
                or (d[1] and d[1][4] is not None)]
        check(not left, f"{repo} is not as it was: {left}")


def case_two_instances(a):
    os.mkdir(os.path.join(a.base, "second"))
    other = Instance(folder=os.path.join(a.base, "second"))
    repo = a.repository("shop")
    with open(other.dir + "/penstock.yml", encoding="utf-8") as f:
        text = f.read()
    with open(other.dir + "/penstock.yml", "w", encoding="utf-8") as f:
        f.write(re.sub(r"(  roots:.*\n)", rf"\1    - {{ path: {a.dir}/repos, identity: uid, hook_users: [root] }}\n", text,
                       count=1))
    before = tree(repo)
    for command in ("install", "uninstall"):
        p = other.penstock(command, repo, expect=1)
        check(f"is bound to the instance '{a.dir}'" in p.stderr and f"penstock -C {a.dir} uninstall" in p.stderr, p.stderr)
    check(tree(repo) == before, "and nothing was changed")
    other.penstock("install", "--take-over", repo)
    p = a.penstock("uninstall", repo, expect=1)
    check(f"is bound to the instance '{other.dir}'" in p.stderr, p.stderr)
    os.rename(other.dir, other.dir + ".gone")
    p = a.penstock("install", repo, expect=1)
    check("which is not there any more" in p.stderr and "--take-over" in p.stderr, p.stderr)
    a.penstock("uninstall", repo)
    a.penstock("install", repo)


def case_new_ones(a):
    """A template for git init, and a folder for core.hooksPath; hooks there are called as well."""
    template, shared = a.base + "/template", a.base + "/shared"
    os.makedirs(template + "/hooks")
    with open(template + "/hooks/post-receive", "w", encoding="utf-8") as f:
        f.write("#!/bin/sh\ncat >/dev/null\necho of the template >&2\n")
    os.chmod(template + "/hooks/post-receive", 0o755)
    told = a.penstock("install-hooks", "--template", template).stdout
    check("git init --bare --template=" in told, told)
    told = a.penstock("install-hooks", shared).stdout
    check(f"git config --system core.hooksPath {shared}" in told, told)
    new, old = a.dir + "/repos/new.git", a.repository("old", install=False)
    run("git", "init", "-q", "--bare", f"--template={template}", new, env=clean_env())
    run("git", "-C", old, "config", "core.hooksPath", shared, env=clean_env())
    p = a.penstock("install", old, expect=1)
    check(f"penstock install-hooks {shared}" in p.stderr, p.stderr)
    for repo in (new, old):
        c = a.clone(repo)
        c.commit()
        lines = c.push("-o", "penstock.dry-run", "HEAD:refs/heads/main", expect=None).lines if repo == new else []
        check(repo == old or any("nothing was changed" in l for l in lines), f"push options are taken: {lines}")
        lines = c.push("HEAD:refs/heads/main").lines
        check(any("event kept" in l for l in lines), f"{repo} is heard: {lines}")
        check((repo == new) == ("of the template" in lines), f"the template's own hook: {lines}")
    check("already installed" not in a.penstock("install", new).stdout, "it gets its id")
    check("already installed" in a.penstock("install-hooks", shared).stdout, "twice is fine")
    a.penstock("uninstall", "--hooks", shared, template + "/hooks")
    check(os.listdir(shared) == [] and os.listdir(template + "/hooks") == ["post-receive"], "taken out again")


def case_the_agent_forgets(a):
    """What was taken out is looked at no more, so it stays as it was; a later install is heard again."""
    repo = a.repository("shop", install=False)
    run("git", "-C", repo, "commit-tree", "-m", "x", run("git", "-C", repo, "write-tree", env=clean_env()).stdout.strip(),
        env=clean_env(GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@x", GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@x"))
    start = tree(repo)
    a.start()
    a.penstock("install", repo)
    a.penstock("uninstall", repo)
    a.penstock("reconcile", "--full")
    check(tree(repo) == start, f"not as it was: {differs(start, tree(repo))}")
    check(not a.json("status")["reconcile"]["repositories"], "and nobody misses it")
    a.penstock("install", repo)
    c = a.clone(repo)
    c.commit()
    c.push("HEAD:refs/heads/main")
    wait("it is heard again", lambda: a.events("refs/heads/main"))
    a.stop()


def case_linked_into_every_repository(a):
    """As gitolite does: what is in one folder of hooks is linked into each repository. Install adds the settings."""
    common, repo = a.base + "/common", a.repository("linked", install=False)
    a.penstock("install-hooks", common)
    for name in os.listdir(common):
        os.symlink(f"{common}/{name}", f"{repo}/hooks/{name}")
    before = tree(repo)
    plan = a.penstock("install", "--dry-run", repo).stdout
    check("penstock.id" in plan and "keep the hook" not in plan and "link " not in plan, plan)
    a.penstock("install", repo)
    now = differs(before, tree(repo))
    check([path for path, _, _ in now] == ["config"], f"the settings and nothing else: {now}")
    check("already installed" in a.penstock("install", repo).stdout, "twice is fine")
    c = a.clone(repo)
    c.commit()
    lines = c.push("HEAD:refs/heads/main").lines
    check(sum("event kept" in l for l in lines) == 1, f"called once: {lines}")
    said = a.penstock("doctor", expect=None).stdout
    check(repo not in said and "1 of 1 below the roots are bound" in said, f"doctor has nothing to say about it: {said}")
    told = a.penstock("uninstall", repo).stdout
    check("penstock uninstall --hooks" in told and os.path.realpath(repo + "/hooks/pre-receive").endswith("/penstock-hook"), told)
    check(before["config"] == tree(repo)["config"], "the configuration is what it was")
    a.penstock("uninstall", "--hooks", common)


def case_a_change_in_between(a):
    """What somebody set after the install stays."""
    repo = a.repository("shop")
    run("git", "-C", repo, "config", "receive.denyDeletes", "true", env=clean_env())
    a.penstock("uninstall", repo)
    text = open(repo + "/config", encoding="utf-8").read()
    check("denyDeletes = true" in text and "penstock" not in text and "advertise" not in text, text)
    with open(repo + "/config", "w", encoding="utf-8") as f:
        f.write("[core]\n\trepositoryformatversion = 0\n\tbare = true")	# no end of line
    with open(repo + "/config", "rb") as f:
        bytes_before = f.read()
    a.penstock("install", repo)
    check(len(run("git", "-C", repo, "config", "penstock.id").stdout.strip()) == 32, "git reads it")
    a.penstock("uninstall", repo)
    check(open(repo + "/config", "rb").read() == bytes_before, "without the line's end, as it was")
    a.penstock("install", repo)
    one = run("git", "-C", repo, "config", "penstock.id").stdout
    a.penstock("uninstall", "--keep-id", repo)
    a.penstock("install", repo)
    check(run("git", "-C", repo, "config", "penstock.id").stdout == one, "the same repository")
    with open(repo + "/config.lock", "w", encoding="utf-8"):
        p = a.penstock("install", "--new-id", repo, expect=1)
        check("is locked by another process" in p.stderr, p.stderr)
        check(os.path.exists(repo + "/hooks/penstock.hook"), "what was there stays")


def calls(a, *args):
    """How many system calls a command makes."""
    path = a.base + "/strace"
    run("strace", "-f", "-c", "-o", path, os.path.join(BUILD, "penstock"), "-C", a.dir, *args, env=clean_env(), expect=None)
    with open(path, encoding="utf-8") as f:
        return next(int(l.split()[3]) for l in f if l.split()[-1:] == ["total"])


def bare(a, folder, n):
    """Repositories as git makes them, without a process for each."""
    for i in range(n):
        path = f"{a.dir}/repos/{folder}/r{i}.git"
        for sub in ("refs/heads", "objects", "hooks"):
            os.makedirs(f"{path}/{sub}")
        for name, text in (("HEAD", "ref: refs/heads/main\n"), ("config", "[core]\n\tbare = true\n")):
            with open(f"{path}/{name}", "w", encoding="utf-8") as f:
                f.write(text)


def case_bounded_work(a):
    """System calls per repository: the same for many as for few, and not more than it needs."""
    if run("strace", "-o", "/dev/null", "true", expect=None).returncode:
        print("SKIP bounded_work: strace cannot trace here")
        return
    bare(a, "few", 20)
    bare(a, "many", 120)
    for what, most in (("install", 150), ("install", 90), ("uninstall", 150)):
        few, many = (calls(a, what, "--all", f"{a.dir}/repos/{n}") for n in ("few", "many"))
        print(f"{what}: {(many - few) / 100:.0f} system calls for each repository")
        check((many - few) / 100 <= most, f"{what} makes more than {most} for each: {few} for 20, {many} for 120")


def case_a_thousand(a):
    """Work per repository is bounded, and what a thousand take is printed."""
    bare(a, "group", 1000)
    begun = time.monotonic()
    told = a.penstock("install", "--all").stdout
    took = time.monotonic() - begun
    check("1000 installed, 0 as they were, 0 refused" in told, told[-300:])
    print(f"1,000 repositories installed in {took:.2f} s (goal 10 s)")
    begun = time.monotonic()
    doc = a.json("doctor", expect=None)
    print(f"and looked at by doctor in {time.monotonic() - begun:.2f} s (goal 5 s)")
    check(any("1000 of 1000 below the roots are bound" in r["text"] for r in doc["items"]), "doctor finds them well")
    told = a.json("install", "--all", "--dry-run")
    check(told["unchanged"] == 1000 and told["changed"] == 0, "a dry run finds nothing to do")


CASES = [case_same_before_with_and_after, case_what_they_refuse, case_hosts_with_folders, case_two_instances,
         case_new_ones, case_the_agent_forgets, case_linked_into_every_repository, case_a_change_in_between, case_bounded_work, case_a_thousand]


def main():
    wanted = sys.argv[1:]
    for case in CASES:
        if wanted and not any(w in case.__name__ for w in wanted):
            continue
        begun = time.monotonic()
        # making a thousand folders on a disk is not what is tried
        memory = case is case_a_thousand and os.access("/dev/shm", os.W_OK)
        a = Instance(folder=tempfile.mkdtemp(dir="/dev/shm", prefix="penstock-test.") if memory else None)
        try:
            case(a)
        finally:
            a.remove()
        print(f"ok {case.__name__[5:]} ({time.monotonic() - begun:.1f} s)", flush=True)


main()
