"""Run a command that dies with its parent: `python processes.py PARENT SIGNAL COMMAND…`.

Linux sends the signal when the parent's *thread* ends, and a change of user cancels it: start such
children from a thread that lasts, and let this be the last step before the command itself.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def bound(command: list[str], *, at_death: signal.Signals = signal.SIGKILL) -> list[str]:
    """Return a command line that runs `command` and sends it `at_death` when this process dies."""
    launcher = [sys.executable, "-I", "-S", os.path.abspath(__file__)]  # noqa: PTH100
    return [*launcher, str(os.getpid()), str(int(at_death)), *command]


def die_with(parent: int, *, at_death: int = signal.SIGKILL) -> None:
    """Send this process `at_death` when its parent dies; end it now if that has happened."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(at_death))
    if os.getppid() != parent:
        os._exit(1)


def main(arguments: list[str]) -> None:
    """Become the command, which dies with the parent."""
    parent, at_death, *command = arguments
    die_with(int(parent), at_death=int(at_death))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGQUIT):
        signal.signal(ignored, signal.SIG_DFL)  # Python, or a shell's `&`, may have ignored it
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
