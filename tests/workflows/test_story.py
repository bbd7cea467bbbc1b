"""The whole story of the reference project, told by its rendered workflows: each test goes on after the first delivery."""

from __future__ import annotations

import os
import shutil
import sysconfig
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from harness import BOT, App, Kill
from harness.story import commit, git
from shop import ALL, MODEL, Shelf
from wheel import make_wheel

from stellwerk.demo.reference import copy_reference, generate_data

pytestmark = pytest.mark.xdist_group("story")
long = pytest.mark.skipif(
    not ALL, reason="STELLWERK_STORIES=all tells it; tests/git and tests/reconcile show it in short"
)
APP = App(
    id="17",
    private_key="key of the app",
    slug="shop-stellwerk",
    permissions={"contents": "write", "pull-requests": "write", "issues": "write"},
)


@pytest.fixture(scope="session")
def shelf(tmp_path_factory, session_templates):
    return Shelf(tmp_path_factory.mktemp("shelf"), session_templates)


@pytest.fixture
def story(shelf, tmp_path):
    """`with story(**settings) as shop`: it goes on where version 1 runs in production."""
    if "delivered" not in shelf.kept:
        with shelf.shop(tmp_path / "first") as shop:
            shelf.keep("delivered", shop, shop.settle("cd"))

    @contextmanager
    def begin(**settings):
        with shelf.shop(tmp_path / "story", since="delivered", **settings) as shop:
            yield shop

    return begin


def season(shop, number):
    """The warehouse as it is after that many seasons."""
    place = shop.shelf.folder / f"season-{number}"
    if not place.exists():
        copy_reference(place)
        generate_data(place, seasons=number)
    shutil.copyfile(place / "data/sales.csv", shop.shelf.place / "warehouse/sales.csv")


def worked(run):
    """The jobs that cost something."""
    return [job.name for job in run.jobs if job.conclusion != "skipped"]


def deployed(shop):
    file = shop.shelf.place / f"deployed/{MODEL}/sha256"
    return file.read_text().strip() if file.exists() else None


def recorded(shop):
    return shop.read(f"registry/{MODEL}/deployments/production.yaml")["package"]


def propose(shop, branch, old, new):
    """A pull request of ada's that changes mlops.yaml."""
    git(shop.ada, "checkout", "--quiet", "-B", branch)
    shop.edit("mlops.yaml", old, new, message=branch)
    shop.push(branch)
    return shop.forge.propose(branch, title=branch)


def test_the_first_push_trains_checks_promotes_and_deploys(story, shelf):
    with story() as shop:
        (run,) = shelf.told["delivered"]
        assert run.conclusion == "success"
        train = f"Train in regression: {MODEL}"
        assert worked(run) == ["Plan", train, "integration-test", "regression", "production", "Announce"]
        assert shop.log()[:5] == [
            f"deploy: {MODEL} v1 to production",
            f"promote: {MODEL} v1 to production",
            f"check: {MODEL} v1 passed in regression",
            f"check: {MODEL} v1 passed in integration-test",
            f"train: {MODEL} v1",
        ]
        assert deployed(shop) == recorded(shop)
        assert "Pushed main to origin" in run.job("production").summary
        assert "Set up Python" in [step.name for step in run.job("production").steps]


def test_nothing_to_do_is_one_short_job(story):
    with story() as shop:
        before = shop.log()
        run = shop.github.dispatch("cd.yml")
        assert (run.conclusion, worked(run)) == ("success", ["Plan"])
        assert (shop.log(), shop.forge.exchanged) == (before, [])


def test_a_threshold_that_the_running_version_fails_is_red_until_it_is_good(story):
    with story() as shop:
        number = propose(shop, "strict", "max: 0.20", "max: 0.12")
        run = shop.last("ci")
        assert run.conclusion == "failure"
        assert {name for name, how in run.results().items() if how == "failure"} >= {"Plan", "Result"}
        for text in (run.job("Plan").summary, "\n".join(shop.forge.bodies(number))):
            assert "wape" in text
            assert "0.12" in text
            assert "fails" in text
        shop.edit("mlops.yaml", "max: 0.12", "max: 0.19", message="not so strict")
        shop.push("strict")
        run = shop.last("ci")
        assert run.conclusion == "success"
        (body,) = shop.forge.bodies(number)
        assert "0.19" in body
        assert "0.12" not in body


def test_a_pull_request_from_a_fork_gets_no_secret_and_no_comment_but_its_report(story, tmp_path):
    with story(private=False, secrets={"STELLWERK_APP_KEY": "a secret"}) as shop:
        git(tmp_path, "clone", "--quiet", str(shop.github.repository.bare), "fork")
        git(tmp_path / "fork", "checkout", "--quiet", "-B", "gift")
        fork = tmp_path / "fork"
        if ALL:
            shop.edit("mlops.yaml", "max: 0.20", "max: 0.19", message="gift", folder=fork)
        else:  # no model is touched, so none is trained
            shop.edit("data/generate.py", '"""', '"""A gift. ', message="gift", folder=fork)
        number = shop.forge.propose("gift", title="gift", by="mallory", fork=fork)
        (run,) = shop.settle("ci")
        assert run.conclusion == "success"
        assert ("0.19" if ALL else "compared with") in run.job("Plan").summary
        assert run.results()["Report"] == "skipped"
        assert not any("write" in job.permissions.values() for job in run.jobs if job.conclusion != "skipped")
        assert "secrets." not in shop.github.repository.read("main", run.workflow)
        assert (shop.forge.bodies(number), shop.forge.written()) == ([], [])


