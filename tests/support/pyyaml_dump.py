#!/usr/bin/python3
"""What PyYAML's safe_load makes of every *.yml of a folder, as text the C tests compare with.

For each NAME.yml it writes NAME.out: "refused", or the value in the notation of dump() of
test_doc.c. Exit 77 when PyYAML is not installed.
"""
import datetime
import os
import sys

try:
    import yaml
except ImportError:
    sys.exit(77)


def dump(v, depth=0):
    if depth > 40:
        return "deep"
    if v is None:
        return "null"
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, int):
        return "i%d" % max(min(v, 2**63 - 1), -2**63) if abs(v) < 2**62 else "ibig"
    if isinstance(v, float):
        return "float"
    if isinstance(v, (datetime.date, datetime.datetime)):
        return "time"
    if isinstance(v, str):
        return "s%d:%s" % (len(v.encode("utf-8", "surrogatepass")), v.replace("\0", "\1"))
    if isinstance(v, (list, tuple)):
        return "[" + "".join(dump(x, depth + 1) + "," for x in v) + "]"
    if isinstance(v, dict):
        pairs = ("%s=%s," % (dump(k, depth + 1), dump(x, depth + 1)) for k, x in v.items())
        return "{" + "".join(sorted(pairs, key=lambda p: p.encode())) + "}"
    return "other"


for name in os.listdir(sys.argv[1]):
    if not name.endswith(".yml"):
        continue
    path = os.path.join(sys.argv[1], name)
    try:
        with open(path, encoding="utf-8", newline="") as f:
            out = dump(yaml.safe_load(f.read()))
    except Exception:  # a reader that crashes refuses as well
        out = "refused"
    with open(path[:-4] + ".out", "w", encoding="utf-8", newline="") as f:
        f.write(out)
