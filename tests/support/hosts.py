"""Real Git hosts for tests, all in one folder and on loopback: sshd, nginx with fcgiwrap and git http-backend, gitolite.

    enter(__file__)                     first of all: as root, into a mount namespace with accounts of our own
    with Hosts() as h:
        h.hosts["gitolite"].push(clone, "kim", "HEAD:refs/heads/x")

As root each person has an account, `git` is the shared one (and the gate's), and the roles have theirs: in a passwd,
shadow and group that are bound over those in /etc for this test alone. Without root all is the caller's, and the hosts
with one account per person are missing. Nothing is asked of the system's services; every server is a child of ours.
"""
import base64
import glob
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = os.getuid() == 0
ROLES = ["penstock-core", "penstock-build", "penstock-deploy"]		# and git: the gate's
FIRST = 62000 + os.getppid() % 300 * 10 if "HOSTS_TOP" not in os.environ else int(os.environ["HOSTS_FIRST"])
UID = {name: FIRST + i for i, name in enumerate([*ROLES, "git", "ana", "kim", "nobody-knows"])}
NAMELESS = UID.pop("nobody-knows")		# an account that passwd does not have
DEVS, SHARED = FIRST + 8, FIRST + 9
PEOPLE = ["ana", "kim"]
NEEDED = {"/usr/sbin/sshd": "openssh-server", "/usr/sbin/nginx": "nginx", "/usr/sbin/fcgiwrap": "fcgiwrap",
          "/usr/share/gitolite3/gitolite-shell": "gitolite3"}
INSIDE = """set -e
for f in passwd shadow group; do mount --bind "$HOSTS_TOP/$f" /etc/$f; done
mount -t tmpfs -o mode=755 none /run
mount -t tmpfs -o mode=755 none /var/log
mkdir -m 755 /run/sshd
exec "$@"
"""


def accounts(top):
    """The files of /etc with our accounts in place of any of that name."""
    ours = {
        "passwd": [f"{n}:x:{u}:{u}::{top}/home/{n}:/bin/sh" for n, u in UID.items()],
        "shadow": [f"{n}:*:19000:0:99999:7:::" for n in UID],		# no password; "!" would keep keys out, too
        "group": [f"{n}:x:{u}:" for n, u in UID.items()] + [f"devs:x:{DEVS}:git,ana,kim", f"penstock:x:{SHARED}:"],
    }
    for name, lines in ours.items():
        with open("/etc/" + name, encoding="utf-8") as f:
            known = [l for l in f.read().splitlines() if l.split(":")[0] not in ("devs", "penstock", *UID)]
        with open(f"{top}/{name}", "w", encoding="utf-8") as f:
            f.write("\n".join(known + lines) + "\n")
        os.chmod(f"{top}/{name}", 0o600 if name == "shadow" else 0o644)
    for name, uid in UID.items():
        os.makedirs(f"{top}/home/{name}")
        os.chown(f"{top}/home/{name}", uid, uid)


def enter(script):
    """Runs the script once more with accounts and programs for everybody, and ends with its exit code."""
    missing = [package for path, package in NEEDED.items() if not os.path.exists(path)]
    if missing:
        print(f"SKIP: not installed: {' '.join(missing)}")
        sys.exit(77)
    if "HOSTS_TOP" in os.environ or not ROOT:
        return
    if subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode:
        print("SKIP: root may not make a mount namespace here")
        sys.exit(77)
    build, top = os.path.abspath(os.environ.get("PENSTOCK_BUILD", ".")), tempfile.mkdtemp(prefix="penstock-hosts.")
    os.chmod(top, 0o755)
    for path in glob.glob(build + "/penstock*"):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            shutil.copy(path, top)
    accounts(top)
    here = os.path.dirname(os.path.abspath(script))
    p = subprocess.run(["unshare", "-m", "sh", "-c", INSIDE, "sh", sys.executable, os.path.abspath(script), *sys.argv[1:]],
                       env={**os.environ, "HOSTS_TOP": top, "HOSTS_FIRST": str(FIRST), "PENSTOCK_BUILD": top,
                            "srcdir": os.path.abspath(os.environ.get("srcdir", here + "/../.."))})
    shutil.rmtree(top)
    sys.exit(p.returncode)


# The rest needs the build folder, which enter() has changed.
from agent import BUILD, Instance, check, clean_env, run, wait  # noqa: E402

GIT = "git" if ROOT else pwd.getpwuid(os.getuid()).pw_name


def as_user(uid, *groups):
    """What stands before a command to run it as that account; nothing where there is but one."""
    if not ROOT:
        return []
    return ["setpriv", "--reuid", str(uid), "--regid", str(uid),
            *(["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"])]


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


