"""A flag that all threads and forked processes of a worker see."""

import mmap


class SharedFlag:
    """Lives in memory that processes share which are forked after it was made. Not set at first."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    def set(self) -> None:
        """It is so from now on."""
        self._memory[0] = 1

    def clear(self) -> None:
        """It is not so from now on."""
        self._memory[0] = 0

    def __bool__(self) -> bool:
        return self._memory[0] == 1
