"""The tokens of locations: kept encrypted in Redis, renewed by one worker at a time, and given to whoever sends."""
