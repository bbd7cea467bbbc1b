"""The part of a plan that one CI job carries out, and which jobs there are."""

from builders import dataset, environments, fresh, model, plan, project, rendered, settle, with_data
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stellwerk.model.actions import Render, Snapshot, Train, WaitKind
from stellwerk.model.declared import Limits
from stellwerk.planning.jobs import GROUPS, check_jobs, jobs_of
from stellwerk.planning.portion import Portion

ROUTE = environments(development={"allows": ("public",)})
DATA = (
    dataset("open", classification="public"),
    dataset("secret", classification="secret", stand_in="open"),
    dataset("unused", classification="secret"),
)


def company(*names: str, **changes):
    """Models on secret data, but those whose name starts with `open`."""
    models = [model(name, data="open" if name.startswith("open") else "secret") for name in names]
    settings = {"route": ROUTE, "datasets": DATA, "limits": Limits(trainings=9999), **changes}
    return project(*models, **settings)


def taken(declared, observed, **portion):
    return plan(declared, observed, portion=Portion(**portion))


def keys(found):
    return [step.key for step in found.steps]


def snapped(declared):
    """Rendered, and every dataset has its first snapshot."""
    observed = rendered(declared, fresh(declared))
    for item in declared.datasets:
        observed = with_data(observed, item.name, "first")
    return observed


def test_without_rendering_a_training_whose_stage_is_stale_waits_and_others_go_on():
    declared = company("a", "b")
    observed = snapped(declared)
    stale = replace(observed, models={}, generated={p: f for p, f in observed.generated.items() if "/a/" not in p})
    found = taken(declared, stale, render=False)
    assert not [step for step in found.steps if isinstance(step.action, Render)]
    assert "train:b" in keys(found)
    assert not [step for step in found.steps if getattr(step.action, "model", "") == "a"]
    (wait,) = (wait for wait in found.waits if wait.kind is WaitKind.RENDER)
    assert (wait.model, wait.unblock) == ("a", "stellwerk render, then commit")
    assert "models/a/dvc.yaml, models/a/params.yaml differ" in wait.reason


def test_a_rename_moves_records_and_is_done_without_rendering():
    declared = company("a")
    observed = settle(declared, snapped(declared)).observed
    renamed = project(model("b", data="secret", previously="a"), route=ROUTE, datasets=DATA)
    assert "render:registry/b" in keys(taken(renamed, observed, render=False))


def test_trainings_are_done_where_the_data_are_allowed():
    declared = company("a", "open-b")
    observed = rendered(declared, fresh(declared))
    here = keys(taken(declared, observed, training=True, place="integration"))
    assert here == ["snapshot:secret", "snapshot:unused", "train:a"]
    assert keys(taken(declared, observed, training=True, place="development")) == ["snapshot:open", "train:open-b"]
    assert keys(taken(declared, observed, training=True, place="regression")) == []
    everywhere = keys(taken(declared, observed, training=True))
    assert sorted(everywhere) == sorted([*here, "snapshot:open", "train:open-b"])


def test_only_the_named_models_are_trained_with_the_snapshots_they_need():
    declared = company("a", "b")
    observed = rendered(declared, fresh(declared))
    assert keys(taken(declared, observed, training=True, models=("b",))) == ["snapshot:secret", "train:b"]
    assert keys(taken(declared, observed, training=True, models=("unused",))) == ["snapshot:unused"]
    assert keys(taken(declared, observed, training=True, place="development", models=("b",))) == []
    steps = taken(declared, snapped(declared), models=("a",)).steps
    assert {getattr(step.action, "model", None) for step in steps} == {"a"}


def test_a_training_job_is_not_told_of_approvals():
    declared = company("a")
    waits = taken(declared, snapped(declared), training=True).waits
    assert all(wait.environment is None for wait in waits)


@st.composite
def companies(draw):
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "open-d", "open-e"]), min_size=1, unique=True))
    declared = company(*names, route=draw(st.sampled_from([(), ROUTE])))
    observed = draw(st.sampled_from([fresh, snapped, lambda item: rendered(item, fresh(item))]))(declared)
    return declared, observed


@settings(max_examples=30)
@given(companies())
def test_the_jobs_together_do_every_training_and_snapshot_of_the_plan(given_company):
    declared, observed = given_company
    whole = plan(declared, observed, portion=Portion(render=False))
    wanted = {step.key for step in whole.steps if isinstance(step.action, Train | Snapshot)}
    jobs, done = jobs_of(declared, plan(declared, observed)), []
    for place, found in jobs.training.items():
        for job in found:
            portion = Portion(render=False, training=True, place=place, models=job.models)
            part = keys(plan(declared, observed, portion=portion))
            assert part
            done += part
    assert set(done) == wanted
    assert len(done) == len(wanted)


def test_a_model_has_a_job_of_its_own_where_nothing_is_shared():
    declared = company("a", "b", "open-c")
    jobs = jobs_of(declared, plan(declared, snapped(declared)))
    assert {place: [job.models for job in found] for place, found in jobs.training.items()} == {
        "development": [("open-c",)],
        "integration": [("a",), ("b",)],
    }
    assert jobs.environments == ("integration", "regression", "production")


def test_models_that_share_a_first_snapshot_share_a_job():
    declared = company("a", "b")
    found = jobs_of(declared, plan(declared, rendered(declared, fresh(declared)))).training["integration"]
    assert [job.models for job in found] == [("a", "b"), ("unused",)]


def test_nothing_to_do_is_no_job():
    declared = company("a")
    observed = settle(declared, snapped(declared)).observed
    jobs = jobs_of(declared, plan(declared, observed))
    assert (jobs.check, jobs.training, jobs.environments) == ((), {}, ())


def test_more_trainings_than_a_list_may_hold_are_spread_evenly():
    declared = company(*(f"m{number:03}" for number in range(300)), route=())
    (found,) = jobs_of(declared, plan(declared, snapped(declared))).training.values()
    assert len(found) == GROUPS
    assert {len(job.models) for job in found} == {1, 2}
    assert [name for job in found for name in job.models] == [f"m{number:03}" for number in range(300)]


def test_trainings_that_nobody_agreed_to_are_no_jobs():
    declared = company("a", "b", "c", limits=Limits(trainings=2))
    observed = snapped(declared)
    assert jobs_of(declared, plan(declared, observed)).training == {}
    (found,) = jobs_of(declared, plan(declared, observed, trainings=3)).training.values()
    assert len(found) == 3


@given(st.integers(0, 700))
def test_checks_are_in_at_most_as_many_groups_as_a_list_may_hold(count):
    names = [f"m{number}" for number in range(count)]
    groups = check_jobs(reversed(names))
    assert len(groups) == min(count, GROUPS)
    assert [name for group in groups for name in group.models] == sorted(names)
