"""Run pip as if on another machine: `python pip_for.py MARKERS ARGUMENT...`, MARKERS as a JSON object.

With `--platform` and `--python-version` pip takes the right files, but judges conditions such as `sys_platform ==
'win32'` by the interpreter it runs in: the values given here take their place. It also refuses every package of which
there is no wheel; those named with `--no-binary` are plain Python, the same everywhere.
"""

import json
import runpy
import sys


def main() -> None:
    try:
        from pip._internal.cli import cmdoptions
        from pip._vendor.packaging import markers
    except ImportError:
        sys.exit("this Python has no pip that can resolve for another machine: python -m ensurepip --upgrade")
    here = markers.default_environment
    given = json.loads(sys.argv[1])
    markers.default_environment = lambda: {**here(), **given}  # type: ignore[assignment,unused-ignore]
    cmdoptions.check_dist_restriction = lambda *_, **__: None  # type: ignore[assignment,unused-ignore]
    sys.argv = ["pip", *sys.argv[2:]]
    runpy.run_module("pip", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
