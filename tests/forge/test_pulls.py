"""Pull requests: one for each branch, whatever happens to it."""

from __future__ import annotations

import pytest
from github_server import BOT

from stellwerk.adapters.forge import ForgeError

BRANCH = "stellwerk/promote/production/shoe-demand"


@pytest.fixture
def propose(server, new_forge):
    """The call of a run, with what it says by default."""
    server.branch(BRANCH)

    def call(forge=None, **given):
        asked = {"branch": BRANCH, "base": "main", "title": "Promote shoe-demand v3", "body": "AUC 0.81", **given}
        return (forge or new_forge()).pull_request(**asked)

    return call


def shown(pull):
    return pull["title"], pull["body"].partition("\n")[2], pull["state"]


def test_a_branch_gets_one_pull_request_with_labels(server, propose):
    thing = propose(labels=("promotion", "production"))
    assert (thing.number, thing.change, thing.note, thing.merged) == (1, "opened", "", False)
    assert thing.url.endswith("/pull/1")
    assert shown(server.pulls[1]) == ("Promote shoe-demand v3", "AUC 0.81", "open")
    assert [label["name"] for label in server.pulls[1]["labels"]] == ["production", "promotion"]


def test_running_twice_writes_nothing(server, propose):
    propose(labels=("promotion",), merge=True)
    server.pulls[1].update(state="open", merged=False, auto_merge=None, merged_at=None, mergeable_state="unstable")
    server.settings["allow_auto_merge"] = False
    before = server.written()
    thing = propose(labels=("Promotion",), merge=True)
    assert (thing.change, server.written()) == ("unchanged", before)
    assert "a check is red or still running" in thing.note


def test_new_texts_update_it_in_place(server, propose):
    propose()
    thing = propose(title="Promote shoe-demand v4", body="AUC 0.84")
    assert (thing.number, thing.change) == (1, "updated")
    assert shown(server.pulls[1]) == ("Promote shoe-demand v4", "AUC 0.84", "open")
    assert len(server.pulls) == 1


def test_another_base_is_corrected(server, propose):
    server.branch("release")
    propose(base="release")
    thing = propose()
    assert (thing.number, thing.change, server.pulls[1]["base"]["ref"]) == (1, "updated", "main")


def test_what_a_person_edits_stays_until_there_is_news(server, propose):
    propose()
    server.pulls[1]["title"] = "feat: promote shoe-demand v3"
    assert propose().change == "unchanged"
    assert server.pulls[1]["title"] == "feat: promote shoe-demand v3"
    assert propose(body="AUC 0.9").change == "updated"


def test_a_pull_request_that_a_person_closed_stays_closed_until_something_else_is_proposed(server, propose):
    propose()
    server.close(1, by="ada")
    thing = propose(body="the base moved, the numbers too")
    assert (thing.number, thing.change, server.pulls[1]["state"]) == (1, "skipped", "closed")
    assert "ada closed it" in thing.note
    assert propose(title="Promote shoe-demand v4").number == 2


def test_a_pull_request_that_we_closed_is_opened_anew(server, propose):
    propose()
    server.delete_branch(BRANCH, by=BOT)
    server.branch(BRANCH)
    assert (propose().number, server.pulls[1]["state"]) == (2, "closed")


def test_a_merged_pull_request_is_history(server, propose):
    propose()
    server.merge(1)
    server.branch(BRANCH, "9" * 40)
    thing = propose()
    assert (thing.number, thing.change) == (2, "opened")


def test_a_branch_that_somebody_deleted_is_skipped(server, propose):
    server.branches.pop(BRANCH)
    thing = propose()
    assert (thing.number, thing.change, len(server.pulls)) == (None, "skipped", 0)
    assert "somebody may have deleted it" in thing.note


def test_a_branch_with_nothing_new_is_skipped(server, propose):
    server.branch(BRANCH, server.branches["main"])
    thing = propose()
    assert (thing.change, thing.note) == ("skipped", f"{BRANCH} holds nothing that main has not")


def test_a_base_that_is_not_there_is_an_error_in_githubs_words(propose):
    with pytest.raises(ForgeError, match="base is invalid"):
        propose(base="mian")


def test_a_branch_of_the_same_name_in_a_fork_is_others_business(server, propose):
    server.open_pull(BRANCH, "main", title="mine", body="", by="grace")
    server.pulls[1]["head"]["repo"]["full_name"] = "grace/Hello-World"
    server.pulls[1]["base"]["ref"] = "elsewhere"
    assert (propose().number, server.pulls[1]["title"]) == (2, "mine")


