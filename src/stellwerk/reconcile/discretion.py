"""What a model's code said, before it goes into git: an error's own words may quote a row of confidential data.

Git keeps everything for ever and is read by more people than the data are, so of such a failure only its kind and its
places in the code are recorded. Whoever runs the training sees everything on the terminal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stellwerk.model.declared import Dataset, Project

OURS = frozenset({"timeout", "output-limit", "killed", "environment"})  # kinds whose words are Stellwerk's own
LEFT_OUT = "its words are left out: they may quote the data"
_FRAME = re.compile(r'\s*File ".*", line \d+')
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]*)(?:: .*?)?(?P<place> \([^()\s]+:\d+ in [^()\s]+\))?")
_TYPES = ("Error", "Exception", "Interrupt", "Exit", "Warning")


def sensitive(project: Project, dataset: Dataset) -> bool:
    """Whether the dataset holds more than everybody may see: personal columns, or not the lowest classification."""
    lowest = project.classifications[0] if project.classifications else None
    return bool(dataset.personal) or dataset.classification not in {None, lowest}


def quotes(text: str) -> bool:
    """Whether a text repeats what a model's code printed or raised, rather than being Stellwerk's own words."""
    return bool(re.search(r" \| |exited with|\w(?:Error|Exception)\b", text))


def discreet(text: str) -> str:
    """The kinds of errors and the places in the code that a text names; everything else is left out."""
    kept = []
    for line in re.split(r"\n| \| ", text):
        found = _RAISED.fullmatch(line.strip())
        if _FRAME.match(line):
            kept.append(line)
        elif found and found["type"].endswith(_TYPES):
            kept.append(f"{found['type']}{found['place'] or ''}")
    return "\n".join([*kept, LEFT_OUT])
