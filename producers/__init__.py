"""The API for services: enqueue upserts and read their state. Needs redis and pydantic only."""

from lanes.errors import LanesError, RedisUnavailableError, SettingsError, Trouble
from lanes.outcomes.outcome import Outcome
from lanes.outcomes.stream import CursorError, NoOutcomesError, OutcomePage
from lanes.queue.job import Job, State
from lanes.versions import ApiVersion
from producers.async_producer import AsyncOpportunityProducer
from producers.errors import (
    DurabilityError,
    EnqueueFailedError,
    EnqueueInterruptedError,
    IdempotencyConflictError,
    InvalidJobError,
    ProducerError,
    QuotaError,
    UnknownJobError,
    WaitTimeoutError,
)
from producers.model import EnqueueOptions, Options, UpsertOpportunity
from producers.model_v3 import UpsertOpportunityV3
from producers.outcomes import AsyncReceivedOutcome, ReceivedOutcome
from producers.producer import OpportunityProducer
from producers.protocols import AsyncProducer, Producer
from producers.receipt import EnqueueReport, FieldError, Receipt, RejectedRow

__all__ = [
    "ApiVersion",
    "AsyncOpportunityProducer",
    "AsyncProducer",
    "AsyncReceivedOutcome",
    "CursorError",
    "DurabilityError",
    "EnqueueFailedError",
    "EnqueueInterruptedError",
    "EnqueueOptions",
    "EnqueueReport",
    "FieldError",
    "IdempotencyConflictError",
    "InvalidJobError",
    "Job",
    "LanesError",
    "NoOutcomesError",
    "OpportunityProducer",
    "Options",
    "Outcome",
    "OutcomePage",
    "Producer",
    "ProducerError",
    "QuotaError",
    "Receipt",
    "ReceivedOutcome",
    "RedisUnavailableError",
    "RejectedRow",
    "SettingsError",
    "State",
    "Trouble",
    "UnknownJobError",
    "UpsertOpportunity",
    "UpsertOpportunityV3",
    "WaitTimeoutError",
]