def test_two_runs_at_once_open_one(server, propose, new_forge):
    other = []
    server.before("POST /pulls", lambda: other.append(propose(new_forge(), body="the other's")))
    thing = propose()
    assert (other[0].change, thing.change, thing.number) == ("opened", "updated", other[0].number)
    assert [shown(pull)[1] for pull in server.pulls.values()] == ["AUC 0.81"]


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("status", [502, None])
def test_an_answer_that_was_lost_opens_no_second_one(server, propose, status, carried_out):
    server.fail("POST /pulls", status, carried_out=carried_out)
    thing = propose()
    assert (thing.number, len(server.pulls), server.pulls[1]["state"]) == (1, 1, "open")


def test_a_pull_request_closed_between_the_look_and_the_update_is_left(server, propose):
    propose()
    server.branch("release")
    server.before("PATCH /pulls/1", lambda: server.close(1, by="ada"))
    thing = propose(base="release")
    assert (thing.change, thing.note) == ("skipped", "it was closed meanwhile")
    server.pulls[1]["state"] = "open"
    server.before("PATCH /pulls/1", lambda: server.close(1, by="ada"))
    assert propose(body="news").note == "it was closed meanwhile"


def test_what_is_green_is_merged_at_the_commit_that_was_seen(server, propose):
    thing = propose(merge=True)
    assert (thing.change, thing.merged, thing.note) == ("opened", True, "merged")
    assert server.branches["main"] == server.branches[BRANCH]
    assert server.pulls[1]["merged"]


def test_what_waits_for_required_checks_is_merged_by_github(server, propose):
    server.merge_state = "blocked"
    thing = propose(merge=True)
    assert (thing.change, thing.merged) == ("opened", False)
    assert server.pulls[1]["auto_merge"]["merge_method"] == "merge"
    before = server.written()
    assert (propose(merge=True).change, server.written()) == ("unchanged", before)


def test_the_method_is_one_that_the_repository_allows(server, propose):
    server.settings |= {"allow_merge_commit": False}
    server.merge_state = "blocked"
    propose(merge=True)
    assert server.pulls[1]["auto_merge"]["merge_method"] == "squash"


def test_what_turns_green_before_auto_merge_is_on_is_merged(server, propose):
    server.merge_state = "blocked"
    server.before("POST /graphql", lambda: server.pulls[1].update(mergeable_state="clean"))
    assert propose(merge=True).merged


def test_auto_merge_that_is_not_allowed_is_said(server, propose):
    server.settings["allow_auto_merge"] = False
    server.merge_state = "blocked"
    thing = propose(merge=True)
    assert thing.change == "opened"
    assert thing.note == (
        "not merged: a required check or review is missing; the repository does not allow auto-merge, so the next run tries again"
    )


@pytest.mark.parametrize(
    ("state", "words"), [("dirty", "conflicts"), ("draft", "draft"), ("unstable", "unstable status")]
)
def test_what_cannot_be_merged_is_said(server, propose, state, words):
    server.merge_state = state
    thing = propose(merge=True)
    assert (thing.change, thing.merged) == ("opened", False)
    assert words in thing.note


def test_a_merge_that_github_works_out_for_too_long_is_left_to_the_next_run(server, propose, clock):
    server.unknown_looks = 99
    server.settings["allow_auto_merge"] = False
    thing = propose(merge=True)
    assert "does not yet know" in thing.note
    assert clock.slept == [1, 2, 4]


def test_a_head_that_moved_is_not_merged(server, propose):
    server.before("PUT /pulls/1/merge", lambda: server.branch(BRANCH, "7" * 40))
    thing = propose(merge=True)
    assert not thing.merged
    assert "Head branch was modified" in thing.note


def test_a_merge_whose_answer_was_lost_is_not_repeated(server, propose):
    server.fail("PUT /pulls/1/merge", 502, carried_out=True)
    assert propose(merge=True).merged
    assert server.written().count("PUT /pulls/1/merge") == 1


@pytest.mark.parametrize("state", ["clean", "blocked"])  # by us, and by GitHub later
def test_without_the_right_to_merge_the_pull_request_is_there_and_the_right_is_named(server, propose, state):
    server.merge_state = state
    server.rights = {"pull-requests: write", "issues: write"}
    thing = propose(merge=True)
    assert (thing.change, thing.merged) == ("opened", False)
    assert "`permissions: {contents: write}`" in thing.note


def test_an_auto_merge_that_is_no_longer_wanted_is_taken_back(server, propose):
    server.merge_state = "blocked"
    propose(merge=True)
    assert propose().change == "updated"
    assert server.pulls[1]["auto_merge"] is None
    before = server.written()
    assert (propose().change, server.written()) == ("unchanged", before)


def test_an_auto_merge_that_a_person_asked_for_stays(server, propose):
    server.merge_state = "blocked"
    propose(merge=True)
    server.pulls[1]["auto_merge"]["enabled_by"] = server._user("ada")
    assert propose().change == "unchanged"
    assert server.pulls[1]["auto_merge"] is not None
