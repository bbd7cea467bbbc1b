"""Write docs/reference.md, docs/rules.md and the keys of docs/records.md: no key, record, option or rule is missing.

python docs/render_reference.py           # write them
python docs/render_reference.py --check   # exit 1 where they are not what would be written
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs/reference.md"
RECORDS = ROOT / "docs/records.md"
RULES = ROOT / "docs/rules.md"

# The files that people write come first, then what Stellwerk records; what it prints follows by name.
DECLARED = {
    "mlops": "`mlops.yaml` and what it includes",
    "environment": "`environments/<environment>.yaml`",
    "release": "`environments/<environment>/<model>.yaml`, a release",
}
RECORDED = {
    "release": "`environments/<environment>/<model>.yaml`",
    "version": "`registry/<model>/<number>/version.yaml`",
    "profile": "`registry/<model>/<number>/profile.json`",
    "verdict": "`registry/<model>/<number>/verdicts/<environment>.yaml`",
    "approval": "`registry/<model>/<number>/approvals/<environment>/<person>.yaml`",
    "deployment": "`registry/<model>/deployments/<environment>.yaml`",
    "incident": "`registry/<model>/incidents/<number>.yaml`",
    "erasure": "`registry/.erased/<md5>.yaml`",
    "removal": "`registry/.removed/<name>.yaml`",
}
MARKS = (
    "<!-- keys: written by `python docs/render_reference.py` from schemas/; edit those -->",
    "<!-- end of keys -->",
)
LONGEST_EXAMPLE = 100  # characters; a map's own keys have examples too
NAMES = {"teams": "team", "datasets": "dataset", "models": "model", "columns": "column", "thresholds": "metric"}

INTRODUCTION = """\
# Reference

<!-- Written by `python docs/render_reference.py` from schemas/ and the command line; edit those. -->

Every key that may be declared, every command and what it prints; what Stellwerk records is in [records](records.md).
`stellwerk schema KIND` prints the schema behind a section; an editor that reads the `# yaml-language-server:` line
shows the same texts while you type.

Paths are relative to the repository's root and stay inside it. A duration is a number with `s`, `m`, `h`, `d` or `w`
(`90d`), or a number of seconds. `<model>` and the like stand for names that you choose. YAML is read strictly: UTF-8,
no anchors, no tags, no key twice, and where text is wanted the text stays as it was typed (`no`, `1.10`, `2026-01-31`).
"""

EXIT_CODES = """\
## Exit codes

| code | means |
|---|---|
| 0 | done |
| 1 | the declarations are wrong, or an operation failed |
| 2 | changes are pending (only with `--detailed-exitcode`) |
| 3 | blocked by a gate, or waiting for an approval or a confirmation |
| 4 | the push was lost to others after all retries |
| 64 | wrong usage |
| 70 | a bug of Stellwerk; the message says how to report it |
| 130 | interrupted |
"""


def reference() -> str:
    """The whole page."""
    schemas = schema_files()
    parts = [INTRODUCTION, "## Declarations\n"]
    parts += [schema_section(load(schemas[kind]), title) for kind, title in DECLARED.items()]
    others = [kind for kind in schemas if kind not in {**DECLARED, **RECORDED}]
    if others:
        parts.append("## Printed JSON\n")
        parts += [schema_section(load(schemas[kind]), f"`{kind}`") for kind in others]
    parts += ["## Commands\n", *command_sections(), EXIT_CODES]
    return "\n".join(parts)


def records(page: str) -> str:
    """The page with its part between the marks written anew."""
    schemas = schema_files()
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    parts = [MARKS[0], "\n## Keys\n"]
    parts += [schema_section(load(schemas[kind]), title) for kind, title in RECORDED.items()]
    return before + "\n".join([*parts, MARKS[1]]) + after


def schema_files() -> dict[str, Path]:
    """Every schema by its kind."""
    return {path.name.removesuffix(".schema.json"): path for path in sorted(ROOT.glob("schemas/*.schema.json"))}


def load(path: Path) -> Schema:
    """A schema, with every local reference replaced by what it names."""
    whole: Schema = json.loads(path.read_text(encoding="utf-8"))

    def resolved(node: Any, seen: tuple[str, ...] = ()) -> Any:
        if isinstance(node, list):
            return [resolved(item, seen) for item in node]
        if not isinstance(node, dict):
            return node
        name = node.get("$ref", "").removeprefix("#/$defs/")
        if name and name not in seen:
            around = {key: value for key, value in node.items() if key != "$ref"}
            return {**resolved(whole["$defs"][name], (*seen, name)), **resolved(around, seen)}
        return {key: resolved(value, seen) for key, value in node.items()}

    found: Schema = resolved({key: value for key, value in whole.items() if key != "$defs"})
    return found


def schema_section(schema: Schema, title: str) -> str:
    """One file's keys: a table of its top level, then one table for each key that has keys of its own."""
    top, nested = [], []
    for key, value in properties(schema).items():
        top.append((key, value, key in schema.get("required", ())))
        below = [] if key == "defaults" else list(keys(value, key))
        if below:
            nested.append((key, below))
    parts = [f"### {title}\n", f"{schema.get('description', '')}\n", table(top)]
    for key, below in nested:
        parts.append(f"#### `{key}`\n")
        parts.append(table(below))
    return "\n".join(parts)


def variants(schema: Schema) -> Iterator[Schema]:
    """The schema itself and every alternative it allows."""
    yield schema
    for word in ("anyOf", "oneOf"):
        for alternative in schema.get(word, ()):
            yield from variants(alternative)


def properties(schema: Schema) -> Schema:
    """The named keys that a value of this schema may have."""
    return {key: value for each in variants(schema) for key, value in each.get("properties", {}).items()}


