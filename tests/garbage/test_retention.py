"""Laws of retention, and of a sweep that others' work comes between. Pure but for the fakes."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stellwerk.model.declared import Retention
from stellwerk.model.garbage import Place, Stored
from stellwerk.model.observed import Observed
from stellwerk.model.records import Erasure, Removal
from stellwerk.planning.retention import Use, Uses, decide, read_uses
from stellwerk.reconcile.garbage import Need, Wish, survey, sweep

NAMES = [f"{number:x}" * 32 for number in range(6)]
CACHE, REMOTE = (Place(name=name, address=name, own=name == "cache") for name in ("cache", "packages"))
periods = st.none() | st.integers(0, 50)
retentions = st.builds(Retention, releases=periods, versions=periods, snapshots=periods)
uses = st.lists(
    st.builds(
        Use,
        rule=st.sampled_from(["releases", "versions", "snapshots"]),
        words=st.sampled_from(["a", "b"]),
        objects=st.frozensets(st.sampled_from(NAMES), min_size=1),
        last=st.none() | st.floats(0, 100),
    ),
    max_size=6,
)


def names(need):
    return frozenset().union(*(use.objects for use in need))


@settings(max_examples=40)
@given(uses, retentions)
def test_every_content_that_is_used_either_stays_or_goes_with_a_reason(found, retention):
    judged = decide(found, retention, 100)
    assert judged.kept.keys() | judged.expired.keys() == names(found)
    assert not judged.kept.keys() & judged.expired.keys()
    assert all(judged.kept.values())
    assert all(judged.expired.values())


@settings(max_examples=40)
@given(uses, retentions, st.randoms())
def test_the_order_of_uses_decides_nothing_and_one_more_use_never_lets_anything_go(found, retention, random):
    judged = decide(found, retention, 100)
    shuffled = random.sample(found, len(found))
    assert decide(shuffled, retention, 100) == judged
    assert decide(found[1:], retention, 100).kept.keys() <= judged.kept.keys()


@settings(max_examples=40)
@given(uses, retentions, st.sampled_from(["releases", "versions", "snapshots"]), st.none() | st.integers(0, 50))
def test_a_longer_retention_never_lets_more_go(found, retention, rule, more):
    before = getattr(retention, rule)
    longer = replace(retention, **{rule: None if more is None or before is None else before + more})
    assert decide(found, retention, 100).kept.keys() <= decide(found, longer, 100).kept.keys()


@settings(max_examples=40)
@given(uses)
def test_without_a_declared_retention_nothing_ever_goes(found):
    assert decide(found, Retention(), 10**12).expired == {}


@settings(max_examples=40)
@given(uses, retentions)
def test_what_is_in_use_stays_whatever_is_declared(found, retention):
    lasting = names(use for use in found if use.last is None)
    assert lasting <= decide(found, retention, 10**12).kept.keys()


@dataclass
class Entry:
    path: str
    blob: str
    born: float | None = 1.0
    ended: float | None = None
    now: bool = True


def test_a_release_that_cannot_be_read_keeps_every_version_of_its_model():
    texts = {
        "v1": b"model: m\ndata:\n  md5: " + NAMES[0].encode() + b"\npackage:\n  md5: " + NAMES[1].encode() + b".dir\n",
        "broken": b"version: [",
        "rolled back": b"version: 2\nrollback: {of: 1, because: x, by: y}\n",
    }
    for release in ("broken", "rolled back"):
        entries = [
            Entry("registry/m/1/version.yaml", "v1"),
            Entry("environments/p/m.yaml", release, now=False, ended=90.0),
        ]
        found = read_uses(entries, texts)
        kept = decide(found.uses, Retention(versions=0, releases=20), 100).kept
        assert set(kept) == {NAMES[0], f"{NAMES[1]}.dir"}
        assert found.packages == {f"{NAMES[1]}.dir": ("m@1",)}
        assert decide(found.uses, Retention(versions=0, releases=5), 100).kept == {}


@dataclass
class Shelves:
    """A cache and a remote in memory; `before` runs once, before the first deletion in the remote."""

    held: dict[str, set[str]]
    lists: dict[str, frozenset[str]] = field(default_factory=dict)
    before: object = None

    def stored(self, place):
        return tuple(Stored(md5=md5, size=1, modified=0) for md5 in sorted(self.held[place.name]))

    def folders(self, hashes, places):
        return {md5: self.lists.get(md5) for md5 in hashes if md5.endswith(".dir")}

    def delete(self, place, hashes):
        if self.before is not None:
            act, self.before = self.before, None
            act()
        self.held[place.name] -= set(hashes)
        return len(set(hashes))


class World:
    def __init__(self, shelves):
        self.store = self
        self.shelves = shelves

    def push(self, hashes, *, remote):
        assert set(hashes) <= self.shelves.held["cache"]
        self.shelves.held[remote] |= set(hashes)


def need(found=(), *, observed=None, retention=None):
    packages = {}
    return Need(
        uses=Uses(uses=tuple(found), names={}, packages=packages),
        retention=retention or Retention(releases=1, versions=1, snapshots=1),
        observed=observed or Observed(),
        now=10**6,
    )


def wish(**more):
    return Wish(places=(CACHE, REMOTE), everywhere=(CACHE, REMOTE), grace=0, **more)


@settings(max_examples=40)
@given(uses, uses, st.frozensets(st.sampled_from(NAMES)), st.frozensets(st.sampled_from(NAMES)), st.booleans())
def test_what_somebody_comes_to_need_meanwhile_is_there_in_the_end(first, then, cached, pushed, unnamed):
    """Another run pushed bytes before the sweep began, and pushes the commit that names them during the sweep."""
    shelves = Shelves(held={"cache": set(cached | pushed), "packages": set(pushed)})
    known = [need(first)]
    shelves.before = lambda: known.append(need([*first, *then]))
    asked = wish(unnamed=unnamed)
    found = survey(known[-1], asked, shelves)
    sweep(World(shelves), found, lambda: known[-1], asked, shelves)
    kept = known[-1].verdicts().kept.keys()
    assert kept & pushed <= shelves.held["packages"]
    assert kept & cached <= shelves.held["cache"]


@settings(max_examples=40)
@given(uses, retentions, st.frozensets(st.sampled_from(NAMES)))
def test_a_second_run_finds_nothing_left_to_take(found, retention, held):
    shelves = Shelves(held={"cache": set(held), "packages": set(held)})
    current = need(found, retention=retention)
    sweep(World(shelves), survey(current, wish(), shelves), lambda: current, wish(), shelves)
    assert all(item.goes == () for item in survey(current, wish(), shelves).sweeps)


def test_an_erased_content_goes_though_it_is_young_named_and_in_use():
    erased = Erasure(md5=NAMES[0], because="x", by="y", at="2026-01-31T12:00:00Z")
    current = need(
        [Use(rule="releases", words="a", objects=frozenset(NAMES[:2]), last=None)],
        observed=Observed(erased={NAMES[0]: erased}),
    )
    shelves = Shelves(held={"cache": set(NAMES[:2]), "packages": set(NAMES[:2])})
    asked = replace(wish(), grace=10.0**9)
    sweep(World(shelves), survey(current, asked, shelves), lambda: current, asked, shelves)
    assert shelves.held == {"cache": {NAMES[1]}, "packages": {NAMES[1]}}


def test_what_a_killed_run_left_of_a_removed_folder_is_taken_by_the_next_one():
    """The folder's list went first, so only the record still knows its files."""
    removal = Removal(name="x", at="2026-01-31T12:00:00Z", actor="y", objects={NAMES[0]: "a file of a package"})
    shelves = Shelves(held={"cache": set(), "packages": {NAMES[0], NAMES[1]}})
    current = need(observed=Observed(removals=(removal,)))
    sweep(World(shelves), survey(current, wish(), shelves), lambda: current, wish(), shelves)
    assert shelves.held["packages"] == {NAMES[1]}


def test_where_the_list_of_a_needed_folder_is_nowhere_only_what_is_named_itself_goes():
    folder = f"{NAMES[5]}.dir"
    current = need(
        [
            Use(rule="releases", words="a", objects=frozenset({folder}), last=None),
            Use(rule="snapshots", words="b", objects=frozenset({NAMES[0]}), last=1.0),
        ]
    )
    shelves = Shelves(held={"cache": set(NAMES[:3]), "packages": set(NAMES[:3])})
    found = survey(current, wish(unnamed=True), shelves)
    assert found.lost == (folder,)
    assert {item.md5 for part in found.sweeps for item in part.goes} == {NAMES[0]}
