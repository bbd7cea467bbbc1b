"""Render a model's DVC stage: `dvc.yaml`, `params.yaml` with resolved values, and `.gitignore`. Pure.

DVC knows neither `defaults` nor `include`; it sees the values they lead to, so that only a changed value is a change.
"""

from __future__ import annotations

import functools
import posixpath
import re
from typing import TYPE_CHECKING, Any

import yaml

from stellwerk.render.seal import sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Dataset, Json, Limits, Model

GENERATED = (".gitignore", "dvc.yaml", "params.yaml")
PLAIN = re.compile(r"(\.\./)*[A-Za-z_][\w./ -]*", re.ASCII)
SIMPLE_KEY = re.compile(r"[A-Za-z_][\w.]{0,20}", re.ASCII)
SIMPLE_TEXT = re.compile(r"[ -~]{0,76}", re.ASCII)
SIMPLE_DEPTH = 6  # so that no line comes near the width at which lines are folded
PARAMS = ("model", "data", "train", "privacy")


def render_stage(model: Model, dataset: Dataset, code: tuple[str, ...], limits: Limits) -> Mapping[str, str]:
    """Path -> text of the generated files of a model that trains (`model.train` is set).

    `code` names every file of its code, relative to the repository. The order of `code` does not matter.
    """
    if model.train is None:
        raise ValueError(f"model {model.name} declares no training")
    folder = f"models/{model.name}"
    files = tuple(sorted({*code, *([model.requirements] if model.requirements else [])}))
    return {
        f"{folder}/.gitignore": sealed("/package\n/training\n"),
        f"{folder}/dvc.yaml": sealed(_dump({"stages": {"train": _stage(folder, dataset, files)}})),
        f"{folder}/params.yaml": sealed(_dump(stage_values(model, dataset, tuple(sorted(set(code))), limits))),
    }


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 and 1.2 might read differently (`1e5`, `0o17`): DVC reads 1.2."""

    def ignore_aliases(self, data: object) -> bool:
        """Write equal values out, each in its place."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None if PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _stage(folder: str, dataset: Dataset, files: tuple[str, ...]) -> dict[str, Json]:
    deps = [posixpath.relpath(path, folder) for path in (dataset.path, *files)]
    return {
        "cmd": "stellwerk stage",
        "desc": "Split, train in a process of its own, measure on rows the model never saw",
        "deps": [path.replace("${", "\\${") for path in deps],
        "params": list(PARAMS),
        "outs": ["package", "training"],
        "metrics": [{"metrics.json": {"cache": False}}],
    }


def stage_values(model: Model, dataset: Dataset, code: tuple[str, ...], limits: Limits) -> dict[str, Json]:
    """The content of `params.yaml`: every value that the training of the model depends on, resolved."""
    train = model.train
    assert train is not None  # noqa: S101 - render_stage refused it
    return {
        "model": {
            "source": model.source,
            "command": {"train": model.command.train, "predict": model.command.predict} if model.command else None,
            "code": list(code),
            "requirements": model.requirements,
            "task": model.task,
            "target": model.target,
            "positive": model.positive,
            "features": {"include": list(model.features.include), "exclude": list(model.features.exclude)},
        },
        "data": {
            "dataset": dataset.name,
            "path": dataset.path,
            "format": dataset.format,
            "time": dataset.time,
            "identity": list(dataset.key),
        },
        "train": {
            "params": dict(train.params),
            "seed": train.seed,
            "timeout": train.timeout,
            "holdout": {
                "fraction": train.holdout.fraction,
                "last_share": train.holdout.last_share,
                "last_seconds": train.holdout.last_seconds,
                "by": list(train.holdout.by),
            },
        },
        "privacy": {"min_group": limits.min_group},
    }


def _dump(value: Json) -> str:
    dumper = _quick_dumper() if _is_simple(value) else _Dumper
    return str(yaml.dump(value, Dumper=dumper, allow_unicode=True, sort_keys=False, width=120))


@functools.cache
def _quick_dumper() -> Any:
    """libyaml's, ten times as quick; of odd keys and long or foreign text it makes other bytes."""
    fast: Any = getattr(yaml, "CSafeDumper", _Dumper)

    class Quick(fast):  # type: ignore[misc]
        ignore_aliases = _Dumper.ignore_aliases

    Quick.add_representer(str, _text)
    return Quick


def _is_simple(value: Json, depth: int = 0) -> bool:
    """Whether both dumpers write the same: short keys of plain letters, short printable ASCII text."""
    if depth > SIMPLE_DEPTH:
        return False
    if isinstance(value, dict):
        return all(SIMPLE_KEY.fullmatch(key) and _is_simple(part, depth + 1) for key, part in value.items())
    if isinstance(value, list):
        return all(_is_simple(part, depth + 1) for part in value)
    return not isinstance(value, str) or SIMPLE_TEXT.fullmatch(value) is not None
