"""Laws of planning, whatever is declared and whatever happens."""

from builders import (
    DAY,
    NOW,
    ROUTE,
    at_least,
    environments,
    fresh,
    model,
    plan,
    project,
    rendered,
    settle,
    team,
    with_approval,
    with_code,
    with_data,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stellwerk.model.actions import Promote, Render, Train
from stellwerk.model.declared import ApprovalRule, Limits, PromotionRule, Worsening
from stellwerk.model.findings import Place
from stellwerk.report.plan_json import plan_from_json, plan_json

NAMES = ("churn", "credit")
MODES = ("auto", "manual", "pull-request")


@st.composite
def routes(draw):
    names = [name for name in ROUTE if draw(st.booleans())]
    if "production" in names and draw(st.booleans()):
        names.append("production-eu")
    deploy = [name for name in names if name != "development" and draw(st.booleans())]
    changes = {}
    for name in names:
        own = {}
        if name != "development":
            own["approval"] = (ApprovalRule(by="risk"),) if draw(st.booleans()) else ()
            own["promotion"] = (PromotionRule(mode=draw(st.sampled_from(MODES))),) if draw(st.booleans()) else ()
            own["soak"] = draw(st.sampled_from((0, 0, DAY)))
            own["on_violation"] = draw(st.sampled_from(("alert", "rollback")))
        changes[name.replace("-", "_")] = own
    return environments(*names, deploy=deploy, **changes) if names else ()


@st.composite
def projects(draw, minimum=None):
    limit = draw(st.sampled_from((None, 0.5, 0.9))) if minimum is None else minimum
    worsening = Worsening(value=0.01) if draw(st.booleans()) else None
    thresholds = (at_least(limit, max_worsening=worsening),) if limit else ()
    route = draw(routes())
    names = [name for name in NAMES if name == "churn" or draw(st.booleans())]
    models = [model(name, thresholds=thresholds) for name in names]
    return project(*models, route=route, teams=(team("risk", "ada"),), limits=Limits(trainings=99))


@st.composite
def events(draw):
    """What may happen between two reconciles."""
    return draw(st.lists(st.sampled_from(("code", "data", "revert", "approve", "tighten", "later")), max_size=4))


def happen(declared, observed, what, turn):
    if what == "code":
        return declared, with_code(observed, "churn", f"code {turn}")
    if what == "revert":
        return declared, with_code(observed, "churn", "first")
    if what == "data":
        return declared, with_data(observed, "customers", f"data {turn}")
    if what == "approve":
        for environment in declared.environments:
            for name in observed.models:
                if observed.models[name].versions:
                    observed = with_approval(observed, environment.name, name, "ada")
        return declared, observed
    if what == "tighten":
        limit = at_least(0.5 + turn / 100)
        return replace(declared, models=tuple(replace(item, thresholds=(limit,)) for item in declared.models)), observed
    return declared, observed


def failing(keys):
    return lambda step: step.key.partition("@")[0] not in keys


FAILURES = st.sets(
    st.sampled_from(
        [f"train:{name}" for name in NAMES] + [f"check:{name}:{environment}" for name in NAMES for environment in ROUTE]
    ),
    max_size=3,
)


PLANS = settings(max_examples=25)
STORIES = settings(max_examples=40)


def begun(declared):
    return rendered(declared, fresh(declared))


@PLANS
@given(projects())
def test_a_plan_after_everything_was_carried_out_is_empty(declared):
    settled = settle(declared, begun(declared))
    assert settled.rest.steps == ()
    assert set(settled.done) == {step.key for step in settled.first.steps}


@STORIES
@given(projects(), events(), FAILURES)
def test_reconcile_does_no_more_than_was_planned_and_then_rests(declared, happened, failures):
    """Whatever fails; where a check failed, a second run at most goes on with what could not be planned before."""
    observed, now = begun(declared), NOW
    for turn, what in enumerate(["start", *happened]):
        now += DAY if what == "later" else 1
        declared, observed = happen(declared, observed, what, turn)
        settled = settle(declared, observed, failing(failures), now=now)
        assert set(settled.done) <= {step.key for step in settled.first.steps}
        assert len(set(settled.done)) == len(settled.done)
        for _ in range(2):
            if settled.rest.steps:
                settled = settle(declared, settled.observed, failing(failures), now=now)
        assert settled.rest.steps == ()
        observed = settled.observed


@STORIES
@given(projects(), events(), FAILURES)
def test_what_is_released_passed_every_check_on_its_way_when_it_was_promoted(declared, happened, failures):
    observed, now = begun(declared), NOW
    for turn, what in enumerate(["start", *happened]):
        now += DAY if what == "later" else 1
        declared, observed = happen(declared, observed, what, turn)
        before, observed = observed.releases, settle(declared, observed, failing(failures), now=now).observed
        for (environment, name), release in observed.releases.items():
            if before.get((environment, name)) == release or release.rollback:
                continue
            version = observed.models[name].versions[release.version]
            names = [item.name for item in declared.environments]
            upstream = names[: names.index(environment)]
            judged = [name for name in upstream if name in ("integration", "regression")]
            assert all(version.verdicts[item].passed for item in judged)
            deployed = [item.name for item in declared.environments if item.deploy and item.name in upstream]
            facts = observed.models[name]
            assert all(facts.deployments[item].version == release.version for item in deployed if item != "development")


@PLANS
@given(projects(), FAILURES)
def test_nothing_rests_without_a_word(declared, failures):
    """A candidate that is not released where it could go has a wait that says why."""
    settled = settle(declared, begun(declared), failing(failures))
    spoken = {wait.model for wait in settled.rest.waits}
    for item in declared.models:
        born = bool(settled.observed.models[item.name].versions) if item.name in settled.observed.models else False
        ends = [item for item in declared.environments if item.purpose == "production"]
        arrived = born and all((end.name, item.name) in settled.observed.releases for end in ends)
        assert arrived or item.name in spoken or f"train:{item.name}" not in settled.done
    assert all(wait.reason and wait.unblock for wait in settled.rest.waits)


def shuffled(mapping, random):
    pairs = list(mapping.items())
    random.shuffle(pairs)
    return dict(pairs)


@PLANS
@given(projects(), events(), FAILURES, st.randoms())
def test_the_same_facts_in_another_order_give_the_same_bytes(declared, happened, failures, random):
    observed = settle(declared, begun(declared), failing(failures)).observed
    for turn, what in enumerate(happened):
        declared, observed = happen(declared, observed, what, turn)
    models = {
        name: replace(
            facts,
            versions=shuffled(facts.versions, random),
            deployments=shuffled(facts.deployments, random),
        )
        for name, facts in observed.models.items()
    }
    other = replace(
        observed,
        models=shuffled(models, random),
        releases=shuffled(observed.releases, random),
        release_places=shuffled({key: Place(path="x") for key in observed.releases}, random),
        branches=shuffled(observed.branches, random),
        code=shuffled(observed.code, random),
        generated=shuffled(observed.generated, random),
        pointers=shuffled(observed.pointers, random),
    )
    assert plan_json(plan(declared, other)) == plan_json(plan(declared, observed))


@PLANS
@given(projects(), events(), FAILURES)
def test_a_plan_survives_its_json(declared, happened, failures):
    observed = settle(declared, begun(declared), failing(failures)).observed
    for turn, what in enumerate(happened):
        declared, observed = happen(declared, observed, what, turn)
    planned = plan(declared, observed)
    assert plan_from_json(plan_json(planned)) == planned


@PLANS
@given(projects(), events(), FAILURES)
def test_keys_are_unique_and_needs_name_earlier_steps(declared, happened, failures):
    observed = settle(declared, begun(declared), failing(failures)).observed
    for turn, what in enumerate(happened):
        declared, observed = happen(declared, observed, what, turn)
    seen = set()
    for step in plan(declared, observed).steps:
        assert step.key
        assert step.key not in seen
        assert set(step.needs) <= seen
        assert bool(step.needs) is bool(step.condition)
        seen.add(step.key)


@PLANS
@given(projects(), st.sampled_from(NAMES), st.sampled_from((None, *ROUTE)))
def test_a_scope_is_a_part_of_the_whole_plan_in_which_nothing_needs_what_is_left_out(declared, name, environment):
    whole = plan(declared, begun(declared))
    part = plan(declared, begun(declared), model=name, environment=environment)
    assert [step for step in whole.steps if step in part.steps] == list(part.steps)
    kept = {step.key for step in part.steps}
    assert all(set(step.needs) <= kept for step in part.steps)


@PLANS
@given(projects(minimum=0.5), st.integers(min_value=0, max_value=3))
def test_thresholds_never_train(declared, turn):
    observed = settle(declared, begun(declared)).observed
    tight, same = happen(declared, observed, "tighten", turn + 1)
    assert not [step for step in plan(tight, same).steps if isinstance(step.action, Train | Render)]


@PLANS
@given(projects())
def test_the_step_a_scope_would_take_is_the_one_the_whole_plan_takes(declared):
    """A pull request or a promotion is planned at most once for each model and environment."""
    promotions = [step.action for step in plan(declared, begun(declared)).steps if isinstance(step.action, Promote)]
    assert len({(action.model, action.environment) for action in promotions}) == len(promotions)
