"""A version as a plain folder that can be deployed: its package, its service, what both need, and how to build them.

A function of the package, its record and the declared image: the same bytes on every machine, whenever it is written.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

import stellwerk
from stellwerk.adapters.folders import plain_files
from stellwerk.errors import StellwerkError
from stellwerk.training.package import REQUIREMENTS, read_contract, verify_package
from stellwerk.training.pinned import pinned

if TYPE_CHECKING:
    from stellwerk.model.records import VersionRecord
    from stellwerk.training.contract import Contract

WORKER = Path(stellwerk.__file__).parent / "worker"
SERVICE_FILES = ("serve.py", "worker.py", "model_file.py", "request_rows.py")
SUMS = "SHA256SUMS"
PORT = 8080
USER = 10001
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

DOCKERFILE = """\
# Written by Stellwerk for {model} v{version}. The package's digest is {package}.
FROM {image}
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PYTHONHASHSEED=0 PIP_DISABLE_PIP_VERSION_CHECK=1 HOME=/tmp
WORKDIR /srv/model
COPY requirements.txt ./
RUN ["python", "-m", "pip", "install", "--no-cache-dir", "--no-deps", {hashed}"--requirement", "requirements.txt"]
COPY . ./
USER {user}:{user}
EXPOSE {port}
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "serve.py", "--health", "--port", "{port}"]
CMD ["python", "serve.py", "--host", "0.0.0.0", "--port", "{port}"]
"""

README = """\
# {model} v{version}

{task}; predicts `{target}`. Trained with Python {python}; the model file is {format}{why}.

| file | is |
|---|---|
| `package/` | the package as it was trained, judged and recorded: SHA-256 `{package}` |
| `signature.json` | the columns of a request, and an example of declared values |
| `requirements.txt` | exact versions: what training recorded, what the model declares, what the service needs{known} |
| `service.json` | which version this is |
| `serve.py`, `worker.py`, `model_file.py`, `request_rows.py` | the service |
| `Dockerfile` | the container: {image} |
| `SHA256SUMS` | of every other file: `sha256sum --check --strict SHA256SUMS` |

## Run it

    docker build --tag {tag}:{version} .
    docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \\
        --publish {port}:{port} {tag}:{version}

or, in a virtual environment of Python {python}:

    python -m pip install --no-deps --requirement requirements.txt
    python serve.py --port {port}

The service compares the package with its digest before it loads the model, and does not start where they differ.

## Ask it

    curl --header 'Content-Type: application/json' --data '{example}' http://127.0.0.1:{port}/predict

`/health` says that the model is loaded, `/metadata` what is served, `/openapi.json` describes requests and answers. A
request that the signature does not take is answered with 4xx and the reason. The log has one line for each request
and nothing of its rows; what the model's own code prints is in it too.
"""


class Written(Struct, frozen=True, kw_only=True):
    """The folder, how many files it has, and whether it lay there already, byte by byte."""

    folder: Path
    files: int
    already: bool


def write_deployable(package: Path, record: VersionRecord, *, image: str, out: Path, lock: str = "") -> Written:
    """Write the version's folder to `out`, which is missing or empty, or holds just that.

    `lock` is the text of the file from which the environment of a model without requirements was installed.
    StellwerkError where the package is not the recorded one, where the model has no service, or something else is in
    `out`; nothing is written then.
    """
    verify_package(package, record.package.sha256)
    contract = read_contract(package)
    if contract.format == "command":
        hint = "deploy its package by a target of yours: `deploy: {target: command}`"
        raise StellwerkError(f"{record.model} is a command: Stellwerk has no service for it", hint=hint)
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise StellwerkError("there is something that is no folder", where=str(out), hint="name another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".stellwerk-package-", dir=out.parent) as room:
        made = Path(room) / "made"
        made.mkdir()
        shutil.copytree(package, made / "package", copy_function=shutil.copy)
        for name in SERVICE_FILES:
            shutil.copyfile(WORKER / name, made / name)
        for name, text in _texts(package, record, contract, image=image, lock=lock).items():
            (made / name).write_text(text, encoding="utf-8")
        (made / SUMS).write_text(_sums(made), encoding="utf-8")
        _open_to_all(made)
        files = len(plain_files(made))
        if out.is_dir() and any(out.iterdir()):
            if _content(out) == _content(made):
                return Written(folder=out, files=files, already=True)
            raise StellwerkError(
                "the folder holds something else", where=str(out), hint="name another folder, or empty this one"
            )
        if out.is_dir():
            out.rmdir()
        made.rename(out)
    return Written(folder=out, files=files, already=False)


def _texts(package: Path, record: VersionRecord, contract: Contract, *, image: str, lock: str) -> dict[str, str]:
    declared = ""
    if contract.code.requirements is not None:
        declared, lock = (package / REQUIREMENTS).read_text(encoding="utf-8"), ""
    pins = pinned(declared, record.packages, lock=lock)
    signature = contract.requests.to_json()
    facts = {"model": record.model, "version": record.number, "package": record.package.sha256}
    example = json.dumps({"rows": signature["example"]}, ensure_ascii=True).replace("'", "\\u0027")
    words = {
        "model": record.model,
        "version": record.number,
        "package": record.package.sha256,
        "image": image,
        "port": PORT,
        "user": USER,
        "tag": record.model.lower(),
        "task": contract.task.capitalize(),
        "target": contract.code.target,
        "python": contract.python,
        "format": contract.format,
        "why": f" ({contract.why})" if contract.why else "",
        "example": example,
        "known": "" if pins.unknown else "; with hashes",
        "hashed": "" if pins.unknown else '"--require-hashes", ',
    }
    return {
        "requirements.txt": pins.text(),
        "signature.json": _json(signature),
        "service.json": _json(facts),
        "Dockerfile": DOCKERFILE.format(**words),
        ".dockerignore": "Dockerfile\n.dockerignore\nREADME.md\n",
        "README.md": README.format(**words),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _sums(folder: Path) -> str:
    lines = [f"{digest}  {name}\n" for name, digest in sorted(_content(folder).items()) if name != SUMS]
    return "".join(lines)


def _open_to_all(folder: Path) -> None:
    """The container's user is another than the one who writes the folder."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _content(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in plain_files(folder)
    }
