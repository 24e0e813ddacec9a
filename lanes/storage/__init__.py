"""Redis: keys, scripts, durability, errors."""
