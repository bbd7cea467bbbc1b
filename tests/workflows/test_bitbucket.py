"""`bitbucket-pipelines.yml`: what its steps are, and that bash does with them what was meant."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.render.bash import export
from stellwerk.render.bitbucket import _item

sys.path.insert(0, str(Path(__file__).parent))

import golden

HOSTILE = golden.hostile_in_bitbucket()
PROD = HOSTILE["environments/prod.yaml"]
BRANCH = HOSTILE["mlops.yaml"]["workflows"]["branch"]
STUB = """\
#!{python} -I
import json, os, shutil, sys
if sys.argv[1:3] == ["-m", "venv"]:
    shutil.copytree({stubs!r}, sys.argv[-1] + "/bin", dirs_exist_ok=True)
elif sys.argv[1:2] == ["-c"] and not sys.argv[0].endswith("bash"):
    os.execv({python!r}, [{python!r}, *sys.argv[1:]])
with open({calls!r}, "a") as file:
    file.write(json.dumps([os.path.basename(sys.argv[0]), sys.argv[1:], dict(os.environ)]) + "\\n")
if sys.argv[1:2] == ["jobs"]:
    print("check=[]\\ntraining={{}}\\nenvironments=[]")
sys.exit(int(os.environ.get("FAIL", "0")) if "reconcile" in sys.argv else 0)
"""


def steps_of(name, section, flow):
    said = yaml.safe_load(golden.kept(name)["bitbucket-pipelines.yml"])["pipelines"][section][flow]
    return {part["step"]["name"]: part["step"] for part in said if "step" in part}


class Room:
    """A clone, and stand-ins for everything that a script calls besides git."""

    def __init__(self, folder, branch):
        origin, self.clone, self.calls = folder / "origin.git", folder / "clone", folder / "calls"
        stubs = folder / "stubs"
        stubs.mkdir()
        text = STUB.format(python=sys.executable, stubs=str(stubs), calls=str(self.calls))
        for stub in ("python3", "python", "stellwerk", "bash"):
            (stubs / stub).write_text(text)
            (stubs / stub).chmod(stat.S_IRWXU)
        git = ["git", "-c", "user.name=ada", "-c", "user.email=ada@example.com"]
        subprocess.run([*git, "init", "-q", "--bare", "-b", branch, origin], check=True)
        subprocess.run([*git, "clone", "-q", origin, self.clone], check=True, stderr=subprocess.DEVNULL)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], cwd=self.clone, check=True)
        subprocess.run([*git, "push", "-q", "origin", f"HEAD:refs/heads/{branch}"], cwd=self.clone, check=True)
        subprocess.run([*git, "checkout", "-q", "--detach"], cwd=self.clone, check=True)
        self.environ = {**os.environ, "PATH": f"{stubs}:{os.environ['PATH']}"}

    def left(self, path, text):
        file = self.clone / "stellwerk-run" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def run(self, items, **environ):
        """As Bitbucket does: one shell for all items, which ends at the first that fails."""
        script = "\n".join(["set -e", *items, ""])
        command = ["/bin/bash", "-c", script]
        given = {**self.environ, **environ}
        return subprocess.run(command, cwd=self.clone, env=given, capture_output=True, text=True, check=False)

    def called(self):
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        return [json.loads(line) for line in lines]

    def has(self, path):
        return (self.clone / "stellwerk-run" / path).exists()


@pytest.fixture
def room(tmp_path):
    return Room(tmp_path, BRANCH)


def test_hostile_text_reaches_commands_as_it_was_declared_and_nothing_else_happens(room):
    step = steps_of("hostile-bitbucket", "branches", BRANCH)["prod"]
    room.left("plan/outputs", 'check=[]\ntraining={}\nenvironments=["prod"]\n')
    done = room.run(step["script"])
    assert done.returncode == 0, done.stderr
    assert room.has("in-prod/success")
    assert room.run(step["after-script"]).returncode == 0
    calls = room.called()
    assert [name for name, _, _ in calls if name != "python"] == ["python3", "bash", "stellwerk", "bash"]
    ((_, up, first), (_, words, second), (_, down, third)) = [
        call for call in calls if call[0] in {"bash", "stellwerk"}
    ]
    assert up == ["-c", PROD["up"]]
    assert down == ["-c", PROD["down"]]
    assert words[:1] == ["reconcile"]
    assert words[words.index("--environment") + 1] == "prod"
    assert second["STELLWERK_STANDING"] == "prod"
    author = HOSTILE["mlops.yaml"]["workflows"]["author"]
    assert f"{second['GIT_AUTHOR_NAME']} <{second['GIT_COMMITTER_EMAIL']}>" == author
    assert {seen["STELLWERK_IDENTITY"] for seen in (first, second, third)} == {PROD["identity"]}
    pip = [(words, seen) for name, words, seen in calls if name == "python"]
    assert {seen["REQUIREMENTS"] for _, seen in pip} == {HOSTILE["mlops.yaml"]["workflows"]["install"]["requirements"]}
    assert all("--require-hashes" in words for words, _ in pip)
    assert list(room.clone.rglob("hacked")) == []
    head = subprocess.check_output(["git", "symbolic-ref", "--short", "HEAD"], cwd=room.clone, text=True)
    assert head.strip() == BRANCH


def test_a_step_without_anything_to_do_ends_before_it_installs_anything(room):
    step = steps_of("hostile-bitbucket", "branches", BRANCH)["prod"]
    room.left("plan/outputs", 'check=[]\ntraining={"prod":[]}\nenvironments=["prod-2","pro"]\n')
    assert room.run(step["script"]).returncode == 0
    assert room.has("in-prod/success")
    assert room.run(step["after-script"]).returncode == 0
    assert room.called() == []


def test_after_a_failure_the_environment_is_taken_down_and_the_last_step_tells(room):
    steps = steps_of("hostile-bitbucket", "branches", BRANCH)
    room.left("plan/outputs", 'environments=["prod"]\n')
    assert room.run(steps["prod"]["script"], FAIL="3").returncode == 3
    assert not room.has("in-prod/success")
    room.run(steps["prod"]["after-script"])
    assert room.called()[-1][1] == ["-c", PROD["down"]]
    assert steps["prod"]["on-fail"] == {"strategy": "ignore"}
    others = [path for path in ("plan", "train--n-code", "announce") if not room.left(f"{path}/success", "")]
    told = room.run(steps["Result"]["script"])
    assert told.returncode == 1
    assert told.stdout == "in-prod did not succeed.\n"
    room.left("in-prod/success", "")
    assert room.run(steps["Result"]["script"]).returncode == 0
    assert others


def test_one_step_trains_what_a_matrix_would_spread(room):
    step = steps_of("hostile-bitbucket", "branches", BRANCH)["Train in ünïcode"]
    entries = [{"models": "a b", "steps": "a b", "title": "x"}, {"models": "c", "steps": "c", "title": "y"}]
    room.left("plan/outputs", f"training={json.dumps({'ünïcode': entries}, separators=(',', ':'))}\n")
    done = room.run(step["script"], CONFIRM_TRAININGS="7")
    assert done.returncode == 0, done.stderr
    name, words, _ = room.called()[-1]
    assert name == "stellwerk"
    assert "a b c" in words
    assert words[words.index("--confirm-trainings") + 1] == "7"


def test_the_plan_hands_its_lists_on(room):
    step = steps_of("hostile-bitbucket", "branches", BRANCH)["Plan"]
    assert room.run(step["script"]).returncode == 0
    outputs = (room.clone / "stellwerk-run/plan/outputs").read_text()
    assert outputs == "check=[]\ntraining={}\nenvironments=[]\n"
    (artifact,) = step["artifacts"]["upload"]
    assert artifact["paths"] == ["stellwerk-run/plan/**"]


def test_a_pull_request_to_another_branch_is_none_of_our_business(room):
    for step in steps_of("hostile-bitbucket", "pull-requests", "**").values():
        assert room.run(step["script"], BITBUCKET_PR_DESTINATION_BRANCH="else").returncode == 0
    assert room.called() == []


def test_the_result_of_a_pull_request_is_red_where_a_check_failed(room):
    result = steps_of("everything-bitbucket", "pull-requests", "**")["Result"]
    here = {"BITBUCKET_PR_DESTINATION_BRANCH": "release/1+2"}
    room.left("plan/success", "")
    assert room.run(result["script"], **here).returncode == 1
    room.left("check/success", "")
    assert room.run(result["script"], **here).returncode == 0


def test_what_drifted_in_every_place_reaches_the_step_that_tells(room):
    steps = steps_of("everything-bitbucket", "custom", "drift")
    for name in ("integration", "production"):
        room.left(f"in-{name}/outputs", "")
        links = [item for item in steps[name]["script"] if "ln -sfn" in item]
        assert room.run(links).returncode == 0
        (room.clone / "drift/environment.json").write_text(name)
        (room.clone / "drift").unlink()
    fetch = [item for item in steps["Announce"]["script"] if "cp -R" in item]
    assert room.run(fetch).returncode == 0
    found = sorted((room.clone / "drift").rglob("*.json"))
    assert [path.read_text() for path in found] == ["integration", "production"]


@pytest.mark.parametrize("name", ["everything-bitbucket", "hostile-bitbucket"])
def test_the_file_says_what_bitbucket_needs(name):
    text = golden.kept(name)["bitbucket-pipelines.yml"]
    said = yaml.safe_load(text)
    assert said["clone"] == {"depth": "full"}
    assert "Bitbucket Pipelines cannot do" in text
    for section, flows in said["pipelines"].items():
        for flow in flows.values():
            steps = [part["step"] for part in flow if "step" in part]
            deployments = [step["deployment"] for step in steps if "deployment" in step]
            assert len(deployments) == len(set(deployments))
            assert all(step["max-time"] and step["script"] for step in steps)
            assert not (section == "pull-requests" and deployments)
            last = steps[-1]
            assert "on-fail" not in last
            assert last["name"] == "Result"
            for step in steps:
                assert ("caches" in step) <= ("runs-on" not in step)
                assert step.get("runs-on", ["self.hosted"])[0] == "self.hosted"
    declared = {name for part in flows for name in part} if (flows := said["pipelines"]["custom"]["cd"]) else set()
    assert declared == {"variables", "step"}
    names = [entry["name"] for entry in said["pipelines"]["custom"]["cd"][0]["variables"]]
    assert names == ["CONFIRM_TRAININGS", "CONFIRM_REMOVALS"]


def test_each_schedule_has_a_pipeline_that_says_its_time():
    text = golden.kept("everything-bitbucket")["bitbucket-pipelines.yml"]
    custom = yaml.safe_load(text)["pipelines"]["custom"]
    crons = {f"{number} 3 * * 1" for number in range(40) if number % 4 == 1}
    scheduled = {name: flow for name, flow in custom.items() if name.startswith("ct-")}
    scripts = ["\n".join(item for part in flow for item in part["step"]["script"]) for flow in scheduled.values()]
    told = {cron for cron in crons for script in scripts if f"export SCHEDULE='{cron}'" in script}
    assert len(scheduled) == len(crons)
    assert told == crons
    assert all(f"Schedules (UTC): {cron}\n" in text for cron in {*crons, "5 5 * * *"})


TEXT = st.text(max_size=30) | st.lists(st.sampled_from(["'", '"', "\n", " ", "$(x)", "`", "\\", "\t", "#", ":"])).map(
    "".join
)


@given(st.lists(TEXT, min_size=1, max_size=4).map(tuple))
def test_yaml_gives_back_the_lines_that_were_written(lines):
    lines = ("(", *(line.encode("utf-8", "ignore").decode().replace("\r", "") for line in lines), ")")
    read = yaml.safe_load(f"script:\n            - {_item(lines)}\n")
    assert read["script"] == ["\n".join(lines)]


@settings(max_examples=25)
@given(TEXT)
def test_a_variable_holds_the_text_whatever_it_is(text):
    text = text.encode("utf-8", "ignore").decode().replace("\0", "")
    done = subprocess.run(["/bin/bash", "-c", export("X", text) + '\nprintf %s "$X"'], capture_output=True, check=True)
    assert done.stdout.decode() == text
