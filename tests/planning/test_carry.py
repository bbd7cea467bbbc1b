"""Commits are carried over what won a race only where nothing they rest on has moved."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stellwerk.planning.carry import may_carry, owner, owners

NAMES = st.sampled_from(["churn", "demand", "fraud", "dvc.yaml", "production"])
OWN = [
    "registry/{0}/1/version.yaml",
    "registry/{0}/deployments/production.yaml",
    "registry/{0}/incidents/0001.yaml",
    "environments/production/{0}.yaml",
    "models/{0}/dvc.yaml",
    "models/{0}/params.yaml",
    "models/{0}/.gitignore",
    "models/{0}/dvc.lock",
    "models/{0}/metrics.json",
    "models/{0}/demand.py",
    "models/{0}/tests/test_demand.py",
]
SHARED = [
    "mlops.yaml",
    "teams/risk.yaml",
    "environments/production.yaml",
    "models/churn/model.yaml",
    "models/churn/deep/er.yml",
    "models/dvc.yaml",
    "models/churn/data.csv.dvc",
    "models/churn/.gitattributes",
    "data/sales.csv.dvc",
    "src/features.py",
    "registry/.erased/0123.yaml",
    "registry/README.md",
    "environments/production/notes/churn.yaml",
    ".dvc/config",
]
OWN_PATHS = st.builds(str.format, st.sampled_from(OWN), NAMES)
PATHS = st.one_of(OWN_PATHS, st.sampled_from(SHARED))
MANY = st.frozensets(PATHS, max_size=6)


@pytest.mark.parametrize("path", OWN)
def test_a_models_own_files_are_known_by_their_path(path):
    assert owner(path.format("churn")) == "churn"


@pytest.mark.parametrize("path", SHARED)
def test_whatever_may_concern_another_model_has_no_owner_and_stops_a_carry(path):
    assert owner(path) is None
    assert not may_carry(["registry/fraud/1/version.yaml"], [path])


@given(ours=MANY, theirs=st.frozensets(OWN_PATHS, max_size=6))
def test_facts_of_other_models_never_stop_a_carry(ours, theirs):
    assume(not owners(ours) & owners(theirs))
    assert may_carry(ours, theirs)


@given(ours=MANY, theirs=MANY)
def test_what_is_carried_shares_no_file_and_no_model_with_what_won(ours, theirs):
    if may_carry(ours, theirs):
        assert not ours & theirs
        assert not owners(ours) & owners(theirs)
        assert all(owner(path) for path in theirs)


@given(ours=MANY, theirs=MANY, more=MANY, reads=MANY)
def test_more_that_changed_never_makes_a_carry_possible(ours, theirs, more, reads):
    assert may_carry(ours, theirs, reads=reads) >= may_carry(ours | more, theirs | more, reads=reads)
    assert may_carry(ours, theirs) >= may_carry(ours, theirs, reads=reads)


@given(ours=MANY, theirs=st.frozensets(OWN_PATHS, min_size=1, max_size=6))
def test_a_file_that_our_code_reads_stops_a_carry_wherever_it_lies(ours, theirs):
    assert not may_carry(ours, theirs, reads=[min(theirs)])


def test_where_nothing_changed_everything_is_carried():
    assert may_carry(SHARED, [])
