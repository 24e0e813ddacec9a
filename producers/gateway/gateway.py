"""What the calls of the gateway share: Redis, the services, and a producer for each service."""

import asyncio
from typing import Any, TypeVar

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from lanes.queue import async_store
from lanes.queue.async_store import AsyncLaneStore
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from lanes.services.service import Service
from lanes.services.store import ServiceStore
from lanes.settings import ProducerSettings
from producers.async_producer import AsyncOpportunityProducer
from producers.gateway.long_polls import LongPolls
from producers.gateway.service_lanes import ServiceLanes
from producers.producer import client_timeouts

T = TypeVar("T")


class Gateway:
    """One process of the gateway. Use it in one event loop only."""

    def __init__(self, settings: ProducerSettings) -> None:
        self.settings = settings
        client = async_store.connect(settings.redis_url, retry=Retry(NoBackoff(), 0), **client_timeouts(settings))
        self._lanes = AsyncLaneStore(client, settings.prefix)
        # For rare calls, in threads.
        self.lanes = LaneStore(connect(settings.redis_url, **client_timeouts(settings)), settings.prefix)
        self.services = ServiceStore(self.lanes)
        self.long_polls = LongPolls()
        self._producers: dict[str, AsyncOpportunityProducer] = {}

    async def find_service(self, key: str) -> Service | None:
        """Return the service of a key, None for an unknown key."""
        return self.services.remembered(key) or await asyncio.to_thread(self.services.find_by_key, key)

    def producer(self, service: str) -> AsyncOpportunityProducer:
        """Return the producer of a service. Its jobs and keys are apart from those of all other services."""
        producer = self._producers.get(service)
        if producer is None:
            settings = self.settings.model_copy(update={"service": service})
            producer = self._producers[service] = AsyncOpportunityProducer(ServiceLanes(self._lanes, service), settings)
        return producer

    def has_keys(self) -> bool:
        """Return whether any service has a key."""
        return any(service.keys for service in self.services.list())

    async def close(self) -> None:
        """Close the connections."""
        await self._lanes.close()
        await asyncio.to_thread(self.lanes.close)


def gateway_of(app: Any) -> Gateway:
    """Return the gateway of an app."""
    gateway: Gateway = app.state.gateway
    return gateway
