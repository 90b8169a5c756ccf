"""HTTP: one thread per connection, one call after the other per workspace; who asks, what for, what is written of it."""
import collections
import email
import hashlib
import http.server
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse

from . import control, dbfs, faults, identity, jobs, notebooks, permissions, runs, secrets, volumes
from .answers import Answer, Refused, invalid, malformed, refuse
from .tree import Tree

SECRET = ("string_value", "bytes_value")
BODY_KEPT = 256 * 1024      # a JSON body up to this stands in calls.jsonl as it came

# Method, path, what answers, and the scope that its token needs; of their names "jobs" alone is documented. "" needs no token.
JOBS = r"/api/(2\.[012])/jobs/"
API = r"/api/2\.0/"
ROUTES = [
    ("POST", JOBS + "create", jobs.create, "jobs"),
    ("POST", JOBS + "reset", jobs.reset, "jobs"),
    ("POST", JOBS + "update", jobs.update, "jobs"),
    ("POST", JOBS + "delete", jobs.delete, "jobs"),
    ("GET", JOBS + "get", jobs.get, "jobs"),
    ("GET", JOBS + "list", jobs.list_, "jobs"),
    ("POST", JOBS + "run-now", runs.run_now, "jobs"),
    ("POST", JOBS + "runs/submit", runs.submit, "jobs"),
    ("GET", JOBS + "runs/get", runs.get, "jobs"),
    ("GET", JOBS + "runs/list", runs.list_, "jobs"),
    ("GET", JOBS + "runs/get-output", runs.get_output, "jobs"),
    ("POST", JOBS + "runs/cancel", runs.cancel, "jobs"),
    ("POST", JOBS + "runs/cancel-all", runs.cancel_all, "jobs"),
    ("POST", JOBS + "runs/repair", runs.repair, "jobs"),
    ("POST", JOBS + "runs/delete", runs.delete, "jobs"),
    ("GET", API + "permissions/jobs/([0-9]+)", permissions.get, "access-management"),
    ("PUT", API + "permissions/jobs/([0-9]+)", permissions.put, "access-management"),
    ("PATCH", API + "permissions/jobs/([0-9]+)", permissions.patch, "access-management"),
    ("GET", API + "permissions/jobs/([0-9]+)/permissionLevels", permissions.levels, "access-management"),
    ("POST", API + "dbfs/put", dbfs.put, "dbfs"),
    ("POST", API + "dbfs/create", dbfs.create, "dbfs"),
    ("POST", API + "dbfs/add-block", dbfs.add_block, "dbfs"),
    ("POST", API + "dbfs/close", dbfs.close, "dbfs"),
    ("GET", API + "dbfs/get-status", dbfs.get_status, "dbfs"),
    ("GET", API + "dbfs/list", dbfs.list_, "dbfs"),
    ("GET", API + "dbfs/read", dbfs.read, "dbfs"),
    ("POST", API + "dbfs/mkdirs", dbfs.mkdirs, "dbfs"),
    ("POST", API + "dbfs/move", dbfs.move, "dbfs"),
    ("POST", API + "dbfs/delete", dbfs.delete, "dbfs"),
    ("PUT", API + "fs/files/(.+)", volumes.put, "files"),
    ("GET HEAD", API + "fs/files/(.+)", volumes.get, "files"),
    ("DELETE", API + "fs/files/(.+)", volumes.delete, "files"),
    ("PUT", API + "fs/directories/(.+)", volumes.dir_put, "files"),
    ("GET", API + "fs/directories/(.+)", volumes.dir_get, "files"),
    ("HEAD", API + "fs/directories/(.+)", volumes.dir_head, "files"),
    ("DELETE", API + "fs/directories/(.+)", volumes.dir_delete, "files"),
    ("POST", API + "workspace/import", notebooks.import_, "workspace"),
    ("POST", API + "workspace-files/import-file/(.+)", notebooks.import_file, "workspace"),
    ("GET", API + "workspace/get-status", notebooks.get_status, "workspace"),
    ("GET", API + "workspace/list", notebooks.list_, "workspace"),
    ("GET", API + "workspace/export", notebooks.export, "workspace"),
    ("POST", API + "workspace/mkdirs", notebooks.mkdirs, "workspace"),
    ("POST", API + "workspace/delete", notebooks.delete, "workspace"),
    ("GET", API + "secrets/scopes/list", secrets.scopes_list, "secrets"),
    ("POST", API + "secrets/scopes/create", secrets.scopes_create, "secrets"),
    ("POST", API + "secrets/scopes/delete", secrets.scopes_delete, "secrets"),
    ("POST", API + "secrets/put", secrets.put, "secrets"),
    ("GET", API + "secrets/get", secrets.get, "secrets"),
    ("GET", API + "secrets/list", secrets.list_, "secrets"),
    ("POST", API + "secrets/delete", secrets.delete, "secrets"),
    ("GET", API + "secrets/acls/list", secrets.acls_list, "secrets"),
    ("POST", API + "secrets/acls/put", secrets.acls_put, "secrets"),
    ("POST", API + "secrets/acls/delete", secrets.acls_delete, "secrets"),
    ("GET", API + "preview/scim/v2/Me", identity.me, "scim"),
    ("GET", r"/\.well-known/databricks-config", identity.config, ""),
    ("GET", r"/oidc/\.well-known/oauth-authorization-server", identity.discover, ""),
    ("POST", "/oidc/v1/token", identity.token, ""),
]


