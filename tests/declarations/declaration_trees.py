"""A tree of files in memory, as the loader sees a commit."""

import hashlib
import json

from stellwerk.declarations.compose import load_declarations


class MemoryTree:
    def __init__(self, files):
        self.files = {path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()}
        self.reads = []

    def blobs(self):
        return {path: hashlib.sha256(content).hexdigest() for path, content in self.files.items()}

    def read(self, paths):
        wanted = list(paths)
        self.reads += wanted
        return {path: self.files[path] for path in wanted if path in self.files}


class MemoryCache:
    """Keeps JSON text, so that nothing but JSON survives."""

    def __init__(self):
        self.stored = {}

    def get(self, kind, blob):
        text = self.stored.get((kind, blob))
        return None if text is None else json.loads(text)

    def put(self, kind, blob, value):
        self.stored[kind, blob] = json.dumps(value)


def load(**files):
    """`load(mlops=..., production=...)`: the main file and environments by name."""
    tree = {("mlops.yaml" if name == "mlops" else f"environments/{name}.yaml"): text for name, text in files.items()}
    return load_declarations(MemoryTree(tree))


def project(text, **environments):
    declarations, findings = load(mlops=f"version: 1\n{text}", **environments)
    assert [finding for finding in findings if finding.severity == "error"] == []
    return declarations.project


def rules(findings):
    return [finding.rule for finding in findings]
