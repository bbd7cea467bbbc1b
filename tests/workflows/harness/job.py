"""One job on one runner: its steps in order, each with its condition, surroundings, command files and result."""

from __future__ import annotations

import shlex
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .actions import ActionCall, ActionError, run_action
from .commands import CommandError, Listener
from .expressions import Scope, condition, resolve
from .grammar import ExpressionError
from .machine import hash_files, runner_context
from .processes import kill_tracked
from .results import JobResult, StepResult
from .values import as_text, truthy
from .workflow import Step, WorkflowError, load_steps, read_yaml
from .workplace import Assignment, DeadError, TimeUpError, Workplace

_SHELLS = {
    None: "bash -e {0}",
    "bash": "bash --noprofile --norc -eo pipefail {0}",
    "sh": "sh -e {0}",
    "python": "python {0}",
}
_LOST = "The runner has received a shutdown signal or lost communication with the server."


@dataclass(slots=True)
class _Frame:
    """The steps of the job, or those of a composite action inside it."""

    inputs: Mapping[str, Any]
    env: Mapping[str, str] = field(default_factory=dict)
    action_path: Path | None = None
    steps: dict[str, Any] = field(default_factory=dict)
    failed: bool = False


class JobWork:
    """The work of one job, in the caller's thread."""

    def __init__(self, assignment: Assignment, result: JobResult) -> None:
        self.given = assignment
        self.place = Workplace(assignment)
        self.result = result
        self.result.folder = self.place.folders.job

    def run(self, steps: tuple[Step, ...], outputs: Mapping[str, Any]) -> None:
        """Work all steps and set conclusion and outputs of the result. The errors of the steps are in their results."""
        frame = _Frame(inputs=self.given.contexts["inputs"])
        for value in (self.given.token.value, *map(str, self.given.contexts["secrets"].values())):
            self.place.masks.add(value)
        try:
            for mapping in self.given.environment:
                scope = self._scope(frame, {})
                self.place.env.update({key: as_text(value) for key, value in resolve(dict(mapping), scope).items()})
            self._steps(steps, frame, self.result.steps)
            for name, when, post, call in reversed(self.place.posts):
                if when == "always" or self.place.status == "success":
                    self._post(name, post, call)
            self._outputs(outputs, self._scope(frame, {}))
        except ExpressionError as error:
            self.place.status = "failure"
            self.result.errors.append(self.place.masks.apply(str(error)))
        except DeadError:
            assert self.given.kill is not None
            self.place.status = self.given.kill.conclusion
            self.result.errors.append(_LOST)
        finally:
            kill_tracked(self.place.tracking)
            self.given.repository.revoke(self.given.token)
            self.result.conclusion = self.place.status

    def _steps(self, steps: tuple[Step, ...], frame: _Frame, results: list[StepResult]) -> None:
        for step in steps:
            result = StepResult(
                name=str(step.given.get("name") or step.label), id="" if step.id[:2] == "__" else step.id
            )
            results.append(result)
            self._step(step, frame, result)
            if result.id:
                frame.steps[result.id] = {
                    "outputs": dict(result.outputs),
                    "outcome": result.outcome,
                    "conclusion": result.conclusion,
                }

    def _step(self, step: Step, frame: _Frame, result: StepResult) -> None:
        listener = Listener(result, self.place.masks)
        if self.place.cancelled.is_set():
            self.place.status = "cancelled"
        scope = self._scope(frame, {}, step)
        try:
            if not condition(step.given.get("if"), scope):
                return
            env = {key: as_text(value) for key, value in resolve(step.given.get("env") or {}, scope).items()}
            scope = self._scope(frame, env, step)
            result.name = as_text(resolve(result.name, scope))
            self._work(step, frame, scope, listener)
            result.outcome = "success"
        except (ActionError, CommandError, ExpressionError, TimeUpError, WorkflowError) as error:
            listener.fail(str(error))
            result.outcome = "failure"
        except DeadError:
            result.outcome = result.conclusion = "cancelled"
            raise
        if self.place.cancelled.is_set() and self.place.status != "cancelled":
            result.outcome = "cancelled"
            self.place.status = "cancelled"
        result.conclusion = result.outcome
        if result.outcome == "failure":
            if truthy(resolve(step.given.get("continue-on-error", False), scope)):
                result.conclusion = "success"
            else:
                frame.failed = True
                if frame.action_path is None and self.place.status == "success":
                    self.place.status = "failure"

    def _work(self, step: Step, frame: _Frame, scope: Scope, listener: Listener) -> None:
        env = dict(scope.contexts["env"])
        minutes = resolve(step.given.get("timeout-minutes"), scope)
        call = ActionCall(job=self.place, listener=listener, env=env, minutes=minutes and float(as_text(minutes)))
        self.place.check_alive(listener.result)
        with_inputs = {key: as_text(value) for key, value in resolve(step.given.get("with") or {}, scope).items()}
        uses = str(step.given.get("uses", ""))
        if uses.startswith("./"):
            self._composite(self.place.folders.workspace / uses, with_inputs, env, listener)
        elif uses.startswith("$/"):
            folder = self.place.folders.temp / "_actions"
            self.given.repository.unpack(self.given.event.sha, folder)
            self._composite(folder / uses[2:], with_inputs, env, listener)
        elif uses:
            run_action(uses, with_inputs, call)
        else:
            self._script(step, scope, call)

    def _script(self, step: Step, scope: Scope, call: ActionCall) -> None:
        text = as_text(resolve(str(step.given["run"]), scope))
        shell = step.given.get("shell") or self.given.defaults.get("shell")
        template = _SHELLS.get(shell, shell)
        if template is None or "{0}" not in template:
            raise ActionError(f"the shell {shell!r} is not simulated")
        script = self.place.folders.temp / f"{uuid.uuid4()}{'.py' if shell == 'python' else '.sh'}"
        script.write_text(text, encoding="utf-8")
        where = step.given.get("working-directory") or self.given.defaults.get("working-directory") or "."
        folder = self.place.folders.workspace / as_text(resolve(where, scope))
        if not folder.is_dir():
            raise ActionError(f"No such file or directory: the working directory {folder}")
        command = [word.replace("{0}", str(script)) for word in shlex.split(template)]
        files = self.place.command_files()
        variables = {
            **self.place.variables(call.env, action=step.id),
            **{f"GITHUB_{name}": str(file) for name, file in files.items()},
        }
        code = self.place.execute(command, cwd=folder, env=variables, listener=call.listener, minutes=call.minutes)
        self.place.read_command_files(files, call.listener)
        if call.listener.failures:
            raise CommandError(" ".join(call.listener.failures))
        if code != 0:
            raise ActionError(f"Process completed with exit code {code if code > 0 else 128 - code}.")

    def _composite(self, folder: Path, given: Mapping[str, str], env: Mapping[str, str], listener: Listener) -> None:
        file = next((folder / name for name in ("action.yml", "action.yaml") if (folder / name).is_file()), None)
        if file is None:
            raise ActionError(
                f"Can't find 'action.yml' or 'action.yaml' under '{folder}'. Did you forget actions/checkout?"
            )
        action = read_yaml(file.read_text(encoding="utf-8"), str(file))
        if action["runs"].get("using") != "composite":
            raise ActionError(f"{file}: only composite actions are simulated")
        outer = _Frame(inputs=self.given.contexts["inputs"])
        declared = action.get("inputs") or {}
        defaults = {
            name: as_text(resolve((spec or {}).get("default"), self._scope(outer, env)))
            for name, spec in declared.items()
        }
        frame = _Frame(inputs={**defaults, **given}, env=env, action_path=folder)
        inner: list[StepResult] = []
        try:
            self._steps(load_steps(action["runs"]["steps"], str(file)), frame, inner)
        finally:
            for result in inner:
                listener.result.lines += result.lines
                listener.result.annotations += result.annotations
                listener.result.summary += result.summary
        scope = self._scope(frame, {})
        for name, spec in (action.get("outputs") or {}).items():
            listener.result.outputs[name] = as_text(resolve(spec.get("value"), scope))
        if frame.failed:
            raise ActionError("a step of the action failed")

    def _post(self, name: str, post: Callable[[ActionCall], None], call: ActionCall) -> None:
        result = StepResult(name=f"Post {name}", outcome="success", conclusion="success")
        self.result.steps.append(result)
        listener = Listener(result, self.place.masks)
        try:
            post(ActionCall(job=self.place, listener=listener, env=call.env, minutes=None, inputs=call.inputs))
        except (ActionError, TimeUpError) as error:
            listener.fail(str(error))
            result.outcome = result.conclusion = "failure"

    def _outputs(self, outputs: Mapping[str, Any], scope: Scope) -> None:
        for name, written in outputs.items():
            value = as_text(resolve(written, scope))
            if not value:
                continue
            if self.place.masks.apply(value) != value:
                self.result.errors.append(f"Skip output '{name}' since it may contain secret.")
                continue
            self.result.outputs[name] = value

    def _scope(self, frame: _Frame, env: Mapping[str, str], step: Step | None = None) -> Scope:
        failed = frame.failed or self.place.status == "failure"
        github = {**self.place.github, "action": step.id if step else ""}
        if frame.action_path is not None:
            github["action_path"] = str(frame.action_path)
        contexts = {
            **self.given.contexts,
            "github": github,
            "inputs": frame.inputs,
            "steps": frame.steps,
            "env": {**self.place.env, **frame.env, **env},
            "job": {"status": self.place.status},
            "runner": runner_context(self.place.folders),
        }
        functions = {
            "always": lambda: True,
            "cancelled": lambda: self.place.status == "cancelled",
            "failure": lambda: failed and self.place.status != "cancelled",
            "success": lambda: not failed and self.place.status == "success",
            "hashfiles": lambda *patterns: hash_files(self.place.folders.workspace, *map(as_text, patterns)),
        }
        return Scope(contexts, functions)
