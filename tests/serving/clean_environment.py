"""A virtual environment with nothing but what a `requirements.txt` names, made without asking an index.

Packages of plain Python become wheels again, made of their installed files, and pip installs them as a Dockerfile's step
does; compiled ones (hundreds of megabytes) are links to where they lie already.
"""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

UNIVERSAL = "Tag: py3-none-any"
NOT_PACKED = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def make_environment(room: Path, pins: Iterable[str]) -> tuple[Path, dict[str, str]]:
    """`room/env` and `room/wheels`; the interpreter, and the hash of each wheel by its pin."""
    venv.create(room / "env", with_pip=False)
    (room / "wheels").mkdir()
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(room / "env"), "platbase": str(room / "env")}))
    hashes = {}
    for pin in pins:
        name, _, version = pin.partition("==")
        found = distribution(name)
        assert found.version == version, f"{name} is {found.version} here, and {version} in the requirements"
        if UNIVERSAL in (found.read_text("WHEEL") or "").splitlines():
            hashes[pin] = _wheel(found, room / "wheels")
        else:
            for top in sorted({path.parts[0] for path in found.files or () if path.parts[0] != ".."}):
                (packages / top).symlink_to(found.locate_file(top))
    return room / "env/bin/python", hashes


def install(room: Path, requirements: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """The Dockerfile's step, but that the only place to look is the folder of wheels."""
    command = [sys.executable, "-m", "pip", "--python", room / "env/bin/python", "install", "--no-cache-dir"]
    command += ["--no-index", "--find-links", room / "wheels", "--no-deps", *options, "--requirement", requirements]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _wheel(found: Distribution, folder: Path) -> str:
    name = f"{found.name.replace('-', '_')}-{found.version}"
    record = []
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as archive:
        own = ""
        for path in found.files or ():
            if path.parts[0] == ".." or path.name in NOT_PACKED or "__pycache__" in path.parts:
                continue
            content = path.read_binary()
            archive.writestr(path.as_posix(), content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{path.as_posix()},sha256={digest},{len(content)}\n")
            own = f"{path.parts[0]}/RECORD" if path.parts[0].endswith(".dist-info") else own
        archive.writestr(own, "".join([*record, f"{own},,\n"]))
    return f"--hash=sha256:{hashlib.sha256((folder / f'{name}-py3-none-any.whl').read_bytes()).hexdigest()}"
