"""Start one command so that it cannot outlive its parent, nor see or change what it must not.

Run as a script by the interpreter that runs Stellwerk; standard library only, imports nothing of Stellwerk:

    python confine.py STATUS_FD PLAN_JSON

Or imported by `template.py`, whose forks go through the same without an exec.

The plan: `command` (list), `masked` (paths hidden from the command), `writable` (folders it may write to),
`namespace` (try Linux namespaces) and `parent` (the process that starts this script). One word goes to STATUS_FD before
the command starts: `namespace`, or `directory: <why not>`. Exits with the command's code, 128 + signal where a signal
ended it.

With namespaces every file system is read-only but `writable`; masked folders are empty, masked files are
`/dev/null`; block devices are hidden; `/proc` shows this command's processes only; no capability is left with which
to undo it. Without them the command runs as it is. Either way no process that it started is left when it has ended.
"""

import contextlib
import ctypes
import json
import os
import signal
import stat
import sys
from collections.abc import Callable
from typing import Any

Plan = dict[str, Any]
Start = Callable[[Plan], None]

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
MOUNT_ATTR_RDONLY, AT_FDCWD, AT_RECURSIVE, SYS_MOUNT_SETATTR = 1, -100, 0x8000, 442
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - a mount point, nothing is written to it here
PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 47, 4


class MountAttributes(ctypes.Structure):
    """`struct mount_attr` of mount_setattr(2)."""

    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(returned: int, what: str) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    encoded = kind.encode() if kind else None
    arguments = (os.fsencode(source), os.fsencode(target), encoded, ctypes.c_ulong(flags), data.encode())
    _check(_libc().mount(*arguments), f"mount {target}")


def _set_read_only(target: str, *, read_only: bool) -> None:
    attributes = MountAttributes(
        attr_set=MOUNT_ATTR_RDONLY if read_only else 0, attr_clr=0 if read_only else MOUNT_ATTR_RDONLY
    )
    flags = AT_RECURSIVE if read_only else 0
    arguments = (AT_FDCWD, os.fsencode(target), flags, ctypes.byref(attributes), ctypes.sizeof(attributes))
    _check(_libc().syscall(SYS_MOUNT_SETATTR, *arguments), f"mount_setattr {target}")


def _enter_namespaces() -> None:
    user, group = os.geteuid(), os.getegid()
    flags = CLONE_NEWNS | CLONE_NEWPID | (CLONE_NEWUSER if user != 0 else 0)
    _check(_libc().unshare(flags), "unshare")
    if user != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
    _mount("none", "/", None, MS_REC | MS_PRIVATE)


def _block_devices() -> list[str]:
    found = []
    with contextlib.suppress(OSError), os.scandir("/dev") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if stat.S_ISBLK(entry.stat(follow_symlinks=False).st_mode):
                    found.append(entry.path)
    return sorted(found)


def _lay_mounts(masked: list[str], writable: list[str]) -> None:
    """Runs in the new PID namespace, so that the new /proc is its own."""
    for path in writable:
        _mount(path, path, None, MS_BIND | MS_REC)
    _set_read_only("/", read_only=True)
    for path in writable:
        _set_read_only(path, read_only=False)
    _mount("proc", "/proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV)  # root could write to /proc/sys otherwise
    if os.path.isdir(SHARED_MEMORY):
        _mount("tmpfs", SHARED_MEMORY, "tmpfs", MS_NOSUID | MS_NODEV)
    hidden = [*masked, *(_block_devices() if os.geteuid() == 0 else [])]
    for path in hidden:
        with contextlib.suppress(FileNotFoundError):  # what is gone by now needs no hiding
            if os.path.isdir(path):
                _mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV, "size=4k,mode=0555")
            elif os.path.exists(path):
                _mount("/dev/null", path, None, MS_BIND)