class Call:
    """One request, for those who answer it. They hold the workspace's lock."""

    def __init__(self, server, method, target, headers, body):
        self.server, self.ws, self.faults = server, server.ws, server.faults
        self.dbfs, self.volumes, self.notebooks = server.dbfs, server.volumes, server.notebooks
        self.method, self.headers, self.body = method, headers, body
        self.base = f"http://{headers.get('Host', 'localhost')}"
        path, _, query = re.sub("^[a-z]+://[^/?]*", "", target).partition("?")      # who asks a proxy sends the whole address
        self.path = urllib.parse.unquote(re.sub("/+", "/", path))
        self.query = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        self.request_id = hashlib.md5(f"{server.ws.seed}/{server.count}".encode(), usedforsecurity=False).hexdigest()
        self.user = self.api = None
        self.args = ()

    def any_json(self):
        try:
            return json.loads(self.body or b"{}")
        except ValueError:
            raise malformed("Invalid JSON given in the body of the request - failed to parse given JSON") from None

    def json(self):
        """The body, whatever its content type says."""
        d = self.any_json()
        if not isinstance(d, dict):
            raise malformed("Invalid JSON given in the body of the request - expected a map")
        return d

    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    def multipart(self):
        """Parts of a form by name; None: the body is none."""
        kind = self.headers.get("Content-Type", "")
        if not kind.startswith("multipart/form-data"):
            return None
        boundary = email.message_from_string(f"Content-Type: {kind}\n").get_param("boundary", "")
        out = {}
        # By hand: the package email takes lines for lines, and a wheel has none.
        for part in (b"\r\n" + self.body).split(b"\r\n--" + boundary.encode())[1:-1]:
            head, _, data = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
            out[email.message_from_bytes(head).get_param("name", header="content-disposition")] = data
        return out

    def id(self, holder, name):
        """A number, also as decimal digits in a text."""
        value = holder.get(name)
        if isinstance(value, str) and re.fullmatch("[0-9]{1,19}", value):
            return int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise invalid(f"Missing required field: {name}" if value is None else f"Invalid {name}: {value}")
        return value

    def number(self, name, otherwise):
        return self.id(self.query, name) if self.query.get(name) else otherwise


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, ws, port):
        self.ws, self.count = ws, 0
        self.faults = faults.Faults(ws.seed)
        self.dbfs, self.volumes, self.notebooks = (Tree(ws.folder, n) for n in ("dbfs", "Volumes", "Workspace"))
        self.log = open(os.path.join(ws.folder, "calls.jsonl"), "a", encoding="utf-8")
        self.log_lock = threading.Lock()
        self.recent = collections.deque()       # when the calls of the last second came
        super().__init__(("127.0.0.1", port), Handler)

    def server_bind(self):
        # Not HTTPServer's, which asks for the name of the host.
        http.server.socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]

    def handle_error(self, request, client_address):
        """A client that went away is no news; all else is a mistake of ours and stands on standard error."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def too_many(server):
    """Whether the option rate is passed by this call."""
    with server.log_lock:
        now, rate = time.monotonic(), server.ws.options["rate"]
        while server.recent and server.recent[0] <= now - 1:
            server.recent.popleft()
        if rate and len(server.recent) >= rate:
            return True
        server.recent.append(now)
        return False


def found(call):
    """What answers the call, the scope it needs; call.args and call.api are set."""
    for method, pattern, answer, scope in ROUTES:
        m = re.fullmatch(pattern, call.path)
        if m and call.method in method.split():
            call.args = m.groups()
            if pattern.startswith(JOBS):
                call.api = m[1]
                if call.api == "2.2" and not call.ws.options["api_22"]:
                    raise refuse(404, "ENDPOINT_NOT_FOUND", f"Bad Target: {call.path}")
            return answer, scope
    raise refuse(404, "ENDPOINT_NOT_FOUND", f"No API found for '{call.method} {call.path}'")


def answered(call):
    """The true answer, with its effect."""
    try:
        with call.ws.lock:
            for methods, pattern, answer in control.ROUTES:
                m = re.fullmatch(pattern, call.path)
                if m and call.method in methods.split():
                    call.args = m.groups()
                    return answer(call)
            answer, scope = found(call)
            if scope:
                call.user, token = identity.user_of(call.ws, call.headers, call.request_id)
                if scope != "scim":
                    identity.check_scope(token, scope, call.request_id)
            return answer(call)
    except Refused as e:
        return e.answer
    except (KeyError, TypeError, ValueError) as e:
        if call.path.startswith("/_fake/"):
            return Answer(400, {"error": f"{type(e).__name__}: {e}"})
        return malformed(f"Could not parse request object: {type(e).__name__}: {e}").answer


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "databricks", ""

    def log_message(self, *args):
        """Nothing: what is asked stands in calls.jsonl."""

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read_body(self):
        """None: it ended too early."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if not size:
                    return b"".join(parts)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size)
        return body if len(body) == size else None

    def any(self):
        try:
            body = self.read_body()
        except ValueError:
            body = None
        if body is None:
            self.close_connection = True
            return
        with self.server.log_lock:
            self.server.count += 1
        call = Call(self.server, self.command, self.path, self.headers, body)
        if call.path.startswith("/_fake/"):
            self.send(answered(call))
        else:
            self.through_faults(call)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = any

    def through_faults(self, call):
        began, ws = call.ws.now(), call.ws
        token = ws.all["token"].get(call.headers.get("Authorization", "").partition(" ")[2])
        user = token.user if token else None
        with ws.lock:
            struck = call.faults.of(call.method, call.path, user)
        if too_many(self.server):
            struck = [{"fault": "throttled", "retry_after": 1}]
        last = next((s for s in struck if s["fault"] != "slow"), None)
        kind = last["fault"] if last else None
        wait(struck, after=False)
        effect = not last or kind in ("cut", "twice") or last.get("after")
        answer = answered(call) if effect else None
        if kind == "twice":
            answer = answered(call)
        wait(struck, after=True)
        if kind == "expired":
            with ws.lock:
                identity.expire(ws, call.headers)
        if kind in faults.ANSWERS:
            answer = faults.ANSWERS[kind](last)
        dropped = kind == "drop"
        self.write(call, began, user, struck, None if dropped else answer.status, effect)
        if dropped:
            self.drop(last.get("reset"))
        else:
            self.send(answer, cut=kind == "cut")

    def write(self, call, began, user, struck, status, effect):
        """Before the answer leaves: whoever has it finds the line."""
        body = None
        if call.body[:1] == b"{" and len(call.body) <= BODY_KEPT:
            try:
                body = {k: "***" if k in SECRET else v for k, v in json.loads(call.body).items()}
            except ValueError:
                pass
        line = {"time": began, "method": call.method, "path": call.path, "target": self.path, "query": call.query,
                "status": status, "fault": [s["fault"] + (" after" if s.get("after") else "") for s in struck] or None,
                "effect": bool(effect), "user": user, "bytes": len(call.body), "sha256": hashlib.sha256(call.body).hexdigest(),
                "type": call.headers.get("Content-Type"), "agent": call.headers.get("User-Agent"), "body": body}
        with self.server.log_lock:
            self.server.log.write(json.dumps(line, sort_keys=True) + "\n")
            self.server.log.flush()

    def send(self, answer, cut=False):
        data, headers = answer.encode(self.server.ws.options["empty_body"] and not self.path.startswith("/_fake/"))
        if cut and len(data) < 2:
            self.drop(False)        # nothing to cut: then there is no answer at all
            return
        self.send_response_only(answer.status)
        for name, value in {**headers, "Date": self.date_time_string()}.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[:len(data) // 2] if cut else data)
        if cut:
            self.drop(False)

    def drop(self, by_reset):
        if by_reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


def wait(struck, after):
    for s in struck:
        if s["fault"] == "slow" and bool(s.get("after")) == after:
            time.sleep(s.get("ms", 1000) / 1000)
