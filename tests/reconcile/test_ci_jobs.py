"""What CI is told to start, from real repositories."""

import json

import pytest
from projects import CODE, DATA, Project

from stellwerk.errors import StellwerkError
from stellwerk.report.jobs_json import jobs_github, jobs_json

DECLARED = {
    "models/a/a.py": CODE + "\nimport shared\n",
    "models/b/b.py": CODE,
    "shared.py": "LIMIT = 1\n",
    "b.txt": "numpy==2.0.0\n",
    "data/sales.csv": DATA,
    "models/b/model.yaml": "models: {b: {source: models/b/b.py, requirements: b.txt}}\n",
    "mlops.yaml": """\
        version: 1
        include: [models/*/model.yaml]
        defaults: {target: sold, train: {data: sales}}
        datasets: {sales: {path: data/sales.csv}}
        models: {a: {source: models/a/a.py}}
        """,
    "environments/dev.yaml": "purpose: development\n",
    "environments/production.yaml": "purpose: production\nafter: dev\n",
}


@pytest.fixture
def two(project_from):
    """Two models on one dataset, declared and committed; a branch `change` is checked out."""

    def make(project):
        from projects import build

        files = {path: f"\n{text}" if path == "mlops.yaml" else text for path, text in DECLARED.items()}
        build(project, files)
        project.workspace.snapshot("sales", because="the start", push=False)
        project.repo.git("switch", "--quiet", "--create", "change")

    return project_from("ci-two", make)


def touched(project, base="main"):
    return [group.models for group in project.workspace.jobs(base=base, trainings=None, removals=None).check]


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        ("models/a/a.py", "bias=0.0", "bias=1.0", [("a",)]),
        ("shared.py", "1", "2", [("a",)]),
        ("b.txt", "2.0.0", "2.0.1", [("b",)]),
        ("models/b/model.yaml", "b.txt", "b.txt, risk: low", [("b",)]),
        ("mlops.yaml", "target: sold", "target: sold, task: regression", [("a",), ("b",)]),
        ("mlops.yaml", "data/sales.csv", "data/sales.csv, time: day", [("a",), ("b",)]),
        ("environments/dev.yaml", "development", "development\ncontrols: [review]", [("a",), ("b",)]),
        ("environments/production.yaml", "dev", "dev\ndescription: customers", []),
        ("mlops.yaml", "version: 1", "# a comment\nversion: 1", []),
        ("data/sales.csv.dvc", "md5: ", "md5: 0", [("a",), ("b",)]),
    ],
)
def test_a_change_touches_the_models_that_rest_on_it_committed_or_not(two, path, old, new, expected):
    assert touched(two) == []
    two.edit(path, old, new, commit=None)
    assert touched(two) == expected
    two.repo.git("commit", "--quiet", "--all", "--message", "change")
    assert touched(two) == expected


def test_what_the_base_got_meanwhile_touches_nothing(two):
    two.edit("models/a/a.py", "bias=0.0", "bias=1.0")
    two.repo.git("switch", "--quiet", "main")
    two.edit("models/b/b.py", "bias=0.0", "bias=2.0")
    two.repo.git("switch", "--quiet", "change")
    assert touched(two) == [("a",)]


def test_a_test_of_the_model_that_comes_or_goes_touches_it(two):
    two.repo.gen({"models/b/tests/test_b.py": "def test_b():\n    pass\n"}, commit="test b")
    assert touched(two) == [("b",)]


def test_declarations_that_are_new_touch_every_model(two):
    empty = two.repo.git("commit-tree", "-m", "empty", two.repo.git("mktree", stdin="").strip())
    two.repo.git("branch", "base", empty.strip())
    with pytest.raises(StellwerkError, match="no commit in common"):
        touched(two, "base")
    two.repo.git("rm", "--quiet", "mlops.yaml")
    two.repo.git("commit", "--quiet", "--message", "nothing declared")
    two.repo.git("branch", "bare")
    two.repo.git("revert", "--no-edit", "HEAD")
    assert touched(two, "bare") == [("a",), ("b",)]


def test_a_shallow_clone_without_the_merge_base_is_told_how_to_deepen(two, tmp_path):
    two.edit("models/a/a.py", "bias=0.0", "bias=1.0")
    two.repo.git("switch", "--quiet", "main")
    two.edit("models/b/b.py", "bias=0.0", "bias=2.0")
    shallow = tmp_path / "shallow"
    two.repo.git("clone", "--quiet", "--depth=1", "--branch=change", f"file://{two.root}", str(shallow))
    project = Project(type(two.repo)(shallow))
    for base in ("origin/main", "main"):
        with pytest.raises(StellwerkError) as caught:
            touched(project, base)
        assert "fetch-depth: 0" in caught.value.hint
        project.repo.git("fetch", "--quiet", "--depth=1", "origin", "+refs/heads/main:refs/remotes/origin/main")
        project.repo.git("branch", "--force", "main", "origin/main")
    project.repo.git("fetch", "--quiet", "--unshallow")
    assert touched(project, "origin/main") == [("a",)]


def test_the_jobs_of_a_plan_are_done_one_by_one(two):
    two.repo.git("switch", "--quiet", "main")
    two.workspace.render(check=False, force=(), directory=two.root)
    two.repo.git("add", "models")
    two.repo.git("commit", "--quiet", "--message", "render")
    jobs = two.workspace.jobs(base=None, trainings=None, removals=None)
    assert [job.models for job in jobs.training["dev"]] == [("a",), ("b",)]
    assert jobs.environments == ("production",)
    content = json.loads(jobs_json(jobs))
    assert content["training"] == {
        "dev": [{"models": "a", "title": "a"}, {"models": "b", "title": "b"}],
    }
    lines = dict(line.split("=", 1) for line in jobs_github(jobs).splitlines())
    assert {name: json.loads(value) for name, value in lines.items()} == {
        key: value for key, value in content.items() if key != "version"
    }


def test_an_open_proposal_that_the_checkout_did_not_bring_is_seen(small, tmp_path):
    small.repo.gen(
        {"environments/production.yaml": "purpose: production\npromotion: [{mode: pull-request}]\n"}, commit="go"
    )
    small.repo.remote()
    assert small.reconcile(push=True).problems == ()
    clone = tmp_path / "checkout"
    url = small.repo.git("remote", "get-url", "origin").strip()
    small.repo.git("clone", "--quiet", "--depth=1", "--branch=main", f"file://{url}", str(clone))
    jobs = Project(type(small.repo)(clone)).workspace.jobs(base=None, trainings=None, removals=None)
    assert (jobs.training, jobs.environments) == ({}, ())
