"""The service of a package: `/predict`, `/health`, `/metadata` and its description in OpenAPI.

    python serve.py [--host HOST] [--port PORT]    serve the folder this file lies in
    python serve.py --health [--port PORT]         exit with 0 if it is served

`stellwerk package` lays this file, with its neighbours `worker.py`, `model_file.py` and `request_rows.py`, beside the
package; the check of an integration environment serves by the same file. It imports nothing of Stellwerk; of third
parties Starlette and uvicorn, and what the model needs. Nothing of a request is ever logged but how many rows it had.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import importlib.util
import json
import math
import os
import platform
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import ModuleType

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

HERE = Path(__file__).resolve().parent
FACTS, PACKAGE, CONTRACT = "service.json", "package", "package.json"
LIMITS = {"rows": 10_000, "bytes": 16 * 1024 * 1024}
DRAINED = 8  # times the limit of bytes that are read and dropped, so that who sends too much gets an answer
PATHS = ("/predict", "/metadata", "/openapi.json")  # whose requests are logged; any other path may hold anything


def neighbour(name: str) -> ModuleType:
    """A file beside this one, under a name that no file of the model's has."""
    known = f"stellwerk_{name}"
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, HERE / f"{name}.py")
        if spec is None or spec.loader is None:
            raise ImportError(name)
        sys.modules[known] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[known])
    return sys.modules[known]


