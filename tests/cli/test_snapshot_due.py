"""`stellwerk snapshot --due`: what CI asks for."""

import pytest

from stellwerk.errors import StellwerkError
from stellwerk.model.views import Decision, Taken
from stellwerk.planning.due import Asked

TAKEN = Taken(
    dataset="sales", because="schedule", decision=Decision(summary="snapshot: sales", commit="1a2b3c4d", pushed=True)
)
FAILED = Taken(dataset="offers", because="schedule 0 3 * * 1 of price", problem=("the source\nfailed", "look there"))


def test_empty_values_mean_that_an_option_is_not_given(run, workspace):
    workspace.answers["snapshot_due"] = ()
    result = run("snapshot", "--due", "--schedule", "", "--only", "", "--within", "")
    assert (result.exit_code, result.output) == (0, "No snapshot is due.\n")
    run("snapshot", "--due", "--schedule", "0 3 * * 1", "--only", "sales", "--within", "live", "--no-push")
    assert [call[1:] for call in workspace.calls if call[0] == "snapshot_due"] == [
        ((Asked(),), {"push": None}),
        ((Asked(schedule="0 3 * * 1", dataset="sales", place="live"),), {"push": False}),
    ]


def test_each_dataset_is_told_and_a_failure_is_one_at_the_end(run, workspace):
    workspace.answers["snapshot_due"] = (FAILED, TAKEN)
    result = run("snapshot", "--due")
    assert result.exit_code == 1
    assert result.stdout == (
        "✗ snapshot: offers (schedule 0 3 * * 1 of price) failed:\n"
        "    the source\n"
        "    failed\n"
        "    → look there\n"
        "✓ 1a2b3c4  snapshot: sales (pushed)\n"
    )
    workspace.answers["snapshot_due"] = (TAKEN,)
    assert run("snapshot", "--due").exit_code == 0


def test_an_unknown_dataset_is_an_error(run, workspace):
    workspace.answers["snapshot_due"] = StellwerkError("there is no dataset 'x'")
    assert run("snapshot", "--due", "--only", "x").exit_code == 1


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["sales"],
        ["--because", "b"],
        ["sales", "--due"],
        ["--due", "--because", "b"],
        ["sales", "--because", "b", "--only", "sales"],
    ],
)
def test_the_two_forms_are_not_mixed(run, workspace, args):
    assert run("snapshot", *args).exit_code == 64
    assert not [name for name, *_ in workspace.calls if name.startswith("snapshot")]
