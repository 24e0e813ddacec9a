"""What a server says of itself before its first use, and what the lanes do without INFO."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import NoPermissionError, ResponseError

from lanes.errors import RedisUnavailableError, Trouble
from lanes.queue.connecting import connect
from lanes.queue.new_job import EnqueueStatus, NewJob
from lanes.queue.results import Released
from lanes.queue.store import LaneStore
from lanes.storage.usable import check_usable
from ops.embedded.redis_server import RedisServer
from tests.lanes.conftest import make_consumer
from tests.redis_programs import PROGRAMS, redis_program


def hello(version: bytes, mode: bytes = b"standalone") -> list[bytes]:
    return [b"server", b"redis", b"version", version, b"mode", mode]


@pytest.mark.parametrize("version", [b"5.0.14", b"6.0.20", b"6.1.240"])
def test_an_old_server_is_refused(version: bytes) -> None:
    with pytest.raises(RedisUnavailableError, match=r"its version is .*: name a server of version 6.2 or newer") as old:
        check_usable(hello(version), None)
    assert old.value.trouble is Trouble.UNFIT
    assert old.value.trouble.is_permanent


@pytest.mark.parametrize(
    "reply", [hello(b"6.2.0"), hello(b"10.0.0"), NoPermissionError("NOPERM"), ResponseError("unknown command")]
)
def test_a_server_that_is_new_enough_or_does_not_tell_is_used(reply: Any) -> None:
    check_usable(reply, None)


@pytest.fixture(params=[(program, way) for program in PROGRAMS for way in ("renamed", "denied")], ids="-".join)
def without_info(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LaneStore]:
    """A full Redis that does not answer INFO."""
    program, way = request.param
    options = ("--maxmemory", "1", *(("--rename-command", "INFO", "") if way == "renamed" else ()))
    with RedisServer(tmp_path, options=options, program=redis_program(program)) as server:
        user = ""
        if way == "denied":
            user = "blind:word@"
            with redis.Redis(port=server.port) as admin:
                admin.execute_command("ACL SETUSER blind on >word ~lanes:* &* +@all -info")
        with connect(server.url.replace("//", f"//{user}")) as client:
            yield LaneStore(client)


def test_without_info_jobs_go_their_way_and_a_full_redis_refuses_by_itself(without_info: LaneStore) -> None:
    with pytest.raises(RedisUnavailableError, match=r"^Redis refuses: .*; its memory is full") as full:
        without_info.enqueue(NewJob("job", "loc", "record", b"{}"), 60)
    assert "script" not in str(full.value)
    without_info.client.config_set("maxmemory", 0)
    assert without_info.enqueue(NewJob("job", "loc", "record", b"{}"), 60).status is EnqueueStatus.ACCEPTED
    assert isinstance(without_info.release(make_consumer()).next, Released)
