"""IPython's magics by what becomes of them in a module."""

from __future__ import annotations

UNWRAPPED = frozenset({"time", "timeit", "prun", "memit"})
CELL_UNWRAPPED = frozenset({"time", "capture", "prun", "memit"})
DROPPED = frozenset(  # they change what is shown, not what is computed
    [
        "matplotlib",
        "config",
        "load_ext",
        "reload_ext",
        "unload_ext",
        "autoreload",
        "aimport",
        "precision",
        "pprint",
        "pdb",
        "xmode",
        "colors",
        "color_eyre",
        "who",
        "whos",
        "who_ls",
        "psearch",
        "pinfo",
        "pinfo2",
        "pdoc",
        "pdef",
        "psource",
        "pfile",
        "page",
        "lsmagic",
        "magic",
        "quickref",
        "history",
        "hist",
        "notebook",
        "logstart",
        "logstop",
        "logstate",
        "logon",
        "logoff",
        "tb",
        "debug",
        "doctest_mode",
        "automagic",
        "autosave",
        "autocall",
        "ls",
        "pwd",
        "watermark",
        "gui",
        "alias_magic",
        "ppdb",
        "plotly",
        "lprun",
        "mprun",
        "reset_selective",
        "xdel",
    ]
)
CELL_DROPPED = frozenset(["html", "HTML", "javascript", "js", "latex", "markdown", "svg", "SVG", "debug"])
INSTALLERS = frozenset({"pip", "conda", "mamba", "micromamba", "uv"})
HINTS = {
    "run": "import what the other file defines, or put it into an `export` cell",
    "load": "run the magic once, so that the code itself stands in the cell",
    "store": "compute the value in an exported cell, or read it in `prepare`",
    "sql": "declare the result as a dataset (`source: {command: ...}`); the framework loads the rows",
    "bash": "do this outside of the notebook, or in Python",
    "cd": "use paths that do not depend on the current folder",
    "env": "declare it where the model runs; code reads `os.environ`",
    "timeit": "use `%%time`: what a cell under `%%timeit` defines never reaches the notebook",
    "pylab": "import numpy and matplotlib by name",
}
HINTS |= {"sh": HINTS["bash"], "script": HINTS["bash"], "system": HINTS["bash"], "sx": HINTS["bash"]}
HINTS |= {"set_env": HINTS["env"], "loadpy": HINTS["load"], "writefile": HINTS["run"]}
OTHERWISE = "write it in Python, or move it to a cell without a tag: that stays in the notebook"
