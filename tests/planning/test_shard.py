"""A plan that is split over jobs which do not talk to each other."""

from builders import environments, fresh, model, plan, project, rendered, settle
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.model.actions import Snapshot, Train, WaitKind
from stellwerk.model.declared import Dataset, Limits
from stellwerk.planning.shard import Shard, place

NAMES = tuple(f"model-{number}" for number in range(9))
DATA = ("customers", "loans", "sales")


def parts(of: int) -> list[Shard]:
    return [Shard(number=number, of=of) for number in range(1, of + 1)]


@st.composite
def companies(draw):
    """Models on a few datasets, some with what stands in for them, on a route."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    models = [model(name, data=draw(st.sampled_from(DATA))) for name in names]
    stand_ins = draw(st.booleans())
    datasets = [
        Dataset(name=name, path=f"data/{name}.csv", stand_in=f"fake-{name}" if stand_ins else None) for name in DATA
    ]
    datasets += [Dataset(name=f"fake-{name}", path=f"fake/{name}.csv") for name in DATA if stand_ins]
    route = environments("regression", "production") if draw(st.booleans()) else ()
    return project(
        *models, route=route, datasets=tuple(datasets), limits=Limits(trainings=draw(st.sampled_from((2, 99))))
    )


@settings(max_examples=25)
@given(companies(), st.integers(1, 6), st.booleans())
def test_the_parts_together_are_the_plan_and_no_step_is_in_two(declared, of, drawn):
    observed = rendered(declared, fresh(declared)) if drawn else fresh(declared)
    whole = plan(declared, observed)
    split = [plan(declared, observed, shard=shard) for shard in parts(of)]
    keys = [step.key for part in split for step in part.steps]
    assert sorted(keys) == sorted(step.key for step in whole.steps)
    order = [step.key for step in whole.steps]
    assert all([key for key in order if key in taken] == taken for taken in ([s.key for s in p.steps] for p in split))
    assert {step for part in split for step in part.steps} == set(whole.steps)
    assert set(whole.waits) <= {wait for part in split for wait in part.waits}


@settings(max_examples=8)
@given(companies(), st.integers(1, 6))
def test_all_steps_of_a_model_are_in_one_part_at_every_state(declared, of):
    fresh_one = fresh(declared)
    for observed in (
        fresh_one,
        rendered(declared, fresh_one),
        settle(declared, fresh_one, shard=parts(of)[0]).observed,
    ):
        for shard in parts(of):
            steps = plan(declared, observed, shard=shard).steps
            names = {name for step in steps if (name := getattr(step.action, "model", None))}
            assert {place(name, of) for name in names} <= {shard.number}


@settings(max_examples=8)
@given(companies(), st.integers(1, 4), st.permutations(range(4)))
def test_no_part_waits_for_ever_whatever_the_order_in_which_they_run(declared, of, order):
    """Two rounds are enough: the first takes every snapshot."""
    observed = whole = fresh(declared)
    whole = settle(declared, whole, trainings=99).observed
    for _ in range(2):
        for number in order:
            if number < of:
                shard = Shard(number=number + 1, of=of)
                observed = settle(declared, observed, shard=shard, trainings=99).observed
    assert plan(declared, observed).steps == ()
    assert observed.pointers == whole.pointers
    assert {name: facts.versions for name, facts in observed.models.items()} == {
        name: facts.versions for name, facts in whole.models.items()
    }


def test_a_part_says_which_other_one_takes_the_snapshot_it_needs():
    first, other = (
        min(NAMES),
        next(name for name in sorted(NAMES) if place(name, 2) != place(min(NAMES), 2)),
    )
    declared = project(model(first), model(other))
    observed = rendered(declared, fresh(declared))
    owner, waiting = place(first, 2), place(other, 2)
    mine = plan(declared, observed, shard=Shard(number=owner, of=2))
    assert [type(step.action) for step in mine.steps] == [Snapshot, Train]
    assert mine.waits == ()
    theirs = plan(declared, observed, shard=Shard(number=waiting, of=2))
    assert [(step.key, step.needs) for step in theirs.steps] == [(f"train:{other}", ("snapshot:customers",))]
    ((kind, reason, unblock),) = [(wait.kind, wait.reason, wait.unblock) for wait in theirs.waits]
    assert kind is WaitKind.DATA
    assert reason == f"the first snapshot of customers is taken by shard {owner}/2"
    assert unblock == f"run shard {owner}/2, then this one again"


def test_the_cap_on_trainings_counts_the_whole_plan():
    declared = project(*(model(name) for name in NAMES), limits=Limits(trainings=len(NAMES) - 1))
    observed = settle(declared, fresh(declared)).observed
    for shard in parts(3):
        part = plan(declared, observed, shard=shard)
        assert [step for step in part.steps if isinstance(step.action, Train)] == []
        assert [wait.reason.split(" ")[0] for wait in part.waits] == [str(len(NAMES))]
    agreed = [plan(declared, observed, shard=shard, trainings=len(NAMES)) for shard in parts(3)]
    assert sorted(step.action.model for part in agreed for step in part.steps) == sorted(NAMES)


def test_a_part_of_one_model_is_that_model_or_nothing():
    declared = project(*(model(name) for name in NAMES))
    observed = settle(declared, fresh(declared), model="model-99").observed
    chosen = [plan(declared, observed, shard=shard, model=NAMES[0]).steps for shard in parts(3)]
    assert [bool(steps) for steps in chosen] == [place(NAMES[0], 3) == number for number in (1, 2, 3)]


@settings(max_examples=25)
@given(st.text())
def test_the_part_of_a_name_is_one_of_them_and_never_changes(name):
    assert 1 <= place(name, 5) <= 5
    assert place("shoe-demand", 5) == 1  # as it was when this was written: jobs of two releases must agree