def give(path, owner, group=None):
    """All of it to that account."""
    if ROOT:
        run("chown", "-R", f"{owner}:{group or owner}", path)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Host:
    """One way to reach a repository. `who` None: the way of somebody without a name, where there is one."""
    anonymous = True

    def __init__(self, hosts):
        self.hosts = hosts
        self.repo = f"{hosts.base}/{self.root}/{self.short}.git"

    def client(self, who, lies):
        """What stands before `git`, what between `git` and `push`, the address, the environment. lies: variables that
        shall reach the other side in every way there is."""
        raise NotImplementedError

    def argv(self, clone, who, *refs, lies=None, options=()):
        before, between, url, env = self.client(who, lies or {})
        more = [w for o in options for w in ("-o", o)]
        return ([*before, "git", "-C", clone.path, *between, "push", *more, url, *refs],
                {**clean_env(), **self.hosts.git_env, "HOME": "/nonexistent", **(lies or {}), **env})

    def push(self, clone, who, *refs, **more):
        """A subprocess.CompletedProcess with the bytes that a client who is no terminal got."""
        argv, env = self.argv(clone, who, *refs, **more)
        return subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)


class File(Host):
    """A path, and one account per person. None: an account that has no name."""
    name, short, root = "file", "sales-file", "people"

    def client(self, who, lies):
        uid = UID[who] if who else NAMELESS
        return as_user(uid, DEVS), [], "file://" + self.repo, {}


class Ssh(Host):
    def ssh(self, who, lies, user, port):
        send = "".join(f" -o SendEnv={name}" for name in lies)
        keys = self.hosts.base + "/ssh"
        return {"GIT_SSH_COMMAND": f"ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o LogLevel=ERROR -i {keys}/{who}"
                f" -o UserKnownHostsFile={keys}/known -p {port} -l {user}{send}"}


class OwnAccount(Ssh):
    name, short, root, anonymous = "ssh, own account", "sales-own", "people", False

    def client(self, who, lies):
        port = self.hosts.ports["ssh"]
        return [], [], f"ssh://127.0.0.1{self.repo}", self.ssh(who, lies, who, port)


class OneAccount(Ssh):
    """Forced commands say who it is. None: a key whose command does not."""
    name, short, root = "ssh, one account", "sales-one", "shared"

    def client(self, who, lies):
        port = self.hosts.ports["ssh"]
        return [], [], f"ssh://127.0.0.1{self.repo}", self.ssh(who or "key", lies, GIT, port)


class Http(Host):
    """Basic authentication. None: a location without, for which nginx says no REMOTE_USER."""
    name, short, root = "http", "sales-http", "http"

    def client(self, who, lies):
        headers = {f"{prefix}{name}": value for name, value in lies.items() for prefix in ("", "X-")}
        headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        if lies and not who:		# a name that nobody has asked for a password
            headers["Authorization"] = "Basic " + base64.b64encode(f"{next(iter(lies.values()))}:x".encode()).decode()
        more = [w for name, value in headers.items() for w in ("-c", f"http.extraHeader={name}: {value}")]
        at, login = f"127.0.0.1:{self.hosts.ports['http']}", f"{who}:{who}s-word@" if who else ""
        return [], more, f"http://{login}{at}/{'git' if who else 'open'}/{self.short}.git", {"no_proxy": "127.0.0.1"}


class Gitolite(Ssh):
    """None: `gitolite push` on the server, which asks nobody who he is."""
    name, short, root = "gitolite", "sales-lite", "gitolite/repositories"

    def client(self, who, lies):
        return [], [], f"ssh://127.0.0.1/{self.short}", self.ssh(who, lies, GIT, self.hosts.ports["gitolite"])

    def argv(self, clone, who, *refs, lies=None, options=()):
        if who:
            return super().argv(clone, who, *refs, lies=lies, options=options)
        return ([*as_user(UID["git"]), "env", "-C", clone.path, "gitolite", "push", "file://" + self.repo, *refs],
                {**clean_env(), **self.hosts.git_env, **(lies or {}), **self.hosts.gitolite_env})


KINDS = [*([File, OwnAccount] if ROOT else []), OneAccount, Http, Gitolite]
IDENTITY = {"people": "uid", "shared": "env:WHO", "http": "http", "gitolite/repositories": "gitolite"}


