"""`stellwerk report` on real git repositories: what a reviewer is told of one change at a time."""

import json
import re
import subprocess
import sys

import pytest

from stellwerk.app.report import read_checks
from stellwerk.errors import StellwerkError
from stellwerk.report.change_json import change_json
from stellwerk.report.pull_request import pull_request_markdown

ADA, GRACE = "ada <ada@example.com>", "grace <grace@example.com>"


@pytest.fixture
def branch(released):
    """The released project on a branch of its own: v2 runs in production with a mean absolute error close to 2."""
    released.repo.git("switch", "--quiet", "--create", "change")
    return released


def report(project, base="main", checks=None):
    change = project.workspace.report(base=base, checks=checks)
    return change, pull_request_markdown(change)


def test_a_tightened_threshold_that_the_running_version_fails_is_red_and_says_why(branch, stellwerk):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 1}", author=GRACE)
    change, text = report(branch)
    assert change.red
    (threshold,) = change.thresholds
    (reading,) = threshold.failing
    assert (threshold.direction, threshold.owner, threshold.authors) == ("tighter", "risk", (GRACE,))
    assert (reading.version, reading.environments, reading.source) == (2, ("production",), "its verdict in regression")
    assert reading.measured.n > 10
    assert text.splitlines()[1].startswith(
        "❌ **Blocked:** demand v2, released in production, fails the tightened threshold"
        f" **mean\\_absolute\\_error &lt;= 1.0**: {reading.measured.value:.4g} was recorded on {reading.measured.n} rows"
    )
    assert "| max 5 | max 1 | tighter | grace | risk |" in text
    done = stellwerk("report", "--base", "main", cwd=branch.root)
    assert (done.returncode, done.stdout, done.stderr) == (1, text, "")


def test_a_tightened_threshold_that_the_running_version_meets_is_green_and_says_so(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 4}")
    change, text = report(branch)
    assert not change.red
    assert re.search(r"\| mean\\_absolute\\_error &lt;= 4.0 \| all \| .* \| ✅ passes <sub>", text)
    assert [type(step.action).__name__ for step in change.added] == ["Check"]


def test_a_loosened_threshold_is_told_apart_and_never_red(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 1}", commit="tighten")
    branch.repo.git("branch", "--force", "main")
    branch.edit("mlops.yaml", "mae: {max: 1}", "mae: {max: 1.5}")
    change, text = report(branch)
    assert change.thresholds[0].direction == "looser"
    assert change.thresholds[0].readings[0].passed is False
    assert not change.red
    assert "⚠️ fails, as before" in text
    assert "SW403" in text


def test_a_new_threshold_on_a_metric_that_training_recorded_is_held_against_that(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 5}\n      rmse: {max: 0.1}")
    change, _ = report(branch)
    assert change.red
    assert {item.failing[0].source for item in change.failing} == {"its training"}


def test_a_new_threshold_on_a_metric_that_nobody_recorded_is_said_and_not_red(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 5}\n      max_error: {max: 0.1}")
    change, text = report(branch)
    assert not change.red
    assert "this metric was not recorded: the next check in its environment measures it" in text


def test_a_bound_at_another_confidence_than_the_recorded_one_is_not_guessed(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 2.01, judge: bound, confidence: 0.5}")
    change, text = report(branch)
    assert [reading.passed for reading in change.thresholds[0].readings] == [None]
    assert "recorded at 0.95 confidence, asked is 0.5" in text


def test_who_touched_a_threshold_is_who_changed_its_value_on_the_branch(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 4} # a comment", author=ADA)
    branch.edit("mlops.yaml", "# a comment", "# another", author="mallory <mallory@example.com>")
    branch.repo.git("switch", "--quiet", "--create", "other", "main")
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 5}\n      rmse: {max: 9}", author=GRACE)
    branch.repo.git("switch", "--quiet", "change")
    branch.repo.git(
        "merge", "--quiet", "--no-edit", "--strategy-option=theirs", "other", env={"GIT_AUTHOR_NAME": "robot"}
    )
    text = branch.repo.read("mlops.yaml")
    branch.repo.gen({"mlops.yaml": text.replace("rmse: {max: 9}", "rmse: {max: 8}")})
    change, _ = report(branch)
    authors = {item.metric: item.authors for item in change.thresholds}
    assert authors["root_mean_squared_error"] == (GRACE, "not committed yet")
    assert "mallory" not in str(authors)
    assert "robot" not in str({**authors, "mean_absolute_error": ()})


