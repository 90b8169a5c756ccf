"""What goes wrong, and when: a table, tried entry by entry for each call until one strikes.

An entry is a JSON object:

    match        "POST /api/2.2/jobs/create"; "*" stands for any method, and for any characters in a path
    user         only calls of that user
    nth          of the calls that match, the first is 1: a number or a list;  or
    from, times  all from that one on (1), so many times (for ever);  or
    probability  0..1, decided by the seed, the entry and the number of the call: the same in each run
    fault        one of FAULTS
    after        the effect takes place, and then it goes wrong (false; the answer is lost)
    and what the fault takes: see FAULTS
"""
import dataclasses
import email.utils
import fnmatch
import random
import time

from .answers import Answer

HTML = b"""<html>
<head><title>Error 503 Service Unavailable</title></head>
<body><h2>HTTP ERROR 503</h2><p>Problem accessing the page. Reason:
<pre>    Service Unavailable</pre></p></body>
</html>
"""
LOGIN = b"<!doctype html><html><head><title>Databricks - Sign In</title></head><body></body></html>"


def retry_after(e):
    """seconds; or "date": in a second, as an HTTP date."""
    if "retry_after" not in e:
        return {}
    value = e["retry_after"]
    return {"Retry-After": email.utils.formatdate(time.time() + 1, usegmt=True) if value == "date" else str(value)}


def coded(status, code, message):
    def make(e):
        body = {"error_code": e.get("code", code), "message": e.get("message", message)}
        return Answer(e.get("status", status), body, retry_after(e))
    return make


def html(e):
    return Answer(e.get("status", 503), HTML, {"Content-Type": "text/html; charset=iso-8859-1", **retry_after(e)})


def login(e):
    return Answer(200, LOGIN, {"Content-Type": "text/html"})


def number_code(e):
    status = e.get("status", 403)
    return Answer(status, {"error_code": e.get("code", status), "message": e.get("message", "Invalid access to Org: 712")})


def no_code(e):
    return Answer(e.get("status", 404), {"message": e.get("message", "Not found.")})


def scim(e):
    status = e.get("status", 403)
    return Answer(status, {"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": str(status),
                           "detail": e.get("message", "Only admins may do this."), "scimType": "sensitive"})


def text(e):
    return Answer(e.get("status", 400), e.get("message", "INVALID_PARAMETER_VALUE: no such thing").encode(),
                  {"Content-Type": "text/plain"})


def empty(e):
    return Answer(e.get("status", 400), b"", {"Content-Type": "text/plain"})


def answer(e):
    body = e.get("body", {})
    return Answer(e.get("status", 200), body.encode() if isinstance(body, str) else body, e.get("headers", {}))


# Answers instead of the true one; each takes status, code, message, and where it makes sense retry_after.
ANSWERS = {
    "throttled": coded(429, "REQUEST_LIMIT_EXCEEDED", "Too many requests. Please wait and try again."),
    "unavailable": coded(503, "TEMPORARILY_UNAVAILABLE", "The service is temporarily unavailable. Please try again later."),
    "internal": coded(500, "INTERNAL_ERROR", "The service is temporarily unavailable. Please try again later. [TraceId: -]"),
    "expired": coded(401, 401, "Token is expiring within 30 seconds. (token expired)"),    # the token is over from then on
    "forbidden": coded(403, "PERMISSION_DENIED", "This user may not do this."),
    "conflict": coded(409, "ALREADY_EXISTS", "It exists already."),
    "quota": coded(400, "INVALID_STATE", "There were already 10000 jobs created in past 3600 seconds, exceeding rate limit: "
                   "10000 job creations per 3600 seconds."),
    "number_code": number_code,
    "no_code": no_code,
    "scim": scim,
    "text": text,
    "html": html,
    "login": login,
    "empty": empty,
    "answer": answer,               # status, body (object, or text as it is), headers
}
FAULTS = {
    **dict.fromkeys(ANSWERS, "another answer"),
    "drop": "the connection ends without an answer; reset: true by RST",
    "cut": "half of the true answer, then the connection ends; the effect has taken place",
    "slow": "ms before anything is done, or before the answer (after: true); goes on to the entries below",
    "twice": "the request is delivered twice, as a proxy may do; the second answer is given",
}


@dataclasses.dataclass
class Entry:
    number: int
    spec: dict
    seen: int = 0
    struck: int = 0

    def strikes(self, seed):
        self.seen += 1
        s = self.spec
        if "probability" in s:
            hit = random.Random(f"{seed}/{self.number}/{self.seen}").random() < s["probability"]
        elif "nth" in s:
            hit = self.seen in (s["nth"] if isinstance(s["nth"], list) else [s["nth"]])
        else:
            hit = self.seen >= s.get("from", 1) and self.struck < s.get("times", float("inf"))
        self.struck += hit
        return hit


class Faults:
    def __init__(self, seed=0):
        self.seed, self.entries = seed, []

    def set(self, specs):
        """Replaces the table; ValueError names what is wrong with it."""
        if not isinstance(specs, list):
            raise ValueError("a table of faults is a list")
        known = {"match", "user", "nth", "from", "times", "probability", "fault", "after", "status", "code", "message",
                 "retry_after", "body", "headers", "ms", "reset"}
        for n, s in enumerate(specs):
            if not isinstance(s, dict) or s.get("fault") not in FAULTS:
                raise ValueError(f"fault {n}: 'fault' is one of {', '.join(FAULTS)}")
            if len(s.get("match", "").split()) != 2:
                raise ValueError(f"fault {n}: 'match' is a method and a path, as in \"POST /api/2.2/jobs/create\"")
            if set(s) - known:
                raise ValueError(f"fault {n}: unknown: {', '.join(sorted(set(s) - known))}")
        self.entries = [Entry(n, s) for n, s in enumerate(specs)]

    def of(self, method, path, user):
        """Entries that strike this call: slow ones, and at most one other."""
        found = []
        for e in self.entries:
            m, pattern = e.spec["match"].split()
            if m not in ("*", method) or not fnmatch.fnmatchcase(path, pattern) or e.spec.get("user", user) != user:
                continue
            if e.strikes(self.seed):
                found.append(e.spec)
                if e.spec["fault"] != "slow":
                    break
        return found

    def tell(self):
        return [{**e.spec, "seen": e.seen, "struck": e.struck} for e in self.entries]
