"""What a model's code is asked to do, decoded: from `params.yaml` for the stage, from `package.json` afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct

from stellwerk.errors import StellwerkError
from stellwerk.model.declared import Column, Command, Features, Holdout, Json
from stellwerk.training.signature import Signature, signature_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGE_VERSION = 1


class Code(Struct, frozen=True, kw_only=True):
    """A model's code and how it is called. Paths are relative to the repository (in a package: to its `code/`)."""

    source: str | None
    command: Command | None
    files: tuple[str, ...]
    requirements: str | None
    params: Mapping[str, Json]
    seed: int
    target: str
    data_format: str


class StageParams(Struct, frozen=True, kw_only=True):
    """One model's `params.yaml`. `timeout` in seconds; `format`: the declared one of the model's file."""

    code: Code
    task: str | None
    positive: Json
    features: Features
    dataset: str
    data_path: str
    time: str | None
    identity: tuple[str, ...]
    timeout: int
    holdout: Holdout
    min_group: int
    columns: tuple[Column, ...] = ()
    format: str | None = None


class Contract(Struct, frozen=True, kw_only=True):
    """A package's `package.json`: how to call what is in it, and the columns it wants with their pandas types.

    `format` is skops | joblib | pickle | onnx | command, `why` says why this one. `positive` is the class whose
    probability is predicted, two classes given. A package older than signatures has none of its own: ask `requests`.
    """

    code: Code
    format: str
    task: str
    positive: Json
    columns: Mapping[str, str]
    python: str
    why: str = ""
    signature: Signature | None = None

    @property
    def requests(self) -> Signature:
        """The signature; of an old package the widest that its columns' types allow."""
        if self.signature is not None:
            return self.signature
        gaps = {name for name, kind in self.columns.items() if not kind.lower().startswith(("int", "uint", "bool"))}
        return signature_of(self.columns, (), gaps=gaps)

    def to_json(self) -> dict[str, Json]:
        """The content of `package.json`."""
        command = self.code.command
        return {
            "version": PACKAGE_VERSION,
            "format": self.format,
            **({"why": self.why} if self.why else {}),
            "source": self.code.source,
            "command": None if command is None else {"train": command.train, "predict": command.predict},
            "code": list(self.code.files),
            "requirements": self.code.requirements,
            "params": dict(self.code.params),
            "seed": self.code.seed,
            "task": self.task,
            "target": self.code.target,
            "positive": self.positive,
            "columns": [{"name": name, "type": kind} for name, kind in self.columns.items()],
            "data_format": self.code.data_format,
            "python": self.python,
            **({"signature": self.signature.to_json()} if self.signature is not None else {}),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Contract:
        """KeyError or TypeError where the mapping has another shape."""
        return cls(
            code=Code(
                source=raw["source"],
                command=_command(raw["command"]),
                files=tuple(raw["code"]),
                requirements=raw["requirements"],
                params=raw["params"],
                seed=raw["seed"],
                target=raw["target"],
                data_format=raw["data_format"],
            ),
            format=raw["format"],
            task=raw["task"],
            positive=raw["positive"],
            columns={column["name"]: column["type"] for column in raw["columns"]},
            python=raw["python"],
            why=raw.get("why", ""),
            signature=Signature.from_json(raw["signature"]) if "signature" in raw else None,
        )


def decode_params(raw: Mapping[str, Any], *, where: str) -> StageParams:
    """The stage's parameters. StellwerkError where the file was not rendered by this version of Stellwerk."""
    try:
        model, data, train = raw["model"], raw["data"], raw["train"]
        if (model["source"] is None) == (model["command"] is None):
            raise StellwerkError("exactly one of `source` and `command` must be set", where=where)
        recipe = train["holdout"]
        return StageParams(
            code=Code(
                source=model["source"],
                command=_command(model["command"]),
                files=tuple(model["code"]),
                requirements=model["requirements"],
                params=cast("Mapping[str, Json]", train["params"]),
                seed=train["seed"],
                target=model["target"],
                data_format=data["format"],
            ),
            task=model["task"],
            positive=model["positive"],
            features=Features(include=tuple(model["features"]["include"]), exclude=tuple(model["features"]["exclude"])),
            dataset=data["dataset"],
            data_path=data["path"],
            time=data["time"],
            identity=tuple(data["identity"]),
            timeout=train["timeout"],
            holdout=Holdout(
                fraction=recipe["fraction"],
                last_share=recipe["last_share"],
                last_seconds=recipe["last_seconds"],
                by=tuple(recipe["by"]),
            ),
            min_group=raw["privacy"]["min_group"],
            columns=tuple(_declared(column) for column in data.get("columns", ())),
            format=model.get("format"),
        )
    except (KeyError, TypeError) as error:
        message = f"the stage's parameters are not what this version of Stellwerk renders ({error})"
        raise StellwerkError(message, where=where, hint="run `stellwerk render`, then repeat") from error


def _command(raw: Mapping[str, str] | None) -> Command | None:
    return None if raw is None else Command(train=raw["train"], predict=raw["predict"])


def _declared(raw: Mapping[str, Any]) -> Column:
    allowed = raw.get("allowed")
    return Column(
        name=raw["name"],
        type=raw.get("type"),
        min=raw.get("min"),
        max=raw.get("max"),
        allowed=None if allowed is None else tuple(allowed),
        pattern=raw.get("pattern"),
    )
