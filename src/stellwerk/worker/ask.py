"""Let a template do what a command would: `python -I -S ask.py FOLDER NAME CALL COUNT COMMAND... ARGUMENT...`.

The template NAME in FOLDER calls CALL (`module:function`) with the ARGUMENTs, in a fork that has this process's folder,
environment, input and output; exits as it does. Where there is no such template the COMMAND, of COUNT words, takes this
process's place. Standard library only, and little of it: this is started for every training.
"""

import _socket  # `socket` takes longer to import than all the rest here
import array
import json
import os
import signal
import sys

HEADER = _socket.SOL_SOCKET, _socket.SCM_RIGHTS


def main() -> int:
    folder, name, call, count, *words = sys.argv[1:]
    command, arguments = words[: int(count)], words[int(count) :]
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    request = {"call": call, "argv": arguments, "cwd": os.getcwd(), "env": dict(os.environ)}
    message = json.dumps(request).encode() + b"\n"
    # The run interrupts the fork when it is interrupted itself, and the fork's end is waited for.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        place = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        connection.connect(f"/proc/self/fd/{place}/{name}")
        sent = connection.sendmsg([message], [(*HEADER, array.array("i", [0, 1, 2]))])
        connection.sendall(message[sent:])
        lines = b""
        while lines.count(b"\n") < 2:  # noqa: PLR2004 - that it started, how it ended
            received = connection.recv(4096)
            if not received:
                break
            lines += received
    except OSError:
        lines = b""
    said = [json.loads(line) for line in lines.splitlines()]
    if not said or "pid" not in said[0]:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(command[0], [*command, *arguments])  # noqa: S606 - there is no shell, and none is wanted
    if len(said) == 1:
        return 128 + signal.SIGKILL  # the template died, and the fork with it
    code = os.waitstatus_to_exitcode(said[1]["status"])
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main())
