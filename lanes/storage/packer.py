"""Packs commands for Redis. That of redis-py spends more time on looking at the arguments than on packing them."""

from typing import Any

from redis.connection import HiredisRespSerializer
from redis.utils import HIREDIS_AVAILABLE

if HIREDIS_AVAILABLE:
    from hiredis import pack_command


class LeanPacker(HiredisRespSerializer):
    """Packs text, bytes and numbers at once, and leaves all else to redis-py: names of two words, other buffers."""

    def pack(self, *arguments: Any) -> list[bytes]:
        """Return a command in the protocol of Redis, as a list of one."""
        name = arguments[0]
        if isinstance(name, str) and " " not in name:
            try:
                return [pack_command(arguments)]
            except TypeError:  # redis-py converts what it can, and explains the rest
                pass
        packed: list[bytes] = super().pack(*arguments)
        return packed


def make_packer() -> LeanPacker | None:
    """Return the packer for a connection; None without `hiredis`: redis-py then has another one."""
    return LeanPacker() if HIREDIS_AVAILABLE else None
