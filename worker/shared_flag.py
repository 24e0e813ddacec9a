"""A flag that all threads and forked processes of a worker see."""

import mmap


class SharedFlag:
    """A flag in memory that is shared with processes forked later. Not set at first."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Set it."""
        self._memory[0] = 1

    def clear(self) -> None:
        """Clear it."""
        self._memory[0] = 0

    def __bool__(self) -> bool:
        return self._memory[0] == 1
