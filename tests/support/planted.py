"""Secrets that tests plant, all by one scheme, and the search for them wherever nobody should find one.

    token = planted("workspace")            # goes into headers: no character that anything would change
    secret = planted("chat", plain=False)   # with blanks and what addresses and JSON write otherwise

Each holds one of two texts that stand nowhere else, so a search for these finds any secret of any test: as it is,
in base64 (also the address' kind, at any place), URL-encoded, in JSON, in hexadecimal. found() searches bytes,
search() what an instance leaves: its folder, its log, its processes. Files that tests wrote, the folders of providers
that are played (who may know their own credentials) and the environment of the agent's first process are left out.
"""
import base64
import json
import os
import urllib.parse

STEMS = (b"Qk7planted0token", b'Vx3 planted&"secret"+%')
BLOCK = 1 << 24
written, theirs = set(), set()      # files that hold one on purpose; folders of who may know


def planted(name, plain=True):
    return STEMS[0 if plain else 1].decode() + "." + name


def plant(path, text, mode=0o600):
    """A file with a secret in it, where the configuration says."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    written.add(os.path.realpath(path))
    if not found(text.encode()):        # one that is given: nobody's stem is in it
        ALL.extend(forms(text.strip().encode()))
    return path


def forms(secret):
    """Every way in which the bytes could be written down."""
    out = {secret, secret.hex().encode(), secret.hex().upper().encode(), urllib.parse.quote_from_bytes(secret).encode(),
           urllib.parse.quote_from_bytes(secret, safe="").encode(), urllib.parse.quote_plus(secret).encode()}
    try:
        out.add(json.dumps(secret.decode())[1:-1].encode())
    except UnicodeDecodeError:
        pass
    for skip in range(3):       # whatever stands before it: the digits that are of the secret alone
        whole = base64.b64encode(b"\0" * skip + secret)
        digits = whole[(8 * skip + 5) // 6:8 * (skip + len(secret)) // 6]
        out |= {digits, digits.replace(b"+", b"-").replace(b"/", b"_")}
    return sorted(out)


ALL = [f for s in STEMS for f in forms(s)]


def found(data, also=()):
    return any(f in data for f in ALL) or any(f in data for f in also)


def key_forms(path):
    """The private key of an instance is a secret like the others: its text, and the 32 bytes at its end."""
    try:
        with open(path, encoding="ascii") as f:
            body = "".join(l for l in f.read().split("\n") if l and not l.startswith("-"))
        return [body.encode(), *forms(base64.b64decode(body)[-32:])]
    except (OSError, ValueError):
        return []


def in_file(path, also=()):
    """In blocks that overlap."""
    with open(path, "rb") as f:
        tail = b""
        while True:
            block = f.read(BLOCK)
            if not block:
                return False
            if found(tail + block, also):
                return True
            tail = block[-512:]


def files(top, skip=()):
    for folder, subs, names in os.walk(top):
        subs[:] = [s for s in subs if os.path.realpath(os.path.join(folder, s)) not in theirs and
                   os.path.join(folder, s) not in skip and not os.path.islink(os.path.join(folder, s))]
        for path in (os.path.join(folder, n) for n in names):
            if os.path.isfile(path) and not os.path.islink(path) and os.path.realpath(path) not in written:
                yield path


def search(base, instance, pids=()):
    """Where one is that should be nowhere: below base, and in what is to be read of the processes."""
    key = os.path.join(instance, "keys", "release.key")
    also, bad = key_forms(key), []
    for path in files(base, skip={os.path.join(instance, "toolchains")}):
        if path not in (key, os.path.join(instance, "state", "reserve")) and os.access(path, os.R_OK) and in_file(path, also):
            bad.append(path)
    for n, pid in enumerate(pids):
        for part in ("cmdline", "environ")[:1 if n == 0 else 2]:    # the first is penstockd, which has them from us
            try:
                with open(f"/proc/{pid}/{part}", "rb") as f:
                    if found(f.read(), also):
                        bad.append(f"/proc/{pid}/{part}")
            except OSError:
                pass
    return bad
