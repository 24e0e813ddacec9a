"""The users of Redis, one for each kind of process, with the rights that it needs.

A producer's rights are read off the scripts that it calls. All rules are such as Redis from 6.2 on understands.
"""

from collections.abc import Mapping

from lanes.checks.permissions import commands_of, pattern, patterns_of
from lanes.storage.keys import DEFAULT_PREFIX

# Whose address each file `redis_url_NAME` holds; `admin` is a person who mends Redis itself.
USERS = ("producer", "worker", "dashboard", "command", "backup", "admin")
# Anybody who reaches Redis may ask whether it is there, and nothing else: for health checks.
HEALTH = "user health on nopass resetkeys resetchannels -@all +ping"

PRODUCER_SCRIPTS = ("enqueue", "cancel", "read_jobs")
# The whole of a connection's own business, WAITAOF among it where there is one; nothing about those of others.
CONNECT = ("-@all", "+@connection", "-@admin", "-@dangerous", "+client|setname", "+select")
RUN_SCRIPTS = ("+evalsha", "+eval", "+script|load")
# For `durability`: the mark, the wait, and on a server older than 7.2 whether it always syncs.
WAIT = ("+set", "+wait", "+config|get")
# Workers and pages ask whether Redis keeps what it acknowledges, and how slow its disk is; the command asks more, of
# rights and clients.
INSPECT = {
    "worker": ("+config|get", "+latency|latest"),
    "dashboard": ("+config|get", "+latency|latest"),
    "command": ("+config|get", "+acl|whoami", "+acl|dryrun", "+client|list"),
}


def rules(user: str, prefix: str = DEFAULT_PREFIX) -> list[str]:
    """Return the rules of a user, as ACL SETUSER takes them."""
    if user == "admin":
        return ["~*", "&*", "+@all"]
    if user == "backup":
        return ["resetkeys", "resetchannels", *CONNECT, "+replconf", "+sync"]
    if user == "producer":
        return _producer(prefix)
    celery = f"{prefix}celery:"
    # Redis compares the pattern of a PSUBSCRIBE letter by letter with those that are allowed.
    heard = [f"&{celery}/0.{name}" for name in ("celery.pidbox", "celeryev/worker.*", "celeryev/*", "celeryev")]
    channels = ["resetchannels", f"&{prefix}wake", f"&{celery}*", *heard]
    return [*channels, f"~{prefix}*", "+@all", "-@admin", "-@dangerous", "+info", *INSPECT[user]]


def _producer(prefix: str) -> list[str]:
    own = [f"~{each}" for each in [*patterns_of(PRODUCER_SCRIPTS, prefix), pattern(prefix, "durability_marker")]]
    commands = [f"+{name.lower()}" for name in sorted(commands_of(PRODUCER_SCRIPTS, prefix))]
    return ["resetchannels", f"&{prefix}wake", *own, *CONNECT, *RUN_SCRIPTS, *commands, *WAIT]


def users_file(passwords: Mapping[str, str], prefix: str = DEFAULT_PREFIX) -> str:
    """Return the text of `users.acl`: the users that have a password, the one for health checks, and nobody else."""
    lines = ["user default off nopass resetkeys resetchannels -@all", HEALTH]
    lines += [" ".join([f"user {name} on >{password}", *rules(name, prefix)]) for name, password in passwords.items()]
    return "\n".join(lines) + "\n"
