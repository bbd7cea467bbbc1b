"""Laws of the rules as a whole: total, ordered, quick, and right on a real repository."""

from __future__ import annotations

import json
import os
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stellwerk.adapters.git.read import CommitTree, GitReader, WorkTree
from stellwerk.declarations.compose import load_declarations
from stellwerk.declarations.records import dump
from stellwerk.model.findings import Finding
from stellwerk.model.observed import ModelFacts, Observed
from stellwerk.model.records import Release
from stellwerk.planning.observe import observe
from stellwerk.planning.rules import check_rules
from stellwerk.planning.rules.release_examples import born
from stellwerk.planning.rules.rule import RuleInput

names = st.sampled_from(["a", "A", "b", "größe", "production", "x" * 200])
paths = st.sampled_from(["a.py", "../a", "data/a.csv", "registry/a", "C:\\a", "/", "a/./b"])
numbers = st.sampled_from([-1, 0, 0.5, 1, 1e300])
listed = st.lists(names, max_size=2)


def some(**keys: st.SearchStrategy) -> st.SearchStrategy:
    return st.fixed_dictionaries({}, optional=keys)


threshold = some(
    max=numbers, min=numbers, max_worsening=st.sampled_from([0, 1, "2%"]), slices=listed, judge=st.just("bound")
)
metrics = st.sampled_from(["wape", "roc_auc", "recall", "approval_rate", "bias", "rocauc", "a:b"])
models = some(
    source=paths,
    target=names,
    task=st.sampled_from(["regression", "classification"]),
    requirements=paths,
    inputs=st.lists(paths, max_size=2),
    features=st.one_of(some(include=listed), some(exclude=listed)),
    train=st.fixed_dictionaries({"data": names}, optional={"holdout": some(by=listed)}),
    trains_in=names,
    environments=listed,
    previously=names,
    owners=some(accountable=names, develops=names),
    thresholds=st.dictionaries(metrics, threshold, max_size=2),
)
datasets = st.fixed_dictionaries(
    {"path": paths},
    optional={
        "classification": names,
        "stand_in": names,
        "key": listed,
        "personal": listed,
        "owner": names,
        "columns": st.dictionaries(names, st.just({}), max_size=2),
        "source": some(url=st.sampled_from(["https://a:b@c/d", "https://c/d"])),
    },
)
environments = st.fixed_dictionaries(
    {"purpose": st.sampled_from(["development", "integration", "regression", "production"])},
    optional={
        "after": names,
        "clone_of": names,
        "data": some(allows=listed),
        "controls": listed,
        "approval": st.lists(st.fixed_dictionaries({"by": names}, optional={"count": st.just(3)}), max_size=2),
        "owner": names,
        "secrets": st.lists(st.sampled_from(["NAME", "hQ7xPz3vK9mWc2RtYb8NdLs4"]), max_size=1),
    },
)
projects = st.fixed_dictionaries(
    {"version": st.just(1)},
    optional={
        "teams": st.dictionaries(names, some(members=listed, contact=names), max_size=2),
        "owners": some(develops=names),
        "classifications": st.lists(names, max_size=3, unique=True),
        "datasets": st.dictionaries(names, datasets, max_size=3),
        "defaults": models,
        "models": st.dictionaries(names, models, max_size=3),
    },
)
observed = st.builds(
    Observed,
    models=st.dictionaries(names, st.just(ModelFacts(versions={1: born("a", 1, "a", passed="a")}))),
    releases=st.dictionaries(st.tuples(names, names), st.builds(Release, version=st.integers(1, 2))),
    unreadable=st.just((("registry/a/1/version.yaml", "no"),)),
)


def files_of(project: dict, route: dict) -> dict[str, str]:
    # JSON is YAML, so the order of the keys is the order of the text.
    texts = {f"environments/{name}.yaml": json.dumps(value) for name, value in route.items()}
    return {"mlops.yaml": json.dumps(project), **texts}


@settings(max_examples=60)
@given(
    project=projects,
    route=st.dictionaries(names, environments, max_size=4),
    before=projects,
    facts=observed,
)
def test_rules_judge_any_project_whatever_without_an_exception(memory_tree, project, route, before, facts):
    tree = memory_tree({**files_of(project, route), "a.py": "def decide(): ...", "a/b": "x>1"}, frozenset({"data"}))
    declarations, _ = load_declarations(tree)
    base, _ = load_declarations(memory_tree(files_of(before, {})))
    if declarations is None:
        return
    findings = check_rules(RuleInput(declarations=declarations, base=base, observed=facts, tree=tree))
    assert list(findings) == sorted(set(findings), key=lambda item: (item.place, item.rule, item.message))
    assert all(finding.message.strip() for finding in findings)
    for finding in findings:
        assert "hQ7xPz3vK9mWc2RtYb8NdLs4" not in finding.message + finding.hint


@settings(max_examples=40)
@given(project=projects, route=st.dictionaries(names, environments, max_size=4), seed=st.integers(0, 9))
def test_the_order_of_the_declarations_does_not_matter(memory_tree, project, route, seed):
    def shuffled(value: object) -> object:
        if not isinstance(value, dict):
            return value
        items = [(key, shuffled(item)) for key, item in value.items()]
        random.Random(seed).shuffle(items)
        return dict(items)

    def judged(project: dict) -> set[tuple[str, str]]:
        declarations, _ = load_declarations(memory_tree(files_of(project, route)))
        return {(item.rule, item.place.path) for item in check_rules(RuleInput(declarations=declarations))}

    assert judged(project) == judged(shuffled(project))