class Hosts(Instance):
    """An agent, with the repository `sales` on each host."""

    def __init__(self):
        super().__init__()
        self.servers, self.ports = [], {}
        self.git_env = {"GIT_CONFIG_GLOBAL": self.base + "/gitconfig"}
        write(self.base + "/gitconfig", "[safe]\n\tdirectory = *\n")
        self.gitolite_env = {"HOME": self.base + "/gitolite"}
        self.hosts = {k.name: k(self) for k in KINDS}
        self.configure()

    def __enter__(self):
        try:
            super().__enter__()
            self.make_repositories()
            self.make_gitolite()
            self.start_sshd()
            self.start_nginx()
        except BaseException:
            self.end_servers()
            self.stop(audit=False)
            self.remove()
            raise
        return self

    def __exit__(self, kind, value, trace):
        self.end_servers()
        if kind:
            self.tell_servers()
        super().__exit__(kind, value, trace)

    # ---- the agent ----

    def configure(self):
        """One root per kind of identity; as root each role its user, and the gate the one who runs git."""
        path = self.dir + "/penstock.yml"
        with open(path, encoding="utf-8") as f:
            text = f.read()
        users = {root: [GIT] for root in IDENTITY} | {"people": [*PEOPLE, str(NAMELESS)]}
        roots = ""
        for root in sorted({h.root for h in self.hosts.values()}):
            os.makedirs(os.path.join(self.base, root))
            roots += f"    - {{ path: {self.base}/{root}, identity: '{IDENTITY[root]}', hook_users: {users[root]} }}\n"
        text = re.sub(r"    - path: repos .*?(?=  default:)", lambda _: roots, text, flags=re.S)
        text = text[:text.index("identity:\n  trusted_caller")].replace("budget: 4s", "budget: 30s")	# a busy machine
        if ROOT:
            text += "roles:\n" + "".join(f"  {r}: {{ user: {u} }}\n" for r, u in
                                         zip(("core", "build", "deploy", "gate"), [*ROLES, "git"], strict=True))
        write(path, text)

    def set(self, **words):
        """Words below repositories.default, in force from here on."""
        path = self.dir + "/penstock.yml"
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for name, value in words.items():
            text, n = re.subn(rf"^(    {name}: )\w+", rf"\g<1>{value}", text, flags=re.M)
            check(n == 1, f"one {name} in penstock.yml")
        write(path, text)
        self.penstock("reload")

    # ---- repositories ----

    def make_repositories(self):
        for h in self.hosts.values():
            if h.root == "gitolite/repositories":
                continue
            run("git", "-c", "init.defaultBranch=main", "init", "-q", "--bare",
                *(["--shared=group"] if h.root == "people" else []), h.repo, env=clean_env())
            self.penstock("install", h.repo)
            give(h.repo, GIT, "devs" if h.root == "people" else None)
            self.watch_gate(h.repo + "/hooks")
        run("git", "-C", self.hosts["http"].repo, "config", "http.receivepack", "true", env={**clean_env(), **self.git_env})

    def watch_gate(self, hooks):
        """The gate program of this folder of hooks leaves a line with its account; one line waits for ever."""
        program, log = self.base + "/gate-program", self.base + "/gate.log"
        if not os.path.exists(program):
            write(log, "", 0o666)
            write(program, f'#!/bin/sh\nid -u >>{log}\n[ ! -e {self.base}/hang ] || {{ sleep 600 & wait; }}\n'
                           f'exec {BUILD}/penstock "$@"\n', 0o755)
        with open(hooks + "/penstock.hook", encoding="utf-8") as f:
            lines = f.read().splitlines()
        os.chmod(hooks + "/penstock.hook", 0o644)
        write(hooks + "/penstock.hook", "\n".join([*lines[:2], program]) + "\n")

    def judged_by(self):
        """Uids as which the gate program ran since this was asked last."""
        with open(self.base + "/gate.log", "r+", encoding="utf-8") as f:
            uids = [int(line) for line in f]
            f.truncate(0)
        return uids

    # ---- servers ----

    def serve(self, name, port, *argv, user=None):
        log = open(f"{self.base}/{name}.log", "ab")
        p = subprocess.Popen([*(as_user(UID[user]) if user else []), *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                             env={"PATH": os.environ["PATH"], "HOME": self.base, "LC_ALL": "C.UTF-8"})
        log.close()
        self.servers.append((name, p))

        def up():
            check(p.poll() is None, f"{name} ended with {p.returncode}")
            with socket.socket(*port[:1]) as s:
                return s.connect_ex(port[1]) == 0
        wait(f"{name} listens", up, limit=20, every=0.02)

    def end_servers(self):
        for _, p in self.servers:
            if p.poll() is None:
                p.terminate()
        for name, p in self.servers:
            try:
                p.wait(10)
            except subprocess.TimeoutExpired:
                p.send_signal(signal.SIGKILL)
                p.wait()

    def tell_servers(self):
        for name, _ in self.servers:
            with open(f"{self.base}/{name}.log", encoding="utf-8", errors="replace") as f:
                sys.stderr.write(f"---- {name}.log, its end\n" + "".join(f.readlines()[-30:]))

    def make_key(self, name):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", f"{self.base}/ssh/{name}")
        with open(f"{self.base}/ssh/{name}.pub", encoding="utf-8") as f:
            return f.read()

    def start_sshd(self):
        """Variables that a client sends are accepted, as a careless admin has it: all but the one that WHO is in."""
        ssh, self.ports["ssh"] = self.base + "/ssh", free_port()
        forced = "".join(f'command="{f"env WHO={who} " if who else ""}git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"",restrict {key}'
                         for who, key in [*((p, self.keys[p]) for p in PEOPLE), (None, self.make_key("key"))])
        os.makedirs(ssh + "/authorized")
        for who, text in [(GIT, forced), *((p, "restrict " + self.keys[p]) for p in PEOPLE if ROOT)]:
            write(f"{ssh}/authorized/{who}", text)
        for who in PEOPLE if ROOT else ():
            shutil.copy(self.base + "/gitconfig", f"{pwd.getpwnam(who).pw_dir}/.gitconfig")
        host = self.make_key("host")
        write(ssh + "/known", "".join(f"[127.0.0.1]:{self.ports[p]} {host}" for p in ("ssh", "gitolite")))
        write(ssh + "/config", f"""\
ListenAddress 127.0.0.1:{self.ports['ssh']}
ListenAddress 127.0.0.1:{self.ports['gitolite']}
HostKey {ssh}/host
PidFile none
AuthorizedKeysFile {ssh}/authorized/%u
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv LANG LC_* GL_* REMOTE_* REQUEST_* PENSTOCK_* GITEA_* GITHUB_* USER LOGNAME
Match LocalPort {self.ports['gitolite']}
	AuthorizedKeysFile {self.base}/gitolite/.ssh/authorized_keys
	SetEnv HOME={self.base}/gitolite
""")
        self.serve("sshd", (socket.AF_INET, ("127.0.0.1", self.ports["ssh"])), "/usr/sbin/sshd", "-D", "-e", "-f", ssh + "/config")

    def start_nginx(self):
        web, port = self.base + "/web", free_port()
        os.makedirs(web)
        write(web + "/words", "".join(f"{p}:{{PLAIN}}{p}s-word\n" for p in PEOPLE))
        backend = run("git", "--exec-path").stdout.strip() + "/git-http-backend"
        temp = "".join(f"\t{n}_temp_path {web}/{n};\n" for n in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        params = "".join(f"\t\t\tfastcgi_param {n} {v};\n" for n, v in {
            "SCRIPT_FILENAME": backend, "GIT_PROJECT_ROOT": self.base + "/http", "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": "$1", "QUERY_STRING": "$query_string", "REQUEST_METHOD": "$request_method",
            "REQUEST_URI": "$request_uri", "CONTENT_TYPE": "$content_type", "CONTENT_LENGTH": "$content_length",
            "REMOTE_ADDR": "$remote_addr"}.items()) + f"\t\t\tfastcgi_pass unix:{web}/backend;\n"
        write(web + "/nginx.conf", f"""\
daemon off;
pid {web}/pid;
error_log stderr;
events {{ }}
http {{
	access_log off;
	client_max_body_size 0;
{temp}	server {{
		listen 127.0.0.1:{port};
		location ~ ^/git(/.*)$ {{
			auth_basic git;
			auth_basic_user_file {web}/words;
			fastcgi_param REMOTE_USER $remote_user;
{params}		}}
		location ~ ^/open(/.*)$ {{
{params}		}}
	}}
}}
""")
        give(web, GIT)
        self.ports["http"] = port
        self.serve("fcgiwrap", (socket.AF_UNIX, web + "/backend"), "/usr/sbin/fcgiwrap", "-s", f"unix:{web}/backend", user="git")
        self.serve("nginx", (socket.AF_INET, ("127.0.0.1", port)), "/usr/sbin/nginx", "-p", web, "-e", "stderr",
                   "-c", web + "/nginx.conf", user="git")

    def make_gitolite(self):
        """As ADMIN.md says: our hooks in hooks/common, `gitolite setup` links them into every repository, install
        adds the settings."""
        home, self.ports["gitolite"] = self.base + "/gitolite", free_port()
        os.makedirs(self.base + "/ssh")
        self.keys = {p: self.make_key(p) for p in PEOPLE}
        give(home, GIT)

        def gitolite(*args):
            run(*as_user(UID["git"]), "gitolite", *args, cwd=home, env={**clean_env(), **self.git_env, **self.gitolite_env})
        gitolite("setup", "-a", "nobody")
        for p in PEOPLE:
            os.makedirs(home + "/.gitolite/keydir", exist_ok=True)
            write(f"{home}/.gitolite/keydir/{p}.pub", self.keys[p])
        write(home + "/.gitolite/conf/gitolite.conf", f"repo {Gitolite.short}\n\tRW+ = ana kim\n")
        self.penstock("install-hooks", home + "/.gitolite/hooks/common")
        give(home, GIT)
        gitolite("setup")
        self.penstock("install", self.hosts["gitolite"].repo)
        self.watch_gate(home + "/.gitolite/hooks/common")
