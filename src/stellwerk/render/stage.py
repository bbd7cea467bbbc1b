"""Render a model's DVC stage: `dvc.yaml`, `params.yaml` with resolved values, and `.gitignore`. Pure.

DVC knows neither `defaults` nor `include`; it sees the values they lead to, so that only a changed value is a change.
"""

from __future__ import annotations

import functools
import math
import posixpath
import re
from typing import TYPE_CHECKING, Any

from stellwerk.render.seal import sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stellwerk.model.declared import Dataset, Json, Limits, Model

GENERATED = (".gitignore", "dvc.yaml", "params.yaml")
PLAIN = re.compile(r"(\.\./)*[A-Za-z_][\w./ -]*", re.ASCII)
SIMPLE_KEY = re.compile(r"[A-Za-z_][\w.]{0,20}", re.ASCII)
SIMPLE_TEXT = re.compile(r"[ -~]{0,76}", re.ASCII)
OLD_WORDS = frozenset(  # that YAML 1.1 takes for truth values and null
    form for word in ("yes", "no", "true", "false", "on", "off", "null") for form in (word, word.title(), word.upper())
)
TEXTS = 4096  # of which it is remembered how they are written
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
            "source": model.module,
            "command": {"train": model.command.train, "predict": model.command.predict} if model.command else None,
            "code": list(code),
            "requirements": model.requirements,
            "task": model.task,
            "target": model.target,
            "positive": model.positive,
            "features": {"include": list(model.features.include), "exclude": list(model.features.exclude)},
            **({"format": model.format} if model.format is not None else {}),
        },
        "data": {
            "dataset": dataset.name,
            "path": dataset.path,
            "format": dataset.format,
            "time": dataset.time,
            "identity": list(dataset.key),
            **_columns(model, dataset),
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


def _columns(model: Model, dataset: Dataset) -> dict[str, Json]:
    """What is declared of the features' values: the package's signature says it. Nothing where nothing is."""
    include, exclude = model.features.include, {*model.features.exclude, model.target}
    found: list[Json] = []
    for column in dataset.columns:
        said = {"type": column.type, "min": column.min, "max": column.max, "pattern": column.pattern}
        kept: dict[str, Json] = {key: value for key, value in said.items() if value is not None}
        if column.allowed is not None:
            kept["allowed"] = list(column.allowed)
        if kept and column.name not in exclude and (not include or column.name in include):
            found.append({"name": column.name, **kept})
    return {"columns": found} if found else {}


def _dump(value: dict[str, Json]) -> str:
    try:
        return "\n".join([*_block(value, ""), ""]) if value else slow_dump(value)
    except _NotSimpleError:
        return slow_dump(value)


def slow_dump(value: Json) -> str:
    """Any value as YAML that DVC, which reads 1.2, and readers of 1.1 understand alike."""
    import yaml

    return str(yaml.dump(value, Dumper=_dumper(), allow_unicode=True, sort_keys=False, width=120))


@functools.cache
def _dumper() -> Any:
    """PyYAML's; every text that YAML 1.1 and 1.2 might read differently (`1e5`, `0o17`) is quoted."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: object) -> bool:
            """Write equal values out, each in its place."""
            del data
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = None if PLAIN.fullmatch(value) else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper


class _NotSimpleError(Exception):
    """A value that `_block` leaves to PyYAML."""


def _block(value: dict[str, Json] | list[Json], lead: str, depth: int = 0) -> list[str]:
    """The lines that PyYAML writes, thirty times as quick.

    Raises _NotSimpleError where there is more than short keys of plain letters and short printable ASCII text.
    """
    if depth > SIMPLE_DEPTH:
        raise _NotSimpleError
    lines = []
    if isinstance(value, dict):
        for key, part in value.items():
            if isinstance(part, dict | list) and part:
                lines.append(f"{lead}{_key(key)}:")
                lines += _block(part, lead if isinstance(part, list) else f"{lead}  ", depth + 1)
            else:
                lines.append(f"{lead}{_key(key)}: {_scalar(part)}")
        return lines
    for part in value:
        if isinstance(part, dict | list) and part:
            first, *rest = _block(part, f"{lead}  ", depth + 1)
            lines += [f"{lead}- {first[len(lead) + 2 :]}", *rest]
        else:
            lines.append(f"{lead}- {_scalar(part)}")
    return lines


@functools.lru_cache(TEXTS)
def _key(text: str) -> str:
    if not SIMPLE_KEY.fullmatch(text):
        raise _NotSimpleError
    return _text(text)


@functools.lru_cache(TEXTS)
def _text(text: str) -> str:
    if not SIMPLE_TEXT.fullmatch(text) or text.endswith(" "):
        raise _NotSimpleError
    if PLAIN.fullmatch(text):
        return f"'{text}'" if text in OLD_WORDS else text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _scalar(value: Json) -> str:
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    return "[]" if value == [] else "{}" if value == {} else str(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")
