"""`stellwerk jobs`: what CI has to start, from a look at the work tree and at what the remote has besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stellwerk.adapters.git.read import CommitTree, WorkTree
from stellwerk.adapters.git.remote import deepen
from stellwerk.adapters.git.remote_names import PROMOTIONS, find_remote, tracking_ref
from stellwerk.app.state import records_ref
from stellwerk.declarations.compose import load_declarations
from stellwerk.errors import StellwerkError
from stellwerk.planning.jobs import Jobs, check_jobs, jobs_of
from stellwerk.planning.plan import Scope
from stellwerk.planning.touched import Side, touched_models

if TYPE_CHECKING:
    from stellwerk.app.workspace import Workspace
    from stellwerk.declarations.compose import Declarations

DEEPEN = "this clone is shallow: git fetch --unshallow (in CI: fetch-depth: 0), then run it again"


def find_jobs(workspace: Workspace, *, base: str | None, trainings: int | None, removals: int | None) -> Jobs:
    """With `base`: the models that the difference to it touches. Else the trainings and environments of the plan.

    `trainings` and `removals`: how many a person has agreed to. Raises StellwerkError where the declarations are wrong,
    or nothing can be compared with `base`.
    """
    if base is not None:
        return _to_check(workspace, base)
    declarations, _ = load_declarations(WorkTree(workspace.reader), cache=workspace.cache)
    if declarations is not None:
        fetch_facts(workspace, declarations)
    loaded = workspace.brief.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    plan = workspace.plan_of(loaded.state, Scope(trainings=trainings, removals=removals))
    workspace.cache.flush()
    return jobs_of(loaded.state.project, plan)


def _to_check(workspace: Workspace, base: str) -> Jobs:
    before = CommitTree(workspace.reader, merge_base(workspace, base))
    loaded = workspace.brief.work_tree()
    workspace.loader.refuse_mistakes(loaded)
    project, tree = loaded.state.project, WorkTree(workspace.reader)
    declared, _ = load_declarations(before, cache=workspace.cache)
    sides = Side(project=declared.project if declared else None, tree=before), Side(project=project, tree=tree)
    names = touched_models(*sides, cache=workspace.cache)
    workspace.cache.flush()
    return Jobs(check=check_jobs(names))


def merge_base(workspace: Workspace, revision: str) -> str:
    """The commit that HEAD and the revision have in common. Raises StellwerkError where a shallow clone lacks it."""
    reader = workspace.reader
    try:
        commit = reader.resolve(revision)
    except StellwerkError as error:
        raise StellwerkError(error.message, where=error.where, hint=DEEPEN if reader.shallow else error.hint) from error
    common = reader.text("merge-base", commit, "HEAD", check=False)
    if not common:
        raise StellwerkError(
            f"HEAD and {revision} have no commit in common here",
            where=str(workspace.root),
            hint=DEEPEN if reader.shallow else "compare with a branch that HEAD comes from",
        )
    return common


def fetch_facts(workspace: Workspace, declarations: Declarations) -> None:
    """Bring what a checkout of one branch lacks: open promotion branches, and the records' own ref.

    Without them a plan would ask for what is done or proposed already. A remote that does not answer is no error here:
    every job fetches before it does anything.
    """
    reader, ref = workspace.reader, records_ref(declarations)
    remote = find_remote(reader, reader.head().branch)
    if remote is None:
        return
    wanted = [f"+{PROMOTIONS}*:{tracking_ref(remote, PROMOTIONS)}*"]
    if ref is not None:
        wanted.append(f"+{ref}*:{tracking_ref(remote, ref)}*")  # with a star it may be absent
    reader.text("fetch", "--quiet", "--no-auto-maintenance", remote, *wanted, check=False)
    if ref is not None:
        deepen(reader, remote, reader.commit_of(tracking_ref(remote, ref)), reader.head().commit)
