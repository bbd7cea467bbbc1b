"""A package's service, started in a clean process of the model's environment for as long as a check needs it."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from stellwerk.errors import TrainingFailed
from stellwerk.training.jobs import Finished, Surroundings, environment_python, job_folder, work
from stellwerk.training.package import REQUIREMENTS, lay_out, read_contract, verify_package

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from stellwerk.model.declared import Json

NEEDED = ("starlette", "uvicorn")
START = 120.0  # seconds until it must answer: a model's libraries may be slow to import
PAUSE = 0.01


class Served(Struct, frozen=True, kw_only=True):
    """What is served as what: the names are for `/metadata`. `seconds`: how long it may be asked."""

    model: str
    version: int | None
    seconds: float = 600


class Service(Struct, kw_only=True):
    """A service that runs. `lent`: the model's environment has no Starlette, so it is Stellwerk's own.

    `log` is what it printed, once it has ended.
    """

    port: int
    lent: bool
    log: str = ""

    @property
    def url(self) -> str:
        """Where it is asked, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"


def not_served(package: Path) -> str:
    """Why this package cannot be served here, in words; '' where it can, or its own environment must be asked."""
    contract = read_contract(package)
    if contract.format == "command":
        return "the model is a command, which has no service"
    lacking = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if lacking and contract.code.requirements is None:
        return f"{' and '.join(lacking)} not installed here; pip install {' '.join(lacking)}"
    return ""


@contextlib.contextmanager
def running(package: Path, *, sha256: str, served: Served, around: Surroundings) -> Iterator[Service]:
    """The service of the package, from a copy whose digest was checked, until the block ends.

    TrainingFailed where it does not come up. Nothing of it is left afterwards, whatever happened.
    """
    with job_folder() as job:
        copy = job / "home" / "package"
        shutil.copytree(package, copy, symlinks=True)
        verify_package(copy, sha256)
        contract = read_contract(copy)
        lay_out(copy, job, contract)
        requirements = package / REQUIREMENTS if contract.code.requirements is not None else None
        python = environment_python(requirements, around)
        told = job / "out" / "service.json"
        details: dict[str, Json] = {
            "port": str(told),
            "imports": [] if python == Path(sys.executable) else list(_ours()),
            "signature": contract.requests.to_json(),
            "facts": {"model": served.model, "version": served.version, "package": sha256},
        }
        stop = threading.Event()
        limited = replace(around, timeout=START + served.seconds)
        with ThreadPoolExecutor(1) as pool:
            process = pool.submit(
                work,
                "serve",
                contract.code,
                job=job,
                python=python,
                details=details,
                around=limited,
                stopped=stop.is_set,
            )
            try:
                service = _answering(process, told)
                yield service
            finally:
                stop.set()
            service.log = process.result().log


def _ours() -> tuple[str, ...]:
    """Where Stellwerk's own Starlette lies: looked into last, for what the model's environment lacks."""
    found = importlib.util.find_spec(NEEDED[0])
    return () if found is None or found.origin is None else (str(Path(found.origin).parents[1]),)


def _answering(process: Future[Finished], told: Path) -> Service:
    limit = time.monotonic() + START
    while not process.done():
        if told.is_file() and not told.is_symlink():
            said = json.loads(told.read_text(encoding="utf-8"))
            return Service(port=int(said["port"]), lent=bool(said["lent"]))
        if time.monotonic() > limit:
            raise TrainingFailed(f"the service did not start within {START:g} seconds", kind="timeout")
        time.sleep(PAUSE)
    process.result()
    raise TrainingFailed("the service ended by itself before it answered", kind="bad-output")
