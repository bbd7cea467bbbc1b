"""Deploy targets against real folders and real commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from stellwerk.adapters.folders import digest_folder
from stellwerk.adapters.targets import target_for
from stellwerk.adapters.targets.local import KEPT
from stellwerk.errors import StellwerkError
from stellwerk.model.declared import DeployTarget
from stellwerk.model.ports import DeployRequest

LOCAL = DeployTarget(target="local", path="deployed/production")


def package(tmp_path: Path, content: str) -> Path:
    folder = tmp_path / f"package-{content}"
    (folder / "code").mkdir(parents=True)
    (folder / "code/demand.py").write_text(content)
    (folder / "package.json").write_text('{"format": "joblib"}')
    return folder


def asks(tmp_path: Path, content: str, *, target: DeployTarget = LOCAL, version: int = 1) -> DeployRequest:
    folder = (
        package(tmp_path, content)
        if not (tmp_path / f"package-{content}").exists()
        else tmp_path / f"package-{content}"
    )
    return DeployRequest(
        model="demand",
        environment="production",
        target=target,
        version=version,
        package=folder,
        sha256=digest_folder(folder).sha256,
        fallback="last year's mean",
    )


def withdrawal(request: DeployRequest) -> DeployRequest:
    return replace(request, version=None, package=None, sha256=None)


@pytest.fixture
def local(tmp_path):
    return target_for(LOCAL, root=tmp_path)


def test_what_is_deployed_runs_and_the_one_before_is_kept(tmp_path, local):
    one, two = asks(tmp_path, "one"), asks(tmp_path, "two", version=2)
    assert local.running(one) is None
    assert local.deploy(one) == f"runs {one.sha256[:16]} at deployed/production/demand"
    assert local.running(one) == one.sha256
    local.deploy(two)
    assert local.running(one) == two.sha256
    place = tmp_path / "deployed/production/demand"
    assert (place / "current/code/demand.py").read_text() == "two"
    assert sorted(p.name for p in (place / "versions").iterdir()) == sorted((one.sha256[:16], two.sha256[:16]))
    local.deploy(one)
    assert local.running(one) == one.sha256


def test_deploying_again_changes_nothing(tmp_path, local):
    one = asks(tmp_path, "one")
    local.deploy(one)
    before = sorted(p.name for p in (tmp_path / "deployed/production/demand").rglob("*"))
    assert local.deploy(one).startswith("already ran")
    assert sorted(p.name for p in (tmp_path / "deployed/production/demand").rglob("*")) == before


def test_a_package_that_is_not_the_recorded_one_is_refused_and_the_old_one_serves_on(tmp_path, local):
    one = asks(tmp_path, "one")
    local.deploy(one)
    two = asks(tmp_path, "two", version=2)
    (two.package / "code/demand.py").write_text("tampered")
    with pytest.raises(StellwerkError, match="not the recorded one"):
        local.deploy(two)
    assert local.running(one) == one.sha256
    assert [p.name for p in (tmp_path / "deployed/production/demand/versions").iterdir()] == [one.sha256[:16]]


def test_a_link_in_a_package_is_refused(tmp_path, local):
    one = asks(tmp_path, "one")
    (one.package / "code/passwd").symlink_to("/etc/passwd")
    with pytest.raises(StellwerkError, match="is a link or a device"):
        local.deploy(one)
    assert local.running(one) is None


def test_a_damaged_deployment_is_seen_and_repaired(tmp_path, local):
    one = asks(tmp_path, "one")
    local.deploy(one)
    (tmp_path / "deployed/production/demand/current/code/demand.py").write_text("damaged")
    assert local.running(one) != one.sha256
    local.deploy(one)
    assert local.running(one) == one.sha256


def test_withdrawn_means_that_nothing_runs_and_the_fallback_is_named(tmp_path, local):
    one = asks(tmp_path, "one")
    local.deploy(one)
    place = tmp_path / "deployed/production/demand"
    for _ in range(2):
        assert local.deploy(withdrawal(one)) == "withdrawn; fallback: last year's mean"
        assert local.running(one) is None
        assert not (place / "current").is_symlink()
        assert json.loads((place / "withdrawn.json").read_text())["fallback"] == "last year's mean"
    local.deploy(one)
    assert local.running(one) == one.sha256
    assert not (place / "withdrawn.json").exists()


def test_withdrawing_what_never_ran_is_no_error(tmp_path, local):
    assert local.deploy(withdrawal(asks(tmp_path, "one"))).startswith("withdrawn")


def test_only_the_newest_versions_are_kept(tmp_path, local):
    for number in range(KEPT + 3):
        local.deploy(asks(tmp_path, f"v{number}"))
    assert len(list((tmp_path / "deployed/production/demand/versions").iterdir())) == KEPT


def test_a_target_that_cannot_be_written_says_where(tmp_path, local):
    (tmp_path / "deployed").write_text("a file")
    with pytest.raises(StellwerkError, match="cannot deploy demand") as caught:
        local.deploy(asks(tmp_path, "one"))
    assert "deployed" in caught.value.where


def command(**settings) -> DeployTarget:
    return DeployTarget(target="command", **settings)


@pytest.mark.own_templates
def test_a_command_is_told_everything_by_variables(tmp_path):
    target = command(
        command='env | grep ^STELLWERK_ | grep -v -e CACHE -e TEST | sort > told; cat "$STELLWERK_PACKAGE"/code/demand.py || true'
    )
    request = asks(tmp_path, "one", target=target, version=3)
    assert target_for(target, root=tmp_path).deploy(request) == "one"
    assert (tmp_path / "told").read_text().splitlines() == [
        "STELLWERK_ACTION=deploy",
        "STELLWERK_ENVIRONMENT=production",
        "STELLWERK_FALLBACK=last year's mean",
        "STELLWERK_MODEL=demand",
        f"STELLWERK_PACKAGE={request.package}",
        f"STELLWERK_SHA256={request.sha256}",
        "STELLWERK_VERSION=3",
    ]
    target_for(target, root=tmp_path).deploy(withdrawal(request))
    told = (tmp_path / "told").read_text().splitlines()
    assert "STELLWERK_ACTION=withdraw" in told
    assert "STELLWERK_PACKAGE=" in told


def test_a_command_that_fails_or_hangs_is_an_error_with_the_end_of_its_output(tmp_path):
    target = command(command="seq 1000; echo no cluster >&2; exit 7")
    with pytest.raises(StellwerkError, match="exited with 7") as caught:
        target_for(target, root=tmp_path).deploy(asks(tmp_path, "one", target=target))
    assert caught.value.message.endswith("no cluster")
    assert len(caught.value.message) < 1000
    target = command(command="sleep 60", timeout=0)
    with pytest.raises(StellwerkError, match="ran out of time"):
        target_for(target, root=tmp_path).deploy(asks(tmp_path, "one", target=target))


def test_what_a_command_started_lives_on(tmp_path):
    target = command(command="(sleep 0.3; touch served) > /dev/null 2>&1 & echo started")
    assert target_for(target, root=tmp_path).deploy(asks(tmp_path, "one", target=target)) == "started"
    import time

    for _ in range(100):
        if (tmp_path / "served").exists():
            return
        time.sleep(0.05)
    pytest.fail("the server was killed with the command that started it")


def test_a_probe_tells_what_runs_and_must_see_what_was_deployed(tmp_path):
    works = command(command='printf %s "$STELLWERK_SHA256" > live', probe="cat live 2>/dev/null || true")
    request = asks(tmp_path, "one", target=works)
    port = target_for(works, root=tmp_path)
    assert port.running(request) is None
    port.deploy(request)
    assert port.running(request) == request.sha256
    port.deploy(withdrawal(request))
    assert port.running(request) is None
    lies = command(command="true", probe="cat live")
    with pytest.raises(StellwerkError, match="the probe sees no package instead of"):
        target_for(lies, root=tmp_path).deploy(asks(tmp_path, "one", target=lies))


def test_a_probe_that_fails_or_talks_nonsense_is_no_answer(tmp_path):
    for probe in ("exit 1", "echo 503"):
        target = command(command="true", probe=probe)
        with pytest.raises(StellwerkError, match="the probe of production"):
            target_for(target, root=tmp_path).running(asks(tmp_path, "one", target=target))


def test_an_unknown_target_or_one_without_its_setting_is_refused(tmp_path):
    with pytest.raises(StellwerkError, match="no deploy target 'cloud'"):
        target_for(DeployTarget(target="cloud"), root=tmp_path)
    for kind, word in (("local", "path"), ("command", "command")):
        target = DeployTarget(target=kind)
        with pytest.raises(StellwerkError, match=f"has no {word}"):
            target_for(target, root=tmp_path).deploy(asks(tmp_path, "one", target=target))
