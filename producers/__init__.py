"""What services import: put upserts into the lanes and ask what became of them. Needs redis and pydantic only."""

from lanes.errors import RedisUnavailableError
from lanes.job import Job, State
from producers.async_producer import AsyncOpportunityProducer
from producers.errors import (
    EnqueueInterruptedError,
    IdempotencyConflictError,
    InvalidJobError,
    Problem,
    ProducerError,
    UnknownJobError,
    WaitTimeoutError,
)
from producers.model import EnqueueOptions, UpsertOpportunity
from producers.producer import OpportunityProducer
from producers.receipt import EnqueueReport, Receipt, Refusal

__all__ = [
    "AsyncOpportunityProducer",
    "EnqueueInterruptedError",
    "EnqueueOptions",
    "EnqueueReport",
    "IdempotencyConflictError",
    "InvalidJobError",
    "Job",
    "OpportunityProducer",
    "Problem",
    "ProducerError",
    "Receipt",
    "RedisUnavailableError",
    "Refusal",
    "State",
    "UnknownJobError",
    "UpsertOpportunity",
    "WaitTimeoutError",
]
