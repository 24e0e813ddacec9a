"""The real parts: a Redis with an empty vault, and a sandbox that gives tokens out."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from lanes.credentials import CredentialStore
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.settings import WorkerSettings
from ops.sandbox import Sandbox, SandboxControl, SandboxSettings
from tests.helpers import until
from worker.tokens.credential import Credential, from_fields
from worker.tokens.provider import Token, TokenProvider
from worker.tokens.vault import Vault, new_key

KEY = new_key()


@pytest.fixture
def lanes(redis_url: str) -> Iterator[LaneStore]:
    store = LaneStore(connect(redis_url))
    yield store
    store.close()


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(Sandbox(SandboxSettings(**settings)))


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return make_sandbox()


class Harness:
    """Tokens over a Redis and a sandbox, as a process of a worker has them."""

    def __init__(self, lanes: LaneStore, sandbox: Sandbox) -> None:
        self.lanes = lanes
        self.control = SandboxControl(sandbox.url)
        self.store = CredentialStore(lanes)
        self.settings = WorkerSettings(
            api_base_url=sandbox.url,
            api_token="default",
            secret_key=KEY,
            oauth_client_id="app",
            oauth_client_secret="app-secret",
            http_timeout_seconds=2,
        )
        self.vault = Vault(self.settings.secret_key)
        self._made: list[TokenProvider] = []

    def tokens(self) -> TokenProvider:
        """Return those of another process."""
        made = TokenProvider(self.settings, self.lanes)
        self._made.append(made)
        return made

    def now(self) -> float:
        return self.store.read("nobody").read_at

    def put(self, name: str, credential: Credential) -> int:
        return self.store.store_credential(name, self.vault.encrypt(name, credential))

    def put_pair(self, location: str, **changes: object) -> int:
        """Store a pair as the sandbox gave it, except for these fields."""
        return self.put(location, from_fields({**self.control.grant(location), **changes}, self.now()))

    def stored(self, name: str) -> Credential:
        return self.vault.decrypt(name, self.store.read(name).encrypted)

    def close(self) -> None:
        for tokens in self._made:
            tokens.close()


@pytest.fixture
def harness(lanes: LaneStore, sandbox: Sandbox) -> Iterator[Harness]:
    harness = Harness(lanes, sandbox)
    yield harness
    harness.close()


def until_usable(tokens: TokenProvider, location: str) -> Token:
    found: list[Token] = []

    def is_usable() -> bool:
        found.append(tokens.of(location))
        return found[-1].failure_outcome is None

    until(is_usable, "a token")
    return found[-1]
