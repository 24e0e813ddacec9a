"""Services that were added: their quotas, keys and outcomes. A service that was never added is only a label."""
