"""Any single request is lost, or ends the run: in the end everything is there once, as if nothing had happened."""

from __future__ import annotations

import random

import pytest
from github_server import REPOSITORY, GitHubServer, served
from published import problems
from still_clock import Clock

from stellwerk.adapters.forge import ForgeDown, open_forge
from stellwerk.adapters.forge.patience import Patience


def shown(forge):
    """What a run shows: a proposal that waits for checks, a report under it, two incidents, one of them over."""
    pull = forge.pull_request(
        branch="promote", base="main", title="Promote m v3", body="AUC 0.8", merge=True, labels=("promotion",)
    )
    forge.comment(number=pull.number, marker="report", body="green")
    for name in forge.issues(marker_prefix="incident/"):
        if name == "incident/old":
            forge.close_issue(marker=name, comment="it is over")
    forge.issue(marker="incident/new", title="m drifted", body="PSI 0.3", labels=("incident",), assignees=("ada",))
    forge.issue(marker="incident/known", title="n drifted", body="PSI 0.5", labels=("incident",), assignees=("ada",))


def client(server, **patience):
    environ = {"GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": server.token, "GITHUB_API_URL": server.address}
    clock = Clock()
    given = Patience(sleep=clock.sleep, now=clock.now, jitter=random.Random(0), **patience)
    return open_forge(environ, print, "github", patience=given)


def state(server):
    """All that people see, without the numbers in what is given out in order."""
    pulls = [
        (p["title"], p["body"], p["state"], [x["name"] for x in p["labels"]], p["auto_merge"] is not None)
        for p in server.pulls.values()
    ]
    issues = [
        (i["title"], i["body"], i["state"], [x["name"] for x in i["labels"]], [x["login"] for x in i["assignees"]])
        for i in server.issues.values()
    ]
    return sorted(pulls), sorted(issues), sorted(comment["body"] for comment in server.comments.values())


def earlier(server):
    for name in ("old", "known"):
        client(server).issue(marker=f"incident/{name}", title=f"{name} drifted", body="PSI 0.2", assignees=("grace",))
    server.exchanged.clear()


def lived(number=None, *, carried_out=True, patient=True):
    """The server after a run whose so-manieth write was lost, and after the next run where that ended it."""
    server = GitHubServer(merge_state="blocked")
    server.branch("promote")
    with served(server):
        earlier(server)
        if number is not None:
            server.fail("(POST|PATCH|PUT|DELETE) .*", None, skip=number, carried_out=carried_out)
        try:
            shown(client(server) if patient else client(server, budget=0.0))
        except ForgeDown:
            assert not patient
            shown(client(server))
        else:
            assert patient or number is None
    assert [problem for exchanged in server.exchanged for problem in problems(exchanged)] == []
    return server


@pytest.fixture(scope="module")
def undisturbed():
    return lived()


WRITES = 9  # of an undisturbed run, and who it asks for it to be


def test_a_run_sends_so_many(undisturbed):
    assert len([exchanged for exchanged in undisturbed.exchanged if exchanged.verb != "GET"]) == WRITES


@pytest.mark.parametrize("patient", [True, False], ids=["goes on", "ends"])
@pytest.mark.parametrize("carried_out", [True, False], ids=["done", "not done"])
@pytest.mark.parametrize("number", range(WRITES))
def test_a_lost_request_changes_nothing_in_the_end(undisturbed, number, carried_out, patient):
    assert state(lived(number, carried_out=carried_out, patient=patient)) == state(undisturbed)
