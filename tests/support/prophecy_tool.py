"""Prophecy's own tool deploys a project to the fake workspace.

    tool = prophecy_tool.Tool(workspace, folder)        folder: what it may write to
    project = tool.project()                            a copy of examples/sales with its wheels made
    tool.deploy(project, "1.0")                         `pbt deploy`
    tool.more["MD_PATH"] = "..."                        a variable of its environment
    conf = tool.conf()                                  fabrics.yml, state.yml, system.yml, override.yml
    tool.deploy_v2(project, "1.0", conf)                `pbt deploy-v2 --conf-dir`; the new state is in conf/state.yml

The tool drops the port of a workspace's address. So it is told one without, and that the fake is the proxy to it.
It makes wheels with the Python that it finds in PATH: here its own, beside a pip that installs nothing. What it would
install are the pipelines' dependencies, and no wheel is made of those.
"""
import glob
import os
import shutil
import subprocess

import pbt
from agent import Failed

SRC = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SALES = os.path.join(SRC, "examples", "sales")
HOST = "http://workspace.example.net"
PROJECT_ID = "4242"
FABRICS = ("1174", "4004")      # of the example's jobs
LIMIT = 300


def program():
    """Path of `pbt`, or None and why it could not be had."""
    return pbt.program()


def run(args, cwd, env):
    p = subprocess.run(args, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LIMIT)
    return p.returncode, p.stdout + p.stderr


class Tool:
    def __init__(self, workspace, folder):
        self.workspace, self.folder, self.more = workspace, os.path.abspath(folder), {}
        self.program, why = program()
        if not self.program:
            raise Failed(f"no pbt: {why}")
        bin_ = os.path.join(self.folder, "bin")
        os.makedirs(bin_)
        for name, text in (("python3", f'exec "{os.path.dirname(self.program)}/python" "$@"'), ("pip3", "exit 0")):
            with open(os.path.join(bin_, name), "x", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\n{text}\n")
            os.chmod(f.name, 0o755)

    def env(self):
        keep = {k: v for k, v in os.environ.items() if k in ("LANG", "LC_ALL", "TMPDIR")}
        return {**keep, "HOME": self.folder, "PATH": os.path.join(self.folder, "bin") + ":/usr/bin:/bin", "NO_COLOR": "1", "http_proxy": self.workspace.url,
                "no_proxy": "", "DATABRICKS_HOST": HOST, "DATABRICKS_TOKEN": self.workspace.token, **self.more}

    # ---- what is deployed ----

    def project(self, name="sales", source=SALES):
        """A copy of the project, with a wheel of each pipeline where the tool looks for it."""
        top = os.path.join(self.folder, name)
        shutil.copytree(source, top)
        for setup in sorted(glob.glob(os.path.join(top, "pipelines", "*", "code", "setup.py"))):
            self.wheel(os.path.dirname(setup))
        return top

    def wheel(self, code):
        status, text = run(["python3", "setup.py", "-q", "bdist_wheel"], code, self.env())
        if status or not glob.glob(os.path.join(code, "dist", "*.whl")):
            raise Failed(f"{code}: no wheel\n{text[-2000:]}")

    def conf(self, name="conf", volume=None, jobs=(), fabrics=FABRICS):
        """A folder of configuration; every fabric is the workspace. jobs: rows of state.yml."""
        top = os.path.join(self.folder, name)
        os.makedirs(top)
        lines = ["fabrics:"]
        for fabric in fabrics:
            lines += [f"- id: '{fabric}'", f"  name: fabric_{fabric}", "  type: Spark", "  provider: Databricks", "  databricks:",
                      f"    url: {HOST}", "    token: '{{DATABRICKS_TOKEN}}'"] + ([f"    volume: {volume}"] if volume else [])
        state = ["version: '1.0'", "jobs:" if jobs else "jobs: []"]
        for job in jobs:
            state += [("- " if n == 0 else "  ") + f"{k}: '{v}'" for n, (k, v) in enumerate(job.items())]
        for file, text in (("fabrics.yml", lines), ("state.yml", state),
                           ("system.yml", ["customer_name: dev", "control_plane_name: execution", "prophecy_salt: salt"]),
                           ("override.yml", ["tests_enabled: false", "mode: FullProject"])):
            with open(os.path.join(top, file), "w", encoding="utf-8") as f:
                f.write("\n".join(text) + "\n")
        return top

    # ---- deploying ----

    def call(self, args, expect):
        status, text = run([self.program, *args], self.folder, self.env())
        if expect is not None and status != expect:
            raise Failed(f"pbt {args[0]}: exit {status}, not {expect}\n{text[-4000:]}")
        return text

    def deploy(self, project, version, *more, expect=0):
        """It makes the wheels itself, or uploads none. The project's folder is another one afterwards: the placeholders of its
        jobs are filled in."""
        return self.call(["deploy", "--path", project, "--release-version", version, "--project-id", PROJECT_ID,
                          "--prophecy-url", "https://app.example.net", *more], expect)

    def deploy_v2(self, project, version, conf=None, *more, expect=0):
        """With a conf folder its state.yml is the new one afterwards, as its users keep it. Without one the tool takes every
        fabric for Databricks, so it has to be told which are."""
        args = ["deploy-v2", "--path", project, "--skip-builds", "--project-id", PROJECT_ID, "--release-version", version,
                "--release-tag", f"main/{version}"]
        args += ["--conf-dir", conf] if conf else ["--fabric-ids", ",".join(FABRICS)]
        text = self.call(args + list(more), expect)
        new = os.path.join(self.folder, ".pbt", "new_state.yml")
        if conf and os.path.exists(new):
            os.replace(new, os.path.join(conf, "state.yml"))
        return text