def test_a_season_later_the_schedule_brings_data_retrains_and_promotes(story):
    with story() as shop:
        before = shop.log()
        for run in (
            *shop.github.repository_dispatch("stellwerk-data", {"dataset": "sales"}),
            *(shop.github.schedule("0 3 * * 1") if ALL else ()),
        ):
            assert (run.conclusion, shop.log()) == ("success", before)
            assert worked(run) == ["Take data in regression", "deliver / Plan"]
        season(shop, 9)
        (run,) = shop.github.schedule("0 3 * * 1")
        assert run.conclusion == "success"
        assert shop.running() == 2
        assert deployed(shop) == recorded(shop)
        new = shop.log()[: -len(before)]
        assert [line.partition(":")[0] for line in new] == ["deploy", "promote", "check", "check", "train", "snapshot"]
        if ALL:
            season(shop, 10)
            (run,) = shop.github.repository_dispatch("stellwerk-data", {"dataset": "sales"})
            assert (run.conclusion, shop.running()) == ("success", 3)


def test_an_approval_and_a_promotion_pull_request_are_waited_for(story):
    with story() as shop:
        shop.edit("environments/production.yaml", "promotion: auto ", "promotion: pull-request ")
        shop.edit("environments/production.yaml", "    when: {risk: [high], trigger: [change]}\n", "")
        shop.retrain()
        shop.push()
        (run,) = shop.settle("cd")
        assert (run.conclusion, shop.running()) == ("success", 1)
        assert shop.issues() == [f"Approve {MODEL} v2 for production?"]

        grace = shop.github.clone("grace")
        shop.stellwerk("approve", MODEL, "production", "--because", "the numbers look right", who="grace", folder=grace)
        (run,) = shop.settle("cd")
        assert (run.conclusion, shop.running(), shop.issues()) == ("success", 1, [])
        (pull,) = shop.forge.pulls.values()
        assert pull["title"] == f"Promote {MODEL} v2 to production"

        shop.forge.merge(pull["number"], by="grace")
        run = shop.last("cd")
        assert (run.conclusion, shop.running()) == ("success", 2)
        assert deployed(shop) == recorded(shop)


def test_two_pushes_at_once_lose_nothing(story):
    with story(machine={"workers": 2}) as shop:
        lin = shop.github.clone("lin")
        shop.retrain()
        shop.push()
        git(lin, "pull", "--quiet")
        commit(lin, {"README.md": "A shop\n"}, "say what this is")
        git(lin, "push", "--quiet", "origin", "HEAD:main")
        runs = shop.settle("cd", "cd")
        assert [run.conclusion for run in runs] == ["success", "success"]
        assert (shop.running(), shop.trainings()) == (2, 2)
        assert "say what this is" in shop.log()
        run = shop.github.dispatch("cd.yml")
        assert worked(run) == ["Plan"]


def test_a_job_killed_half_way_is_finished_by_the_next_run(story):
    with story(machine={"templates": {}} if ALL else {}) as shop:
        shop.retrain()
        shop.push()
        (run,) = shop.settle("cd", kill=Kill(job="production", step="Check, promote, deploy", line="promote"))
        assert run.results()["production"] == "failure"
        assert (shop.running(), shop.trainings()) == (1, 2)
        run = shop.github.dispatch("cd.yml")
        assert run.conclusion == "success"
        assert (shop.running(), shop.trainings()) == (2, 2)
        assert shop.log().count(f"promote: {MODEL} v2 to production") == 1


@long
def test_a_protected_branch_refuses_the_token_and_nothing_is_lost(story):
    with story(protected={"main": ("ada",)}) as shop:
        shop.retrain()
        shop.push()
        before = shop.log()
        (run,) = shop.settle("cd")
        assert run.conclusion == "failure"
        job = run.job(f"Train in regression: {MODEL}")
        assert "main" in job.step("Train").log
        assert "protected" in job.step("Train").log.lower()
        assert "records: {ref: stellwerk/records" in " ".join(job.step("Train").log.split())
        assert "exit code 1" in job.step("Train").log
        assert "Traceback" not in job.log
        assert shop.log() == before
        shop.github.repository.change(shop.github.repository.settings.__class__())
        assert shop.github.dispatch("cd.yml").conclusion == "success"
        assert shop.running() == 2


