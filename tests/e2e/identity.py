#!/usr/bin/python3
"""Who pushes, with every kind of Git host: the hook gets that host's environment, the event tells the name. No Spark.

    tests/e2e/identity.py [CASE...]     cwd is the build folder
"""
import base64
import http.server
import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(HERE, "..", "support"))
from agent import BUILD, Failed, Instance, check, clean_env, main, run  # noqa: E402

WHO = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x"}
# What somebody sets who hopes that one of them counts.
FORGED = {v: "kim" for v in ("GL_USER", "GL_USERNAME", "GITEA_PUSHER_NAME", "FORGEJO_PUSHER_NAME", "GITHUB_USER_LOGIN",
                             "REMOTE_USER", "WHO", "USER", "LOGNAME", "SUDO_USER")}
GITLAB = {"GL_ID": "user-2234", "GL_PROJECT_PATH": "sales/etl", "GL_REPOSITORY": "project-12", "GL_PROTOCOL": "ssh"}
GITEA = {"GITEA_REPO_NAME": "etl", "GITEA_REPO_IS_WIKI": "false", "GITEA_PUSHER_ID": "7", "GITEA_DEPLOY_KEY_ID": "0"}
KINDS = {"gitolite": "gitolite", "gitlab": "gitlab", "gitea": "gitea", "ghes": "ghes", "http": "http", "shared": "env:WHO"}

# root, environment, name (None: unknown), what the pusher reads
ROWS = [
    ("gitolite", {"GL_USER": "ana", "GL_REPO": "etl"}, "ana", None),
    ("gitolite", {"GL_USER": "server-b", "GL_BYPASS_ACCESS_CHECKS": "1"}, None, "gitolite did not check who pushes"),
    ("gitolite", {"REMOTE_USER": "kim", "WHO": "kim"}, None, "GL_USER is not set"),
    ("gitlab", {**GITLAB, "GL_USERNAME": "ana"}, "ana", None),
    ("gitlab", {**GITLAB, "GL_ID": "key-4", "GL_USERNAME": "kim"}, None, "a deploy key is no person"),
    ("gitea", {**GITEA, "GITEA_PUSHER_NAME": "ana"}, "ana", None),
    ("gitea", {**GITEA, "GITEA_PUSHER_NAME": "kim", "GITEA_INTERNAL_PUSH": "true"}, None, "the host pushes by itself"),
    ("gitea", {"FORGEJO_PUSHER_NAME": "bo"}, "bo", None),
    ("ghes", {"GITHUB_USER_LOGIN": "ana", "GITHUB_PULL_REQUEST_AUTHOR_LOGIN": "kim"}, "ana", None),
    ("ghes", {"GITHUB_USER_LOGIN": "kim\nremote: eve"}, None, "GITHUB_USER_LOGIN holds characters that no name has"),
    ("http", {"REQUEST_METHOD": "POST", "REMOTE_USER": "ana"}, "ana", None),
    ("http", {"REMOTE_USER": "kim"}, None, "this push did not come by http"),
    ("shared", {"WHO": "ana", "GL_USER": "kim"}, "ana", None),
    ("shared", {"WHO": "a" * 129}, None, "WHO is longer than 128 bytes"),
]


class Hosts(Instance):
    """An instance with a root for each kind of host, all of this account, and the init's own (uid)."""

    def __init__(self):
        super().__init__()
        path = os.path.join(self.dir, "penstock.yml")
        with open(path, encoding="utf-8") as f:
            text = f.read()
        more = ""
        for name, kind in KINDS.items():
            os.makedirs(os.path.join(self.dir, "hosts", name))
            more += f"    - {{ path: hosts/{name}, identity: '{kind}', hook_users: ['{os.getuid()}'] }}\n"
        check(text.count("    - path: repos ") == 1, "penstock.yml of init has its root in block style")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace("    - path: repos ", more + "    - path: repos "))

    def below(self, root, name):
        path = os.path.join(self.dir, "hosts", root, name + ".git")
        run("git", "-c", "init.defaultBranch=main", "init", "-q", "--bare", path, env=clean_env())
        self.penstock("install", "--host", "plain", path)	# git itself starts the hooks here
        return path


def push(clone, repo, refspec, env, expect=0):
    p = run("git", "-C", clone.path, "push", repo, refspec, env=clean_env(**WHO, **env), expect=None)
    check((p.returncode == 0) == (expect == 0), f"push to {repo}: {p.stderr}")
    return [line[len("remote: "):].rstrip() for line in p.stderr.splitlines() if line.startswith("remote: ")]


def named_as_the_host_says():
    with Hosts() as a:
        repos = {root: a.below(root, root) for root in KINDS}
        clone = a.clone(repos["gitea"])
        clone.commit("one")
        for i, (root, env, name, says) in enumerate(ROWS):
            lines = push(clone, repos[root], f"HEAD:refs/heads/row{i}", env)
            e = a.events(f"refs/heads/row{i}")
            check(len(e) == 1, f"row {i}: one event, not {e}")
            check(e[0].get("pusher") == name, f"row {i} {root} {env}: {name} pushed, not {e[0].get('pusher')}")
            if says:
                check(any(line.startswith("warning: pusher unknown: " + says) for line in lines), f"row {i}: {lines}")
                check("held" in e[0]["state"], f"row {i}: an unknown pusher holds: {e[0]}")
            else:
                check(not any("unknown" in line for line in lines), f"row {i}: {lines}")


