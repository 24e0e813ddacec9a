"""A Redis user for each kind of process, with the rights that it needs: `python -m ops.redis_acl [FOLDER]`.

Writes `users.acl` (for `aclfile` of Redis) and for each user `redis_url_NAME` (for `LANES_REDIS_URL_FILE`), with new
passwords, unless they are there already. A producer's rights are read off the scripts that it calls.
"""

import re
import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from lanes.keys import DEFAULT_PREFIX, KEYS
from lanes.loader import load

FOLDER = Path(__file__).with_name("secrets")
USERS = ("producer", "worker", "dashboard", "command")

PRODUCER_SCRIPTS = ("enqueue", "cancel", "read_jobs")
CONNECT = ("+@connection", "+client|setinfo", "+client|setname")
RUN_SCRIPTS = ("+evalsha", "+eval", "+script|load")
# For `durability`: the mark, the wait, and on a server older than 7.2 whether it always syncs.
WAIT = ("+set", "+wait", "+waitaof", "+config|get")
# A worker asks whether Redis keeps what it acknowledges; the command asks more, of settings, rights and clients.
ASKING = {
    "worker": ("+config|get",),
    "command": ("+config|get", "+acl|whoami", "+acl|dryrun", "+client|list"),
}
_COMMAND = re.compile(r"redis\.p?call\('([A-Z]+)'")
_KEY = re.compile(r"\bkey\.(\w+)")


def rules(user: str, prefix: str = DEFAULT_PREFIX, *, waitaof: bool = True) -> list[str]:
    """Return the rules of a user, as ACL SETUSER takes them; without `waitaof` for a server that does not know it."""
    celery = f"{prefix}celery:"
    if user == "producer":
        texts = [load(name, prefix).text for name in PRODUCER_SCRIPTS]
        used = {name for text in texts for name in _KEY.findall(text)} | {"mark"}
        commands = sorted({f"+{name.lower()}" for text in texts for name in _COMMAND.findall(text)})
        own = [f"~{_pattern(prefix, name)}" for name in sorted(used) if KEYS[name].kind != "channel"]
        more = [rule for rule in WAIT if waitaof or rule != "+waitaof"]
        return ["resetchannels", f"&{prefix}wake", *own, "-@all", *CONNECT, *RUN_SCRIPTS, *commands, *more]
    # Redis compares the pattern of a PSUBSCRIBE letter by letter with those that are allowed.
    heard = [f"&{celery}/0.{name}" for name in ("celery.pidbox", "celeryev/worker.*", "celeryev/*", "celeryev")]
    channels = ["resetchannels", f"&{prefix}wake", f"&{celery}*", *heard]
    common = [*channels, f"~{prefix}*", "+@all", "-@admin", "-@dangerous", "+info"]
    return [*common, *ASKING.get(user, ())]


def _pattern(prefix: str, name: str) -> str:
    return prefix + re.sub(r"\{\w+\}", "*", KEYS[name].template)


def users_file(passwords: Mapping[str, str], prefix: str = DEFAULT_PREFIX, *, waitaof: bool = True) -> str:
    """Return the text of `users.acl`: these users, an `admin` if there is a password for one, and nobody else."""
    lines = ["user default off nopass resetkeys resetchannels -@all"]
    for name, password in passwords.items():
        own = ["~*", "&*", "+@all"] if name == "admin" else rules(name, prefix, waitaof=waitaof)
        lines.append(" ".join([f"user {name} on >{password}", *own]))
    return "\n".join(lines) + "\n"


def make(folder: Path = FOLDER, address: str = "redis:6379/0") -> Iterable[str]:
    """Write the files, for their owner alone, and yield a line for each."""
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / "users.acl"
    if file.exists():
        yield f"{file}: kept as it is"
        return
    passwords = {name: secrets.token_urlsafe(32) for name in (*USERS, "admin")}
    contents = {"users.acl": users_file(passwords)}
    contents |= {f"redis_url_{name}": f"redis://{name}:{passwords[name]}@{address}\n" for name in passwords}
    for name, content in contents.items():
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(content, encoding="utf-8")
        yield f"{path}: made"


if __name__ == "__main__":
    print("\n".join(make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)))
