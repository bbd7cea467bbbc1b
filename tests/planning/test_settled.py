"""A plan that looks only at what changed is the plan of everything."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from stellwerk.adapters.git.cache import BlobCache
from stellwerk.app import Workspace
from stellwerk.errors import StellwerkError
from stellwerk.model.ids import CHANGED
from stellwerk.model.ports import Clock
from stellwerk.planning.settled import Claim, Listing, look, look_again, remember, unsettled
from stellwerk.report.plan_json import plan_json

spec = importlib.util.spec_from_file_location(
    "big_project", Path(__file__).parents[1] / "benchmarks" / "big_project.py"
)
big_project = importlib.util.module_from_spec(spec)
spec.loader.exec_module(big_project)
MODELS = 12
NOW = 1_770_000_000.0


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    big_project.generate(root, MODELS, versions=2)
    git(root, "config", "user.name", "Ada Example")
    git(root, "config", "user.email", "ada@example.com")
    return root


def git(root, *arguments):
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def answer(root):
    """What a plan says, or the words of its error."""
    environ = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    workspace = Workspace.open(root, environ=environ, clock=Clock(now=lambda: NOW))
    try:
        planned = workspace.plan(at=None, model=None, environment=None)
    except StellwerkError as error:
        findings = getattr(error, "findings", ())
        return (str(error), sorted(f"{item.rule} {item.place} {item.message}" for item in findings))
    return plan_json(planned.plan), planned.uncommitted


def findings(root):
    """What `validate` finds."""
    workspace = Workspace.open(root, environ={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull})
    found, sources = workspace.validate(base=None)
    return found, sources


def whole_answer(root, answer=answer):
    """The same with nothing remembered; what is remembered stays for the next."""
    kept, cache = root.parent / "kept", root / ".git/stellwerk"
    if cache.exists():
        cache.rename(kept)
    said = answer(root)
    shutil.rmtree(cache, ignore_errors=True)
    if kept.exists():
        kept.rename(cache)
    return said


def replaced(path, old, new):
    def edit(root):
        file = root / path
        if file.is_file():
            file.write_text(file.read_text().replace(old, new))

    return edit


def appended(path, text):
    def edit(root):
        if (root / path).parent.is_dir():
            with (root / path).open("a") as file:
                file.write(text)

    return edit


def removed(path):
    return lambda root: (root / path).unlink(missing_ok=True)


def committed(root):
    git(root, "add", "-A")
    git(root, "commit", "--quiet", "--allow-empty", "-m", "edit")


def restored(root):
    git(root, "checkout", "--quiet", "HEAD", "--", ".")


EDITS = {
    "a parameter": replaced("models/m0003/model.yaml", "depth: 3", "depth: 4"),
    "the parameter back": replaced("models/m0003/model.yaml", "depth: 4", "depth: 3"),
    "another model's parameter": replaced("models/m0004/model.yaml", "depth: 3", "depth: 5"),
    "a threshold": replaced("models/m0005/model.yaml", "max: 0.2", "max: 0.1"),
    "the data": replaced("models/m0005/model.yaml", "sales-0000", "sales-0001"),
    "a comment in code": appended("models/m0006/model.py", "# nothing\n"),
    "code": replaced("models/m0006/model.py", "penalty=1.0", "penalty=2.0"),
    "an import": appended("models/m0006/model.py", "import shared\n"),
    "shared code": appended("models/m0006/shared.py", "x = 1\n"),
    "a snapshot": replaced("data/sales-0000.csv.dvc", "md5: ", "md5: 0"),
    "a release": replaced("environments/production/m0007.yaml", "version: 2", "version: 1"),
    "no release": removed("environments/production/m0008.yaml"),
    "a record": removed("registry/m0009/2/verdicts/regression.yaml"),
    "a failed verdict": replaced("registry/m0009/2/verdicts/regression.yaml", "passed: true", "passed: false"),
    "a rendered file": appended("models/m0010/params.yaml", "edited: true\n"),
    "no rendered file": removed("models/m0010/dvc.yaml"),
    "a default": replaced("mlops.yaml", "seed: 7", "seed: 8"),
    "an owner": replaced("mlops.yaml", "operates: data-science", "operates: risk-office"),
    "a soak": appended("environments/production.yaml", "soak: 36500d\n"),
    "a freeze": appended("environments/production.yaml", "freeze: {until: '2030-01-01', reason: audit}\n"),
    "a rename": replaced("models/m0011/model.yaml", "  m0011:", "  mine:\n    previously: m0011"),
    "no model": removed("models/m0002/model.yaml"),
    "a second model in a file": appended(
        "models/m0001/model.yaml",
        "  second:\n    source: models/m0001/model.py\n    target: sold\n    train: {data: sales-0000}\n",
    ),
    "a mistake": appended("models/m0001/model.yaml", "    riks: high\n"),
    "a stranger": appended("notes.txt", "nothing\n"),
    "a record of nobody": appended("registry/ghost/1/version.yaml", "x\n"),
    "a commit": committed,
    "restored": restored,
}


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
)
@given(edits=st.lists(st.sampled_from(sorted(EDITS)), min_size=1, max_size=5))
def test_a_plan_of_what_changed_says_what_a_plan_of_everything_says(project, tmp_path_factory, edits):
    root = tmp_path_factory.mktemp("edited") / "project"
    shutil.copytree(project, root, symlinks=True)
    assert answer(root)[0] == whole_answer(root)[0]
    for name in edits:
        EDITS[name](root)
        assert answer(root) == whole_answer(root), name
        assert answer(root) == whole_answer(root), f"{name}, asked again"
        assert findings(root) == whole_answer(root, findings) == findings(root), name
    shutil.rmtree(root.parent)


@pytest.mark.parametrize("name", ["a parameter", "a threshold", "code", "a release", "a commit"])
def test_what_concerns_one_model_is_planned_without_the_others(project, tmp_path, monkeypatch, name):
    from stellwerk.app import quick

    root = tmp_path / "project"
    shutil.copytree(project, root, symlinks=True)
    assert answer(root)[1] == ()
    monkeypatch.setattr(quick, "_plan_whole", None)
    EDITS[name](root)
    assert answer(root)


def ruined(text):
    return lambda file: file.write_text(text)


def kept(values):
    """What the cache itself would have written."""

    def damage(file):
        cache = BlobCache(file.parent)
        cache.put(file.stem, "plan", {})
        cache._write(file.stem, values)

    return damage


def one_letter_changed(file):
    text = file.read_text()
    file.write_text(text[:-40] + text[-40:].translate(str.maketrans("abcdef0123456789", "badcfe1032547698")))


DAMAGE = {
    "truncated": lambda file: file.write_bytes(file.read_bytes()[: len(file.read_bytes()) // 2]),
    "emptied": ruined(""),
    "another kind of JSON": ruined("[1, 2]"),
    "another version": lambda file: file.write_text(file.read_text().replace('"version":"', '"version":"9')),
    "values of another shape": kept({"plan": {"models": 3}}),
    "another kind of value": kept([1, 2]),
    "some letters changed": one_letter_changed,
    "a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_a_damaged_cache_costs_time_and_changes_no_answer(project, tmp_path, damage):
    root = tmp_path / "project"
    shutil.copytree(project, root, symlinks=True)
    EDITS["a parameter"](root)
    right, found = answer(root), findings(root)
    for file in sorted((root / ".git/stellwerk/cache").glob("*.json")):
        DAMAGE[damage](file)
    assert answer(root) == right
    assert findings(root) == found


NAMES = ("a", "b", "c")
PATHS = ("mlops.yaml", *(f"models/{name}/{file}" for name in NAMES for file in ("model.yaml", "model.py")))
RELEASES = tuple(f"environments/production/{name}.yaml" for name in NAMES)
ENTRIES = st.sampled_from(["100644 1", "100644 2", f"100644 {CHANGED}3"])


def listings():
    """Of the same few paths, so that two of them often differ little."""
    return st.builds(
        lambda files, records, refs: Listing(files=files, records=records, refs=refs),
        files=st.dictionaries(st.sampled_from(PATHS + RELEASES), ENTRIES, min_size=len(PATHS)),
        records=st.fixed_dictionaries({name: st.sampled_from(["040000 1", "040000 2"]) for name in NAMES}),
        refs=st.sampled_from(["", "refs/heads/x"]),
    )


CLAIMS = {
    name: Claim(
        declared=f"models/{name}/model.yaml",
        files=(f"models/{name}/model.py", f"models/{name}/model.yaml", "models/a/model.py"),
        records=(name,),
        face="",
    )
    for name in NAMES
}


@given(remembered=listings(), other=listings(), few=st.sets(st.sampled_from(PATHS + RELEASES)))
def test_a_second_look_at_what_moved_says_what_a_look_at_everything_says(remembered, other, few):
    memory = remember(remembered, CLAIMS, NAMES[:2], empty=True)
    assume(memory is not None)
    moved = {path: other.files.get(path, "100644 1") for path in few & remembered.files.keys()}
    near = Listing(files={**remembered.files, **moved}, records=remembered.records, refs=remembered.refs)
    for first, second in permutations((remembered, near, other), 2):
        assert look_again(look(first, memory), second, memory) == unsettled(second, memory)
