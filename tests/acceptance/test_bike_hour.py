"""Bike rentals: what happened, and what a person read."""

from __future__ import annotations

import pytest
from audit import SERVE, records

pytestmark = pytest.mark.slow


def test_parts_of_the_target_are_suspected_before_anything_is_recorded_and_then_left_out(bike):
    warned = " ".join(bike.said("leak", "check").out.split())
    assert "SW410" in warned
    assert "casual (casual + registered is cnt in every row)" in warned
    assert "registered (" in warned
    assert "SW410" not in bike.said("version 1", "reconcile").out
    assert "SW410" not in bike.ada.git("log", "--format=%B")
    for _, version in records(bike, "/version.yaml"):
        assert set(version["parts"]["features"]["exclude"]) == {"casual", "registered"}


def test_a_version_born_with_parts_of_the_target_says_so_in_its_output_and_its_commit(bike):
    elsewhere = bike.another_machine("careless")
    text = (elsewhere.root / "mlops.yaml").read_text(encoding="utf-8")
    careless = text.replace("    features: {exclude: [casual, registered]}\n", "")
    assert careless != text
    elsewhere.write({"mlops.yaml": careless})
    elsewhere.git("commit", "--quiet", "--all", "--message", "Use every column")
    ran = elsewhere.stellwerk("reconcile", "--no-push", expect=3)
    assert "warning SW410" in ran.out
    born = elsewhere.git("log", "-1", "--format=%B", "--grep=^train: rental-demand v5")
    assert "suspected leaks (SW410): casual (casual + registered is cnt in every row)" in born
    assert "v5" not in bike.ada.git("ls-remote", "origin")


def test_high_risk_waits_for_a_second_person_who_is_named(bike):
    waiting = bike.said("version 1", "reconcile")
    assert waiting.code == 3
    assert "rental-demand production, by grace (ada may not: trained it)" in " ".join(waiting.out.split())
    refused = next(ran for ran in bike.transcript.ran if ran.who == "ada" and "approve" in ran.command)
    assert refused.code == 3
    assert "ada may not approve rental-demand v1: ada trained it" in refused.err


def test_the_worse_model_is_refused_with_every_figure_that_speaks_against_it(bike):
    refused = bike.said("refusal", "reconcile")
    assert refused.code == 3
    assert "check: rental-demand v2 failed in regression" in refused.out
    verdict = bike.record("registry/rental-demand/2/verdicts/regression.yaml")
    failed = {(check["name"], check.get("slice")) for check in verdict["checks"] if not check["passed"]}
    assert {("wape", None), ("wape", "workingday=0"), ("wape", "workingday=1"), ("r2_score", None)} <= failed
    assert verdict["champion"] == 1


def test_a_retrain_on_new_data_needs_no_approval_and_is_compared_on_rows_the_champion_never_saw(bike):
    version = bike.version(4)
    assert (version["trigger"], version["data"]["rows"], version["data"]["last"]) == ("retrain", 17520, "2012-12-31")
    verdict = bike.record("registry/rental-demand/4/verdicts/regression.yaml")
    assert (verdict["champion"], verdict["rows"], verdict["excluded"]) == (3, 720, 0)
    assert bike.said("new data", "reconcile").code == 0


def test_the_measured_figure_can_be_computed_again_from_the_bucket_alone(bike, tmp_path):
    import pandas as pd
    from audit import stored, stored_package

    version = bike.version(4)
    for path, content in stored_package(bike, version["package"]["md5"]).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    (tmp_path / "data.csv").write_bytes(stored(bike, version["data"]["md5"]))
    rows = pd.read_csv(tmp_path / "data.csv")
    held = rows[rows["day"] >= version["holdout"]["boundary"]]
    held.to_csv(tmp_path / "held.csv", index=False)
    bike.ada.python(SERVE, tmp_path, tmp_path / "held.csv", tmp_path / "answers.csv")
    answers = pd.read_csv(tmp_path / "answers.csv").iloc[:, 0].to_numpy()
    wape = abs(answers - held["cnt"]).sum() / held["cnt"].sum()
    assert len(held) == version["holdout"]["rows"] == 720
    assert wape == pytest.approx(version["metrics"]["wape"]["value"], rel=1e-9)
    verdict = bike.record("registry/rental-demand/4/verdicts/regression.yaml")
    whole = next(check for check in verdict["checks"] if check["name"] == "wape" and "slice" not in check)
    assert wape == pytest.approx(whole["measured"]["value"], rel=1e-9)


def test_the_service_of_each_version_answers_the_stand_in_rows(bike):
    passed = [record for path, record in records(bike, "/verdicts/integration.yaml")]
    assert len(passed) == 4
    for verdict in passed:
        service = next(check for check in verdict["checks"] if check["name"] == "service")
        assert service["detail"].startswith("answered 500 rows as the package does; answered its example; refused ")
        assert "left out" not in service["detail"]


def test_a_rollback_serves_the_older_version_at_once_and_stays_through_reconciles(bike):
    package = bike.version(3)["package"]["sha256"]
    assert bike.running() == package[:16]
    release = bike.record("environments/production/rental-demand.yaml")
    assert (release["version"], release["rollback"]["of"]) == (3, 4)
    assert release["hold"]["because"] == "stations in the north run empty"
    assert bike.record("registry/rental-demand/deployments/production.yaml")["package"] == package
    later = [ran for ran in bike.transcript.ran if ran.phase == "rollback" and ran.command == "stellwerk reconcile"]
    assert len(later) == 2
    for ran in later:
        assert ran.code == 0
        assert "held at version 3 by ada" in " ".join(ran.out.split())
        assert "Nothing to do" in ran.out
