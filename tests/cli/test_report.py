"""`stellwerk report` and `stellwerk check --out`: what the command line does with the answer."""

import json
from dataclasses import dataclass, field

import pytest

from stellwerk.adapters.forge import ForgeDown, ForgeError
from stellwerk.errors import StellwerkError
from stellwerk.model.ports import FORGE_BODY, Thing
from stellwerk.model.records import CheckResult
from stellwerk.planning.change import Change
from stellwerk.report.pull_request import LIMIT, pull_request_markdown

GREEN = Change(base="1a2b3c4d", head="2b3c")
RED = Change(base="1a2b3c4d", head="2b3c", errors=1, problem="the declarations have mistakes")


@dataclass
class Forge:
    """A forge that keeps what it is asked for, or refuses."""

    problem: StellwerkError | None = None
    asked: list[dict[str, object]] = field(default_factory=list)

    def comment(self, **asked):
        self.asked.append(asked)
        if self.problem is not None:
            raise self.problem
        return Thing(number=asked["number"], url="", change="opened")


@pytest.fixture
def forge(monkeypatch):
    found = Forge()
    monkeypatch.setattr("stellwerk.adapters.forge.open_forge", lambda _environ, _say: found)
    return found


@pytest.mark.parametrize(("change", "code"), [(GREEN, 0), (RED, 1)])
def test_the_report_is_printed_and_its_colour_is_the_exit_code(run, workspace, change, code):
    workspace.answers["report"] = change
    done = run("report", "--base", "origin/main")
    assert (done.exit_code, done.stdout) == (code, pull_request_markdown(change))
    assert workspace.calls[-1] == ("report", (), {"base": "origin/main", "checks": None})


def test_json_goes_to_the_file_too(run, workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace.answers["report"] = RED
    done = run("report", "--base", "main", "--format", "json", "--out", "report.json")
    assert json.loads(done.stdout)["passed"] is False
    assert (tmp_path / "report.json").read_text() == done.stdout


def test_a_summary_is_added_to_the_job_s_own_and_needs_none(run, workspace, tmp_path):
    workspace.answers["report"] = GREEN
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    done = run("report", "--base", "main", "--summary", env={"GITHUB_STEP_SUMMARY": str(page)})
    assert page.read_text() == f"before\n{done.stdout}"
    assert run("report", "--base", "main", "--summary").exit_code == 0


@pytest.mark.parametrize("form", ["markdown", "json"])
def test_a_comment_is_kept_under_one_marker_and_is_markdown(run, workspace, forge, form):
    workspace.answers["report"] = GREEN
    assert run("report", "--base", "main", "--post", "12", "--format", form).exit_code == 0
    assert forge.asked == [{"number": 12, "marker": "report", "body": pull_request_markdown(GREEN)}]


@pytest.mark.parametrize("change", [GREEN, RED], ids=["green", "red"])
@pytest.mark.parametrize(
    "problem", [ForgeDown("no answer"), ForgeError("no rights", hint="ask")], ids=["down", "refuses"]
)
def test_a_forge_that_is_down_or_refuses_changes_neither_the_report_nor_the_exit_code(
    run, workspace, forge, problem, change
):
    workspace.answers["report"] = change
    forge.problem = problem
    done = run("report", "--base", "main", "--post", "12")
    assert (done.exit_code, done.stdout) == (int(change.red), pull_request_markdown(change))
    assert done.stderr.startswith(f"warning: the report was not posted to 12: {problem.message}")


def test_a_report_is_never_longer_than_a_forge_takes():
    assert LIMIT <= FORGE_BODY


def test_results_of_a_check_are_written_where_asked_and_folders_are_made(run, workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace.answers["check"] = (CheckResult(name="unit tests", passed=True),)
    assert run("check", "demand", "dev", "--out", "checks/demand.json").exit_code == 0
    content = json.loads((tmp_path / "checks/demand.json").read_text())
    assert (content["model"], content["environment"], content["passed"]) == ("demand", "dev", True)


def test_a_check_that_breaks_off_leaves_its_message_as_a_failed_result(run, workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    workspace.answers["check"] = StellwerkError("the data are not here")
    assert run("check", "demand", "dev", "--out", "demand.json").exit_code == 1
    content = json.loads((tmp_path / "demand.json").read_text())
    assert content["passed"] is False
    assert content["checks"][0]["detail"] == "the data are not here"
