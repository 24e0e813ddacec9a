"""What can go wrong in the lanes, as one small tree."""


class LanesError(Exception):
    """Base of every error that this package raises on purpose."""


class SettingsError(LanesError):
    """A setting is missing, mistyped or out of range; the message names it and what would be right."""


class RedisUnavailableError(LanesError):
    """Redis cannot be reached, refused the password, is loading, or is not writable."""


class ScriptError(LanesError):
    """A script failed inside Redis; the message names the Lua file and the line."""


class StoredJobError(LanesError):
    """A stored job cannot be read by this version."""
