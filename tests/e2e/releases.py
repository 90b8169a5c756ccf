#!/usr/bin/python3
"""Releases as people handle them: signed, shown, proven on another machine, keys that change; no Spark.

Judged by printed JSON, files, and openssl beside our own words. Exit status 77 where no sandbox can be made.
"""
import glob
import hashlib
import json
import os
import shutil
import sqlite3
import sys


sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from agent import BUILD, Instance, check, clean_env, main, plain_toolchain, run, wait  # noqa: E402

MAIN = "refs/heads/main"


def untested(a, repository="sales"):
    """A clone of a new repository with the example; its tests want Spark and go."""
    c = a.example(a.repository(repository))
    for p in ("customers_orders", "sales_report"):
        c.git("rm", "-rq", f"pipelines/{p}/code/test")
    c.commit()
    return c


def sha256(path_or_bytes):
    if isinstance(path_or_bytes, str):
        with open(path_or_bytes, "rb") as f:
            path_or_bytes = f.read()
    return hashlib.sha256(path_or_bytes).hexdigest()


def alone(*args, expect=0):
    """The command line without agent and instance, as on another machine."""
    return run(os.path.join(BUILD, "penstock"), *args, expect=expect, env=clean_env(PENSTOCK_INSTANCE="/nonexistent"))


def openssl_verifies(a, key, manifest, signature):
    for name, data in ((key, None), ("m", manifest), ("s", bytes.fromhex(signature))):
        if data is not None:
            with open(os.path.join(a.base, name), "wb") as f:
                f.write(data)
    p = run("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", os.path.join(a.base, key), "-rawin", "-in",
            os.path.join(a.base, "m"), "-sigfile", os.path.join(a.base, "s"), expect=None)
    return p.returncode == 0


def save(a, name, text):
    with open(os.path.join(a.base, name), "w", encoding="utf-8") as f:
        f.write(text)
    return os.path.join(a.base, name)


def signed_shown_and_proven():
    with Instance(toolchain=plain_toolchain()) as a:
        c = untested(a)
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN)
        row = a.items("releases", "--project", ".")[0]
        check(row["fabrics"] == ["development"] and not a.items("releases", "--project", "x"), row)
        release, key = row["id"], a.items("key", "list")[0]
        check(row["signed_by"] == key["id"] and key["state"] == "in force", (row, key))
        shown(a, release, row["digest"])
        pub = save(a, "one.pub", a.penstock("key", "export").stdout)
        bundle = save(a, "bundle.json", a.penstock("release", "show", release, "--bundle").stdout)
        offline(a, release, bundle, pub)
        # another key signs; what the first signed stays good, here and where it is deployed
        other = a.json("key", "rotate")["items"][0]
        check(other["taken"] and other["id"] != key["id"], other)
        check([k["state"] for k in a.items("key", "list")] == ["in force", "retired"], a.items("key", "list"))
        a.penstock("verify", release)
        alone("verify", bundle, "--key", save(a, "two.pub", a.penstock("key", "export").stdout), expect=1)
        check(a.penstock("key", "export", key["id"]).stdout == open(pub).read(), "the retired one is exported")
        c.write("pipelines/sales_report/code/sales_report/more.py", "x = 1\n")
        c.commit()
        c.push("HEAD:" + MAIN)
        a.wait_event(MAIN, new=c.git("rev-parse", "HEAD").stdout.strip())
        check(a.json("release", "show", "main")["signed_by"] == other["id"], a.items("releases"))
        a.penstock("verify", "main", "--key", os.path.join(a.base, "two.pub"))
        check(a.items("releases")[0]["fabrics"] == ["development"], a.items("releases"))


