"""Run one model's DVC stage at a commit, in a git work tree of its own.

DVC runs in this process and collects that stage only (`single_item`); whether the model is stale was decided before.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from stellwerk.adapters.dvc.lifeline import LIFELINE, run_tied
from stellwerk.adapters.dvc.output import captured
from stellwerk.adapters.dvc.session import describe, opened
from stellwerk.adapters.dvc.store import bring_into_cache
from stellwerk.adapters.dvc.worktree import work_tree
from stellwerk.adapters.templates import SCRIPT, TEMPLATES, start_template
from stellwerk.errors import StellwerkError, TrainingFailed
from stellwerk.model.ports import TrainingResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stellwerk.adapters.dvc.output import Lines
    from stellwerk.adapters.dvc.worktree import WorkTree

# The interpreter that runs now, not whichever `stellwerk` is on PATH; -P: a model's folder may hold a `yaml.py`.
COMMAND = (sys.executable, "-P", "-c", "import sys; from stellwerk.cli.main import main; sys.exit(main())")
CALL = "stellwerk.cli.main:main"
ASK = (sys.executable, "-I", "-S", str(SCRIPT.with_name("ask.py")))
# What every stage comes to import.
PRELOADED = (
    "stellwerk.cli.main",
    "stellwerk.cli.stage",
    "stellwerk.adapters.dvc.lifeline",
    "stellwerk.training.stage",
    "stellwerk.data.leaks",
    "stellwerk.data.profile",
    "yaml",
    "pandas",
    "pandas.io.formats.csvs",
    "pyarrow.csv",
    "pyarrow.pandas_compat",
)
COMMITTED = ("dvc.lock", "metrics.json")
INTERRUPTED = {130, -2}
KILLED = {-9, -15, 137, 143}


class DvcTrainer:
    """`Trainer` on the repository at `root`.

    `data_remotes` names the remote of each model's training data, by model (absent or None: DVC's default).
    `hidden` are files of the repository that the models must not see besides what DVC tracks.
    `command` is what the stage's `stellwerk` stands for. `templates` is a folder of `adapters.templates`: a fork may do
    what the default command would. One training at a time in a process: DVC's run cache works
    in the current folder, which is therefore the work tree's meanwhile.
    """

    def __init__(
        self,
        root: Path,
        *,
        data_remotes: Mapping[str, str | None] | None = None,
        hidden: tuple[str, ...] = (),
        command: tuple[str, ...] = COMMAND,
        templates: str | None = None,
    ) -> None:
        self.root = root.resolve()
        self.data_remotes = dict(data_remotes or {})
        self.hidden = hidden
        self.command = command
        self.templates = Path(templates) if templates and command is COMMAND else None

    def train(self, model: str, *, commit: str, on_line: Callable[[str], None]) -> TrainingResult:
        """Reproduce `models/<model>/dvc.yaml` at that commit. `on_line` is called in another thread.

        Raises TrainingFailed where the model's code fails, StellwerkError where it could not be run. The package's
        objects are in the repository's DVC cache afterwards; inputs DVC has seen before come from its run cache.
        """
        folder = f"models/{model}"
        with work_tree(self.root, commit, [folder]) as tree:
            md5, pointer = self._inputs(tree, folder)
            with captured(tree.room, "stellwerk", self._command(), on_line) as lines:
                self._reproduce(tree, model, md5, pointer, lines)
            return self._result(tree, folder)

    def _command(self) -> tuple[str, ...]:
        if self.templates is None or not start_template(
            "stage", PRELOADED, at=self.templates, name="stage", env=os.environ, flags=("-P",)
        ):
            return self.command
        return (*ASK, str(self.templates), "stage", CALL, str(len(self.command)), *self.command)

    def _inputs(self, tree: WorkTree, folder: str) -> tuple[str, str]:
        """Check out what the stage reads; returns the hash of the training data and the path of its pointer."""
        tree.require([f"{folder}/dvc.yaml", f"{folder}/params.yaml"])
        params = _yaml(tree.root / folder / "params.yaml", f"{folder}/params.yaml")
        try:
            code, requirements = params["model"]["code"], params["model"]["requirements"]
            pointer = f"{params['data']['path']}.dvc"
        except (KeyError, TypeError) as error:
            raise StellwerkError(
                f"{folder}/params.yaml has no {error}", where=f"{folder}/params.yaml", hint="run `stellwerk render`"
            ) from error
        tree.require([*code, *([requirements] if requirements else []), pointer])
        try:
            return str(_yaml(tree.root / pointer, pointer)["outs"][0]["md5"]), pointer
        except (KeyError, IndexError, TypeError) as error:
            raise StellwerkError(
                f"{pointer} names no content", where=pointer, hint="take a snapshot: `stellwerk snapshot`"
            ) from error

    def _reproduce(self, tree: WorkTree, model: str, md5: str, pointer: str, lines: Lines) -> None:
        from dvc.exceptions import ReproductionError

        folder, remote, failure = f"models/{model}", self.data_remotes.get(model), tree.room / "failure.json"
        # DVC runs commands with $SHELL, which is `nologin` for a service's account.
        own = _variables({"SHELL": "/bin/sh", "DVC_SITE_CACHE_DIR": str(tree.notes)})
        with own, opened(tree.root, doing=f"train {model}", remote=remote, asks_remote=True) as session:
            bring_into_cache(session, md5, remote=remote)
            hidden = [place / path for place in (self.root, tree.root) for path in self.hidden]
            environment = {
                "DVC_ROOT": str(tree.root),
                "PATH": f"{tree.room / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "STELLWERK_FAILURE": str(failure),
                LIFELINE: str(tree.room / "lifeline"),
                TEMPLATES: str(self.templates or ""),
                "STELLWERK_MASKED": os.pathsep.join(map(str, (*session.local_paths(), *hidden))),
            }
            repo = session.repo
            try:
                with chdir(tree.root):
                    for out in repo.stage.load_file(pointer)[0].outs:  # its own `checkout` indexes all targets first
                        out.checkout(force=True)
                    stage = f"{folder}/dvc.yaml:train"

                    def reproduce(*, again: bool = False) -> None:
                        try:
                            repo.reproduce(stage, single_item=True, interactive=False, run_env=environment)
                        except ReproductionError as error:
                            if again or not isinstance(error.__cause__, TypeError) or not _unblocked(repo):
                                raise
                            reproduce(again=True)

                    run_tied(reproduce, tree.room / "lifeline")
            except ReproductionError as error:
                raise _failed(error, folder, failure, lines) from error
            finally:
                shutil.rmtree(repo.site_cache_dir, ignore_errors=True)

    def _result(self, tree: WorkTree, folder: str) -> TrainingResult:
        place = tree.root / folder
        try:
            locked = _loaded(place / "dvc.lock")["stages"]["train"]["outs"]
            (package,) = [str(out["md5"]) for out in locked if out["path"] == "package"]
            return TrainingResult(
                report=json.loads((place / "training/report.json").read_bytes()),
                profile=(place / "training/profile.json").read_text(encoding="utf-8"),
                package_md5=package,
                files={f"{folder}/{name}": (place / name).read_bytes() for name in COMMITTED},
            )
        except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
            raise StellwerkError(
                f"the stage of {folder} ended well but left no usable result: {describe(error)}", where=folder
            ) from error


def _unblocked(repo: Any) -> bool:
    """Remove the folders of DVC's run cache that killed runs left empty: DVC takes none for a record, and stumbles.

    What is younger than a second may be another run's, which is about to write there.
    """
    removed, before = False, time.time() - 1
    for folder in Path(repo.stage_cache.cache_dir).glob("*/*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < before:
                folder.rmdir()  # refuses a folder that holds anything
                removed = True
    return removed


def _failed(error: Exception, folder: str, failure: Path, lines: Lines) -> BaseException:
    """What to raise for a stage that failed: its own words if it left any, else what can be known from outside."""
    from dvc.stage.exceptions import StageCmdFailedError

    log = "\n".join(lines.last)
    said = _said(failure)
    if said:
        return TrainingFailed(
            str(said.get("message", "the model's code failed")),
            kind=str(said.get("kind", "raised")),
            log=str(said.get("log", log)),
            where=folder,
        )
    cause = error.__cause__
    if not isinstance(cause, StageCmdFailedError):
        return StellwerkError(f"the stage of {folder} failed: {describe(cause or error)}", where=folder)
    code = int(str(cause).rpartition(" ")[2])  # "failed to run: ..., exited with 137"
    if code in INTERRUPTED:
        return KeyboardInterrupt()
    if code in KILLED:
        return TrainingFailed("the training was killed from outside", kind="killed", log=log, where=folder)
    return StellwerkError(
        f"the stage of {folder} failed: {_last_error(lines) or describe(cause)}",
        where=folder,
        hint=f"see what `dvc repro` says in {folder}",
    )


def _last_error(lines: Lines) -> str:
    """The error that the stage printed last, with the hints below it; else its last line."""
    last = list(lines.last)
    start = max((at for at, line in enumerate(last) if line.startswith("error: ")), default=len(last) - 1)
    return " ".join(line.strip() for line in last[start:]).removeprefix("error: ") if last else ""


def _said(failure: Path) -> dict[str, Any]:
    try:
        said = json.loads(failure.read_bytes())
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """What DVC reads of its own process's environment, which its configuration cannot overrule."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _loaded(file: Path) -> Any:
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    return yaml.load(file.read_bytes(), Loader=loader)  # noqa: S506 - both are safe


def _yaml(file: Path, name: str) -> Any:
    try:
        return _loaded(file)
    except yaml.YAMLError as error:
        raise StellwerkError(f"{name} is not YAML: {describe(error)}", where=name) from error
