"""Load one state of the repository: declarations, rules, records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from stellwerk.adapters.git.merged import MergedTree
from stellwerk.adapters.git.read import CommitTree, GitReader, WorkTree
from stellwerk.adapters.git.remote_names import PROMOTIONS, find_remote, local_proposals, tracking_ref
from stellwerk.adapters.git.survey import part_of
from stellwerk.declarations.compose import Declarations, load_declarations
from stellwerk.declarations.document import load_document
from stellwerk.declarations.records import RecordError, decode
from stellwerk.model.findings import DeclarationsError, Finding, Severity
from stellwerk.model.records import Release
from stellwerk.planning.gates import Gates
from stellwerk.planning.observe import Known, observe, unrecorded
from stellwerk.planning.policy import Route
from stellwerk.reconcile.world import State

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stellwerk.adapters.git.survey import Survey
    from stellwerk.model.declared import ApprovalRule, Environment, Model
    from stellwerk.model.observed import ModelFacts, Observed
    from stellwerk.model.ports import Cache, Clock, Tree

Said = tuple[Declarations, tuple[Finding, ...]]  # what is declared, and what was found in it


class Loaded(Struct, frozen=True, kw_only=True):
    """A state with what is needed to speak of its declarations."""

    state: State
    declarations: Declarations
    findings: tuple[Finding, ...]


class _Kept(Struct, kw_only=True):
    """What a loader keeps of the state it read last: a run looks again after each step, and little has changed."""

    files: Mapping[str, str] = field(default_factory=dict)
    declared: Said | None = None
    known: Known = field(default_factory=Known)


class Loader(Struct, frozen=True, kw_only=True):
    """Loads states of one repository."""

    reader: GitReader
    cache: Cache
    clock: Clock
    evidence: bool = True  # whether records come with their checks and metrics
    kept: _Kept = field(default_factory=_Kept)

    def work_tree(self) -> Loaded:
        """The files as they lie here, with the records that are committed."""
        head = self.reader.head()
        tree = WorkTree(self.reader)
        said = self._declared(tree)
        ref = records_ref(said[0])
        tip = self._records_tip(ref, head.branch) if ref else head.commit
        declared: Tree = tree
        if ref and tip and head.commit and tip != head.commit:
            declared = MergedTree(tree, self.reader, head=head.commit, other=tip)
        recorded = CommitTree(self.reader, tip or head.commit)
        return self._load(declared, recorded, tip or head.commit or "", said)

    def part(self, seen: Survey, *, hidden: Collection[str], records: Collection[str]) -> Loaded | None:
        """As `work_tree`, from a survey, without the hidden files and with the records of these models.

        None where the declarations put the records elsewhere.
        """
        declared, recorded = part_of(self.reader, seen, hidden=hidden, records=records)
        return self.read(declared, recorded, str(seen.head.commit), proposals=bool(seen.refs))

    def read(self, declared: Tree, recorded: Tree, basis: str, *, proposals: bool) -> Loaded | None:
        """The state of these trees; None where the declarations put the records elsewhere.

        `proposals`: whether there are promotion branches.
        """
        said = self._declared(declared)
        if records_ref(said[0]):
            return None
        return self._load(declared, recorded, basis, said, proposals=proposals)

    def _records_tip(self, ref: str, branch: str | None) -> str | None:
        """The newest state of the records that is here; a fresh clone has only the remote's."""
        remote = find_remote(self.reader, branch)
        here = self.reader.commit_of(ref)
        there = self.reader.commit_of(tracking_ref(remote, ref)) if remote else None
        if here is None or there is None or here == there:
            return here or there
        return there if self.reader.ancestor(here, there) else here

    def commit(self, commit: str | None) -> Loaded:
        """A commit and nothing else."""
        tree = CommitTree(self.reader, commit)
        return self._load(tree, tree, commit or "", self._declared(tree))

    def _declared(self, tree: Tree) -> Said:
        files = unrecorded(tree.blobs())
        if self.kept.declared is None or files != self.kept.files:
            declarations, findings = load_declarations(tree, cache=self.cache)
            if declarations is None:
                raise DeclarationsError(findings, self.sources(tree, findings))
            self.kept.files, self.kept.declared = files, (declarations, findings)
        return self.kept.declared

    def _load(self, declared: Tree, recorded: Tree, basis: str, said: Said, *, proposals: bool = True) -> Loaded:
        declarations, findings = said
        project, branches = declarations.project, self.branches(basis) if proposals else {}
        observed = observe(
            project,
            declared,
            recorded,
            cache=self.cache,
            basis=basis,
            branches=branches,
            evidence=self.evidence,
            known=self.kept.known,
        )
        authors = self.threshold_authors(declarations, observed, basis)
        if authors:
            observed = replace(observed, threshold_authors=authors)
        gates = Gates(project, observed, Route(project, observed.metric_code), self.clock.now())
        state = State(project=project, observed=observed, gates=gates, tree=declared)
        return Loaded(state=state, declarations=declarations, findings=findings)

    def compared(self, commit: str) -> Loaded:
        """A commit that the work tree is compared with. Records that lie on a ref of their own are those of today."""
        tree = CommitTree(self.reader, commit)
        said = self._declared(tree)
        ref = records_ref(said[0])
        tip = self._records_tip(ref, self.reader.head().branch) if ref else None
        if tip is None or tip == commit:
            return self._load(tree, tree, commit, said)
        declared = MergedTree(tree, self.reader, head=commit, other=tip)
        return self._load(declared, CommitTree(self.reader, tip), tip, said)

    def judged(self, loaded: Loaded, base: Declarations | None = None) -> tuple[Finding, ...]:
        """All findings of a state, the rules' included."""
        from stellwerk.planning.rules import check_rules
        from stellwerk.planning.rules.rule import RuleInput

        given = RuleInput(
            declarations=loaded.declarations, base=base, observed=loaded.state.observed, tree=loaded.state.tree
        )
        found = {*loaded.findings, *check_rules(given)}
        return tuple(sorted(found, key=lambda finding: (finding.place, finding.rule, finding.message)))

    def refuse_mistakes(self, loaded: Loaded) -> None:
        """Raises DeclarationsError with every finding where one of them is an error."""
        findings = self.judged(loaded)
        if any(finding.severity is Severity.ERROR for finding in findings):
            errors = tuple(finding for finding in findings if finding.severity is Severity.ERROR)
            raise DeclarationsError(errors, self.sources(loaded.state.tree, errors))

    @staticmethod
    def sources(tree: Tree, findings: tuple[Finding, ...]) -> dict[str, str]:
        """The text of every file a finding is in."""
        contents = tree.read(sorted({finding.place.path for finding in findings}))
        return {path: content.decode("utf-8", "replace") for path, content in contents.items()}

    def branches(self, basis: str) -> Mapping[tuple[str, str], Release]:
        """The releases that open promotion branches propose, by (environment, model); in a fresh clone the remote's."""
        refs = self.reader.branches(PROMOTIONS, tracking_ref("*", f"{PROMOTIONS}**"))
        here = {ref: commit for ref, commit in refs.items() if ref.startswith(PROMOTIONS)}
        if refs and (remote := find_remote(self.reader, self.reader.head().branch)):
            here = local_proposals(self.reader, remote)
            prefix = tracking_ref(remote, PROMOTIONS)
            there = {ref: commit for ref, commit in refs.items() if ref.startswith(prefix)}
            here = {ref.replace(prefix, PROMOTIONS, 1): commit for ref, commit in there.items()} | here
        found = {}
        for ref, commit in here.items():
            environment, _, model = ref.removeprefix(PROMOTIONS).partition("/")
            path = f"environments/{environment}/{model}.yaml"
            content = CommitTree(self.reader, commit).read([path]).get(path)
            document = load_document(path, content)[0] if content is not None else None
            if document is not None and self._open(commit, path, basis):
                try:
                    found[environment, model] = decode(Release, document.value, where=path)
                except RecordError:
                    continue
        return found

    def _open(self, branch: str, path: str, basis: str) -> bool:
        """Whether the proposal still applies: not merged, and the release is still the one it starts from."""
        before, now = (CommitTree(self.reader, commit).blobs().get(path) for commit in (f"{branch}~1", basis or None))
        return before == now and not (basis and self.reader.ancestor(branch, basis))

    def threshold_authors(
        self, declarations: Declarations, observed: Observed, basis: str
    ) -> dict[str, tuple[str, ...]]:
        """Who wrote the lines of the thresholds, for models that wait for a promotion or deployment under four eyes."""
        from stellwerk.planning.candidate import find_candidate
        from stellwerk.planning.gates import matches

        project = declarations.project
        found: dict[str, tuple[str, ...]] = {}
        asking = [item for item in project.environments if any(rule.four_eyes for rule in item.approval)]
        if not asking or not basis:
            return found
        for model in project.models:
            if model.train is None or not model.thresholds:
                continue
            possible = [item for item in asking if any(_may_match(rule, model) for rule in item.approval)]
            if not possible:
                continue
            candidate = find_candidate(model, observed)
            for environment in possible:
                release = observed.releases.get((environment.name, model.name))
                pending = candidate.number is not None and (release is None or release.version != candidate.number)
                asked = pending and any(matches(rule.when, model, candidate.trigger) for rule in environment.approval)
                if asked or _awaits_deployment(environment, release, candidate.facts):
                    found[model.name] = self._authors(declarations, model.name, basis)
        return found

    def _authors(self, declarations: Declarations, model: str, basis: str) -> tuple[str, ...]:
        """The git authors of every line of the model's thresholds, as `Name <email>`."""
        lines: dict[str, set[int]] = {}
        for keys in threshold_keys(declarations, model):
            place = declarations.key_place(*keys)
            lines.setdefault(place.path, set()).add(place.line)
            value = declarations.place(*keys)
            lines.setdefault(value.path, set()).add(value.line)
        authors = set()
        for path, numbers in sorted(lines.items()):
            ranges = [f"-L{number},{number}" for number in sorted(numbers)]
            output = self.reader.text("blame", "--line-porcelain", *ranges, basis, "--", path, check=False)
            name = ""
            for line in output.splitlines():
                if line.startswith("author "):
                    name = line.removeprefix("author ")
                elif line.startswith("author-mail "):
                    authors.add(f"{name} {line.removeprefix('author-mail ')}")
        return tuple(sorted(authors))


