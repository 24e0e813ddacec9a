"""HighLevel's API: the client, what its answers mean, and a sandbox that behaves as it does."""
