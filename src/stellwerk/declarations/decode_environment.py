"""`environments/*.yaml` as plain values -> `model.declared.Environment`, in route order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.declarations.moments import parse_duration
from stellwerk.declarations.values import as_list, as_map, flag, opt_text, texts, whole
from stellwerk.model.declared import (
    ApprovalRule,
    CommandCheck,
    Control,
    DeployTarget,
    Environment,
    Freeze,
    Json,
    PromotionRule,
    Purpose,
    When,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def decode_environments(value: Mapping[str, Json], classifications: tuple[str, ...]) -> tuple[Environment, ...]:
    """Environments by name -> in route order: after what they come after, then by name.

    A broken route (a cycle, an unknown `after`, two roots) is sorted by name; a rule reports it.
    """
    environments = [_environment(name, as_map(said), classifications) for name, said in sorted(value.items())]
    steps = {environment.name: environment.after for environment in environments}
    depths = {name: _depth(name, steps) for name in steps}
    roots = [name for name, after in steps.items() if after is None]
    if len(roots) != 1 or None in depths.values():
        return tuple(environments)
    return tuple(sorted(environments, key=lambda environment: (depths[environment.name] or 0, environment.name)))


def _depth(name: str, steps: Mapping[str, str | None]) -> int | None:
    """How many environments come before; None where the way back to a root is broken."""
    depth = 0
    current = steps[name]
    while current is not None:
        if current not in steps or depth > len(steps):
            return None
        current = steps[current]
        depth += 1
    return depth


def _environment(name: str, value: Mapping[str, Json], classifications: tuple[str, ...]) -> Environment:
    return Environment(
        name=name,
        purpose=Purpose(opt_text(value.get("purpose")) or Purpose.DEVELOPMENT),
        after=opt_text(value.get("after")),
        clone_of=opt_text(value.get("clone_of")),
        allows=_allows(as_map(value.get("data")).get("allows"), classifications),
        controls=_controls(value.get("controls")),
        checks=decode_checks(value.get("checks")),
        approval=_approvals(value.get("approval")),
        promotion=_promotions(value.get("promotion")),
        on_violation=opt_text(value.get("on_violation")) or "alert",
        soak=seconds(value.get("soak"), 0),
        freeze=_freeze(as_map(value.get("freeze"))),
        runner=texts(value.get("runner")),
        secrets=texts(value.get("secrets")),
        identity=opt_text(value.get("identity")),
        remote=opt_text(value.get("remote")),
        deploy=_deploy(as_map(value.get("deploy"))),
        up=opt_text(value.get("up")),
        down=opt_text(value.get("down")),
        owner=opt_text(value.get("owner")),
        description=opt_text(value.get("description")),
    )


def seconds(value: Json, default: int) -> int:
    """A declared duration in seconds, or the default."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        found = parse_duration(value)
        return default if found is None else found
    return default


def decode_checks(value: Json) -> tuple[CommandCheck, ...]:
    """A list of `{name, command, timeout}`, in the order they were written."""
    checks: list[CommandCheck] = []
    for item in as_list(value):
        said = as_map(item)
        name, command = opt_text(said.get("name")), opt_text(said.get("command"))
        if name is not None and command is not None:
            checks.append(CommandCheck(name=name, command=command, timeout=seconds(said.get("timeout"), 600)))
    return tuple(checks)


def _allows(value: Json, classifications: tuple[str, ...]) -> tuple[str, ...] | None:
    """A name means that classification and all below it; a name nobody declared stays, for a rule to report."""
    if isinstance(value, str):
        known = value in classifications
        return classifications[: classifications.index(value) + 1] if known else (value,)
    return texts(value) if isinstance(value, list) else None


def _controls(value: Json) -> tuple[Control, ...]:
    controls: list[Control] = []
    for item in as_list(value):
        said = as_map(item)
        name = item if isinstance(item, str) else opt_text(said.get("name"))
        if name is not None:
            controls.append(Control(name=name, check=opt_text(said.get("check"))))
    return tuple(sorted(controls, key=lambda control: control.name))


def _approvals(value: Json) -> tuple[ApprovalRule, ...]:
    rules: list[ApprovalRule] = []
    for item in [value] if isinstance(value, dict) else as_list(value):
        said = as_map(item)
        team = opt_text(said.get("by"))
        if team is not None:
            rules.append(
                ApprovalRule(
                    by=team,
                    count=whole(said.get("count"), 1),
                    four_eyes=flag(said.get("four_eyes"), default=True),
                    when=_when(said.get("when")),
                )
            )
    return tuple(rules)


def _promotions(value: Json) -> tuple[PromotionRule, ...]:
    if isinstance(value, str):
        return (PromotionRule(mode=value),)
    rules: list[PromotionRule] = []
    for item in as_list(value):
        said = as_map(item)
        mode = opt_text(said.get("mode"))
        if mode is not None:
            rules.append(PromotionRule(mode=mode, when=_when(said.get("when"))))
    return tuple(rules)


def _when(value: Json) -> When:
    said = as_map(value)
    return When(risk=texts(said.get("risk")), trigger=texts(said.get("trigger")))


def _freeze(value: Mapping[str, Json]) -> Freeze | None:
    until, reason = opt_text(value.get("until")), opt_text(value.get("reason"))
    return Freeze(until=until, reason=reason) if until is not None and reason is not None else None


def _deploy(value: Mapping[str, Json]) -> DeployTarget | None:
    target = opt_text(value.get("target"))
    if target is None:
        return None
    return DeployTarget(
        target=target,
        path=opt_text(value.get("path")),
        command=opt_text(value.get("command")),
        probe=opt_text(value.get("probe")),
        timeout=seconds(value.get("timeout"), DeployTarget(target=target).timeout),
    )
