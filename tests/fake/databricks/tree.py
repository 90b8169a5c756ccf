"""Files as they lie in DIR: dbfs/, Volumes/, Workspace/. Paths come from callers, so none leads out of there."""
import hashlib
import os
import shutil
import tempfile

from .answers import invalid


class Tree:
    def __init__(self, folder, name):
        self.top = os.path.join(folder, name)
        self.tmp = os.path.join(folder, "tmp")
        os.makedirs(self.top, exist_ok=True)
        os.makedirs(self.tmp, exist_ok=True)

    def real(self, path):
        """On the disk; path is absolute within the tree."""
        parts = [p for p in path.split("/") if p not in ("", ".")]
        if not path.startswith("/") or ".." in parts or "\0" in path or any(len(p.encode()) > 255 for p in parts):
            raise invalid(f"Path must be absolute: {path}")
        return os.path.join(self.top, *parts)

    def put(self, path, data):
        """Whole, by a rename; the folders above it are made."""
        to = self.real(path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        fd, name = tempfile.mkstemp(dir=self.tmp)
        with os.fdopen(fd, "wb") as f:
            f.write(data)
        os.replace(name, to)

    def read(self, path):
        with open(self.real(path), "rb") as f:
            return f.read()

    def is_dir(self, path):
        return os.path.isdir(self.real(path))

    def is_file(self, path):
        return os.path.isfile(self.real(path))

    def size(self, path):
        return os.path.getsize(self.real(path)) if self.is_file(path) else 0

    def modified(self, path):
        return int(os.path.getmtime(self.real(path)) * 1000)

    def names(self, path):
        return sorted(os.listdir(self.real(path)))

    def parents(self, path):
        """The nearest above that is a file, in whose way a folder would be. None: there is none."""
        parts = path.strip("/").split("/")
        return next((p for p in ("/" + "/".join(parts[:n]) for n in range(1, len(parts))) if self.is_file(p)), None)

    def make(self, path):
        os.makedirs(self.real(path), exist_ok=True)

    def move(self, path, to):
        os.makedirs(os.path.dirname(self.real(to)), exist_ok=True)
        os.rename(self.real(path), self.real(to))

    def remove(self, path):
        real = self.real(path)
        if os.path.isdir(real):
            shutil.rmtree(real)
        else:
            os.unlink(real)

    def clear(self):
        shutil.rmtree(self.top)
        os.makedirs(self.top)

    def tell(self, prefix=""):
        """Every file: path to sha256 and size."""
        out = {}
        for folder, _, names in os.walk(self.top):
            for name in names:
                real = os.path.join(folder, name)
                with open(real, "rb") as f:
                    digest = hashlib.file_digest(f, "sha256").hexdigest()
                out[prefix + real[len(self.top):]] = {"sha256": digest, "size": os.path.getsize(real)}
        return dict(sorted(out.items()))