def test_a_changed_source_says_what_training_it_starts_where_and_shows_the_checks_handed_over(branch, stellwerk):
    branch.edit("mlops.yaml", "bias: 2.0", "bias: 0.5")
    done = stellwerk("check", "demand", "dev", "--out", "out/checks/demand.json", cwd=branch.root)
    assert done.returncode == 0, done.stderr
    change, text = report(branch, checks=branch.root / "out")
    assert change.places == {"demand": "dev"}
    assert "**Merging this trains 1 model in dev" in text.splitlines()[1]
    assert "promotes 1 model to production (if it passes)" in text.splitlines()[1]
    assert change.sources == (("demand", ("params bias 2.0 → 0.5",)),)
    assert "**demand** in dev: ✅ passed" in text
    assert re.search(r"\| smoke mean\\_absolute\\_error \| ✅ \| [\d.]+ \| 120 \|", text)


def test_a_changed_source_without_results_is_noted_and_blocks_nothing(branch):
    branch.edit("mlops.yaml", "bias: 2.0", "bias: 0.5")
    change, text = report(branch, checks=branch.root / "nowhere")
    assert not change.red
    assert "> Note: no results of a development check were handed over for demand." in text
    assert report(branch)[0].notes == ()


def test_a_check_that_cannot_even_start_leaves_its_message_for_the_report(branch, stellwerk):
    (branch.root / "models/demand/demand.py").write_text("def train(frame:\n")
    done = stellwerk("check", "demand", "dev", "--out", "checks/demand.json", cwd=branch.root)
    assert done.returncode == 1
    (check,) = read_checks(branch.root / "checks")
    assert (check.model, check.environment, check.passed) == ("demand", "dev", False)
    assert check.checks[0].detail


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "the file cannot be read as JSON"),
        (b"\xff\xfe", "the file cannot be read as JSON"),
        (b"[]", "these are no check results"),
        (b'{"version": 1, "checks": [{"name": 3}]}', "these are no check results: must be text, not a number"),
        (b"[" * 100_000, "the file cannot be read as JSON"),
        (b" " * 1_000_001, "the file is too large for check results"),
    ],
    ids=["broken", "bytes", "list", "type", "deep", "large"],
)
def test_check_results_come_from_strangers_and_are_never_believed(tmp_path, content, problem):
    (tmp_path / "a.json").write_bytes(content)
    (tmp_path / "b.json").symlink_to("/etc/passwd")
    (found,) = read_checks(tmp_path)
    assert (found.file, found.problem, found.checks) == ("a.json", problem, ())


def test_a_release_file_shows_the_comparison_the_approvals_and_what_the_deployment_asks(branch):
    path = "environments/production.yaml"
    approval = "approval: [{by: risk, count: 1, four_eyes: true}]\n"
    branch.repo.gen({path: branch.repo.read(path) + approval}, commit="ask")
    branch.edit("mlops.yaml", "bias: 2.0", "bias: 1.5")
    assert branch.reconcile().problems == ()
    branch.repo.git("branch", "--force", "main")
    branch.edit("environments/production/demand.yaml", "version: 2", "version: 3", commit="promote")
    change, text = report(branch)
    (release,) = change.releases
    assert (release.before.version, release.after.version, release.judged_in) == (2, 3, "regression")
    assert [condition.met for condition in release.approvals] == [False]
    assert text.splitlines()[1].startswith("⚠️ **Merging this releases demand v3 to production**")
    assert "demand is not deployed to production while 1 condition is unmet." in text
    assert re.search(r"\| mean\\_absolute\\_error \| all \| [\d.]+ <sub>.*\| [\d.]+ <sub>.*\| -0.5 \| ✅ ", text)
    assert text.count("\n- ❌ 0 of 1 approvals by team risk") == 1
    assert (change.waits, change.met) == ((), ()), "the approval was waited for before as well"


def test_a_moved_pointer_shows_both_snapshots_as_far_as_they_are_recorded(branch):
    rows = branch.repo.read("data/sales.csv").splitlines(keepends=True)
    branch.repo.gen({"data/sales.csv": "".join(rows[:100])})
    branch.workspace.snapshot("sales", because="fewer rows", push=None)
    change, text = report(branch)
    (data,) = change.data
    assert (data.before.rows, data.after.rows, data.models) == (120, None, ("demand",))
    assert data.before.md5 != data.after.md5
    assert "| rows | 120 | no version was trained on it yet |" in text
    assert set(data.before.missing.values()) == {0.0}


