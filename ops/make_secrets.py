"""Creates the secrets of a deployment: `make secrets` for `docker-compose.yml`, or for systemd units
`python -m ops.make_secrets /etc/lanes/secrets 127.0.0.1`.
"""

import base64
import secrets
import sys
from pathlib import Path

from ops.redis_acl import USERS, users_file

FOLDER = Path(__file__).with_name("secrets")

TO_FILL = {
    "api_token": "; put the API token of HighLevel into it",
    "oauth_client_secret": "; to renew OAuth tokens, put the secret of your app into it",
}


# The files of a group contain the same secrets, so they are created together.
REDIS = ("users.acl", *(f"redis_url_{user}" for user in USERS))
TOGETHER = (REDIS, ("dashboard_people", "prometheus_password"))


def make(folder: Path = FOLDER, redis_host: str = "redis") -> list[str]:
    """Create each missing file, in a folder that only its owner can read; return a line for each file."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for group in TOGETHER:
        missing = [name for name in group if not (folder / name).exists()]
        if missing and len(missing) < len(group):
            problem = f"{', '.join(group)} belong together, and {', '.join(missing)} is missing"
            sys.exit(f"{folder}: {problem}: restore it, or remove them all")
    passwords = {user: secrets.token_urlsafe(32) for user in USERS}
    prometheus_password = secrets.token_urlsafe(32)
    contents = {
        "users.acl": users_file(passwords),
        **{f"redis_url_{user}": f"redis://{user}:{passwords[user]}@{redis_host}:6379/0\n" for user in USERS},
        "dashboard_people": f"operator:{secrets.token_urlsafe(16)}\nprometheus:{prometheus_password}\n",
        "prometheus_password": prometheus_password,
        "grafana_admin_password": secrets.token_urlsafe(16),
        "api_token": "",
        "secret_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n",
        "oauth_client_secret": "",
    }
    lines = []
    for name, content in contents.items():
        path = folder / name
        if path.exists():
            lines.append(f"{path}: exists, kept")
            continue
        # Containers run as other users, so the files are readable; the folder keeps other users of the machine out.
        path.touch(mode=0o644)
        path.write_text(content, encoding="utf-8")
        lines.append(f"{path}: created" + TO_FILL.get(name, ""))
    return lines


if __name__ == "__main__":
    arguments = sys.argv[1:]
    print("\n".join(make(Path(arguments[0]), *arguments[1:2]) if arguments else make()))
