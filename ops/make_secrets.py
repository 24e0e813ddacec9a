"""Makes the secrets that `docker-compose.yml` names, once: `make secrets`."""

import base64
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).with_name("secrets")

TO_FILL = {
    "api_token": "; put the API token of HighLevel into it",
    "oauth_client_secret": "; to renew OAuth tokens, put the secret of your app into it",
}


def make(folder: Path = FOLDER) -> list[str]:
    """Write each file that is not there yet, for its owner alone, and return a line for each file."""
    folder.mkdir(mode=0o700, exist_ok=True)
    redis_password, flower_password = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
    contents = {
        "redis_auth": f"requirepass {redis_password}\n",
        "redis_url": f"redis://:{redis_password}@redis:6379/0\n",
        "flower.py": f'basic_auth = ["operator:{flower_password}"]\n',
        "api_token": "",
        "secret_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode() + "\n",
        "oauth_client_secret": "",
    }
    if (folder / "redis_auth").exists() != (folder / "redis_url").exists():
        sys.exit(f"{folder}: redis_auth and redis_url belong together, and one is missing: remove both, or restore it")
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
    print("\n".join(make()))