def test_mistakes_are_red_and_only_new_ones_are_listed(branch):
    branch.edit("mlops.yaml", "risk: high", "risk: huge", commit="a mistake")
    branch.repo.git("branch", "--force", "main")
    branch.edit("mlops.yaml", "task: regression", "task: guessing", commit="another")
    change, text = report(branch)
    assert change.red
    assert change.errors == 2
    assert ["guessing" in finding.message for finding in change.findings] == [True]
    assert "2 mistakes (1 of them not by this change)" in text.splitlines()[1]


def test_unreadable_declarations_are_red_and_shown(branch):
    branch.repo.gen({"mlops.yaml": "version: [1\n"}, commit="break it")
    change, text = report(branch)
    assert change.red
    assert change.findings
    assert "so nothing can be planned" in text


def test_a_change_of_the_readme_starts_nothing(branch):
    branch.repo.gen({"README.md": "hello\n"}, commit="say hello")
    change, text = report(branch)
    assert not change.red
    assert text.splitlines()[1] == "✅ **Merging this starts nothing.**"
    assert "####" not in text


def test_the_first_declarations_of_a_repository_are_reported_against_nothing(small):
    small.repo.git("branch", "base")
    small.repo.git("switch", "--quiet", "--orphan", "fresh")
    small.repo.gen({"README.md": "empty\n"}, commit="begin")
    small.repo.git("branch", "--force", "main")
    small.repo.git("checkout", "--quiet", "base", "--", ".")
    small.repo.git("commit", "--quiet", "--message", "declare")
    change, _ = report(small)
    assert change.sources == (("demand", ("new",)),)
    assert change.added


def test_records_on_a_ref_of_their_own_speak_for_both_sides(branch):
    branch.repo.git("switch", "--quiet", "main")
    branch.add("mlops.yaml", "records: {ref: records}\n")
    branch.edit("mlops.yaml", "bias: 2.0", "bias: 1.5")
    assert branch.reconcile().problems == ()
    branch.repo.git("switch", "--quiet", "--force-create", "change", "main")
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 1}")
    change, _ = report(branch)
    assert [(item.version, item.passed) for item in change.thresholds[0].readings] == [(3, False)]
    assert [type(step.action).__name__ for step in change.added] == ["Check"]
    assert (change.releases, change.data, change.sources) == ((), (), ())


def test_another_clone_reports_the_same_bytes(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 1}")
    _, text = report(branch)
    assert report(branch)[1] == text
    clone = branch.root.parent / "clone"
    subprocess.run(["git", "clone", "--quiet", branch.root, clone], check=True)
    subprocess.run(["git", "switch", "--quiet", "change"], cwd=clone, check=True)
    other = type(branch)(type(branch.repo)(clone))
    assert report(other, base="origin/main")[1] == text
    assert json.loads(change_json(report(other, base="origin/main")[0]))["passed"] is False


def test_a_clone_too_shallow_to_have_the_base_says_what_to_fetch(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 4}")
    branch.repo.git("branch", "--force", "other", "main")
    branch.repo.git("switch", "--quiet", "other")
    branch.repo.gen({"README.md": "x\n"}, commit="on main")
    clone = branch.root.parent / "shallow"
    subprocess.run(
        ["git", "clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{branch.root}", clone], check=True
    )
    subprocess.run(["git", "switch", "--quiet", "change"], cwd=clone, check=True)
    with pytest.raises(StellwerkError, match="shallow and ends before") as caught:
        report(type(branch)(type(branch.repo)(clone)), base="origin/other")
    assert "git fetch --unshallow" in caught.value.hint


def test_a_report_loads_no_library_that_is_slow_to_import(branch):
    branch.edit("mlops.yaml", "mae: {max: 5}", "mae: {max: 1}")
    script = (
        "import sys\nfrom stellwerk.cli.main import main\n"
        "try:\n    main(['report', '--base', 'main', '--quiet'])\nexcept SystemExit: pass\n"
        "slow = {'pandas', 'numpy', 'sklearn', 'dvc', 'git', 'jsonschema', 'pygit2', 'github'} & set(sys.modules)\n"
        "print(sorted(slow), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=branch.root, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("<!-- stellwerk:report -->")
    assert done.stderr == "[]\n"
