"""The tokens of locations: stored encrypted in Redis, renewed by one worker at a time."""