def thousand_models(*, wrong: bool) -> dict[str, str]:
    data, metric = ("dd", "rocauc") if wrong else ("d", "roc_auc")
    lines = ["version: 1", "teams: {ds: {members: [a, b], contact: c}}", "owners: {accountable: ds}", "datasets:"]
    lines += [f"  d{i}: {{path: data/d{i}.csv, columns: {{x: {{}}, g: {{}}, y: {{}}}}}}" for i in range(100)]
    lines += ["models:"]
    lines += [
        f"  m{i}: {{source: m/{i}.py, requirements: m/{i}.txt, target: y, train: {{data: {data}{i % 100}}},"
        f" thresholds: {{{metric}: {{min: 0.8, slices: [g]}}}}}}"
        for i in range(1000)
    ]
    route = {
        "dev": "purpose: development",
        "int": "purpose: integration\nafter: dev",
        "reg": "purpose: regression\nafter: int\nclone_of: production",
        "production": "purpose: production\nafter: reg\napproval: [{by: ds}]",
    }
    code = {f"m/{i}.{end}": "pandas==3.0\n" for i in range(1000) for end in ("py", "txt")}
    return {"mlops.yaml": "\n".join(lines), **{f"environments/{n}.yaml": t for n, t in route.items()}, **code}


@pytest.mark.parametrize(("wrong", "seconds", "found"), [(False, 0.3, 0), (True, 1.0, 2000)])
def test_a_thousand_models_in_four_environments_take_no_quadratic_time(memory_tree, wrong, seconds, found):
    """About 0.05 s where nothing is wrong; the bounds leave room for a busy machine, not for a loop in a loop."""
    tree = memory_tree(thousand_models(wrong=wrong))
    declarations, problems = load_declarations(tree)
    assert problems == ()
    facts = Observed(
        models={f"m{i}": ModelFacts(versions={1: born(f"m{i}", 1, "d1", passed="reg")}) for i in range(1000)},
        releases={("production", f"m{i}"): Release(version=1) for i in range(1000)},
    )
    started = time.process_time()
    findings = check_rules(RuleInput(declarations=declarations, base=declarations, observed=facts, tree=tree))
    assert time.process_time() - started < seconds
    assert len(findings) == found, findings[:3]


# A real repository

CHURN = """\
version: 1
datasets: {customers: {path: data/customers.csv}}
models:
  churn: {source: churn.py, target: churned, train: {data: customers}, thresholds: {log_loss: {max: 0.5}}}
"""


class NoCache:
    def get(self, kind: str, blob: str) -> None:
        return None

    def put(self, kind: str, blob: str, value: object) -> None:
        return None


def judged(tree) -> list[Finding]:
    declarations, findings = load_declarations(tree)
    facts = observe(declarations.project, tree, tree, cache=NoCache(), basis="")
    return [*findings, *check_rules(RuleInput(declarations=declarations, observed=facts, tree=tree))]


def test_a_folder_that_git_has_as_a_symbolic_link_is_found_in_the_work_tree_and_in_the_commit(repo):
    (repo.root / "data").symlink_to("/tmp")
    repo.git("add", "data")
    repo.gen({"mlops.yaml": CHURN, "churn.py": "def train(frame): ...\n"}, commit="declare")
    reader = GitReader(root=repo.root, environ=dict(os.environ))
    for tree in (WorkTree(reader), CommitTree(reader, repo.head())):
        assert [(finding.rule, str(finding.place)) for finding in judged(tree)] == [("SW502", "mlops.yaml:2:30")]


def test_releases_are_judged_against_the_records_that_git_has(repo):
    version = born("churn", 1, "customers", passed="regression")
    repo.gen(
        {
            "mlops.yaml": CHURN,
            "churn.py": "def train(frame): ...\n",
            "environments/regression.yaml": "purpose: regression\n",
            "environments/production.yaml": "purpose: production\nafter: regression\n",
            "environments/production/churn.yaml": "version: 1\n",
            "registry/churn/1/version.yaml": dump(version.record),
            "registry/churn/1/verdicts/regression.yaml": dump(version.verdicts["regression"]),
        },
        commit="release",
    )
    reader = GitReader(root=repo.root, environ=dict(os.environ))
    assert judged(CommitTree(reader, repo.head())) == []

    repo.gen({"environments/production/churn.yaml": "version: 2\n"}, commit="release what is not there")
    assert [finding.rule for finding in judged(CommitTree(reader, repo.head()))] == ["SW601"]

    repo.gen(
        {"environments/production/churn.yaml": "version: 1\n", "registry/churn/2/version.yaml": "model: churn\n"},
        commit="break a record",
    )
    repo.git("rm", "-q", "registry/churn/1/verdicts/regression.yaml")
    repo.git("commit", "-q", "-m", "lose the verdict")
    findings = judged(CommitTree(reader, repo.head()))
    assert [(finding.rule, finding.place.path) for finding in findings] == [
        ("SW602", "environments/production/churn.yaml"),
        ("SW604", "registry/churn/2/version.yaml"),
    ]
