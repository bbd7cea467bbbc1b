"""The ladder from one dataset to a bank's four environments: every rung only adds keys."""

from projects import CODE, DATA, build, Project

APPEND, NEW = "append", "new"
FIRST = {"mlops.yaml": "version: 1\ndatasets:\n  sales:\n    path: data/sales.csv\n", "data/sales.csv": DATA}


def test_a_project_climbs_from_one_dataset_to_four_environments_with_one_training(repo, monkeypatch):
    project = build(Project(repo), FIRST)

    def step(*, waits=(), **files):
        """Commit, reconcile; afterwards the plan has no steps and only these waits."""
        if files:
            repo.gen({name: text for name, text in files.pop("files").items()}, commit="a rung")
        outcome = project.reconcile()
        assert outcome.problems == ()
        assert outcome.remaining.steps == ()
        assert project.keys() == []
        assert sorted(project.waits()) == sorted(waits)
        return [done.step.key for done in outcome.done]

    def more(path, text, under=None):
        """The file with a text added: below the line `under`, else at its end."""
        there = (repo.root / path).read_text()
        if under is None:
            return there + text
        assert under in there
        return there.replace(under, under + text, 1)

    def mlops(text, under=None, **kwargs):
        return step(files={"mlops.yaml": more("mlops.yaml", text, under)}, **kwargs)

    def environment(name, text, **kwargs):
        return step(files={f"environments/{name}.yaml": text}, **kwargs)

    assert step() == ["snapshot:sales"]

    model = "models:\n  demand:\n    source: demand.py\n    target: sold\n    train:\n      data: sales\n"
    done = step(files={"demand.py": CODE, "mlops.yaml": more("mlops.yaml", model)})
    assert done[-1] == "train:demand"

    nothing = {
        "thresholds": mlops("    thresholds: {mae: {max: 3, min_rows: 10}}\n"),
        "teams": mlops(
            "teams:\n  science: {contact: s@example.com, members: [{name: ada, email: ada@example.com}]}\n"
            "  risk: {contact: r@example.com, members: [{name: grace, email: grace@example.com}]}\n"
        ),
        "owners": mlops("owners: {accountable: risk, develops: science}\n"),
        "classification": mlops("    classification: confidential\n", under="    path: data/sales.csv\n")
        if mlops("classifications: [public, confidential]\n") == []
        else None,
    }
    assert nothing == dict.fromkeys(nothing, [])

    stand_in = "  made-up:\n    path: data/made-up.csv\n    classification: public\n"
    text = more("mlops.yaml", "    stand_in: made-up\n", under="    path: data/sales.csv\n")
    text = text.replace("models:\n", f"{stand_in}models:\n", 1)
    (repo.root / "data/made-up.csv").write_text(DATA.replace("7,", "8,"))
    assert step(files={"mlops.yaml": text}) == ["snapshot:made-up"]

    public = "data: {allows: public}\n"
    private = "data: {allows: confidential}\n"
    assert environment("dev", "purpose: development\n") == ["check:demand:dev"]
    assert environment("integration", "purpose: integration\nafter: dev\n") == ["check:demand:integration"]
    allows = "data: {allows: confidential}\n"
    regression = f"purpose: regression\nafter: integration\n{allows}"
    assert environment("regression", regression) == ["check:demand:regression"]
    for name in ("dev", "integration"):
        assert step(files={f"environments/{name}.yaml": more(f"environments/{name}.yaml", "data: {allows: public}\n")}) == []
    production = f"purpose: production\nafter: regression\n{allows}"
    deploy = "deploy: {target: local, path: deployed/production}\n"
    done = step(
        files={
            "environments/production.yaml": f"{production}{deploy}",
            "environments/regression.yaml": f"{regression}clone_of: production\n",
        }
    )
    assert done == ["promote:demand:production", "deploy:demand:production"]
    assert project.running() == 1

    def both(text, **kwargs):
        paths = ("environments/production.yaml", "environments/regression.yaml")
        return step(files={path: more(path, text) for path in paths}, **kwargs)

    assert both("controls: [encrypted-at-rest]\n") == []
    path = "environments/production.yaml"
    assert step(files={path: more(path, "approval: {by: risk}\n")}) == []
    assert step(files={path: more(path, "soak: 1d\n")}) == []
    assert step(files={path: more(path, "promotion: pull-request\n")}) == []
    assert step(files={path: more(path, "freeze: {until: 2027-01-04, reason: Christmas}\n")}) == []
    assert step(files={path: more(path, "on_violation: rollback\n")}) == []
    assert mlops("    risk: high\n", under="    source: demand.py\n") == []

    assert project.trainings() == ["train: demand v1"]
    assert project.running() == 1
    assert repo.status() == ""