def _may_match(rule: ApprovalRule, model: Model) -> bool:
    """Whether the rule could ask for approvals of this model; cheap, before its candidate is worked out."""
    return rule.four_eyes and (not rule.when.risk or model.risk in rule.when.risk)


def _awaits_deployment(environment: Environment, release: Release | None, facts: ModelFacts) -> bool:
    """Whether the release does not run yet: its approvals are asked once more, however its file got there."""
    if environment.deploy is None or release is None:
        return False
    deployment = facts.deployments.get(environment.name)
    return deployment is None or deployment.version != release.version


def threshold_keys(declarations: Declarations, model: str) -> list[tuple[str | int, ...]]:
    """Every key path below the model's thresholds, those that `defaults` give included."""
    found: list[tuple[str | int, ...]] = []
    models = declarations.value.get("models")
    defaults = declarations.value.get("defaults")
    own = models.get(model) if isinstance(models, dict) else None
    for value in (defaults, own):
        thresholds = value.get("thresholds") if isinstance(value, dict) else None
        if isinstance(thresholds, dict):
            for metric, bounds in thresholds.items():
                found.append(("models", model, "thresholds", metric))
                if isinstance(bounds, dict):
                    found += [("models", model, "thresholds", metric, key) for key in bounds]
    return found


def records_ref(declarations: Declarations) -> str | None:
    """The full name of the declared records ref."""
    ref = declarations.project.records.ref
    if ref is None or ref.startswith("refs/"):
        return ref
    return f"refs/heads/{ref}"


def inputs_of(loaded: Loaded) -> set[str]:
    """The files a reconcile of that state reads, records apart."""
    inputs = set(loaded.declarations.files)
    inputs |= {file.path for files in loaded.state.observed.code.values() for file in files}
    inputs |= {model.source for model in loaded.state.project.models if model.source}  # of a notebook, not its module
    inputs |= {pointer.place for pointer in loaded.state.observed.pointers.values()}
    inputs |= {f"environments/{environment}/{model}.yaml" for environment, model in loaded.state.observed.releases}
    return inputs
