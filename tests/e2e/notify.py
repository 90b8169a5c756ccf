#!/usr/bin/python3
"""People are told: by a signed webhook that fails in all ways a receiver can, and by mail. No Spark.

The receiver here checks the signature itself; what it got is compared with what the outbox says. Exit status 77 where no
sandbox can be made.
"""
import email
import email.policy
import hashlib
import hmac
import http.server
import json
import os
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import Instance, check, main, plain_toolchain, wait  # noqa: E402
from planted import plant, planted  # noqa: E402

MAIN, TAG = "refs/heads/main", "refs/tags/v1.0.0"
SECRET = planted("webhook", plain=False)


class Receiver:
    """Answers what `plan` says, one after the other, then 200; keeps what was rightly signed."""

    def __init__(self):
        self.got, self.forged, self.plan, self.hang = [], 0, [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                want = hmac.new(SECRET.encode(), self.headers["Penstock-Timestamp"].encode() + b"." + body, hashlib.sha256)
                if not hmac.compare_digest(self.headers["Penstock-Signature"], "v1=" + want.hexdigest()):
                    outer.forged += 1
                answer = outer.plan.pop(0) if outer.plan else 200
                outer.got.append((self.headers["Penstock-Id"], self.headers["Penstock-Event"], json.loads(body), answer))
                if answer == "hang":
                    outer.hang.wait(60)
                    return
                status, headers, text = answer if isinstance(answer, tuple) else (answer, {}, b"")
                self.send_response(status)
                for k, v in headers.items():
                    self.send_header(k, v)
                self.end_headers()
                try:
                    self.wfile.write(text)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def end(self):
        self.hang.set()
        self.server.shutdown()
        self.server.server_close()


SENDMAIL = """#!/bin/sh
if [ -e "$(dirname "$0")/broken" ]; then echo "queue is full" >&2; exit 75; fi
if [ -e "$(dirname "$0")/never" ]; then echo "no such user" >&2; exit 67; fi
n=$(ls "$(dirname "$0")/mails" | wc -l)
printf '%s\\n' "$@" > "$(dirname "$0")/args"
cat > "$(dirname "$0")/mails/.tmp" && mv "$(dirname "$0")/mails/.tmp" "$(dirname "$0")/mails/$n"
"""


class Told(Instance):
    def __init__(self):
        super().__init__(toolchain=plain_toolchain())
        self.receiver = Receiver()
        plant(self.base + "/secret", SECRET + "\n")
        self.write("sendmail", SENDMAIL)
        os.chmod(self.base + "/sendmail", 0o755)
        os.mkdir(self.base + "/mails")
        with open(self.dir + "/penstock.yml", "a", encoding="utf-8") as f:
            f.write(f"""
notify:
  chat: {{ webhook: {{ url: '{self.receiver.url}', secret: {{ file: {self.base}/secret }} }}, retry: 100ms, tries: 4 }}
  owners:
    mail: {{ to: [kim@example.net, lee@example.net], from: penstock@example.net, sendmail: {self.base}/sendmail }}
    events: [approval]
    environments: [production]
    retry: 100ms
""")

    def write(self, name, text):
        with open(os.path.join(self.base, name), "w", encoding="utf-8") as f:
            f.write(text)

    def __exit__(self, *args):
        self.receiver.end()
        super().__exit__(*args)

    def letters(self, **want):
        return [l for l in reversed(self.items("outbox")) if all(l[k] == v for k, v in want.items())]

    def one(self, state, but=(), **want):
        """The newest letter that fits and is none of those, once it has that state. A notice becomes letters only when
        they are about to be sent: after its event is done there may still be none."""
        def look():
            l = [x for x in self.letters(**want) if x["id"] not in but]
            return l[-1] if l and l[-1]["state"] == state else None
        return wait(f"a letter {want} is {state}: {self.letters()}", look)

    def untested(self):
        c = self.example(self.repository("sales"))
        for p in ("customers_orders", "sales_report"):
            c.git("rm", "-rq", f"pipelines/{p}/code/test")
        c.commit()
        return c


def told_by_webhook_and_mail():
    with Told() as a:
        c = a.untested()
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        l = a.one("done", kind="deployed")
        uid, kind, doc, _ = a.receiver.got[-1]
        check((uid, kind) == (l["uid"], "deployed") and l["to"] == "chat" and l["thing"] == "d1", (l, a.receiver.got))
        check((doc["environment"], doc["fabric"], doc["repository"], doc["ref"], doc["pusher"], doc["id"]) ==
              ("development", "development", "sales", MAIN, doc["pusher"], "d1") and doc["pusher"].endswith("(as ana)"), doc)
        check(doc["release"] == a.json("release", "show", "main")["digest"], doc)
        # both are told that somebody must approve; once, whatever is looked at meanwhile
        c.who = "lee"
        c.push("HEAD:" + TAG)
        a.one("done", kind="approval", to="chat")
        a.one("done", kind="approval", to="owners")
        a.penstock("reload")
        check(a.penstock("why", TAG).stdout.count("approval"), "it waits")
        check(len(a.letters(kind="approval")) == 2, a.letters())
        mails = os.listdir(a.base + "/mails")
        with open(os.path.join(a.base, "mails", mails[0]), "rb") as f:
            mail = email.message_from_bytes(f.read(), policy=email.policy.default)
        check(len(mails) == 1 and mail["Subject"] == "[penstock] production waits for your approval: sales (d2 v1.0.0)" and
              mail["To"] == "kim@example.net, lee@example.net", mail.as_string())
        check("ref: refs/tags/v1.0.0" in mail.get_content() and "next: penstock why d2" in mail.get_content(), mail)
        with open(a.base + "/args", encoding="utf-8") as f:
            check(f.read().split() == ["-i", "-f", "penstock@example.net", "--", "kim@example.net", "lee@example.net"], "argv")
        # what fails before anything could be deployed
        c.write("pipelines/sales_report/code/setup.py", "raise SystemExit('no')\n")
        c.commit()
        c.push("HEAD:" + MAIN)
        l = a.one("done", kind="failed")
        check(a.receiver.got[-1][2]["reason"].startswith("build b"), a.receiver.got[-1])
        check(a.receiver.forged == 0, "every signature was right")
        a.penstock("--as", "ana", "outbox", "resend", l["id"], expect=1)
        silence(a)


def silence(a):
    """Nobody but the sending child has seen the secret: not the log, not the store, not another role."""
    a.search_secrets()


def what_receivers_do():
    """Later, never, not at all, far too much: what may be tried again is; what may not is shown, and sent again by hand."""
    with Told() as a:
        c, r = a.untested(), a.receiver
        r.plan = [500, (429, {"Retry-After": "1"}, b""), 503, 200]
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        l = a.one("done", kind="deployed")
        check(l["tries"] == 4 and [g[3] if isinstance(g[3], int) else g[3][0] for g in r.got] == [500, 429, 503, 200], r.got)
        check(len({g[0] for g in r.got}) == 1, "always the same id")
        # one that will not: at once; one that never comes to itself: after as many tries as it has
        for plan, tries, says in (([400], 1, "it answered 400"), ([302], 1, "not followed"), ([500] * 4, 4, "it answered 500")):
            r.plan, before = plan, len(r.got)
            known = [x["id"] for x in a.letters(kind="deployed")]
            c.write("pipelines/sales_report/code/sales_report/more.py", f"x = '{says}'\n")
            c.commit()
            c.push("HEAD:" + MAIN)
            a.wait_event(MAIN, new=c.git("rev-parse", "HEAD").stdout.strip())
            l = a.one("failed", but=known, kind="deployed")
            check(l["tries"] == tries and says in l["problem"] and len(r.got) == before + tries, (l, r.got))
        check([x["id"] for x in a.items("outbox", "--state", "failed")][0] == l["id"], "dead letters are shown")
        check(l["problem"] in a.penstock("outbox").stdout, "to people too")
        a.penstock("outbox", "resend", l["id"])
        check(a.one("done", id=l["id"])["tries"] == 1 and r.got[-1][0] == l["uid"], r.got[-1])
        p = a.penstock("outbox", "resend", l["id"], expect=1)
        check("only what has failed is sent again" in p.stderr, p.stderr)
        # a receiver that says yes and talks on; one that hangs while the role that sends is killed: sent again
        r.plan = [(200, {}, b"x" * 1000000), "hang"]
        l = a.letters(state="failed")[0]
        a.penstock("outbox", "resend", l["id"])
        check(a.one("done", id=l["id"])["tries"] == 1, "it has said yes")
        again = a.letters(state="failed")[0]["id"]
        a.penstock("outbox", "resend", again)
        wait("it hangs", lambda: r.got[-1][3] == "hang")
        os.kill(a.role("deploy"), 9)
        l = a.one("done", id=again)
        check([g[0] for g in r.got][-2:] == [l["uid"]] * 2, "at least once, with one id")
        # nobody listens; the secret is gone; sendmail will not yet, or never
        os.rename(a.base + "/secret", a.base + "/hidden")
        a.penstock("reload")
        a.write("broken", "")
        c.push("HEAD:" + TAG)
        wait("no secret", lambda: "secret" in (a.letters(kind="approval", to="chat") or [{"problem": ""}])[-1]["problem"] or "")
        l = wait("sendmail is tried again", lambda: [x for x in a.letters(kind="approval", to="owners") if x["tries"] > 1])
        check("exit status 75: queue is full" in l[0]["problem"], l)
        os.remove(a.base + "/broken")
        os.rename(a.base + "/hidden", a.base + "/secret")
        a.penstock("reload")
        a.one("done", kind="approval", to="owners")
        check(r.forged == 0, "every signature was right")


if __name__ == "__main__":
    main(told_by_webhook_and_mail, what_receivers_do)
