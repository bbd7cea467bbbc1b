"""Names that the shell completes. Read from the files here, cheaply and unjudged; what cannot be read has no names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click
    from yaml.nodes import Node

MAIN = "mlops.yaml"
LARGEST = 2_000_000  # bytes of all files read; somebody waits for the answer


def completions(kind: str, context: click.Context, incomplete: str) -> list[str]:
    """The names of a kind (models, datasets, environments, model@version) that begin as typed."""
    try:
        root = _root(Path(context.find_root().params.get("directory") or "."))
        names = list(_names(kind, root))
    except Exception:  # noqa: BLE001  a shell that completes must never show a traceback
        return []
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def _root(directory: Path) -> Path:
    """The nearest folder upwards that declares something."""
    start = directory.resolve()
    return next((folder for folder in (start, *start.parents) if (folder / MAIN).is_file()), start)


def _names(kind: str, root: Path) -> Iterator[str]:
    match kind:
        case "environments":
            yield from sorted(path.stem for path in (root / "environments").glob("*.yaml"))
        case "model@version":
            for name in _declared(root, "models"):
                numbers = (path.name for path in (root / "registry" / name).glob("[0-9]*"))
                yield from (f"{name}@{number}" for number in sorted(filter(str.isdigit, numbers), key=int))
        case _:
            yield from _declared(root, kind)


def _declared(root: Path, section: str) -> Iterator[str]:
    """The keys of a section in `mlops.yaml` and in what it includes."""
    left = LARGEST
    files = [root / MAIN]
    for file in files:
        left -= file.stat().st_size
        if left < 0:
            return
        top = _mapping(_composed(file))
        yield from _mapping(top.get(section))
        if file == files[0]:
            files += (path for pattern in _items(top.get("include")) for path in sorted(root.glob(pattern)))


def _composed(file: Path) -> Node | None:
    """The nodes of a file, without values being made of them; None for a file that is being written."""
    import yaml

    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    try:
        return yaml.compose(file.read_text(encoding="utf-8"), Loader=loader)
    except (OSError, ValueError, yaml.YAMLError):
        return None


def _mapping(node: Node | None) -> dict[str, Node]:
    from yaml import MappingNode, ScalarNode

    pairs = node.value if isinstance(node, MappingNode) else ()
    return {str(key.value): value for key, value in pairs if isinstance(key, ScalarNode)}


def _items(node: Node | None) -> list[str]:
    from yaml import SequenceNode

    return [str(item.value) for item in node.value] if isinstance(node, SequenceNode) else []
