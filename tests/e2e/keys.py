#!/usr/bin/python3
"""Which pushes build again and which do not: every item of the key (design: BUILDS), and what is in no key.

Judged by the printed list of builds, by git and by the sealed bytes. Needs /usr/bin/python3 with setuptools and wheel,
no Spark; exit status 77 without them or without a sandbox.
"""
import hashlib
import io
import os
import shutil
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, clean_env, main, plain_toolchain, run, wait  # noqa: E402

MAIN = "refs/heads/main"
ORDERS, REPORT = "pipelines/customers_orders", "pipelines/sales_report"
BOTH, NONE = {ORDERS, REPORT}, set()
YML = "pbt_project.yml"


class Scene:
    def __init__(self):
        # a prefix of our own: one case changes it
        self.a = Instance()
        self.prefix = os.path.join(self.a.dir, "toolchains", "default")
        shutil.copytree(plain_toolchain(), self.prefix, symlinks=True)

    def __enter__(self):
        self.a.start()
        self.clone = self.a.example(self.a.repository("sales"))
        # this is about builds: there is no pytest and no Spark for the example's own tests
        for pipeline in (ORDERS, REPORT):
            self.clone.git("rm", "-rq", f"{pipeline}/code/test")
        self.clone.commit("without tests")
        return self

    def __exit__(self, *why):
        return self.a.__exit__(*why)

    def built_by(self, ref=MAIN, states=("done",)):
        """Pushes HEAD; the pipelines that were built for it, and its event."""
        before = {b["id"] for b in self.a.builds()}
        self.clone.push(f"HEAD:{ref}")
        commit = self.clone.git("rev-parse", "HEAD").stdout.strip()
        event = self.a.wait_event(ref, commit, states)
        new = [b for b in self.a.builds() if b["id"] not in before]
        return {b["pipeline"] for b in new}, event, new

    def releases(self):
        return {r["id"] for r in self.a.items("releases")}

    def append(self, path, text="\n# another line\n"):
        full = os.path.join(self.clone.path, path)
        self.clone.write(path, (self.clone.read(path) if os.path.exists(full) else "") + text)

    def artifact(self, build):
        path = os.path.join(self.a.dir, "artifacts", build["digest"][:2], build["digest"][2:])
        with open(path, "rb") as f:
            data = f.read()
        check(hashlib.sha256(data).hexdigest() == build["digest"], "the artifact has other bytes")
        return data


def chmod(s, path):
    os.chmod(os.path.join(s.clone.path, path), 0o755)


def first_gem(s):
    s.clone.edit(YML, "  gems: {}\n", "  gems:\n    gems/Clean:\n      name: Clean\n")
    s.clone.write("gems/Clean.py", "x = 1\n")


def reordered(s):
    """The same project file in another order and style."""
    s.clone.edit(YML, "name: sales\ndescription: what customers spent, and where\nversion: 1.0.1\n",
                 "version: \"1.0.1\"\nname: 'sales'\ndescription: what customers spent, and where\n")


# what is changed, how, what is built again
EDITS = [
    ("a file of one pipeline", lambda s: s.append(f"{ORDERS}/code/main.py"), {ORDERS}),
    ("what lies beside its tests", lambda s: s.append(f"{REPORT}/code/test/notes.txt"), {REPORT}),
    ("the executable bit of a file", lambda s: chmod(s, f"{REPORT}/code/main.py"), {REPORT}),
    ("a function", lambda s: s.append("functions/sales_functions/money.py"), BOTH),
    ("a subgraph", lambda s: s.append("subgraphs/clean_orders/__init__.py"), BOTH),
    ("the first gem", first_gem, BOTH),
    ("a gem", lambda s: s.append("gems/Clean.py"), BOTH),
    ("a vendored dependency", lambda s: s.append(".prophecy/1/dep/x.py"), BOTH),
    ("one pipeline's entry", lambda s: s.clone.edit(YML, "adds up what each customer spent", "adds it up"), {ORDERS}),
    ("the project's version", lambda s: s.clone.edit(YML, "version: 1.0.0", "version: 1.0.1"), NONE),
    ("order and style of the project file", reordered, NONE),
    ("a comment in it", lambda s: s.append(YML), NONE),
    ("a dataset", lambda s: s.clone.edit(YML, "    name: orders\n    description: ''", "    name: orders\n    description: all"), NONE),
    ("a job's schedule", lambda s: s.clone.edit(YML, "0 0 6 * * ? *", "0 30 6 * * ? *"), NONE),
    ("a file beside it all", lambda s: s.append("README.md"), NONE),
    ("a folder no entry names", lambda s: s.append("notes/x.py"), NONE),
    ("nothing, but another commit", lambda s: None, NONE),
]


