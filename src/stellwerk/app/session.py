"""The ports for writing, built for one repository and one ref."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from stellwerk.adapters.dvc import DvcStore, DvcTrainer
from stellwerk.adapters.git.checkout import write_atomically
from stellwerk.adapters.git.remote import RefCommitter, RemotePublisher, deepen
from stellwerk.adapters.git.remote_names import find_remote
from stellwerk.adapters.git.write import GitWriter, merge_branch
from stellwerk.adapters.leftovers import sweep_folder
from stellwerk.adapters.targets import target_for
from stellwerk.adapters.templates import TEMPLATES
from stellwerk.app.state import Loaded, inputs_of, records_ref
from stellwerk.errors import StellwerkError
from stellwerk.model.ports import Actor, DeployRequest, Tree
from stellwerk.reconcile.render import render_changes
from stellwerk.reconcile.world import State, World, data_remote

if TYPE_CHECKING:
    from pathlib import Path

    from stellwerk.app.workspace import Workspace
    from stellwerk.model.actions import Render
    from stellwerk.model.declared import Project


class Session(Struct, frozen=True, kw_only=True):
    """The world to act in, with the writer and publisher behind it."""

    world: World
    writer: GitWriter
    publisher: RemotePublisher
    merges: str | None  # the commit of the branch that the records ref must contain


def open_session(workspace: Workspace, loaded: Loaded, *, push: bool | None, commits: bool = True) -> Session:
    """Raises StellwerkError on a detached HEAD, and where `push` is asked for and there is no remote.

    Who makes no `commits` needs neither a branch nor a name: a CI job has the merge of a pull request checked out.
    """
    head = workspace.reader.head()
    ref = records_ref(loaded.declarations)
    if head.branch is None and commits:
        raise StellwerkError(
            "HEAD is detached: there is no branch to commit to",
            where=str(workspace.root),
            hint="git switch BRANCH (in CI: check out the branch itself, `ref: main`), then run it again",
        )
    here = f"refs/heads/{head.branch}" if head.branch else "HEAD"
    actor = workspace.actor if commits else Actor(name="nobody", email="nobody@localhost")
    writer = GitWriter(workspace.reader, ref or here, actor)
    remote = find_remote(workspace.reader, head.branch) if push is not False else None
    if push and remote is None:
        raise StellwerkError(
            "there is no remote to push to", where=str(workspace.root), hint="git remote add origin URL, or --no-push"
        )
    for folder in {(workspace.root / item.path).parent for item in loaded.state.project.datasets}:
        sweep_folder(folder)
    publisher = RemotePublisher(writer, remote)
    store = DvcStore(workspace.root)
    world = World(
        root=workspace.root,
        commits=RefCommitter(writer),
        publisher=publisher,
        store=store,
        trainer=partial(_trainer, workspace.root, workspace.environ.get(TEMPLATES)),
        target=partial(target_for, root=workspace.root),
        clock=workspace.clock,
        actor=actor,
        environ=workspace.environ,
        masked=tuple(workspace.root / path for path in _sources(loaded.state.project)),
    )
    merges = head.commit if ref is not None else None
    return Session(world=world, writer=writer, publisher=publisher, merges=merges)


def _trainer(root: Path, templates: str | None, project: Project) -> DvcTrainer:
    datasets = {dataset.name: dataset for dataset in project.datasets}
    remotes = {
        model.name: data_remote(project, datasets[model.train.data])
        for model in project.models
        if model.train and model.train.data in datasets
    }
    return DvcTrainer(root, data_remotes=remotes, hidden=_sources(project), templates=templates)


def _sources(project: Project) -> tuple[str, ...]:
    """Files of the repository that datasets are taken from: they hold the held-out rows as well."""
    return tuple(item.source.file for item in project.datasets if item.source and item.source.file)


def bring_up(session: Session) -> str | None:
    """Finish what a killed run left, and let a records ref take the branch in; returns the tip."""
    session.writer.finish_sync()
    if session.merges is not None:
        deepen(session.writer.reader, session.publisher.remote, session.writer.tip(), session.merges)
        return merge_branch(
            session.writer, session.merges, "merge: the branch into the records\n\nStellwerk-Action: merge\n"
        )
    return session.writer.tip()


def uncommitted_inputs(workspace: Workspace, loaded: Loaded) -> tuple[str, ...]:
    """The files that a reconcile reads and whose changes are not committed, sorted; without notebooks that only ran."""
    from stellwerk.adapters.git.read import changed_paths
    from stellwerk.app.rerun import only_run

    changed = inputs_of(loaded) & changed_paths(workspace.reader)
    return tuple(sorted(changed - only_run(workspace.reader, changed)))


def refuse_uncommitted(workspace: Workspace, loaded: Loaded) -> None:
    """Reconcile works on commits: uncommitted changes of what it reads are an error that names them."""
    dirty = uncommitted_inputs(workspace, loaded)
    if dirty:
        named = ", ".join(dirty[:5]) + (f" and {len(dirty) - 5} more" if len(dirty) > 5 else "")  # noqa: PLR2004
        raise StellwerkError(
            f"uncommitted changes: {named}",
            where=str(workspace.root),
            hint="reconcile works on commits: git add and git commit them first, or git stash",
        )


def probe(state: State, root: Path, only: str | None = None) -> dict[tuple[str, str], str]:
    """What the targets say they run, by (environment, model); `only`: those of that environment."""
    seen = {}
    for (environment_name, name), release in sorted(state.observed.releases.items()):
        environments = {item.name: item for item in state.project.environments}
        environment = environments.get(environment_name)
        if environment is None or environment.deploy is None or only not in (None, environment_name):
            continue
        request = DeployRequest(
            model=name,
            environment=environment_name,
            target=environment.deploy,
            version=release.version,
            package=None,
            sha256=None,
        )
        try:
            running = target_for(environment.deploy, root=root).running(request)
        except StellwerkError as error:
            seen[environment_name, name] = f"cannot tell: {error.message}"
            continue
        facts = state.observed.models.get(name)
        versions = facts.versions if facts else {}
        found = [str(number) for number, item in versions.items() if item.record.package.sha256 == running]
        if running is None:
            seen[environment_name, name] = "nothing runs"
        else:
            seen[environment_name, name] = f"runs v{found[-1]}" if found else f"runs an unknown package {running[:12]}"
    return seen


def write_rendered(root: Path, tree: Tree, renders: tuple[Render, ...]) -> None:
    """Bring generated files into the work tree, each atomically."""
    changes: dict[str, bytes | None] = {}
    for action in renders:
        changes |= render_changes(action, tree)
    for path, content in changes.items():
        if content is None:
            (root / path).unlink(missing_ok=True)
        else:
            write_atomically(root / path, content)