def shown(a, release, digest):
    doc = a.json("release", "show", release)
    check(doc["digest"] == digest and doc["labels"][0]["ref"] == MAIN and
          doc["deployments"][0]["state"] == "deployed", doc)
    for typed in ("main", MAIN, digest, digest[:5], doc["labels"][0]["version"]):
        check(a.json("release", "show", typed)["digest"] == digest, typed)
    manifest = a.penstock("release", "show", release, "--manifest").stdout.encode()
    check(sha256(manifest) == digest, "the id is the digest of what is printed")
    save(a, "one.pub", a.penstock("key", "export").stdout)
    check(openssl_verifies(a, "one.pub", manifest, doc["signature"]), "another program verifies it too")
    check(not openssl_verifies(a, "one.pub", manifest + b" ", doc["signature"]), "and would find a blank")
    text = a.penstock("release", "show", release).stdout
    check(all(w in text for w in ("release " + release, "signed by", doc["signed_by"], MAIN, "d1",
                                  "sales_report-1.0-py3-none-any.whl")), text)
    said = json.loads(a.penstock("release", "show", release, "--provenance").stdout)
    wheels = {s["name"]: s["digest"]["sha256"] for s in said["subject"]}
    check(wheels == {w["file"]: w["sha256"] for w in json.loads(manifest)["artifacts"]} and len(wheels) == 2, said)
    for name, want in wheels.items():
        check(sha256(glob.glob(a.fabric("development", "FileStore", "**", name), recursive=True)[0]) == want, name)
    check(said["_type"] == "https://in-toto.io/Statement/v1" and
          said["predicateType"] == "https://slsa.dev/provenance/v1", said)
    asked = said["predicate"]["buildDefinition"]["externalParameters"]
    check((asked["repository"], asked["ref"], asked["commit"]) == ("sales", MAIN, doc["labels"][0]["commit"]), asked)
    check(said["predicate"]["runDetails"]["builder"]["id"].endswith(doc["signed_by"]), said)
    p = a.penstock("release", "show", "nosuch", expect=1)
    check("no release is called 'nosuch'" in p.stderr and "next: " in p.stderr, p.stderr)


def offline(a, release, bundle, pub):
    check(alone("verify", bundle, "--key", pub).stdout.startswith(f"valid: release {release} "), "valid")
    item = json.loads(alone("verify", bundle, "--key", pub, "--json").stdout)["items"][0]
    check(item["state"] == "valid" and item["id"] == release, item)
    a.penstock("verify", bundle)
    with open(bundle, encoding="utf-8") as f:
        good = json.load(f)
    for change, says in (({"manifest": good["manifest"].replace('"format":1', '"format": 1')}, "does not fit"),
                         ({"signature": "0" * 128}, "does not fit"), ({"digest": "0" * 64}, "other bytes"),
                         ({"signed_by": "0" * 16}, "is signed by the key 0000"), ({"format": 2}, "newer penstock"),
                         ({"signature": None}, "has no signature"), ({"type": "x"}, "is no release")):
        bad = save(a, "bad.json", json.dumps({**good, **change}))
        p = alone("verify", bad, "--key", pub, expect=1)
        check(says in p.stderr, (change, p.stderr))
    wheel = glob.glob(a.fabric("development", "FileStore", "**", "sales_report-1.0-py3-none-any.whl"), recursive=True)[0]
    folder = os.path.join(a.base, "wheels")
    os.mkdir(folder)
    shutil.copy(wheel, folder)
    alone("verify", bundle, "--key", pub, "--artifact", wheel)
    p = alone("verify", bundle, "--key", pub, "--artifact", folder, expect=1)
    check("missing: customers_orders" in p.stdout and "valid: sales_report" in p.stdout, p.stdout)
    changed = os.path.join(folder, "sales_report-1.0-py3-none-any.whl")
    os.chmod(changed, 0o644)
    with open(changed, "ab") as f:
        f.write(b"x")
    item = json.loads(alone("verify", bundle, "--key", pub, "--artifact", changed, "--json", expect=1).stdout)["items"][0]
    check(item["state"] == "invalid" and item["artifacts"][0]["state"] == "other bytes", item)


def changed_behind_cores_back():
    """The manifest, the signature or the key's trust changed in the store: nothing is deployed, and it says why."""
    with Instance(toolchain=plain_toolchain()) as a:
        c = untested(a)
        a.penstock("pause", "fabric", "development", "-m", "not yet")
        c.push("HEAD:" + MAIN)
        wait("the deployment waits", lambda: [x for x in a.json("status")["queue"] if x["id"] == "d1"])
        a.stop()
        with sqlite3.connect(os.path.join(a.dir, "state", "store.db")) as db:
            db.execute("UPDATE release SET signature = ?", ("0" * 128,))
        db.close()
        a.start()
        before = a.snapshot("development")
        a.penstock("resume", "fabric", "development")
        a.wait_event(MAIN)
        d = a.items("history", "development")[0]
        check(d["state"] == "failed" and "does not fit the key" in d["reason"] and "penstock verify" in d["reason"], d)
        check(a.snapshot("development") == before, "something was put on the fabric")
        # as a store of version 2 has it: core signs at its start
        a.stop()
        with sqlite3.connect(os.path.join(a.dir, "state", "store.db")) as db:
            db.execute("UPDATE release SET signature = NULL, signed_by = NULL")
        db.close()
        a.start()
        a.penstock("verify", "main")
        a.penstock("--as", "ana", "retry", "d1")
        wait("it is deployed", lambda: a.items("history", "development")[0]["state"] == "deployed")


if __name__ == "__main__":
    main(signed_shown_and_proven, changed_behind_cores_back)
