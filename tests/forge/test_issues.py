"""Issues: one for each marker, opened and closed with what it is about."""

from __future__ import annotations

import pytest
from github_server import BOT

from stellwerk.adapters.forge import ForgeError

MARKER = "incident/shoe-demand/0001"


@pytest.fixture
def report(new_forge):
    """The call of a run, with what it says by default."""

    def call(forge=None, **given):
        asked = {
            "marker": MARKER,
            "title": "shoe-demand drifted",
            "body": "PSI 0.31",
            "labels": ("incident",),
            "assignees": ("ada",),
            **given,
        }
        return (forge or new_forge()).issue(**asked)

    return call


def shown(issue):
    return issue["title"], issue["body"].partition("\n")[2], issue["state"]


def names(entries, key="name"):
    return [entry[key] for entry in entries]


def test_an_incident_opens_one_issue_with_labels_and_people(server, report):
    thing = report()
    assert (thing.number, thing.change, thing.note) == (1, "opened", "")
    assert shown(server.issues[1]) == ("shoe-demand drifted", "PSI 0.31", "open")
    assert names(server.issues[1]["labels"]) == ["stellwerk", "incident"]
    assert names(server.issues[1]["assignees"], "login") == ["ada"]
    assert "stellwerk" in server.labels


def test_running_twice_writes_nothing(server, report):
    report()
    before = server.written()
    assert (report().change, server.written()) == ("unchanged", before)


def test_new_evidence_updates_it_and_keeps_what_people_added(server, report):
    report()
    server._set(server.issues[1], {"labels": ["stellwerk", "incident", "bug"], "assignees": ["grace"]})
    thing = report(body="PSI 0.44", labels=("incident", "severe"))
    assert (thing.number, thing.change) == (1, "updated")
    assert shown(server.issues[1])[1] == "PSI 0.44"
    assert names(server.issues[1]["labels"]) == ["stellwerk", "incident", "bug", "severe"]
    assert names(server.issues[1]["assignees"], "login") == ["grace", "ada"]


def test_what_a_person_edits_stays_until_there_is_news(server, report):
    report()
    server.issues[1]["body"] += "\n- [x] called the warehouse"
    assert report().change == "unchanged"
    assert server.issues[1]["body"].endswith("called the warehouse")


def test_a_person_s_close_is_respected_until_there_is_new_evidence(server, report):
    report()
    server.close(1, by="ada")
    thing = report(assignees=("grace",))
    assert (thing.number, thing.change, server.issues[1]["state"]) == (1, "skipped", "closed")
    assert "a person closed it" in thing.note
    thing = report(body="PSI 0.44")
    assert (thing.number, thing.change, shown(server.issues[1])) == (
        1,
        "reopened",
        ("shoe-demand drifted", "PSI 0.44", "open"),
    )
    assert len(server.issues) == 1


def test_what_is_over_is_closed_with_words_and_comes_back_on_its_own_evidence(server, new_forge, report):
    report()
    closed = new_forge().close_issue(marker=MARKER, comment="back to PSI 0.02")
    assert (closed.number, closed.change, server.issues[1]["state"]) == (1, "closed", "closed")
    assert server.issues[1]["state_reason"] == "completed"
    assert server.bodies(1) == ["back to PSI 0.02"]
    assert report().change == "reopened", "we closed it, so the same evidence is news"
    assert new_forge().close_issue(marker=MARKER, comment="back to PSI 0.03").change == "closed"
    assert server.bodies(1) == ["back to PSI 0.02", "back to PSI 0.03"]


def test_closing_what_is_not_open_does_nothing(server, new_forge, report):
    assert new_forge().close_issue(marker=MARKER, comment="over") is None
    report()
    new_forge().close_issue(marker=MARKER, comment="over")
    before = server.written()
    assert new_forge().close_issue(marker=MARKER, comment="over") is None
    assert server.written() == before


def test_a_close_that_was_cut_off_says_its_words_once(server, new_forge, report):
    report()
    server.fail("PATCH /issues/1", 500, times=99)
    with pytest.raises(ForgeError):
        new_forge().close_issue(marker=MARKER, comment="over")
    server.faults.clear()
    assert new_forge().close_issue(marker=MARKER, comment="over").change == "closed"
    assert server.bodies(1) == ["over"]


