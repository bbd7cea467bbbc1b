"""What an auditor finds years later in either project, without Stellwerk: git, hashes and the bucket."""

from __future__ import annotations

import json

import pytest
from audit import (
    MACHINE_VERBS,
    commits,
    committed_texts,
    digest,
    folder_digest,
    promotions,
    records,
    small_groups,
    stored,
    stored_package,
    subject,
    trailers,
)

pytestmark = pytest.mark.slow
MIN_GROUP = 10


@pytest.fixture(params=["bike", "credit"])
def story(request):
    """Each project, lived through."""
    return request.getfixturevalue(request.param)


def test_every_promotion_is_a_commit_whose_files_prove_it(story):
    found = list(promotions(story))
    assert [version for _, version in found][:3] == [1, 3, 4]
    for commit, number in found:
        home = f"registry/{story.model}/{number}"
        package = story.record(f"{home}/version.yaml", at=commit)["package"]["sha256"]
        for environment in ("dev", "integration", "regression"):
            verdict = story.record(f"{home}/verdicts/{environment}.yaml", at=commit)
            assert verdict["passed"]
            assert all(check["passed"] for check in verdict["checks"])
            assert verdict["package"] == package
            assert verdict["key"] == digest([verdict["package"], verdict["policy"], verdict["evaluation"]])
        # The verdict is about the rows that the version's own record names.
        version = story.record(f"{home}/version.yaml", at=commit)
        judged = story.record(f"{home}/verdicts/regression.yaml", at=commit)
        assert judged["evaluation"] == digest({"data": version["data"]["md5"], "holdout": version["holdout"]["digest"]})
        assert f"package: sha256 {package}" in story.ada.git("log", "-1", "--format=%B", commit)


def test_every_promotion_that_asks_for_four_eyes_holds_the_approval_of_somebody_who_did_not_train_it(story):
    for commit, number in promotions(story):
        home = f"registry/{story.model}/{number}"
        version = story.record(f"{home}/version.yaml", at=commit)
        assert version["actor"] == "ada <ada@example.com>"
        files = story.ada.git("ls-tree", "-r", "--name-only", commit, f"{home}/approvals/").splitlines()
        if story.model == "rental-demand" and version["trigger"] == "retrain":
            assert files == []  # declared: only changes are approved there
            continue
        assert files == [f"{home}/approvals/production/grace.yaml"]
        assert story.record(files[0], at=commit)["decision"] == "approved"


def test_the_refused_version_never_reached_production(story):
    verdict = story.record(f"registry/{story.model}/2/verdicts/regression.yaml")
    assert not verdict["passed"]
    released = {
        story.record(f"environments/production/{story.model}.yaml", at=commit)["version"]
        for commit in commits(story.ada, f"environments/production/{story.model}.yaml")
    }
    deployed = {
        story.record(f"registry/{story.model}/deployments/production.yaml", at=commit)["version"]
        for commit in commits(story.ada, f"registry/{story.model}/deployments/production.yaml")
    }
    assert released == deployed == {1, 3, 4}


def test_git_reads_the_trailers_of_every_commit_the_machine_made(story):
    seen = set()
    for commit in commits(story.ada, "."):
        verb, _, rest = subject(story.ada, commit).partition(": ")
        if verb not in MACHINE_VERBS:
            assert trailers(story.ada, commit) == {}
            continue
        read = trailers(story.ada, commit)
        assert read["Stellwerk-Action"] == verb
        if verb in {"promote", "deploy", "rollback", "check", "approve"}:
            assert read["Stellwerk-Model"] == story.model
            assert read["Stellwerk-Environment"] in {"production", "integration", "regression"}
            assert f"v{read['Stellwerk-Version']}" in rest
        seen.add(verb)
    assert {"approve", "check", "deploy", "promote", "render", "rollback", "snapshot", "train"} <= seen


def test_a_version_never_changed_after_its_birth(story):
    born = [path for path, _ in records(story, "/version.yaml")]
    assert len(born) == 4
    for path in born:
        for file in (path, path.replace("version.yaml", "profile.json")):
            # Not with --follow: a version resembles the one before, which git then takes for a renaming.
            assert len(story.ada.git("log", "--format=%H", "--", file).splitlines()) == 1


def test_no_commit_holds_a_row_of_the_data(story):
    texts = committed_texts(story.ada)
    assert "stand_in: " in texts  # the declarations, so the blobs were really read
    dataset = next(path for path, _ in _pointers(story) if "stand-in" not in path).removesuffix(".dvc")
    for path in (dataset, dataset.replace(".csv", "-stand-in.csv")):
        rows = (story.ada.root / path).read_text(encoding="utf-8").splitlines()[1:]
        assert len(rows) > 50
        assert [row for row in rows if row in texts] == []


def test_no_record_speaks_of_fewer_rows_than_a_small_group(story):
    profiles = [record for _, record in records(story, "/profile.json")]
    verdicts = [record for path, record in records(story, ".yaml") if "/verdicts/" in path]
    assert (len(profiles), len(verdicts)) == (4, 12)
    assert [found for record in (*profiles, *verdicts) for found in small_groups(record, MIN_GROUP)] == []


def test_the_bucket_holds_every_package_and_every_snapshot_byte_for_byte(story):
    for _, version in records(story, "/version.yaml"):
        files = stored_package(story, version["package"]["md5"])
        assert folder_digest(files) == version["package"]["sha256"]
        assert sum(map(len, files.values())) == version["package"]["size"]
        assert {"package.json", f"model.{version['package']['format']}"} < set(files)
        import hashlib

        data = stored(story, version["data"]["md5"])
        assert hashlib.sha256(data).hexdigest() == version["data"]["sha256"]
        assert data.count(b"\n") - 1 == version["data"]["rows"]


def test_no_commit_holds_the_keys_of_the_bucket(story):
    texts = committed_texts(story.ada)
    assert "testing-secret" not in texts
    assert json.loads(story.ada.git("show", f"HEAD:models/{story.model}/metrics.json"))


def _pointers(story):
    for path in story.ada.git("ls-files", "data/*.dvc").splitlines():
        yield path, story.record(path)
