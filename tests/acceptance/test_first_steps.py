"""Steps a newcomer takes in another order than the guide's."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.slow

DECLARED = """
    version: 1
    classifications: [public, secret]
    datasets:
      orders: {path: data/orders.csv, classification: secret, stand_in: made-up}
      made-up: {path: data/made-up.csv, classification: public}
    models:
      demand: {source: demand.py, target: sold, train: {data: orders}}
"""
SOURCE = """
    def train(frame):
        return float(frame["sold"].mean())


    def predict(model, frame):
        return [model] * len(frame)
"""


def test_a_stand_in_that_came_later_still_lets_the_version_pass_integration(repo):
    """The stand-in was committed to git by mistake, so its snapshot waits; nobody's version is refused for that."""
    rows = "day,sold\n" + "".join(f"{day},{day % 7}\n" for day in range(60))
    repo.stellwerk("init", "--yes")
    repo.gen(
        {
            "mlops.yaml": DECLARED,
            "environments/integration.yaml": "purpose: integration\ndata: {allows: public}\n",
            "environments/regression.yaml": "purpose: regression\nafter: integration\ndata: {allows: secret}\n",
            "demand.py": SOURCE,
            "data/made-up.csv": rows,
            "data/.gitignore": "/orders.csv\n",
        },
        commit="declare",
    )
    repo.gen({".dvc/config": repo.read(".dvc/config"), ".gitignore": repo.read(".gitignore")}, commit="set up")
    repo.gen({"data/orders.csv": rows})
    first = repo.stellwerk("reconcile")
    assert first.returncode == 1
    assert "data/made-up.csv" in first.stdout
    assert "train: demand v1" in first.stdout
    assert not (repo.root / "registry/demand/1/verdicts").exists()
    repo.git("rm", "--quiet", "--cached", "data/made-up.csv")
    repo.git("commit", "--quiet", "--message", "leave the stand-in to DVC")
    second = repo.stellwerk("reconcile")
    assert second.returncode == 0, second.stdout + second.stderr
    assert "check: demand v1 passed in integration" in second.stdout


def test_init_says_to_run_it_again_once_data_are_declared_so_that_git_leaves_them_alone(repo):
    assert "stellwerk init && git add -A" in repo.stellwerk("init", "--yes").stdout
    repo.gen({"mlops.yaml": "version: 1\ndatasets: {orders: {path: data/orders.csv}}\n", "data/orders.csv": "a\n1\n"})
    repo.stellwerk("init", "--yes")
    repo.git("add", "--all")
    assert "data/orders.csv" not in repo.git("ls-files")


def test_the_file_a_dataset_is_taken_from_is_hidden_from_the_models_process(repo):
    """It holds the held-out rows with their target, whether a training is recorded or only tried out."""
    rows = "day,sold\n" + "".join(f"{day},{day % 7}\n" for day in range(60))
    spy = f"""
        import pandas as pd


        def train(frame):
            try:
                seen = len(pd.read_csv("{repo.root}/incoming/orders.csv"))
            except (OSError, pd.errors.EmptyDataError):
                return 1.0
            raise RuntimeError(f"{{seen}} rows are in reach")


        def predict(model, frame):
            return [model] * len(frame)
    """
    repo.gen(
        {
            "mlops.yaml": """
                version: 1
                datasets: {orders: {path: data/orders.csv, source: {file: incoming/orders.csv}}}
                models: {demand: {source: demand.py, target: sold, train: {data: orders}}}
            """,
            "demand.py": spy,
        }
    )
    repo.stellwerk("init", "--yes")
    repo.git("add", "--all")
    repo.gen({}, commit="declare")
    repo.gen({"incoming/orders.csv": rows, "data/orders.csv": rows})
    for verb in (["check", "demand"], ["reconcile"]):
        done = repo.stellwerk(*verb)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (repo.root / "registry/demand/1/version.yaml").exists()