def _drop_capabilities() -> None:
    """Nothing may be mounted or unmounted from here on, nor after an exec: the bounding set is empty as well."""
    libc = _libc()
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    with open("/proc/sys/kernel/cap_last_cap", encoding="ascii") as file:
        last = int(file.read())
    for capability in range(last + 1):
        _check(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0), "prctl(PR_CAPBSET_DROP)")
    # Effective, permitted and inheritable: there may be no exec, and one as root would keep what is inheritable.
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    none = (ctypes.c_uint32 * 6)()
    _check(libc.capset(header, none), "capset")
    _check(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def heed_signals() -> None:
    """As a process that nobody told to ignore or to hold back any: `nohup` and `&` do, and children inherit it."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def execute(plan: Plan) -> None:
    """Become the command."""
    command = plan["command"]
    heed_signals()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606 - there is no shell, and none is wanted
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _wait_for(main: int) -> int:
    """Reap whatever ends until `main` does."""
    while True:
        child, status = os.wait()
        if child == main:
            return _code(status)


def _run_in_namespaces(plan: Plan, told: int, start: Start) -> int:
    """The code of the command. Raises OSError when the namespaces cannot be had; nothing has started then.

    Three processes: this one unshares and waits, the init of the new PID namespace lays the mounts and reaps, and
    the command itself. When the init ends the kernel kills all that is left in the namespace.
    """
    _enter_namespaces()
    ready, report = os.pipe()
    init = os.fork()
    if init == 0:
        os.close(ready)
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        try:
            _lay_mounts(plan["masked"], plan["writable"])
            os.chdir(os.getcwd())  # through the new mounts, not the folder held from before
            main = os.fork()
            if main == 0:
                _drop_capabilities()
                os.write(told, b"namespace")
                os.close(told)
                os.close(report)
                start(plan)
            os.close(told)
            os.write(report, b"ok")
            os.close(report)
            os._exit(_wait_for(main))
        except OSError as error:
            os.write(report, str(error).encode())
        os._exit(125)
    os.close(report)
    answer = b"".join(iter(lambda: os.read(ready, 4096), b"")).decode()
    os.close(ready)
    code = _wait_for(init)
    if answer != "ok":
        raise OSError(answer or "the namespace's first process died")
    return code


def _kill_descendants() -> None:
    """Children, and orphans that came to us as their subreaper, until there is none."""
    while True:
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
                children = [int(word) for word in file.read().split()]
        except OSError:
            return
        for child in children:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def _run_plainly(plan: Plan, start: Start) -> int:
    _libc().prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def stop(_signal: int, _frame: object) -> None:
        _kill_descendants()
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    _libc().prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    main = os.fork()
    if main == 0:
        start(plan)
    code = _wait_for(main)
    _kill_descendants()
    return code


def _try_namespaces(plan: Plan, told: int, start: Start) -> int | str:
    """The command's code, or why it was not started. In a child, so that a failed try leaves no trace."""
    ready, report = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        _libc().prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        try:
            code = _run_in_namespaces(plan, told, start)
        except OSError as error:
            os.write(report, (error.strerror or str(error)).encode())
            os._exit(125)
        os._exit(code)
    os.close(report)
    code = _wait_for(child)
    # The command's processes are all gone by now, so nobody else can hold the pipe open.
    reason = os.read(ready, 4096).decode()
    return reason or code


def confined(plan: Plan, told: int, start: Start) -> int:
    """Call `start` in a process of its own as the plan says; the exit code. Signals are heeded already.

    `start` does not return and keeps no open file but standard input, output and error: through the others it could
    claim that it never started.
    """
    _libc().prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    reason = "not asked for"
    if plan["namespace"]:
        outcome = _try_namespaces(plan, told, start)
        if isinstance(outcome, int):
            return outcome
        reason = outcome
    os.write(told, f"directory: {reason}".encode())
    os.close(told)
    return _run_plainly(plan, start)


def main() -> int:
    heed_signals()
    _libc().prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    plan = json.loads(sys.argv[2])
    if os.getppid() != plan["parent"]:
        return 128 + signal.SIGTERM  # it died before it could be known
    return confined(plan, int(sys.argv[1]), execute)


if __name__ == "__main__":
    sys.exit(main())
