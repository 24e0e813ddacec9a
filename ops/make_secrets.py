"""Makes the secrets of a deployment, once: `make secrets` for `docker-compose.yml`; for the units of a plain machine,
`python -m ops.make_secrets /etc/lanes/secrets 127.0.0.1`.
"""

import base64
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).with_name("secrets")

TO_FILL = {
    "api_token": "; put the API token of HighLevel into it",
    "oauth_client_secret": "; to renew OAuth tokens, put the secret of your app into it",
}


# Each pair is made at once and says the same twice.
TOGETHER = (("redis_auth", "redis_url"), ("dashboard_people", "prometheus_password"))


def make(folder: Path = FOLDER, redis_host: str = "redis") -> list[str]:
    """Write each file that is not there yet, in a folder for its owner alone, and return a line for each file."""
    folder.mkdir(mode=0o700, exist_ok=True)
    redis_password, prometheus_password = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    contents = {
        "redis_auth": f"requirepass {redis_password}\n",
        "redis_url": f"redis://:{redis_password}@{redis_host}:6379/0\n",
        "dashboard_people": f"operator:{secrets.token_urlsafe(16)}\nprometheus:{prometheus_password}\n",
        "prometheus_password": prometheus_password,
        "grafana_admin_password": secrets.token_urlsafe(16),
        "api_token": "",
        "secret_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n",
        "oauth_client_secret": "",
    }
    for one, other in TOGETHER:
        if (folder / one).exists() != (folder / other).exists():
            sys.exit(f"{folder}: {one} and {other} belong together, and one is missing: remove both, or restore it")
    lines = []
    for name, content in contents.items():
        path = folder / name
        if path.exists():
            lines.append(f"{path}: kept as it is")
            continue
        # The containers' users are others than the owner: what they may read, others on this machine must not reach.
        path.touch(mode=0o644)
        path.write_text(content, encoding="utf-8")
        lines.append(f"{path}: made" + TO_FILL.get(name, ""))
    return lines


if __name__ == "__main__":
    arguments = sys.argv[1:]
    print("\n".join(make(Path(arguments[0]), *arguments[1:2]) if arguments else make()))