@long
def test_a_token_that_may_not_push_workflow_files_is_refused_with_a_reason_and_nothing_is_lost(story):
    with story() as shop:
        token = shop.github.repository.issue_token(BOT, {"contents": "write"}, starts=False)
        mine = git(shop.ada, "config", "push.pushOption")
        shop.edit("mlops.yaml", "provider: github\n", "provider: github\n  drift: 7 7 * * *\n", message="look later")
        git(shop.ada, "config", "push.pushOption", f"token={token.value}")
        before = shop.log()
        said = " ".join(shop.stellwerk("reconcile", code=1).split())
        assert "without `workflows` permission" in said
        assert "stellwerk reconcile --no-render" in said
        assert shop.log() == before
        git(shop.ada, "config", "push.pushOption", mine)
        shop.stellwerk("reconcile")
        assert "7 7 * * *" in str(shop.read(".github/workflows/drift.yml"))


def test_with_a_ref_for_records_and_an_app_a_protected_branch_works_end_to_end(story):
    settings = {
        "apps": (APP,),
        "variables": {"STELLWERK_APP_ID": APP.id},
        "secrets": {"STELLWERK_APP_KEY": APP.private_key},
        "protected": {"main": ("ada",)},
    }
    with story(**settings) as shop:
        shop.edit("mlops.yaml", "provider: github\n", "provider: github\n  identity: github-app\n")
        shop.edit("mlops.yaml", "version: 1\n", "version: 1\nrecords: {ref: stellwerk/records, pull_request: true}\n")
        shop.retrain("records on a ref of their own")
        shop.push()
        runs = shop.settle()
        assert [run.conclusion for run in runs] == ["success"] * len(runs)
        assert shop.running(ref="stellwerk/records") == 2
        (pull,) = shop.forge.pulls.values()
        assert (pull["title"], pull["merged"]) == ("Records of Stellwerk", True)
        assert shop.running(ref="main") == 2
        shop.pull()
        assert worked(shop.github.dispatch("cd.yml")) == ["Plan"]


def test_elsewhere_stellwerk_is_installed_by_hash_from_a_folder_of_wheels_and_nothing_else(story, tmp_path):
    libraries = tmp_path / "libraries"  # all that Stellwerk needs, and pip, but not Stellwerk
    libraries.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.lower().lstrip("_").startswith(("stellwerk", "editable")):
            (libraries / path.name).symlink_to(path)
    system = os.pathsep.join(
        word for word in os.environ["PATH"].split(os.pathsep) if not Path(word, "stellwerk").exists()
    )
    with story(machine={"templates": {}}) as shop:
        machine = replace(shop.github.machine, path=system, site_packages=(libraries,))
        shop.github.machine = machine
        wheels, requirements = shop.ada / "wheels", shop.ada / ".github/stellwerk.txt"
        version, digest = make_wheel(wheels)
        requirements.write_text(f"stellwerk=={version} \\\n    --hash=sha256:{digest}\n")
        git(shop.ada, "add", "--all")
        git(shop.ada, "commit", "--quiet", "--message", "install from here")
        shop.push()
        (run,) = shop.settle("cd")
        assert (run.conclusion, worked(run)) == ("success", ["Plan"])
        job = run.job("Plan")
        assert list(job.folder.glob("tools/Python/*/x64/lib/python*/site-packages/stellwerk/render/pipelines/cd.py"))

        requirements.write_text(f"stellwerk=={version} \\\n    --hash=sha256:{'0' * 64}\n")
        git(shop.ada, "commit", "--quiet", "--all", "--message", "another hash")
        shop.push()
        (run,) = shop.settle("cd")
        assert run.job("Plan").step("Install Stellwerk").outcome == "failure"
        assert "DO NOT MATCH THE HASHES" in run.job("Plan").step("Install Stellwerk").log


def test_drift_has_one_issue_that_is_updated_and_closed(story):
    with story() as shop:
        sha = shop.shelf.place / f"deployed/{MODEL}/sha256"
        good = sha.read_text()
        sha.write_text("0" * 64 + "\n")
        (stored,) = (shop.shelf.place / "remote/packages").rglob("*.dir")
        moved = stored.rename(shop.shelf.folder / "moved")
        workflow = shop.ada / ".github/workflows/cd.yml"
        text = workflow.read_text()
        workflow.write_text(text.replace("timeout-minutes: 360", "timeout-minutes: 999"))
        git(shop.ada, "commit", "--quiet", "--all", "--message", "more time")
        shop.push()
        run = shop.github.dispatch("drift.yml")
        assert run.conclusion == "success"
        (issue,) = [issue for issue in shop.forge.issues.values() if issue["state"] == "open"]
        assert issue["title"] == "Drift: 3 things not as git says"
        assert "cd.yml" in issue["body"]

        sha.write_text(good)
        moved.rename(stored)
        assert shop.github.dispatch("drift.yml").conclusion == "success"
        assert shop.issues() == ["Drift: 1 thing not as git says"]

        git(shop.ada, "revert", "--no-edit", "HEAD")
        shop.push()
        assert shop.github.dispatch("drift.yml").conclusion == "success"
        assert (shop.issues(), len(shop.forge.issues)) == ([], 1)
