"""Cleaning a notebook: what running it wrote goes, everything else stays as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stellwerk.errors import StellwerkError
from stellwerk.notebooks.clean import WRITTEN_BY_TOOLS, WRITTEN_IN_CELLS, output_cells, stripped

STREAM = {"name": "stdout", "output_type": "stream", "text": ["4711\n"]}
RESULT = {"data": {"text/plain": ["7"]}, "execution_count": 7, "metadata": {}, "output_type": "execute_result"}


def code(source="1 + 6", *, outputs=(STREAM, RESULT), count=7, **metadata):
    return {
        "cell_type": "code",
        "execution_count": count,
        "metadata": metadata,
        "outputs": [*outputs],
        "source": [source],
    }


def notebook(*cells, **metadata):
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": [*cells], "metadata": {**kernel, **metadata}, "nbformat": 4, "nbformat_minor": 4}


def written(document, **kwargs):
    return (json.dumps(document, **{"indent": 1, "ensure_ascii": False, **kwargs}) + "\n").encode()


def clean(document):
    return json.loads(stripped(written(document)))


def test_outputs_and_counts_go_and_the_kernel_stays():
    found = clean(notebook(code()))
    assert found == notebook(code(outputs=(), count=None))


@pytest.mark.parametrize("key", WRITTEN_IN_CELLS)
def test_what_tools_note_in_a_cell_goes_and_its_tags_stay(key):
    assert clean(notebook(code(**{key: True, "tags": ["train"]})))["cells"][0]["metadata"] == {"tags": ["train"]}


@pytest.mark.parametrize("key", WRITTEN_BY_TOOLS)
def test_what_tools_note_in_the_notebook_goes(key):
    assert clean(notebook(**{key: {"state": {}}})) == notebook()


@pytest.mark.parametrize("asking", [{"keep_output": True}, {"tags": ["keep_output"]}, {"init_cell": True}])
def test_a_cell_that_asks_for_it_keeps_its_output_without_counts(asking):
    (cell,) = clean(notebook(code(**asking)))["cells"]
    assert cell["outputs"] == [STREAM, {**RESULT, "execution_count": None}]
    assert cell["execution_count"] is None


def test_the_notebook_can_ask_for_all_its_cells_and_a_cell_decline():
    first, second = clean(notebook(code(), code(keep_output=False), keep_output=True))["cells"]
    assert len(first["outputs"]) == 2
    assert second["outputs"] == []


def test_a_cell_that_says_both_is_an_error_that_names_it():
    with pytest.raises(StellwerkError) as caught:
        stripped(written(notebook(code(), code(keep_output=False, tags=["keep_output"]))), "a.ipynb")
    assert caught.value.where == "a.ipynb cell 2"


def test_a_clean_notebook_keeps_its_very_bytes_however_it_is_written():
    document = notebook(code("naïve = 'größer'", outputs=(), count=None))
    for content in (
        written(document),
        written(document, indent=4),
        written(document, ensure_ascii=True),
        json.dumps(document).encode(),
        written(document).replace(b"\n", b"\r\n"),
    ):
        assert stripped(content) == content


def test_keys_keep_their_order_and_text_its_characters():
    document = {"nbformat_minor": 4, "nbformat": 4, "metadata": {"z": 1, "a": 2}, "cells": [code("größe = '→'")]}
    found = stripped(written(document))
    assert [*json.loads(found)] == ["nbformat_minor", "nbformat", "metadata", "cells"]
    assert "größe = '→'".encode() in found
    assert found.endswith(b"\n}\n")
    assert b'\n "cells": [\n  {\n' in found


def test_half_a_character_does_not_stop_it():
    found = stripped(written(notebook(code("'\ud800'")), ensure_ascii=True))
    assert json.loads(found)["cells"][0]["source"] == ["'\ud800'"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (b"[1]", "no notebook"),
        (b"{}", "no notebook"),
        (b'{"nbformat": 3, "worksheets": []}', "nbformat 3"),
        (b'{"nbformat": 4}', "cells"),
        (b'{"nbformat": 4, "cells": [1]}', "cells"),
        (b'{"nbformat": 4, "cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "cannot be read"),
        (b'{"nbformat": 4, "cells": [], "n": ' + b"1" * 5000 + b"}", "cannot be read"),
    ],
    ids=["empty", "cut", "bytes", "list", "map", "old", "no cells", "odd cells", "deep", "digits"],
)
def test_what_is_no_notebook_is_an_error_that_says_so(content, said):
    with pytest.raises(StellwerkError, match=said) as caught:
        stripped(content, "a.ipynb")
    assert caught.value.where.startswith("a.ipynb")
    assert caught.value.hint
    assert output_cells(content) == ()


def test_a_merge_that_is_not_finished_is_named():
    with pytest.raises(StellwerkError) as caught:
        stripped(b"{\n<<<<<<< HEAD\n", "a.ipynb")
    assert "merge" in caught.value.hint


def test_cells_with_outputs_are_counted_from_1_and_text_that_looks_like_one_is_not():
    document = notebook(code('{"outputs": [1]}', outputs=()), code(), {"cell_type": "raw", "source": '"outputs": [1]'})
    assert output_cells(written(document)) == (2,)
    assert output_cells(json.dumps(document, separators=(",", ":")).encode()) == (2,)
    assert output_cells(stripped(written(document))) == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
metadata = st.dictionaries(
    st.sampled_from(["collapsed", "tags", "keep_output", "init_cell", "widgets", "execution", "mine"]),
    json_values | st.just(["keep_output"]),
    max_size=4,
)
cells = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown"]), "source": st.text(max_size=20)},
    optional={
        "metadata": metadata | json_values,
        "outputs": st.lists(st.sampled_from([STREAM, RESULT]), max_size=2) | json_values,
        "execution_count": json_values,
        "id": st.text(max_size=5),
    },
)


@given(document=st.builds(lambda found, said: {**notebook(*found), "metadata": said}, st.lists(cells), metadata))
def test_clean_twice_is_clean_once_and_sources_tags_and_ids_stay(document):
    content = written(document, ensure_ascii=True)
    try:
        once = stripped(content)
    except StellwerkError as error:
        assert "keep_output" in error.message  # noqa: PT017  the only mistake that such a notebook can have
        return
    assert stripped(once) == once
    found = json.loads(once)
    for before, after in zip(document["cells"], found["cells"], strict=True):
        assert [before["source"], before.get("id")] == [after["source"], after.get("id")]


NBSTRIPOUT = os.environ.get("STELLWERK_TEST_NBSTRIPOUT") or shutil.which("nbstripout")


@pytest.mark.skipif(NBSTRIPOUT is None, reason="no nbstripout on PATH or in STELLWERK_TEST_NBSTRIPOUT")
@pytest.mark.parametrize(
    "document",
    [
        notebook(code()),
        notebook(code(keep_output=True), code(tags=["keep_output", "train"]), code(init_cell=True)),
        notebook(code(init_cell=False, keep_output=True), code(keep_output=False), keep_output=True),
        notebook(code(**dict.fromkeys(WRITTEN_IN_CELLS, True), mine=1), signature="x", widgets={"a": {}}, mine=1),
        notebook({"cell_type": "markdown", "metadata": {"collapsed": True}, "source": "# größer →\n"}, code("x\ny")),
        notebook(),
    ],
)
def test_the_result_is_that_of_nbstripout(document, tmp_path):
    """What is compared is the JSON: nbstripout sorts keys and splits sources into lines."""
    file = tmp_path / "a.ipynb"
    file.write_bytes(written(document))
    subprocess.run([NBSTRIPOUT, "--keep-id", file], check=True)

    def joined(found):
        for cell in found["cells"]:
            cell["source"] = "".join(cell["source"])
        return found

    assert joined(clean(document)) == joined(json.loads(file.read_bytes()))