def every_item_of_the_key():
    with Scene() as s:
        built, _, _ = s.built_by()
        check(built == BOTH, f"first: {built}")
        for what, edit, want in EDITS:
            edit(s)
            s.clone.commit(what)
            built, event, new = s.built_by()
            check(built == want, f"{what}: built {sorted(built)}, should be {sorted(want)}: {event['reason']}")
            check(all(b["state"] == "passed" for b in new), f"{what}: {new}")
        keys = [b["key"] for b in s.a.builds()]
        check(len(keys) == len(set(keys)), "a key twice")
        # back to what was: the keys are known
        s.clone.git("checkout", "-q", "HEAD~10", "--", ".")
        s.clone.commit("as it was")
        built, _, _ = s.built_by()
        check(built == NONE, f"content that was built before: {built}")
        print(f"     {len(EDITS)} edits, {len(keys)} builds")
        toolchain_changes(s)


def toolchain_changes(s):
    (site,) = [d for d, _, _ in os.walk(s.prefix) if d.endswith("site-packages")]
    with open(os.path.join(site, "more.py"), "w", encoding="utf-8") as f:
        f.write("x = 1\n")
    s.a.penstock("reload")
    wait("the agent knows of it", lambda: s.a.penstock("status", "--json").returncode == 0)
    s.clone.commit("same content, another toolchain")
    built, event, _ = s.built_by()
    check(built == BOTH, f"another toolchain: built {built}, {event}")


def one_tree_many_ways():
    """Tag, branch, merge, amended commit: nothing is built, the release is the same; also when setup.py is impure."""
    with Scene() as s:
        setup = f"{REPORT}/code/setup.py"
        s.clone.write(setup, "import os, time\n" + s.clone.read(setup).replace(
            "description='sales by country'", "description=repr((time.time_ns(), os.urandom(8)))"))
        s.clone.commit("reads clock and dice")
        built, _, new = s.built_by()
        check(built == BOTH, f"first: {built}")
        (release,) = s.releases()
        first = s.clone.git("rev-parse", "HEAD").stdout.strip()
        impure = [b for b in new if b["pipeline"] == REPORT][0]

        def same(what, ref, states):
            before = s.a.builds()
            got, event, _ = s.built_by(ref, states)
            check(got == NONE and s.a.builds() == before, f"{what}: built {got}: {event}")
            check(s.releases() == {release}, f"{what}: releases {s.releases()}")
        s.clone.git("commit", "-q", "--amend", "-m", "another text", env={"GIT_COMMITTER_DATE": "2001-01-01T00:00:00Z"})
        s.clone.git("commit", "-q", "--allow-empty", "-m", "two commits of one tree")
        s.clone.push(f"+HEAD:{MAIN}")
        s.a.wait_event(MAIN, s.clone.git("rev-parse", "HEAD").stdout.strip())
        s.clone.git("checkout", "-q", "-b", "side", first)
        s.clone.git("commit", "-q", "--allow-empty", "-m", "beside")
        s.clone.git("merge", "-q", "--no-ff", "-m", "merge", "main")
        same("a merge", MAIN, ("done",))
        s.clone.push("HEAD:refs/tags/v1.0.0")
        wait("the tag waits for its approval", lambda: "approval" in s.a.penstock("why", "refs/tags/v1.0.0").stdout)
        check(len(s.a.builds()) == 2 and s.releases() == {release}, f"a tag: {s.a.builds()}")
        s.artifact(impure)


def bytes_are_blobs():
    """Attributes do not apply; a pointer of Git LFS is an error that names its path."""
    with Scene() as s:
        text = "# $Id$ $Format:%H$ caf\u00e9\n# second\r\n"
        s.clone.write(".gitattributes", "*.py text eol=crlf ident export-subst\nfunctions/** export-ignore\n")
        path = "functions/sales_functions/odd.py"
        blob = run("git", "-C", s.clone.path, "hash-object", "-w", "--no-filters", "--stdin", stdin=text, env=clean_env()).stdout.strip()
        s.clone.git("add", "-A")
        s.clone.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
        s.clone.git("commit", "-q", "-m", "attributes")
        built, _, new = s.built_by()
        check(built == BOTH, f"built: {built}")
        for b in new:
            wheel = zipfile.ZipFile(io.BytesIO(s.artifact(b)))
            for name in ("sales_functions/odd.py", "sales_functions/money.py"):
                got = wheel.read(name)
                want = run("git", "-C", s.clone.path, "rev-parse", f"HEAD:functions/{name}", env=clean_env()).stdout.strip()
                oid = hashlib.sha1(b"blob %d\0" % len(got) + got).hexdigest()
                check(oid == want, f"{name} in the wheel is not the blob: {got[:80]!r}")
        s.clone.git("reset", "-q", "--hard")
        s.clone.write("functions/sales_functions/data.bin", "version https://git-lfs.github.com/spec/v1\n"
                      "oid sha256:" + "0" * 64 + "\nsize 12345\n")
        s.clone.commit("a pointer")
        built, event, new = s.built_by(states=("done",))
        check(not [b for b in new if b["state"] == "passed"] and any("functions/sales_functions/data.bin" in (b["reason"] or "")
              and "Git LFS pointer" in b["reason"] for b in new), f"pointer: {event}\n{new}")


if __name__ == "__main__":
    main(every_item_of_the_key, one_tree_many_ways, bytes_are_blobs)
