"""The rules of the text itself, SW101 to SW113, for `stellwerk rule ID` and the documentation; tests run the examples.

Plain data: `planning.rules` makes its `Rule` objects from it. An example maps a path to the text of that file.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping


class SyntaxRule(Struct, frozen=True, kw_only=True):
    """A rule the loader applies: its words, and files that break it and that keep it."""

    id: str
    title: str
    explanation: str
    failing: Mapping[str, str]
    passing: Mapping[str, str]


def _rule(rule: str, title: str, explanation: str, *, failing: str, passing: str) -> SyntaxRule:
    return SyntaxRule(
        id=rule,
        title=title,
        explanation=explanation,
        failing=MappingProxyType({"mlops.yaml": failing}),
        passing=MappingProxyType({"mlops.yaml": passing}),
    )


_SMALL = "version: 1\nproject: shoes\n"

SYNTAX_RULES: tuple[SyntaxRule, ...] = (
    _rule(
        "SW101",
        "The file is readable YAML",
        "A file holds one YAML document: indented with spaces, with every bracket and quote closed, every key a text, "
        "and every number finite. Values are read as YAML 1.2 says: yes, no, on, off and dates are text.",
        failing="version: 1\nproject:\n\tname: shoes\n",
        passing=_SMALL,
    ),
    _rule(
        "SW102",
        "A key is set once",
        "When a key stands twice in one mapping, most readers silently take one of the two. Here the mistake is shown; "
        "the first value is used to look for further mistakes.",
        failing="version: 1\nproject: shoes\nproject: boots\n",
        passing=_SMALL,
    ),
    _rule(
        "SW103",
        "No anchors, aliases or merge keys",
        "An alias lets a value depend on a distant line, and a few lines of aliases can unfold into gigabytes. "
        "Use defaults for what many models share. A text that starts with & or * needs quotes.",
        failing="version: 1\ndatasets:\n  a: &same {path: data/a.csv}\n  b: *same\n",
        passing="version: 1\ndatasets:\n  a: {path: data/a.csv}\n  b: {path: data/b.csv}\n",
    ),
    _rule(
        "SW104",
        "No tags",
        "A tag (!!python/object, !secret) asks the reader to build something of its own. Declarations are plain data. "
        "A text that starts with ! needs quotes.",
        failing="version: 1\nproject: !!str shoes\n",
        passing=_SMALL,
    ),
    _rule(
        "SW105",
        "The file is not too large or too deep",
        "A file has at most 16 MiB, two million keys and values, and 64 levels; nothing larger is parsed. "
        "Split large declarations with include; data belong into DVC.",
        failing="version: 1\nproject: " + "[" * 70 + "]" * 70 + "\n",
        passing=_SMALL,
    ),
    _rule(
        "SW106",
        "The file is UTF-8 without a byte order mark",
        "Other encodings are read differently on different machines, and a byte order mark is invisible in editors "
        "but breaks tools that read the file line by line.",
        failing="\ufeffversion: 1\nproject: shoes\n",
        passing=_SMALL,
    ),
    _rule(
        "SW107",
        "No unfinished merge",
        "A line of <<<<<<< or >>>>>>> is left over from a merge that nobody finished. Choose what shall stand there.",
        failing="version: 1\n<<<<<<< HEAD\nproject: shoes\n=======\nproject: boots\n>>>>>>> boots\n",
        passing=_SMALL,
    ),
    SyntaxRule(
        id="SW108",
        title="A key path is set in one file",
        explanation="Declarations may be spread over files, and one model may span several, so that thresholds can "
        "belong to other people than the code. But no key path is set twice: the order of files must never matter.",
        failing=MappingProxyType(
            {
                "mlops.yaml": "version: 1\ninclude: [limits.yaml]\nmodels:\n  churn: {risk: low}\n",
                "limits.yaml": "models:\n  churn: {risk: high}\n",
            }
        ),
        passing=MappingProxyType(
            {
                "mlops.yaml": "version: 1\ninclude: [limits.yaml]\nmodels:\n  churn: {risk: low}\n",
                "limits.yaml": "models:\n  churn:\n    thresholds: {roc_auc: {min: 0.8}}\n",
            }
        ),
    ),
    SyntaxRule(
        id="SW109",
        title="An include names files of the repository",
        explanation="Patterns of include are relative to the repository's root, stay inside it, and name at least one "
        "file; only mlops.yaml includes. Environments are files that end in .yaml.",
        failing=MappingProxyType({"mlops.yaml": "version: 1\ninclude: [../other/teams.yaml]\n"}),
        passing=MappingProxyType(
            {
                "mlops.yaml": "version: 1\ninclude: [teams/*.yaml]\n",
                "teams/data.yaml": "teams:\n  data: {members: [ada]}\n",
            }
        ),
    ),
    _rule(
        "SW110",
        "Every key is known",
        "A misspelt key would otherwise be ignored, and with it a threshold or an owner. "
        "`stellwerk schema mlops` lists every key; editors show them through the schema.",
        failing="version: 1\nmodels:\n  churn:\n    treshold: {roc_auc: {min: 0.8}}\n",
        passing="version: 1\nmodels:\n  churn:\n    thresholds: {roc_auc: {min: 0.8}}\n",
    ),
    _rule(
        "SW111",
        "Every value is what its key asks for",
        "Each key has a type and often a range or a list of words. Where text is wanted, what was typed is taken as "
        "text, so no, 1.10 and 2026-01-31 need no quotes there.",
        failing="version: 1\nmodels:\n  churn: {risk: medium}\n",
        passing="version: 1\nmodels:\n  churn: {risk: limited}\n",
    ),
    _rule(
        "SW112",
        "Every required key is there",
        "A few keys have no sensible default: a dataset's path, what a model trains from, an environment's purpose. "
        "Another file or the defaults may set them.",
        failing="version: 1\ndatasets:\n  sales: {format: csv}\n",
        passing="version: 1\ndatasets:\n  sales: {path: data/sales.csv}\n",
    ),
    _rule(
        "SW113",
        "There is a declaration",
        "Nothing declared is never read as 'remove everything': a missing or empty mlops.yaml stops every operation. "
        "`stellwerk init` writes a first one.",
        failing="# nothing yet\n",
        passing=_SMALL,
    ),
)
