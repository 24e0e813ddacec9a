"""The Redis users: one for each kind of process, with the rights that it needs.

The rights of a producer are derived from the scripts that it calls. All rules work from Redis 6.2 on.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

from lanes.checks.permissions import commands_of, pattern, patterns_of
from lanes.storage.keys import DEFAULT_PREFIX

# Each has a file `redis_url_NAME`; `admin` is for a person who repairs Redis.
USERS = ("producer", "gateway", "worker", "dashboard", "command", "backup", "admin")
# No client can log in as `default`: it is off and has no password. Its rights are for Redis itself: version 7.0 loads
# the append-only file with them, and without them drops every transaction, so every job, at each start.
DEFAULT = "user default off resetpass ~* &* +@all"
# The line of older folders, which is replaced.
UNSAFE_DEFAULT = "user default off nopass resetkeys resetchannels -@all"
# For health checks, without a password: PING only.
HEALTH = "user health on nopass resetkeys resetchannels -@all +ping"

PRODUCER_SCRIPTS = ("enqueue", "cancel", "read_jobs")
# The commands for one's own connection, WAITAOF among them, but not for the connections of others. No CLIENT TRACKING:
# it would tell the names of all keys that change.
CONNECT = ("-@all", "+@connection", "-@admin", "-@dangerous", "-client", "+client|setname", "+select")
RUN_SCRIPTS = ("+evalsha", "+eval", "+script|load")
# For `durability`: write the marker, wait, and before Redis 7.2 read what a worker stored about the append-only file.
WAIT_KEYS = ("durability_marker", "aof_settings")
WAIT = ("+set", "+wait", "+mget", "+info")
# For outcomes: groups and cursors. A service reads those of any service: `LANES_SERVICE` is a label.
READ_OUTCOMES = ("+hget", "+hmget", "+xack", "+xautoclaim", "+xclaim", "+xgroup", "+xrange", "+xreadgroup")
# The gateway also finds services by their keys, reads outcomes, and looks whose jobs were merged.
GATEWAY_KEYS = ("services", "service", "service_keys", "merged_jobs", "outcomes")
GATEWAY = ("+hget", "+hgetall", "+hmget", "+smembers", "+scard", "+srandmember", "+xrange")
# Workers and pages check the persistence of Redis and the latency of its disk; the command also rights and clients.
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
        return [*_producer(prefix, PRODUCER_SCRIPTS, WAIT_KEYS), *READ_OUTCOMES]
    if user == "gateway":
        keys = (*WAIT_KEYS, *GATEWAY_KEYS)
        return [*_producer(prefix, (*PRODUCER_SCRIPTS, "queue_position"), keys), *GATEWAY]
    celery = f"{prefix}celery:"
    # Redis compares the pattern of a PSUBSCRIBE literally with the allowed patterns.
    heard = [f"&{celery}/0.{name}" for name in ("celery.pidbox", "celeryev/worker.*", "celeryev/*", "celeryev")]
    channels = ["resetchannels", f"&{prefix}wake", f"&{celery}*", *heard]
    return [*channels, f"~{prefix}*", "+@all", "-@admin", "-@dangerous", "+info", *INSPECT[user]]


def _producer(prefix: str, scripts: Sequence[str], keys: Sequence[str]) -> list[str]:
    own = [f"~{each}" for each in [*patterns_of(scripts, prefix), *(pattern(prefix, name) for name in keys)]]
    commands = [f"+{name.lower()}" for name in sorted(commands_of(scripts))]
    return ["resetchannels", f"&{prefix}wake", *own, *CONNECT, *RUN_SCRIPTS, *commands, *WAIT]


def password_hash(password: str) -> str:
    """Return a password as a line of `users.acl` and ACL SETUSER take it: readers of the file cannot log in."""
    return f"#{sha256(password.encode()).hexdigest()}"


def user_lines(passwords: Mapping[str, str], prefix: str = DEFAULT_PREFIX) -> dict[str, str]:
    """Return the lines of `users.acl` by user: those with a password, the one for health checks, and `default`."""
    lines = {"default": DEFAULT, "health": HEALTH}
    for name, password in passwords.items():
        lines[name] = " ".join([f"user {name} on {password_hash(password)}", *rules(name, prefix)])
    return lines
