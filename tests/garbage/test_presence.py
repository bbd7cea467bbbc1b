"""Whether the bytes of a version are there is asked of the remote before anybody relies on them."""

from __future__ import annotations

import json
import shutil

import jsonschema
import yaml

from stellwerk.app import ReconcileRequest
from stellwerk.declarations.schema import schema_text
from stellwerk.report.status import status_text


def objects(project):
    return project.root.parent / "repo.storage/packages/files/md5"


def reconcile_and_lose(project, *, cache):
    """Reconcile; when the promotion starts, the packages are gone from the remote, and from the cache if asked."""

    def on_event(event):
        if event.kind == "start" and event.step.key.startswith("promote:"):
            shutil.rmtree(objects(project))
            if cache:
                shutil.rmtree(project.root / ".dvc/cache")

    return project.workspace.reconcile(ReconcileRequest(), on_event)


def test_a_version_whose_package_is_nowhere_is_not_released_and_the_problem_says_what_to_do(released):
    released.edit("mlops.yaml", "bias: 2.0", "bias: 3.0")
    before = released.release()
    outcome = reconcile_and_lose(released, cache=True)
    ((key, message, hint),) = outcome.problems
    md5 = yaml.safe_load(released.repo.read("registry/demand/3/version.yaml"))["package"]["md5"]
    assert key == "promote:demand:production"
    assert f"remote packages: the package of demand v3 ({md5}) is not in the remote" in message
    assert "on a machine whose DVC cache has it" in hint
    assert released.release() == before
    status = released.workspace.status(live=True)
    lacking = {(item.version, item.kind, item.state) for item in status.absent}
    assert lacking == {(2, "package", "missing"), (3, "package", "missing")}
    assert released.workspace.status(live=False).absent == ()
    shown = status_text(status, color=False, width=200)
    assert f"! package of demand v3 ({md5[:7]}) in remote packages: not in the remote" in shown
    printed = json.loads(released.repo.stellwerk("status", "--live", "--format", "json").stdout)
    assert len(printed["absent"]) == 2
    jsonschema.validate(printed, json.loads(schema_text("status")))
    (released.root.parent / "repo.storage").rename(released.root.parent / "elsewhere")
    (released.root.parent / "repo.storage").write_text("no folder")
    assert {item.state for item in released.workspace.status(live=True).absent} <= {"missing", "unknown"}


def test_what_the_remote_lost_is_pushed_again_from_the_cache_before_the_release(released):
    released.edit("mlops.yaml", "bias: 2.0", "bias: 3.0")
    outcome = reconcile_and_lose(released, cache=False)
    assert outcome.problems == ()
    assert released.running() == 3
    assert released.workspace.status(live=True).absent == ()
