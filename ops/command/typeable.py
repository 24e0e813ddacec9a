"""The command `lanes` in messages, as the caller can type it."""

import functools
import re
import shlex
import shutil
import sys
from pathlib import Path

from ops.command import COMMANDS

_HINT = re.compile(rf"(?<![\w./-])lanes (?=(?:{'|'.join(COMMANDS)})\b)")


@functools.cache
def lanes_command() -> str:
    """Return `lanes` if the PATH finds the running program, else its path, relative below the current directory."""
    running = Path(sys.argv[0])
    found = shutil.which("lanes")
    if running.name != "lanes" or (found and Path(found).resolve() == running.resolve()):
        return "lanes"
    path = running.absolute()
    if path.is_relative_to(Path.cwd()):
        relative = path.relative_to(Path.cwd())
        return shlex.quote(str(relative) if len(relative.parts) > 1 else f"./{relative}")
    return shlex.quote(str(path))


def typeable(text: str) -> str:
    """Return a message in which every hint like `lanes status` can be typed as it is."""
    return _HINT.sub(lambda _: f"{lanes_command()} ", text)
