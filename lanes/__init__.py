"""The queue itself: a state machine in Redis. Knows nothing of Celery or HTTP.

Import each name from its module: a command imports only what it needs.
"""
