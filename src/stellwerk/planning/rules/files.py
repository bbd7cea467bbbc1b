"""Files that declarations name must be there, and requirements must be pinned."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from stellwerk.model.declared import NOTEBOOK
from stellwerk.model.findings import Place, Severity
from stellwerk.planning.rules.nearest import ValidNames
from stellwerk.planning.rules.paths import leaving, symlink_of
from stellwerk.planning.rules.rule import Example, Problem, Rule, RuleInput, declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stellwerk.model.ports import Tree

PLAIN = re.compile(r"(?:[\w.-]+==[\w.!+-]+\n)*")  # most files are nothing else
PINNED = re.compile(r"===?\s*[^*\s,]+$|#sha256=|@[0-9a-f]{40}\b")
HASHES = re.compile(r"\s*--hash[=\s]\S+")
NOT_A_LIST = (".toml", ".lock", ".yaml", ".yml", ".json")


def _missing(given: RuleInput, uses: Iterator[tuple[str, tuple[str | int, ...]]], what: str) -> Iterator[Problem]:
    if given.tree is None:
        return
    blobs = given.tree.blobs()
    absent = [(path, keys) for path, keys in uses if posixpath.normpath(path) not in blobs and not leaving(path)]
    if not absent:
        return
    files: dict[str, list[str]] = {}
    for path in blobs:
        files.setdefault(posixpath.dirname(path), []).append(path)
    folders = {folder for path in files for folder in (path, *_folders(path))}
    valid = {folder: ValidNames(names) for folder, names in files.items()}
    for path, keys in absent:
        normal = posixpath.normpath(path)
        if (normal in folders and keys[-2:-1] == ("inputs",)) or symlink_of(path, given.tree) is not None:
            continue
        add = f"write it, or `git add {path}` if it is there"
        folder = posixpath.dirname(normal)
        beside = valid.get(folder)
        if path.endswith(NOTEBOOK):  # never the module that it became
            beside = ValidNames([name for name in files.get(folder, ()) if name.endswith(NOTEBOOK)])
        yield Problem(
            place=given.place(*keys),
            message=f"{what} {path} is not in the repository",
            hint=beside.close(path, otherwise=add) if beside is not None else add,
        )


def _folders(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _missing_sources(given: RuleInput) -> Iterator[Problem]:
    models = given.project.models
    yield from _missing(
        given, ((model.source, ("models", model.name, "source")) for model in models if model.source), "the source file"
    )
    yield from _missing(
        given,
        (
            (path, ("models", model.name, "inputs", index))
            for model in models
            for index, path in enumerate(model.inputs)
            if not set("*?[") & set(path)
        ),
        "the input",
    )


def _missing_requirements(given: RuleInput) -> Iterator[Problem]:
    yield from _missing(
        given,
        (
            (model.requirements, ("models", model.name, "requirements"))
            for model in given.project.models
            if model.requirements
        ),
        "the requirements file",
    )


def unpinned(text: str) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and requirement of each requirement that more than one version satisfies."""
    if PLAIN.fullmatch(text):
        return
    started, requirement = 0, ""
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = re.sub(r"(^|\s)#.*$", "", line).strip()
        started = started or number
        requirement = f"{requirement} {stripped}".strip()
        if stripped.endswith("\\"):
            requirement = requirement.removesuffix("\\").strip()
            continue
        bare = HASHES.sub("", requirement).partition(";")[0].strip()
        if bare and (not bare.startswith("-") or bare.startswith(("-e", "--editable"))) and not PINNED.search(bare):
            yield started, bare
        started, requirement = 0, ""


def _read(tree: Tree, paths: set[str]) -> Mapping[str, bytes]:
    return tree.read(sorted(paths)) if paths else {}


def _unpinned(given: RuleInput) -> Iterator[Problem]:
    if given.tree is None:
        return
    paths = {
        posixpath.normpath(model.requirements)
        for model in given.project.models
        if model.requirements and not model.requirements.endswith(NOT_A_LIST) and not leaving(model.requirements)
    }
    for path, content in sorted(_read(given.tree, paths).items()):
        for line, requirement in unpinned(content.decode(errors="replace")):
            yield Problem(
                place=Place(path=path, line=line),
                message=f"'{requirement}' is not pinned: the same model would be trained with other code next month",
                hint="write name==version for every package; `pip freeze` or `uv pip compile` do it",
            )


def _other_repositories(given: RuleInput) -> Iterator[Problem]:
    datasets = given.declarations.value.get("datasets")
    for name, said in datasets.items() if isinstance(datasets, dict) else ():
        source = said.get("source") if isinstance(said, dict) else None
        if isinstance(source, dict) and source.get("git") is not None:
            yield Problem(
                place=given.place("datasets", name, "source", "git"),
                message=f"'{name}' comes from another git repository, which Stellwerk cannot read yet",
                hint="until then: source: {command: ...} with `dvc get`, or url: with the address DVC can import",
            )


_MODEL = (
    "version: 1\n"
    "datasets: {customers: {path: data/customers.csv}}\n"
    "models:\n  churn: {source: churn.py, requirements: churn.txt, target: churned, train: {data: customers}}\n"
)
_CODE = "def train(frame): ...\n"


def _repository(**files: str) -> Example:
    suffixes = {"source": "churn.py", "requirements": "churn.txt"}
    return Example(files={"mlops.yaml": _MODEL, **{suffixes[name]: text for name, text in files.items()}}, whole=True)


RULES = (
    Rule(
        id="SW210",
        title="missing source file",
        severity=Severity.ERROR,
        explanation="`source` and `inputs` name files of the repository. Only what git has counts: a file that is"
        " ignored or not yet added is missing for everybody else.",
        failing=_repository(requirements="pandas==3.0.0\n"),
        passing=_repository(source=_CODE, requirements="pandas==3.0.0\n"),
        check=_missing_sources,
    ),
    Rule(
        id="SW211",
        title="missing requirements file",
        severity=Severity.ERROR,
        explanation="`requirements` names the file with the packages a model is trained and served with.",
        failing=_repository(source=_CODE),
        passing=_repository(source=_CODE, requirements="pandas==3.0.0\n"),
        check=_missing_requirements,
    ),
    Rule(
        id="SW212",
        title="requirement that is not pinned",
        severity=Severity.WARNING,
        explanation="A version can be trained again only with the packages it was born with. Every line of a"
        " requirements file should allow one version: `name==version`, or an address with a digest or a commit.",
        failing=_repository(source=_CODE, requirements="pandas>=2\n"),
        passing=_repository(source=_CODE, requirements="pandas==3.0.0\n"),
        check=_unpinned,
    ),
    Rule(
        id="SW214",
        title="dataset of another repository",
        severity=Severity.ERROR,
        explanation="`source: {git, path, rev}` is reserved for datasets that another repository holds. It is not read"
        " yet, and a key that does nothing would be worse than an error.",
        failing=declared("datasets: {customers: {path: data/customers.csv, source: {git: crm.git, path: a.csv}}}"),
        passing=declared("datasets: {customers: {path: data/customers.csv, source: {command: ./export.sh}}}"),
        check=_other_repositories,
    ),
)
