"""Creates the secrets of a deployment: `make secrets` for `docker-compose.yml`, or for systemd units
`python -m ops.make_secrets /etc/lanes/secrets 127.0.0.1`. In an older folder it adds what is missing.
"""

import base64
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

from ops.redis_acl import DEFAULT, UNSAFE_DEFAULT, USERS, password_hash, user_lines

FOLDER = Path(__file__).with_name("secrets")
TO_FILL = {
    "api_token": "; put the API token of HighLevel into it",
    "oauth_client_secret": "; to renew OAuth tokens, put the secret of your app into it",
}


class SecretsFolder:
    """The files, each with one secret. Nothing that exists is replaced; `lines` tells what was done."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._folder = folder
        self.lines: list[str] = []

    def path(self, name: str) -> Path:
        """Return the path of a file."""
        return self._folder / name

    def add(self, name: str, content: str) -> bool:
        """Create a file if it is missing; return whether it was."""
        path = self.path(name)
        if path.exists():
            self.lines.append(f"{path}: exists, kept")
            return False
        self._create(path, content, "created" + TO_FILL.get(name, ""))
        return True

    def add_lines(self, name: str, lines: list[str], what: str) -> None:
        """Add lines to a file, or create it with them."""
        path = self.path(name)
        if not path.exists():
            self._create(path, "".join(f"{line}\n" for line in lines), "created")
        elif not lines:
            self.lines.append(f"{path}: exists, kept")
        else:
            text = path.read_text("utf-8")
            joint = "" if text.endswith("\n") or not text else "\n"
            path.write_text(f"{text}{joint}" + "".join(f"{line}\n" for line in lines), encoding="utf-8")
            self.lines.append(f"{path}: added {what}")

    def _create(self, path: Path, content: str, done: str) -> None:
        # Containers run as other users, so the files are readable; the folder keeps other users of the machine out.
        path.touch(mode=0o644)
        path.write_text(content, encoding="utf-8")
        self.lines.append(f"{path}: {done}")


def make(folder: Path = FOLDER, redis_host: str = "redis") -> list[str]:
    """Create each missing file, in a folder that only its owner can read; return a line for each file.

    A password of Redis without its file is replaced: `users.acl` then accepts the old and the new one.
    """
    found = SecretsFolder(folder)
    _add_redis_users(found, redis_host)
    _add_people(found)
    found.add("grafana_admin_password", secrets.token_urlsafe(16))
    found.add("api_token", "")
    found.add("secret_key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n")
    found.add("oauth_client_secret", "")
    return found.lines


def _add_redis_users(found: SecretsFolder, redis_host: str) -> None:
    passwords: dict[str, str] = {}
    new: set[str] = set()
    for user in USERS:
        name, password = f"redis_url_{user}", secrets.token_urlsafe(32)
        if found.add(name, f"redis://{user}:{password}@{redis_host}:6379/0\n"):
            new.add(user)
        passwords[user] = password if user in new else _password_in(found.path(name))
    path = found.path("users.acl")
    known = path.read_text("utf-8").splitlines() if path.exists() else []
    if UNSAFE_DEFAULT in known:
        known[known.index(UNSAFE_DEFAULT)] = DEFAULT
        path.write_text("".join(f"{line}\n" for line in known), encoding="utf-8")
        told = "with its old line, Redis 7.0 loses all jobs at its next start; tell it now: acl setuser"
        found.lines.append(f"{path}: replaced the line of default: {told} {DEFAULT.removeprefix('user ')}")
    there = {words[1]: words for line in known if len(words := line.split()) > 1 and words[0] == "user"}
    second = {user: password_hash(passwords[user]) for user in USERS if user in new and user in there}
    if second:
        lines = [_with_password(line, second) for line in known]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        found.lines += [
            f"{path}: {user} has a second password; tell a running Redis: acl setuser {user} {added}"
            for user, added in second.items()
        ]
    missing = {user: line for user, line in user_lines(passwords).items() if user not in there}
    found.add_lines("users.acl", list(missing.values()), f"{', '.join(missing)}; Redis reads it at its next start")
    for user in there.keys() & passwords.keys() - new:
        if not {password_hash(passwords[user]), f">{passwords[user]}"} & set(there[user]):
            found.lines.append(f"{path}: {user} has another password than redis_url_{user}; remove one of them")


def _password_in(path: Path) -> str:
    try:
        password = urlsplit(path.read_text("utf-8").strip()).password
    except ValueError:
        password = None
    if not password:
        sys.exit(f"{path}: this is no URL with a password; remove it, and run this again for a new one")
    return password


def _with_password(line: str, second: dict[str, str]) -> str:
    words = line.split()
    if words[:1] == ["user"] and words[1] in second:
        words.insert(words.index("on") + 1 if "on" in words else 2, second[words[1]])
        return " ".join(words)
    return line


def _add_people(found: SecretsFolder) -> None:
    """Prometheus logs in to the dashboard: both files have its password."""
    people, prometheus = found.path("dashboard_people"), found.path("prometheus_password")
    known = people.read_text("utf-8").splitlines() if people.exists() else [f"operator:{secrets.token_urlsafe(16)}"]
    listed = dict(line.split(":", 1) for line in known if ":" in line and not line.startswith("#"))
    password = prometheus.read_text("utf-8").strip() if prometheus.exists() else listed.get("prometheus")
    password = password or secrets.token_urlsafe(32)
    lines = [] if "prometheus" in listed else [f"prometheus:{password}"]
    found.add_lines("dashboard_people", lines if people.exists() else [*known, *lines], "prometheus")
    found.add("prometheus_password", password)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    print("\n".join(make(Path(arguments[0]), *arguments[1:2]) if arguments else make()))
