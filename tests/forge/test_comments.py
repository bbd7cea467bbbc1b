"""Comments: one of ours for each marker."""

from __future__ import annotations

import pytest
from github_server import BOT

from stellwerk.adapters.forge import ForgeError
from stellwerk.model.ports import FORGE_BODY


@pytest.fixture
def pull(server):
    """A person's pull request, with somebody's words under it."""
    server.branch("feature")
    number = server.open_pull("feature", "main", title="a change", body="please", by="ada")["number"]
    server.comment_by("grace", number, "nice")
    return number


def test_a_comment_is_written_once_and_updated_in_place(server, new_forge, pull):
    first = new_forge().comment(number=pull, marker="report", body="red\n\nbecause")
    again = new_forge().comment(number=pull, marker="report", body="red\n\nbecause")
    then = new_forge().comment(number=pull, marker="report", body="green")
    assert [first.change, again.change, then.change] == ["opened", "unchanged", "updated"]
    assert (first.number, first.url) == (pull, then.url)
    assert server.bodies(pull) == ["", "green"]
    assert server.written() == [f"POST /issues/{pull}/comments", "PATCH /issues/comments/3"]


def test_each_marker_has_its_own(server, forge, pull):
    forge.comment(number=pull, marker="report", body="one")
    forge.comment(number=pull, marker="report/2", body="two")
    assert server.bodies(pull)[1:] == ["one", "two"]


def test_the_marker_of_somebody_else_is_not_ours(server, forge, pull):
    forge.comment(number=pull, marker="report", body="ours")
    ours = server.comments[3]["body"]
    server.comments.pop(3)
    server.comment_by("grace", pull, ours)
    server.comment_by("grace", pull, f"look:\n{ours}")
    thing = forge.comment(number=pull, marker="report", body="new")
    assert (thing.change, server.bodies(pull)[-1]) == ("opened", "new")
    assert server.bodies(pull)[1] == "ours"


def test_a_text_that_a_person_changed_is_restored(server, forge, pull):
    forge.comment(number=pull, marker="report", body="blocked by the threshold")
    server.comments[3]["body"] = server.comments[3]["body"].replace("blocked", "not blocked")
    assert forge.comment(number=pull, marker="report", body="blocked by the threshold").change == "updated"
    server.comments[3]["body"] = server.comments[3]["body"].replace("\n", "\r\n") + "\r\n"
    assert forge.comment(number=pull, marker="report", body="blocked by the threshold").change == "unchanged"


def test_a_server_that_does_not_tell_a_bot_who_it_is_still_finds_its_comment(server, new_forge, pull):
    server.tells_bots = False
    new_forge().comment(number=pull, marker="report", body="one")
    assert new_forge().comment(number=pull, marker="report", body="one").change == "unchanged"


def test_a_person_s_token_finds_its_comment(server, new_forge, pull):
    server.viewer = "grace"
    new_forge().comment(number=pull, marker="report", body="one")
    assert new_forge().comment(number=pull, marker="report", body="one").change == "unchanged"


def test_two_runs_at_once_leave_one(server, new_forge, pull):
    server.before("POST /issues/1/comments", lambda: new_forge().comment(number=pull, marker="report", body="other"))
    mine = new_forge().comment(number=pull, marker="report", body="mine")
    assert (mine.change, server.bodies(pull)) == ("updated", ["", "mine"])
    assert new_forge().comment(number=pull, marker="report", body="mine").change == "unchanged"


def test_two_that_are_there_become_one(server, new_forge, pull):
    new_forge().comment(number=pull, marker="report", body="one")
    server.comment_by(BOT, pull, server.comments[3]["body"])
    new_forge().comment(number=pull, marker="report", body="two")
    assert server.bodies(pull)[1:] == ["two"]


@pytest.mark.parametrize("carried_out", [True, False])
def test_an_answer_that_was_lost_leaves_one(server, forge, pull, carried_out):
    server.fail("POST /issues/1/comments", None, carried_out=carried_out)
    forge.comment(number=pull, marker="report", body="one")
    assert server.bodies(pull)[1:] == ["one"]


def test_it_is_found_on_the_last_of_many_pages(server, new_forge, pull):
    server.page = 3
    for _ in range(7):
        server.comment_by("grace", pull, "hm")
    new_forge().comment(number=pull, marker="report", body="one")
    for _ in range(7):
        server.comment_by("grace", pull, "hm")
    assert new_forge().comment(number=pull, marker="report", body="one").change == "unchanged"


def test_an_enterprise_server_is_asked_at_its_own_addresses(server, new_forge, pull):
    server.page = 1
    for _ in range(2):
        thing = new_forge(GITHUB_API_URL=f"{server.address}/api/v3/").comment(number=pull, marker="report", body="one")
    assert thing.change == "unchanged"
    asked = {exchanged.target.partition("?")[0] for exchanged in server.exchanged}
    assert asked == {"/api/graphql", f"/api/v3/repos/octocat/Hello-World/issues/{pull}/comments"}


def test_a_locked_conversation_is_skipped(server, forge, pull):
    server.locked.add(pull)
    thing = forge.comment(number=pull, marker="report", body="one")
    assert (thing.change, thing.note) == ("skipped", "its conversation is locked")


def test_a_closed_pull_request_still_takes_it(server, forge, pull):
    server.close(pull, by="ada")
    assert forge.comment(number=pull, marker="report", body="one").change == "opened"


def test_the_longest_text_fits_and_a_longer_one_is_refused_before_it_is_sent(server, forge, pull):
    assert forge.comment(number=pull, marker="x" * 200, body="ä" * FORGE_BODY).change == "opened"
    with pytest.raises(ForgeError, match="64,513 characters; 64,512 are allowed"):
        forge.comment(number=pull, marker="report", body="ä" * (FORGE_BODY + 1))
    assert len(server.written()) == 1
