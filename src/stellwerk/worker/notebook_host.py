"""Run a notebook's cells from the top in a fresh kernel: `python notebook_host.py order.json`, with nbclient.

It and the kernel run inside a job folder, and end with its process. `out/cell` names the cell that runs, so that
who ends this process can say which one did not end. `out/notebook.json` says how it went. What cells print is printed;
nothing of their output is kept.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

COLOR = re.compile("\x1b\\[[0-9;]*m")
CELL = re.compile(r"Cell In ?\[(\d+)\], line (\d+)")
ARROW = re.compile(r"^-+> (\d+) ", re.MULTILINE)


def failed(message: str, **more: Any) -> dict[str, Any]:
    return {"status": "failed", "message": message, **more}


def line_of(text: str) -> int | None:
    """The line of the cell that ran in which the error was raised or passed on; None where the trace does not say.

    What an error was caused by stands above it: frames of libraries and of earlier cells are told from the cell's own.
    """
    plain = COLOR.sub("", text)
    frames = [(int(count), int(line)) for count, line in CELL.findall(plain)]
    if frames:
        newest = max(count for count, _ in frames)
        return next(line for count, line in frames if count == newest)
    found = ARROW.search(plain)
    return None if found is None else int(found[1])


def run(order: dict[str, Any]) -> dict[str, Any]:
    """Execute every cell, then the proof. The kernel's interpreter is `order["python"]`."""
    import nbclient
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager

    if order["python"] != sys.executable:
        ask = "import importlib.util, sys; sys.exit(importlib.util.find_spec('ipykernel') is None)"
        if subprocess.run([order["python"], "-c", ask], check=False, capture_output=True).returncode != 0:
            return failed("", kind="no-ipykernel")
    kernels = Path(order["home"]) / "kernels"
    (kernels / "stellwerk").mkdir(parents=True)
    argv = [order["python"], "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Stellwerk", "language": "python"}
    (kernels / "stellwerk" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    os.environ["PYTHONPATH"] = order["code"]
    cells = [
        nbformat.v4.new_code_cell(cell["source"], metadata={"tags": cell["tags"]})  # type: ignore[no-untyped-call]
        for cell in order["cells"]
    ]
    manager = AsyncKernelManager(
        kernel_name="stellwerk",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(kernels)], ensure_native_kernel=False),
    )

    class Printing(nbclient.NotebookClient):
        """Kept output of a cell that prints without end would be all of the memory; printed, it meets a limit."""

        def output(self, _outs: Any, msg: dict[str, Any], _display_id: Any, _cell_index: int) -> None:
            if msg["msg_type"] == "stream":
                sys.stdout.write(msg["content"]["text"])

    client = Printing(
        nbformat.v4.new_notebook(cells=cells),  # type: ignore[no-untyped-call]
        km=manager,
        timeout=None,
        resources={"metadata": {"path": order["cwd"]}},
    )
    now = Path(order["out"]) / "cell"
    number = 0
    with client.setup_kernel():
        try:
            for index, cell in enumerate(order["cells"]):
                number = cell["number"]
                now.write_text(str(number), encoding="utf-8")
                client.execute_cell(client.nb.cells[index], index)
        except nbclient.exceptions.CellExecutionError as error:
            message = f"{error.ename}: {COLOR.sub('', error.evalue)}"
            return failed(message, cell=number, line=line_of(error.traceback))
        except nbclient.exceptions.DeadKernelError:
            return failed("the kernel died", cell=number, kind="died")
    return {"status": "ok"}


def main() -> int:
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        result = run(order)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is told
        result = failed(f"{type(error).__name__}: {error}")
    partial = Path(order["out"]) / "notebook.json.part"
    partial.write_text(json.dumps(result), encoding="utf-8")
    partial.replace(Path(order["out"]) / "notebook.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
