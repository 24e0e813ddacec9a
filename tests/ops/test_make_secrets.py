"""`make secrets` over an older folder adds what is missing, and every password that a file has is one of Redis."""

import stat
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ops.embedded.redis_server import RedisServer
from ops.make_secrets import make
from ops.redis_acl import DEFAULT, UNSAFE_DEFAULT, USERS

FILES = {
    *("users.acl", *(f"redis_url_{user}" for user in USERS), "dashboard_people", "prometheus_password"),
    *("grafana_admin_password", "api_token", "secret_key", "oauth_client_secret"),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of secrets in which all that a person can fill is filled."""
    folder = tmp_path / "secrets"
    make(folder, "127.0.0.1")
    (folder / "api_token").write_text("the token of a person")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def everyone_may_log_in(folder: Path, tmp_path: Path) -> None:
    """Start Redis with the users, and log in with each URL; Prometheus has the password that the dashboard knows."""
    options = ["--aclfile", str(folder / "users.acl")]
    with RedisServer(tmp_path / "redis", options=options) as server:
        for user in (*USERS, "health"):
            url = "redis://health:none@h:6379/0" if user == "health" else (folder / f"redis_url_{user}").read_text()
            address = urlsplit(url.strip())
            with redis.Redis(port=server.port, username=address.username, password=address.password) as client:
                assert client.ping()
        with (
            redis.Redis(port=server.port, retry=Retry(NoBackoff(), 0)) as anonymous,
            pytest.raises(redis.AuthenticationError),
        ):
            anonymous.ping()
    people = dict(line.split(":") for line in (folder / "dashboard_people").read_text().splitlines())
    assert people["prometheus"] == (folder / "prometheus_password").read_text().strip()
    assert len(people["operator"]) > 16


def test_the_users_file_has_hashes_and_no_password(folder: Path) -> None:
    users = (folder / "users.acl").read_text()
    for user in USERS:
        password = urlsplit((folder / f"redis_url_{user}").read_text().strip()).password
        assert password is not None
        assert password not in users
        assert f"user {user} on #{sha256(password.encode()).hexdigest()} " in users
    assert ">" not in users
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("missing", sorted(FILES))
def test_a_missing_file_is_added_and_the_others_are_kept(folder: Path, tmp_path: Path, missing: str) -> None:
    assert contents(folder).keys() == FILES
    (folder / missing).unlink()
    before = contents(folder)
    told = make(folder, "127.0.0.1")
    changed = {name for name, text in contents(folder).items() if before.get(name) != text}
    allowed = {missing, "users.acl"} if missing.startswith("redis_url_") else {missing}
    assert missing in changed <= allowed
    assert any(line.startswith(f"{folder / missing}: created") for line in told)
    assert all(line.endswith(": exists, kept") for line in make(folder, "127.0.0.1"))
    if missing not in ("api_token", "secret_key", "oauth_client_secret", "grafana_admin_password"):
        everyone_may_log_in(folder, tmp_path)


def test_a_folder_of_an_older_version_gets_its_new_users(folder: Path, tmp_path: Path) -> None:
    """It had fewer users, plain passwords, a user of the deployment's own, and no user for health checks."""
    users = folder / "users.acl"
    plain = {user: urlsplit((folder / f"redis_url_{user}").read_text().strip()).password or "" for user in USERS}
    lines = [line for line in users.read_text().splitlines() if line.split()[1] not in ("backup", "admin", "health")]
    for password in plain.values():
        lines = [line.replace(f"#{sha256(password.encode()).hexdigest()}", f">{password}") for line in lines]
    older = "\n".join([*lines, "user ours on >own ~ours:* +@all"])
    users.write_text(older)
    for user in ("backup", "admin"):
        (folder / f"redis_url_{user}").unlink()
    people = folder / "dashboard_people"
    people.write_text("operator:a-password-of-a-person")
    (folder / "prometheus_password").unlink()
    told = make(folder, "127.0.0.1")
    assert users.read_text().startswith(older + "\n")
    assert f"{users}: added health, backup, admin; Redis reads it at its next start" in told
    assert people.read_text().startswith("operator:a-password-of-a-person\n")
    everyone_may_log_in(folder, tmp_path)
    assert all(line.endswith(": exists, kept") for line in make(folder, "127.0.0.1"))


def test_a_second_password_stands_beside_the_old_one(folder: Path) -> None:
    old, url = (folder / "users.acl").read_text(), folder / "redis_url_worker"
    url.unlink()
    told = make(folder, "127.0.0.1")
    password = urlsplit(url.read_text().strip()).password or ""
    added = f"#{sha256(password.encode()).hexdigest()}"
    assert (
        f"{folder / 'users.acl'}: worker has a second password; tell a running Redis: acl setuser worker {added}"
        in told
    )
    assert (folder / "users.acl").read_text() == old.replace("user worker on #", f"user worker on {added} #")
    assert password not in "".join(told)


def test_the_line_with_which_redis_loses_its_jobs_is_replaced(folder: Path, tmp_path: Path) -> None:
    users = folder / "users.acl"
    whole = users.read_text()
    users.write_text(whole.replace(DEFAULT, UNSAFE_DEFAULT))
    assert any("acl setuser default off resetpass" in line for line in make(folder, "127.0.0.1"))
    assert users.read_text() == whole
    everyone_may_log_in(folder, tmp_path)


def test_a_url_that_does_not_fit_is_named(folder: Path) -> None:
    (folder / "redis_url_worker").write_text("redis://worker:another@127.0.0.1:6379/0\n")
    before = contents(folder)
    (line,) = [line for line in make(folder, "127.0.0.1") if not line.endswith("kept")]
    assert line == f"{folder / 'users.acl'}: worker has another password than redis_url_worker; remove one of them"
    assert contents(folder) == before


@pytest.mark.parametrize("text", ["", "\n", "redis://127.0.0.1:6379/0", "redis://[broken"])
def test_a_url_without_a_password_is_one_line(folder: Path, text: str) -> None:
    (folder / "redis_url_admin").write_text(text)
    with pytest.raises(SystemExit) as ended:
        make(folder, "127.0.0.1")
    expected = (
        f"{folder / 'redis_url_admin'}: this is no URL with a password; remove it, and run this again for a new one"
    )
    assert str(ended.value) == expected
