"""The part of a plan that is one model's: its steps so far, what they need, and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from stellwerk.model.actions import Action, Step, Wait, WaitKind

if TYPE_CHECKING:
    from stellwerk.model.declared import DeployTarget
    from stellwerk.planning.gates import Case, Gate


class RoutePlan(Struct):
    """What is being put together for one model. `pending` are the steps that must pass before the next."""

    steps: list[Step] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    pending: tuple[str, ...] = ()
    blocked: bool = False

    def add(self, key: str, action: Action, reason: str, *, seconds: float | None = None) -> None:
        """A step that needs everything pending."""
        self.add_needing(self.pending, key, action, reason, seconds=seconds)

    def add_needing(
        self, needs: tuple[str, ...], key: str, action: Action, reason: str, *, seconds: float | None = None
    ) -> None:
        """A step that needs those steps."""
        self.steps.append(
            Step(action=action, reason=reason, key=key, needs=needs, condition=condition_words(needs), seconds=seconds)
        )

    def wait(self, case: Case, gate: Gate, *, kind: WaitKind | None = None) -> None:
        """A gate that no step of the plan can open."""
        self.waits.append(
            Wait(
                kind=kind or gate.kind,
                model=case.model.name,
                environment=case.environment.name,
                version=case.number,
                reason=gate.text,
                unblock=gate.unblock,
            )
        )


def target_words(deploy: DeployTarget) -> str:
    """Where a release goes: `into deployed/production`, or `by its command`."""
    return f"into {deploy.path}" if deploy.path else "by its command"


def condition_words(needs: tuple[str, ...]) -> str:
    """What must pass first, in words; '' for nothing."""
    if not needs:
        return ""
    kind, _, rest = needs[-1].partition(":")
    if kind in ("promote", "deploy"):
        environment = rest.rpartition(":")[2]
        return f"if promoted to {environment}" if kind == "promote" else f"if it runs in {environment}"
    checks = [need.rpartition(":")[2].partition("@")[0] for need in needs if need.startswith("check:")]
    if checks:
        named = " and ".join(", ".join(checks).rsplit(", ", 1)) if len(checks) > 1 else checks[0]
        return f"if {named} {'passes' if len(checks) == 1 else 'pass'}"
    return "if training succeeds" if kind == "train" else f"if the snapshot of {rest} passes its checks"


def promotion_branch(environment: str, model: str) -> str:
    """The branch of a promotion pull request: one for each environment and model."""
    return f"stellwerk/promote/{environment}/{model}"
