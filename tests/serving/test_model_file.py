"""How a model is written: skops where every type is trusted, joblib or pickle else, and the same bytes each time."""

from __future__ import annotations

import pytest

from stellwerk.worker.model_file import load, save


def with_skops() -> None:
    pytest.importorskip("skops", reason="the extra `skops` is not installed: pip install 'stellwerk[skops]'")


class Wrapped:
    """A type of somebody's own."""

    def __init__(self, inner):
        self.inner = inner


@pytest.fixture(scope="module")
def fitted():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = [[float(i), float(i % 3)] for i in range(20)]

    def fit():
        return make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, [i % 2 for i in range(20)])

    return fit, rows


def test_a_model_of_trusted_types_is_a_skops_file_with_the_same_bytes_each_time(fitted, tmp_path) -> None:
    with_skops()
    fit, rows = fitted
    contents = []
    kept = []  # so that no object of the second model lies where one of the first did
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        kept.append(fit())
        assert save(kept[-1], tmp_path / name) == ("skops", "skops trusts every type of the model")
        contents.append((tmp_path / name / "model.skops").read_bytes())
    assert contents[0] == contents[1]
    assert (load(tmp_path / "one").predict_proba(rows) == kept[0].predict_proba(rows)).all()


def test_a_type_of_ones_own_is_saved_with_joblib_and_the_reason_names_it(fitted, tmp_path) -> None:
    with_skops()
    fit, _ = fitted
    kind, why = save(Wrapped(fit()), tmp_path)
    assert (kind, why.startswith("skops does not trust"), "Wrapped" in why) == ("joblib", True, True)
    assert [path.name for path in tmp_path.iterdir()] == ["model.joblib"]
    assert isinstance(load(tmp_path), Wrapped)


def test_what_skops_cannot_write_is_saved_with_joblib(fitted, tmp_path) -> None:
    assert fitted
    kind, why = save({"read": open}, tmp_path)
    assert (kind, "skops" in why) == ("joblib", True)
    assert load(tmp_path)["read"] is open


def test_a_skops_file_with_a_foreign_type_is_not_loaded(fitted, tmp_path) -> None:
    with_skops()
    import skops.io

    assert fitted
    skops.io.dump(Wrapped(1), tmp_path / "model.skops")
    with pytest.raises(Exception, match="Untrusted types"):
        load(tmp_path)
