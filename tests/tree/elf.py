#!/usr/bin/python3
"""What the linker says about the programs: hardening, and which libraries each may need.

That core cannot read objects and the gate cannot speak TLS are facts of this table.
Run in the build folder (or with it as the first argument).
"""
import os
import re
import subprocess
import sys

COMMON = {"libc.so.6", "libm.so.6"}
ALLOWED = {
    "penstockd": {"libevent_core-2.1.so.7", "libmsgpackc.so.2", "libyaml-0.so.2", "libcrypto.so.3"},
    "penstock-core": {"libevent_core-2.1.so.7", "libevent_extra-2.1.so.7", "libmsgpackc.so.2", "libyaml-0.so.2",
                      "libcrypto.so.3", "libsqlite3.so.0", "libjansson.so.4", "libseccomp.so.2"},
    "penstock-gate": {"libevent_core-2.1.so.7", "libmsgpackc.so.2", "libyaml-0.so.2", "libcrypto.so.3",
                      "libgit2.so.1.5", "libyajl.so.2", "liblmdb.so.0", "libseccomp.so.2"},
    "penstock-build": {"libevent_core-2.1.so.7", "libmsgpackc.so.2", "libyaml-0.so.2", "libcrypto.so.3",
                       "libseccomp.so.2", "libjansson.so.4", "libexpat.so.1"},
    "penstock-deploy": {"libseccomp.so.2", "libjansson.so.4", "libcurl.so.4", "libarchive.so.13", "libevent_core-2.1.so.7", "libmsgpackc.so.2", "libyaml-0.so.2", "libcrypto.so.3"},
    "penstock-hook": {"libmsgpackc.so.2"},     # or, linked statically, none
    # and later libcurl, when an agent is asked, libgit2, when a repository is, and libcrypto for digests and keys
    "penstock": {"libmsgpackc.so.2", "libyaml-0.so.2", "libyajl.so.2", "libjansson.so.4"},
}


# Of libraries that no file names any more when they were linked in: what the hook must not hold.
FOREIGN = re.compile(r"\b(?:EVP_|SHA256_|OPENSSL_|yaml_parser_|yajl_|git_(?:odb|repository)_|sqlite3_|event_base_|json_object_)\w+")


def readelf(*args):
    return subprocess.run(["readelf", "-W", *args], check=True, capture_output=True, text=True).stdout


def main_begins_with_endbr(path):
    row = re.search(r"^\s*\d+: ([0-9a-f]+)\s+\d+ FUNC\s+\S+\s+\S+\s+\d+ main$", readelf("-s", path), re.M)
    load = re.search(r"LOAD\s+(0x[0-9a-f]+) (0x[0-9a-f]+) \S+ \S+ \S+ R E", readelf("-l", path))
    if not row or not load:
        return False
    offset = int(row[1], 16) - int(load[2], 16) + int(load[1], 16)
    with open(path, "rb") as f:
        f.seek(offset)
        return f.read(4) == b"\xf3\x0f\x1e\xfa"


def check(path, name):
    bad = []
    header, program, dynamic, symbols = readelf("-h", path), readelf("-l", path), readelf("-d", path), readelf("--dyn-syms", path)
    if "INTERP" not in program:
        symbols = readelf("-s", path)
        bad += [f"holds {name}, which its role may not" for name in sorted(set(FOREIGN.findall(symbols)))]
    if "DYN (" not in header:
        bad.append("is not position independent")
    if "GNU_RELRO" not in program or "BIND_NOW" not in dynamic and "NOW" not in dynamic:
        bad.append("has no full RELRO")
    if re.search(r"GNU_STACK.* RWE", program):
        bad.append("has an executable stack")
    if "__stack_chk_fail" not in symbols:
        bad.append("has no stack protector")
    if not re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", "")):
        bad.append("has no fortified call")
    if os.uname().machine == "x86_64" and not main_begins_with_endbr(path):
        bad.append("has no control-flow protection: main does not begin with endbr64")
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic))
    for extra in sorted(needed - ALLOWED[name] - COMMON):
        bad.append(f"needs {extra}, which its role may not")
    return bad


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "."
    with open(os.path.join(build, "config.h"), encoding="utf-8") as f:
        if "#define PENSTOCK_SANITIZED" in f.read():
            print("SKIP: built with a sanitizer, which brings its own flags and libraries")
            return 77
    failed = 0
    for name in ALLOWED:
        path = os.path.join(build, name)
        bad = check(path, name) if os.path.exists(path) else ["was not built"]
        for line in bad:
            print(f"FAIL: {name} {line}")
        failed += bool(bad)
    print(f"{len(ALLOWED) - failed} programs as they should be, {failed} not")
    return 1 if failed else 0


sys.exit(main())
