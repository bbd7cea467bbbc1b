import pytest

from stellwerk.planning.shard import Shard


@pytest.mark.parametrize("verb", ["plan", "reconcile"])
@pytest.mark.parametrize("value", ["0/3", "4/3", "x", "1", "1/", "/3", "1/0", "-1/3", "1/3/4", "1.0/3", "", "٢/٣"])
def test_what_is_no_part_of_a_whole_is_a_usage_error(run, workspace, verb, value):
    result = run(verb, "--shard", value)
    assert result.exit_code == 64
    assert "I/N" in result.stderr
    assert not [name for name, *_ in workspace.calls if name == verb]


def test_plan_and_reconcile_ask_for_the_same_part(run, workspace):
    assert run("plan", "--shard", "2/3").exit_code == 0
    assert run("reconcile", "--shard", "2/3").exit_code == 0
    ((_, _, planned),) = [call for call in workspace.calls if call[0] == "plan"]
    ((_, (request,), _),) = [call for call in workspace.calls if call[0] == "reconcile"]
    assert planned["shard"] == request.shard == Shard(number=2, of=3)


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5"])
def test_jobs_are_at_least_one(run, workspace, value):
    assert run("reconcile", "--jobs", value).exit_code == 64


def test_jobs_are_one_unless_more_are_asked_for(run, workspace):
    run("reconcile")
    run("reconcile", "-j", "4")
    assert [call[1][0].jobs for call in workspace.calls if call[0] == "reconcile"] == [1, 4]
