"""What keeps a worker safe: startup check, watchdog, supervisor, patches."""
