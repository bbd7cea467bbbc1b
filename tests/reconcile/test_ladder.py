"""The ladder from one dataset to a bank's four environments: every rung only adds keys."""

from __future__ import annotations

from dataclasses import dataclass

from projects import CODE, DATA, Project, build

FIRST = {"mlops.yaml": "version: 1\ndatasets:\n  sales:\n    path: data/sales.csv\n", "data/sales.csv": DATA}
MODEL = "models:\n  demand:\n    source: demand.py\n    target: sold\n    train:\n      data: sales\n"
TEAMS = (
    "teams:\n  science: {contact: s@example.com, members: [{name: ada, email: ada@example.com}]}\n"
    "  risk: {contact: r@example.com, members: [{name: grace, email: grace@example.com}]}\n"
)
STAND_IN = "  made-up:\n    path: data/made-up.csv\n    classification: public\n"
REGRESSION = "purpose: regression\nafter: integration\ndata: {allows: confidential}\n"
PRODUCTION = "purpose: production\nafter: regression\ndata: {allows: confidential}\n"
DEPLOY = "deploy: {target: local, path: deployed/production}\n"


@dataclass
class Climber:
    """Adds to declarations, reconciles, and finds an empty plan; answers with the keys of what was done."""

    project: Project

    def rung(self, **files: str) -> list[str]:
        """Keys of files have `__` for `/`; `.yaml` is left out."""
        if files:
            named = {f"{name.replace('__', '/')}.yaml": text for name, text in files.items()}
            self.project.repo.gen(named, commit="a rung")
        outcome = self.project.reconcile()
        assert outcome.problems == ()
        plan = self.project.plan()
        assert (plan.steps, plan.waits) == ((), ())
        return [done.step.key for done in outcome.done]

    def more(self, path: str, text: str, *, under: str = "") -> str:
        """The file with a text below the line `under`, or at its end."""
        there = self.project.repo.read(path)
        assert under in there
        return there.replace(under, under + text, 1) if under else there + text

    def mlops(self, text: str, *, under: str = "") -> list[str]:
        return self.rung(mlops=self.more("mlops.yaml", text, under=under))

    def production(self, text: str) -> list[str]:
        return self.rung(environments__production=self.more("environments/production.yaml", text))


def test_a_project_climbs_from_one_dataset_to_four_environments_with_one_training(repo):
    project = build(Project(repo), FIRST)
    climb = Climber(project)
    assert climb.rung() == ["snapshot:sales"]
    repo.gen({"demand.py": CODE}, commit="the code")
    assert climb.mlops(MODEL)[-1] == "train:demand"

    assert climb.mlops("    thresholds: {mae: {max: 3, min_rows: 10}}\n") == []
    assert climb.mlops(TEAMS) == []
    assert climb.mlops("owners: {accountable: risk, develops: science}\n") == []
    assert climb.mlops("classifications: [public, confidential]\n") == []
    assert climb.mlops("    classification: confidential\n", under="    path: data/sales.csv\n") == []
    (repo.root / "data/made-up.csv").write_text(DATA.replace("7,", "8,"))
    assert climb.mlops(STAND_IN, under="datasets:\n") == ["snapshot:made-up"]
    assert climb.mlops("    stand_in: made-up\n", under="    path: data/sales.csv\n") == []

    assert climb.rung(environments__dev="purpose: development\n") == ["check:demand:dev"]
    assert climb.rung(environments__integration="purpose: integration\nafter: dev\n") == ["check:demand:integration"]
    assert climb.rung(environments__regression=REGRESSION) == ["check:demand:regression"]
    for name in ("dev", "integration"):
        text = climb.more(f"environments/{name}.yaml", "data: {allows: public}\n")
        assert climb.rung(**{f"environments__{name}": text}) == []

    clone = f"{REGRESSION}clone_of: production\n"
    done = climb.rung(environments__production=PRODUCTION + DEPLOY, environments__regression=clone)
    assert done == ["promote:demand:production", "deploy:demand:production"]
    controls = "controls: [encrypted-at-rest]\n"
    both = {"environments__production": PRODUCTION + DEPLOY + controls, "environments__regression": clone + controls}
    assert climb.rung(**both) == []
    assert climb.production("approval: {by: risk}\n") == []
    assert climb.production("soak: 1d\n") == []
    assert climb.production("promotion: pull-request\n") == []
    assert climb.production("freeze: {until: 2027-01-04, reason: Christmas}\n") == []
    assert climb.production("on_violation: rollback\n") == []
    assert climb.mlops("    risk: high\n", under="    source: demand.py\n") == []

    assert project.trainings() == ["train: demand v1"]
    assert (project.running(), repo.status()) == (1, "")