class Model:
    """A package's loaded model. One request at a time: few models are made for more."""

    def __init__(self, contract: Mapping[str, Any], *, code: Path, model: Path, worker: ModuleType) -> None:
        self.contract, self.worker = contract, worker
        self.source = worker.load_source(code, contract["source"])
        self.model = neighbour("model_file").load(model)
        self.lock = threading.Lock()

    def answers(self, columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
        """One answer for each row. RefusedError where the model has none."""
        refused = neighbour("request_rows").RefusedError
        try:
            with self.lock:
                values, probability, decisions = self._ask(columns)
            answers = [self._answer(row, values, probability, decisions) for row in range(len(values))]
        except Exception as error:
            said = f"the model has no answer for these rows: it raised {type(error).__name__}"
            raise refused(422, said) from error
        wrong = [row for row, answer in enumerate(answers) if not self._sound(answer)]
        if wrong:
            problems = [{"row": row, "column": None, "message": "has no finite answer"} for row in wrong[:20]]
            raise refused(422, "the model has no finite answer for some rows", problems)
        return answers

    def _answer(self, row: int, values: Any, probability: Any, decisions: Any) -> dict[str, Any]:
        number = self.contract["task"] == "regression"
        answer: dict[str, Any] = {"prediction": plain(values[row])}
        if not number and answer["prediction"] is not None:
            answer["prediction"] = self.worker.label_text(values[row])
        if probability is not None:
            answer["probability"] = plain(probability[row])
        if decisions is not None:
            answer["decision"] = {name: plain(part[row]) for name, part in decisions.items()}
        return answer

    def _sound(self, answer: Mapping[str, Any]) -> bool:
        kinds = (int, float) if self.contract["task"] == "regression" else (str,)
        sure = answer.get("probability", 0.0)
        return isinstance(answer["prediction"], kinds) and isinstance(sure, int | float) and 0 <= sure <= 1

    def _ask(self, columns: Mapping[str, list[Any]]) -> tuple[Any, Any, dict[str, list[Any]] | None]:
        import pandas as pd

        types = {column["name"]: column["type"] for column in self.contract["columns"]}
        gap = float("nan")
        parts = {name: [gap if value is None else value for value in columns[name]] for name in types}
        frame = pd.DataFrame({name: pd.Series(part, dtype=object) for name, part in parts.items()}).infer_objects()
        raw = self.worker.as_trained(frame, types)
        values, probability, prepared = self.worker.answers(self.source, self.model, raw, self.contract)
        decided = self.worker.decided(self.source, values, prepared)
        decisions = None if decided is None else {str(name): list(decided[name]) for name in decided.columns}
        return values, probability, decisions


def plain(value: Any) -> Any:
    """A value that JSON has: a number, text, a truth value; None for a gap and for what is not finite."""
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or value != value:  # noqa: PLR0124 - NaT and NaN of any library
        return None
    return value if isinstance(value, bool | int) else str(value)


def application(model: Model, facts: Mapping[str, Any], signature: Mapping[str, Any]) -> Starlette:
    """The ASGI application. `facts` go out by `/metadata`; `limits` among them bound a request."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    rows = neighbour("request_rows")
    columns, limits = signature["columns"], facts["limits"]
    description = rows.openapi(facts, columns, signature["example"])

    def answered(body: bytes) -> tuple[int, list[dict[str, Any]]]:
        found = model.answers(rows.columns_of(rows.parsed(body), columns, most=limits["rows"]))
        return len(found), found

    async def predict(request: Request) -> Response:
        try:
            kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            body = await body_of(request, limits["bytes"], rows.RefusedError)
            if kind != "application/json":
                raise rows.RefusedError(415, "send Content-Type: application/json")  # noqa: TRY301 - one place answers
            count, found = await run_in_threadpool(answered, body)
        except rows.RefusedError as error:
            return JSONResponse({"error": error.message, "problems": error.problems}, status_code=error.status)
        request.scope["rows"] = count
        return JSONResponse({"predictions": found})

    def telling(content: Mapping[str, Any]) -> Callable[[Request], Awaitable[Response]]:
        async def tell(_request: Request) -> Response:
            return JSONResponse(dict(content))

        return tell

    return Starlette(
        routes=[
            Route("/predict", predict, methods=["POST"]),
            Route("/health", telling({"status": "ok"})),
            Route("/metadata", telling({**facts, "signature": signature})),
            Route("/openapi.json", telling(description)),
        ]
    )


async def body_of(request: Request, most: int, refused: Callable[[int, str], Exception]) -> bytes:
    """The body; too long a one is read to its end, within bounds, and refused."""
    parts, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= most:
            parts.append(chunk)
        elif size > DRAINED * most:
            break
    if size > most:
        raise refused(413, f"the body is too long; at most {most} bytes are read")
    return b"".join(parts)


def logged(app: Any) -> Any:
    """The application, with one line for each request: method, path, status, rows, milliseconds. Nothing sent."""

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        begun, status = time.monotonic(), [0]

        async def watched(message: Any) -> None:
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            await send(message)

        await app(scope, receive, watched)
        if scope["type"] == "http" and scope["path"] != "/health":
            path = scope["path"] if scope["path"] in PATHS else "(another path)"
            method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD"} else "(another method)"
            spent = (time.monotonic() - begun) * 1000
            print(f"{method} {path} {status[0]} {scope.get('rows', 0)} rows {spent:.0f} ms", flush=True)

    return outer


def run(app: Any, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    import uvicorn

    config = uvicorn.Config(
        logged(app),
        log_config=None,
        access_log=False,
        lifespan="off",
        http="h11",
        ws="none",
        loop="asyncio",
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    uvicorn.Server(config).run(sockets=[listener])


def serve_job(job: Mapping[str, Any], worker: ModuleType) -> dict[str, Any]:
    """Serve a job folder's package for a check, on a free port.

    The file `job["port"]` gets `{"port", "lent"}`: lent, where Starlette came from a folder of `job["imports"]`.
    """
    folder = Path(job["model"])
    contract = json.loads((folder / CONTRACT).read_text(encoding="utf-8"))
    model = Model(contract, code=Path(job["code"]), model=folder, worker=worker)
    facts = facts_of(contract, job["facts"])
    app = application(model, facts, job["signature"])
    import starlette

    lent = any(Path(starlette.__file__).is_relative_to(folder) for folder in job["imports"])
    listener = socket.create_server(("127.0.0.1", 0))
    partial = f"{job['port']}.part"
    told = {"port": listener.getsockname()[1], "lent": lent}
    Path(partial).write_text(json.dumps(told), encoding="utf-8")
    os.replace(partial, job["port"])
    run(app, listener)
    return {}


def facts_of(contract: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What `/metadata` says: `said` has model, version and package (its SHA-256)."""
    return {
        "model": said["model"],
        "version": said["version"],
        "package": said["package"],
        "task": contract["task"],
        "target": contract["target"],
        "format": contract["format"],
        "trained_with_python": contract["python"],
        "python": platform.python_version(),
        "limits": LIMITS,
    }


def digest_of(folder: Path) -> str:
    """SHA-256 over the lines `<sha256 of file>  <path>`, sorted by path, as the version's record has it."""
    lines = []
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise SystemExit(f"{path} is a link or a device; a package holds plain files")
        if path.is_file():
            lines.append((path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest()))
    return hashlib.sha256("".join(f"{digest}  {name}\n" for name, digest in sorted(lines)).encode()).hexdigest()


def healthy(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return 0 if connection.getresponse().status == http.client.OK else 1
    except OSError:
        return 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Serve the package in this folder.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--health", action="store_true", help="ask the service that runs; exit with 0 if it answers")
    asked = parser.parse_args()
    if asked.health:
        return healthy(asked.port)
    sys.dont_write_bytecode = True  # a file more, and the package would not be the recorded one
    facts = json.loads((HERE / FACTS).read_text(encoding="utf-8"))
    package = HERE / PACKAGE
    found = digest_of(package)
    if found != facts["package"]:
        print(f"the package is not the recorded one: expected {facts['package']}, found {found}", file=sys.stderr)
        return 1
    contract = json.loads((package / CONTRACT).read_text(encoding="utf-8"))
    signature = json.loads((HERE / "signature.json").read_text(encoding="utf-8"))
    model = Model(contract, code=package / "code", model=package, worker=neighbour("worker"))
    listener = socket.create_server((asked.host, asked.port))
    print(f"{facts['model']} v{facts['version']} on http://{asked.host}:{listener.getsockname()[1]}", flush=True)
    run(application(model, facts_of(contract, facts), signature), listener)
    return 0


if __name__ == "__main__":
    sys.exit(main())
