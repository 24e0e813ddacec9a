"""Notifications, posted to a webhook."""