def uid_believes_the_kernel_alone():
    with Hosts() as a:
        repo = a.repository("own")
        clone = a.clone(repo)
        clone.commit("one")
        push(clone, repo, "HEAD:refs/heads/x", {**FORGED, **GITLAB, **GITEA, "REQUEST_METHOD": "POST"})
        me = run("id", "-un").stdout.strip()
        check([e.get("pusher") for e in a.events("refs/heads/x")] == [me], f"{me} pushed: {a.events('refs/heads/x')}")


def spool_keeps_the_name():
    """The agent is down: the name is the one that the host said then."""
    a = Hosts()
    try:
        a.start()
        repo = a.below("gitea", "later")
        clone = a.clone(repo)
        clone.commit("one")
        a.stop()
        push(clone, repo, "HEAD:refs/heads/x", {**GITEA, "GITEA_PUSHER_NAME": "ana"})
        a.start()
        e = a.wait_event("refs/heads/x", states=("done", "held", "recorded", "working"))
        check(e.get("pusher") == "ana", f"ana pushed: {e}")
    finally:
        a.stop()
        a.remove()


def refusals_reach_gitlabs_pages():
    with Hosts() as a:
        gitlab, gitea = a.below("gitlab", "sales"), a.below("gitea", "sales")
        clone = a.example(gitlab)
        clone.write("pbt_project.yml", "name: [\n")
        clone.commit("broken")
        lines = push(clone, gitlab, "HEAD:refs/heads/main", {**GITLAB, "GL_USERNAME": "ana"}, expect=1)
        said = [line for line in lines if line]
        check(said and all(line.startswith("GL-HOOK-ERR: ") for line in said), f"each line has the prefix: {lines}")
        check(any("pbt_project.yml" in line for line in said), f"the finding is among them: {lines}")
        plain = push(clone, gitea, "HEAD:refs/heads/main", {**GITEA, "GITEA_PUSHER_NAME": "ana"}, expect=1)
        check(plain and not any("GL-HOOK-ERR" in line for line in plain), f"no other host: {plain}")
        check([line[len("GL-HOOK-ERR: "):] for line in said] == [line for line in plain if line], "else the same")
        run("git", "-C", clone.path, "reset", "-q", "--hard", "HEAD~1", env=clean_env())
        fine = push(clone, gitlab, "HEAD:refs/heads/main", {**GITLAB, "GL_USERNAME": "ana"})
        check(not any("GL-HOOK-ERR" in line for line in fine), f"only what is refused: {fine}")


class Backend(http.server.BaseHTTPRequestHandler):
    """A web server that authenticates (any password will do) and runs git http-backend."""
    root = None

    def log_message(self, *args):
        pass

    def serve(self):
        path, _, query = self.path.partition("?")
        given = self.headers.get("Authorization", "")
        user = base64.b64decode(given[len("Basic "):]).decode().split(":")[0] if given else ""
        if not user:
            self.send_response(401)
            self.send_header("WWW-Authenticate", "Basic realm=git")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        env = clean_env(GIT_PROJECT_ROOT=self.root, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
                        REQUEST_METHOD=self.command, REMOTE_USER=user, REMOTE_ADDR="127.0.0.1",
                        CONTENT_TYPE=self.headers.get("Content-Type", ""),
                        CONTENT_LENGTH=self.headers.get("Content-Length", ""),
                        HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        out = subprocess.run(["git", "http-backend"], input=body, env=env, stdout=subprocess.PIPE, check=True).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        self.send_response(int(dict(lines).get("Status", "200").split()[0]))
        for name, value in lines:
            if name != "Status":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    do_GET = do_POST = serve


def http_backend_itself():
    where = run("git", "--exec-path").stdout.strip()
    if not all(os.path.exists(os.path.join(where, p)) for p in ("git-http-backend", "git-remote-http")):
        print("SKIP: git has no http-backend here")
        return
    with Hosts() as a:
        clone = a.clone(a.below("http", "etl"))
        clone.commit("one")
        Backend.root = os.path.join(a.dir, "hosts", "http")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            push(clone, f"http://bo:x@127.0.0.1:{server.server_port}/etl.git", "HEAD:refs/heads/x",
                 {"GL_USER": "kim", "no_proxy": "127.0.0.1"})
        finally:
            server.shutdown()
            server.server_close()
        check([e.get("pusher") for e in a.events("refs/heads/x")] == ["bo"], f"bo pushed: {a.events('refs/heads/x')}")


if __name__ == "__main__":
    if not os.path.exists(os.path.join(BUILD, "penstock-hook")):
        raise Failed("cwd is no build folder")
    main(named_as_the_host_says, uid_believes_the_kernel_alone, spool_keeps_the_name, refusals_reach_gitlabs_pages,
         http_backend_itself)
