"""A notebook is read from its bytes, or refused with the cell and with what to do."""

from __future__ import annotations

import json

import pytest
from realistic_notebook import REALISTIC

from stellwerk.notebooks.convert import convert
from stellwerk.notebooks.document import NotebookError, read_notebook
from stellwerk.notebooks.text import ipynb, notebook_of

PATH = "models/shoes/demand.ipynb"


def document(*cells, **keys):
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **keys}).encode()


def code(source, **keys):
    return {"cell_type": "code", "id": "a", "metadata": {}, "source": source, "outputs": [], **keys}


@pytest.mark.parametrize(
    ("content", "where", "words"),
    [
        (b"", PATH, "empty"),
        (b" \n", PATH, "empty"),
        (b"import pandas as pd\n", f"{PATH}:1:1", "not JSON"),
        (b'{"cells": [', f"{PATH}:1:12", "not JSON"),
        (b'{\n<<<<<<< HEAD\n"a": 1\n', f"{PATH}:2:1", "not JSON"),
        (b"[" * 200_000, PATH, "nested too deeply"),
        (b"[1, 2]", PATH, "no notebook"),
        (b"null", PATH, "no notebook"),
        (b'{"version": 1}', PATH, "no notebook"),
        (b'{"nbformat": 3, "worksheets": []}', PATH, "nbformat 3"),
        (b'{"nbformat": 5, "cells": []}', PATH, "nbformat 5"),
        (b'{"nbformat": "4", "cells": []}', PATH, "nbformat 4"),
        (b'{"nbformat": 4}', PATH, "no list `cells`"),
        (b'{"nbformat": 4, "cells": {}}', PATH, "no list `cells`"),
        (b"\xef\xbb\xbf" + document(), PATH, "byte order mark"),
        (document().decode().encode("utf-16"), PATH, "not UTF-8"),
        (document(metadata={"kernelspec": {"language": "R"}}), PATH, "written in R"),
        (document(metadata={"language_info": {"name": "julia"}}), PATH, "written in julia"),
        (document("text"), f"{PATH} cell 1", "no cell"),
        (document(code("a"), {"cell_type": "heading"}), f"{PATH} cell 2", "no cell"),
        (document(code(3)), f"{PATH} cell 1", "neither text nor a list"),
        (document(code(["a", 3])), f"{PATH} cell 1", "neither text nor a list"),
        (document(code("a\ud800")), f"{PATH} cell 1", "half a character"),
        (document(code("a", metadata={"tags": "train"})), f"{PATH} cell 1", "tags"),
        (document(code("a", metadata={"tags": [1]})), f"{PATH} cell 1", "tags"),
        (document(code("a", id="a\nimport os")), f"{PATH} cell 1", "id"),
        (document(code("a", id=7)), f"{PATH} cell 1", "id"),
        (document(code("a", id="x" * 65)), f"{PATH} cell 1", "id"),
    ],
)
def test_what_is_no_notebook_is_refused_with_its_place_and_a_way_out(content, where, words):
    with pytest.raises(NotebookError) as caught:
        read_notebook(PATH, content)
    assert caught.value.where == where
    assert words in caught.value.message
    assert caught.value.hint


def test_an_unfinished_merge_is_named():
    with pytest.raises(NotebookError) as caught:
        read_notebook(PATH, b'{\n<<<<<<< HEAD\n"a": 1\n=======\n')
    assert "conflict markers" in caught.value.hint


def test_a_source_of_one_text_and_one_of_lines_are_the_same():
    one = read_notebook(PATH, document(code("a = 1\nb = 2")))
    other = read_notebook(PATH, document(code(["a = 1\n", "b = 2"])))
    assert one == other


def test_windows_line_ends_are_read_as_line_ends():
    (cell,) = read_notebook(PATH, document(code(["a = 1\r\n", "b = 2\r\n"]))).cells
    assert cell.source == "a = 1\nb = 2\n"


def test_cells_are_counted_from_one_and_keep_their_tags_and_ids():
    notebook = read_notebook(
        PATH,
        document(
            {"cell_type": "markdown", "id": "m", "metadata": {}, "source": "# Shoes #"},
            code("x", id="c", metadata={"tags": ["train", "slideshow"]}, outputs=[{"output_type": "stream"}]),
        ),
    )
    prose, train = notebook.cells
    assert (prose.number, prose.kind, train.number, train.kind) == (1, "markdown", 2, "code")
    assert (train.id, train.tags, train.has_output, train.exported) == ("c", {"train", "slideshow"}, True, True)
    assert (notebook.heading, notebook.name) == ("Shoes", "demand")


def test_a_cell_without_id_gets_one_from_its_source_alone():
    alone = read_notebook(PATH, document({"cell_type": "code", "source": "x = 1"}))
    below = read_notebook(PATH, document(code("y"), {"cell_type": "code", "source": "x = 1"}))
    assert alone.cells[0].id == below.cells[1].id
    assert alone.cells[0].derived


@pytest.mark.parametrize(
    ("text", "heading"),
    [
        ("# Demand of **shoes** ##", "Demand of shoes"),
        ("prose\n\nDemand\n======\n", "Demand"),
        ("```\n# a comment\n```\n## Real", "Real"),
        ("#hashtag\n\n   ### Third", "Third"),
        ("no heading at all", None),
        ("#\n# \n", None),
        ("---\n", None),
    ],
)
def test_the_heading_is_found_as_markdown_has_it(text, heading):
    cell = {"cell_type": "markdown", "id": "m", "metadata": {}, "source": text}
    assert read_notebook(PATH, document(cell)).heading == heading


def test_a_notebook_of_five_hundred_cells_is_read_and_converted():
    text = "".join(f"# %% export id=c{n}\ndef f{n}():\n    return {n}\n" for n in range(499))
    notebook = read_notebook(PATH, ipynb(notebook_of(f"{text}# %% train id=t\ndef train(frame):\n    return f3()\n")))
    assert len(notebook.cells) == 500
    converted = convert(notebook, model="shoes")
    assert converted.problems == ()
    assert converted.module.count("# cell ") == 500


def test_the_text_form_and_the_file_say_the_same():
    notebook = notebook_of(REALISTIC, PATH)
    assert read_notebook(PATH, ipynb(notebook)) == notebook


def test_outputs_counts_and_metadata_never_change_the_source():
    bare = json.loads(ipynb(notebook_of(REALISTIC, PATH)))
    ran = json.loads(json.dumps(bare))
    ran["metadata"] = {"kernelspec": {"language": "python", "name": "other"}, "widgets": {"a": 1}}
    for count, cell in enumerate(ran["cells"]):
        cell["metadata"]["collapsed"] = True
        if cell["cell_type"] == "code":
            cell["execution_count"] = count
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["42\n"]}]
    one, other = (convert(read_notebook(PATH, json.dumps(raw).encode()), model="m") for raw in (bare, ran))
    assert one == other
