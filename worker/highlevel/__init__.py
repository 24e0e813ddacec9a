"""HighLevel's API: the client, and the meaning of its answers."""