def keys(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Every key below `path` with its schema and whether it is required; each path once, with all that it may hold."""
    found: dict[str, list[tuple[Schema, bool]]] = {}
    for name, value, required in nested_keys(schema, path):
        found.setdefault(name, []).append((value, required))
    for name, ((first, _), *others) in found.items():
        same = {**first, "anyOf": [*first.get("anyOf", ()), *(other for other, _ in others)]} if others else first
        yield name, same, all(required for _, required in found[name])


def nested_keys(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    """Like `keys`, with repetitions: a list of maps has the keys of the map."""
    for each in variants(schema):
        for key, value in each.get("properties", {}).items():
            yield f"{path}.{key}", value, key in each.get("required", ())
            yield from nested_keys(value, f"{path}.{key}")
        if isinstance(each.get("items"), dict):
            yield from nested_keys(each["items"], path)
        if isinstance(each.get("additionalProperties"), dict):
            last = path.rpartition(".")[2]
            yield from nested_keys(each["additionalProperties"], f"{path}.<{NAMES.get(last, 'name')}>")


def table(rows: list[tuple[str, Schema, bool]]) -> str:
    """Keys as Markdown."""
    lines = ["| key | value | default | what it is | for example |", "|---|---|---|---|---|"]
    for key, schema, required in rows:
        default = "required" if required else shown(schema.get("default"))
        examples = [text for example in schema.get("examples", ()) if len(text := shown(example)) <= LONGEST_EXAMPLE]
        text = schema.get("description", "")
        cells = (f"`{key}`", kind(schema), default, text, "; ".join(filter(None, examples)))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def shown(value: Any) -> str:
    """A value as one would type it; nothing for what is empty."""
    if value is None or value in ([], {}, ""):
        return ""
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value, ensure_ascii=False)}`"


def kind(schema: Schema) -> str:
    """What may stand there, in words."""
    words: list[str] = []
    for each in variants(schema):
        if "const" in each:
            words.append(f"`{each['const']}`")
        elif "enum" in each:
            words += [f"`{value}`" for value in each["enum"] if value is not None]
        else:
            types = each.get("type", [])
            words += [word(name, each) for name in ([types] if isinstance(types, str) else types) if name != "null"]
    return ", ".join(dict.fromkeys(words))


def word(name: str, schema: Schema) -> str:
    """A JSON type as people say it."""
    pattern = schema.get("pattern", "")
    if name == "string" and "(?:s|m|h|d|w)" in pattern:
        return "duration"
    if name == "string" and "%" in pattern:
        return "percentage"
    if name == "array":
        items = kind(schema["items"]).replace(", ", " or ") if isinstance(schema.get("items"), dict) else ""
        return f"list of {items}" if items else "list"
    return {"string": "text", "object": "map", "boolean": "true or false", "integer": "whole number"}.get(name, name)


def command_sections() -> Iterator[str]:
    """Every command with its arguments and options."""
    from stellwerk.cli.main import cli

    top = click.Context(cli, info_name="stellwerk")
    yield (
        "Options of `stellwerk` itself stand before the command: `stellwerk -C my-project plan`. "
        "`--quiet` and `--no-color` are understood after it too.\n"
    )
    yield options(cli)
    hidden = []
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        if command is None or command.hidden:
            hidden.append(name)
            continue
        context = click.Context(command, info_name=name, parent=top)
        yield command_section(command, context, f"stellwerk {name}")
        for below in command.list_commands(context) if isinstance(command, click.Group) else ():
            found = command.get_command(context, below) if isinstance(command, click.Group) else None
            if found is not None:
                inner = click.Context(found, info_name=below, parent=context)
                yield command_section(found, inner, f"stellwerk {name} {below}")
    if hidden:
        names = ", ".join(f"`stellwerk {name}`" for name in hidden)
        yield f"Not for people: {names}, which the generated `dvc.yaml` of a model runs.\n"


def command_section(command: click.Command, context: click.Context, name: str) -> str:
    """One command with its usage, options and examples."""
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"### `{name}`\n", f"{prose(command.help)}\n", f"```sh\n{usage}\n```\n"]
    if any(isinstance(parameter, click.Option) for parameter in command.params):
        parts.append(options(command))
    if command.epilog:
        lines = inspect.cleandoc(command.epilog.replace("\b", "")).splitlines()
        parts.append("\n".join(["```sh", *(line.strip() for line in lines[1:] if line.strip()), "```\n"]))
    return "\n".join(parts)


def prose(text: str | None) -> str:
    """A help text without click's marks, its own line breaks kept."""
    return inspect.cleandoc(text or "").replace("\b", "").strip()


def options(command: click.Command) -> str:
    """The options of a command as Markdown."""
    lines = ["| option | default | what it does |", "|---|---|---|"]
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        names = ", ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
        if isinstance(parameter.type, click.Choice):
            names += " " + "\\|".join(str(choice) for choice in parameter.type.choices)
        elif not parameter.is_flag:
            names += f" {parameter.make_metavar(click.Context(command))}"
        default = "required" if parameter.required else ""
        if parameter.show_default and parameter.default is not None:
            default = f"`{parameter.default}`"
        lines.append(f"| {names} | {default} | {(parameter.help or '').replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the pages, or compare."""
    from stellwerk.planning.rules.catalogue import ALL_RULES
    from stellwerk.report.findings import rules_markdown

    pages = {
        REFERENCE: reference(),
        RULES: rules_markdown(ALL_RULES),
        RECORDS: records(RECORDS.read_text(encoding="utf-8")),
    }
    if "--check" in sys.argv[1:]:
        return int(any(not path.is_file() or path.read_text(encoding="utf-8") != text for path, text in pages.items()))
    for path, text in pages.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