def test_the_markers_of_open_issues_are_listed(server, new_forge, report):
    for marker in ("incident/a/1", "incident/b/1", "drift", "incident/ä --> b/1"):
        report(marker=marker)
    new_forge().close_issue(marker="incident/b/1", comment="over")
    server.close(3, by="ada")
    server.open_issue({"title": "stellwerk?", "body": "<!-- stellwerk", "labels": ["stellwerk"]}, by="ada")
    assert new_forge().issues(marker_prefix="incident/") == ("incident/a/1", "incident/ä --> b/1")
    assert new_forge().issues() == ("incident/a/1", "incident/ä --> b/1")


def test_a_pull_request_with_our_label_is_no_issue(server, new_forge, report):
    server.branch("feature")
    issue = report()
    pull = server.open_pull("feature", "main", title="x", body=server.issues[1]["body"], by="ada")
    server.pulls[pull["number"]]["labels"] = [server._label("stellwerk")]
    assert new_forge().issues() == (MARKER,)
    assert (report().number, report().change) == (issue.number, "unchanged")


def test_a_marker_further_down_is_free_text(server, new_forge, report):
    report(marker="other", body="as in\n<!-- stellwerk incident/shoe-demand/0001 //1 -->")
    assert report().number == 2


def test_who_cannot_be_assigned_is_left_out_and_named(server, report):
    thing = report(assignees=("ada", "nobody", "company/ml-ops"))
    assert thing.note == "cannot be assigned here, so left out: nobody, company/ml-ops"
    assert names(server.issues[1]["assignees"], "login") == ["ada"]


def test_more_people_than_github_assigns_are_named(server, report):
    people = tuple(f"person-{number}" for number in range(12))
    server.people |= set(people)
    assert report(assignees=people).note == "GitHub assigns 10 at most, so left out: person-10, person-11"


def test_two_runs_at_once_leave_the_older_open(server, new_forge, report):
    server.before("POST /issues", lambda: report(body="the other's"))
    thing = report()
    assert (thing.number, thing.change) == (1, "updated")
    assert [(n, i["state"]) for n, i in server.issues.items()] == [(1, "open"), (2, "closed")]
    assert shown(server.issues[2])[1] == "The same as #1.\n\nPSI 0.31"
    assert shown(server.issues[1])[1] == "PSI 0.31"
    assert report().change == "unchanged"


def test_two_that_are_open_become_one(server, new_forge, report):
    report()
    server.open_issue({**server.issues[1], "labels": ["stellwerk"], "assignees": []}, by=BOT)
    assert report().number == 1
    assert [issue["state"] for issue in server.issues.values()] == ["open", "closed"]


@pytest.mark.parametrize("carried_out", [True, False])
def test_an_answer_that_was_lost_opens_no_second_one(server, report, carried_out):
    server.fail("POST /issues", 502, carried_out=carried_out)
    server.fail("POST /labels", None, carried_out=carried_out)
    assert (report().number, len(server.issues)) == (1, 1)


def test_it_is_found_on_the_last_of_many_pages(server, new_forge, report):
    server.page = 3
    for number in range(8):
        report(marker=f"incident/m/{number}")
    assert report(marker="incident/m/7").change == "unchanged"
    server.close(8, by="ada")
    assert report(marker="incident/m/7").change == "skipped"


def test_a_hundred_unchanged_issues_cost_one_list(server, new_forge, report):
    for number in range(5):
        report(marker=f"incident/m/{number}")
    forge, before = new_forge(), len(server.exchanged)
    for number in range(5):
        report(forge, marker=f"incident/m/{number}")
    assert [str(e).partition("?")[0] for e in server.exchanged[before:]] == [
        "GET /repos/octocat/Hello-World -> 200",
        "GET /repos/octocat/Hello-World/issues",
    ]


def test_issues_that_are_turned_off_are_skipped(server, new_forge, report):
    server.settings["has_issues"] = False
    thing = report()
    assert (thing.number, thing.change, thing.note) == (None, "skipped", "issues are turned off in the repository")
    assert new_forge().issues() == ()


def test_a_token_that_may_open_but_not_label_is_told_so(server, report):
    server.drops_labels = True
    with pytest.raises(ForgeError, match="label #1, without which it is not found again") as caught:
        report()
    assert "issues: write" in caught.value.hint


def test_two_runs_that_make_the_label_at_once_both_go_on(server, report):
    server.before("POST /labels", lambda: server.labels.add("stellwerk"))
    assert report().change == "opened"
