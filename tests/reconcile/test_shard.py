"""`--shard i/n`: two jobs, one after the other, on a project that has nothing yet."""

from __future__ import annotations

from projects import CODE, DATA, build

from stellwerk.planning.shard import Shard

MLOPS = """\
version: 1
datasets: {sales: {path: data/sales.csv}}
models:
  alpha: {source: models/alpha/alpha.py, target: sold, train: {data: sales}}
  beta: {source: models/beta/beta.py, target: sold, train: {data: sales}}
"""


def test_each_job_does_its_part_and_the_one_that_needs_a_snapshot_waits_for_it(project_from):
    files = {"mlops.yaml": MLOPS, "data/sales.csv": DATA}
    files |= {f"models/{name}/{name}.py": CODE for name in ("alpha", "beta")}
    project = project_from("shards", lambda project: build(project, files))
    holder = Shard(number=1, of=2) if Shard(number=1, of=2).holds("alpha") else Shard(number=2, of=2)
    other = Shard(number=3 - holder.number, of=2)
    assert other.holds("beta")

    early = project.reconcile(shard=other)
    assert (early.problems, project.trainings()) == ((), [])
    assert [wait.unblock for wait in early.waits] == [f"run shard {holder}, then this one again"]
    assert [step.key for step in early.remaining.steps] == ["train:beta"]

    shown = project.repo.stellwerk("plan", "--shard", str(holder)).stdout
    assert "take a snapshot" in shown
    assert "beta" not in shown
    project.reconcile(shard=holder)
    assert project.trainings() == ["train: alpha v1"]
    late = project.reconcile(shard=other)
    assert (late.waits, project.trainings()) == ((), ["train: beta v1", "train: alpha v1"])
    assert project.steps() == []
