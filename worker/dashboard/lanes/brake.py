"""What a person does to the brake of a lane, and to that of all lanes: ends it."""

from tornado.web import HTTPError, url

from worker.dashboard.lanes.lane_page import ALL_LANES, find, location_in
from worker.dashboard.page import Change

BRAKE_OVER_MESSAGE = "it is not on the brake any more"
BRAKE_CHANGED_MESSAGE = "meanwhile the brake closed anew: see why, and end it again"


def check_ended(answer: str) -> None:
    """Say why a brake was not ended, as the script answers it.

    Raises:
        HTTPError: it is over, or another one.
    """
    if answer != "ended":
        raise HTTPError(409, BRAKE_OVER_MESSAGE if answer == "free" else BRAKE_CHANGED_MESSAGE)


class EndBrake(Change):
    """Lets a lane go on that is on the brake."""

    async def post(self) -> None:
        """End the brake, if it is the one that was seen. A hold stays."""
        location = location_in(self.payload)
        brake = (await self.run_in_thread(find, self.store, location)).brake
        if brake is None or brake.since != self.payload.get("since"):
            raise HTTPError(409, BRAKE_OVER_MESSAGE if brake is None else BRAKE_CHANGED_MESSAGE)
        await self.log_change("resume", location, f"on the brake, {brake.refusals} refusals, status {brake.status}")
        check_ended(await self.run_in_thread(self._end, location, brake.since))
        self.send_json({"message": f"{location} is not on the brake any more."})

    def _end(self, location: str, since: float) -> str:
        answer = self.store.end_brake(location, since)
        self.lane_cache.refresh(location)
        return answer


class EndGlobalBrake(Change):
    """Ends the brake of all lanes; those on their own stay so."""

    async def post(self) -> None:
        """End it, if it is the one that was seen."""
        brake = (await self.run_in_thread(self.store.global_state)).brake
        if brake is None or brake.since != self.payload.get("since"):
            raise HTTPError(409, BRAKE_OVER_MESSAGE if brake is None else BRAKE_CHANGED_MESSAGE)
        await self.log_change("resume", ALL_LANES, f"all lanes on the brake, status {brake.status}")
        check_ended(await self.run_in_thread(self._end, brake.since))
        self.send_json({"message": "All lanes go on that are not on their own brake."})

    def _end(self, since: float) -> str:
        answer = self.store.end_brake_of_all(since)
        self.lane_cache.refresh()
        return answer


handlers: list[url] = [
    url(r"/lanes/end-brake", EndBrake, name="lane_end_brake"),
    url(r"/lanes/end-brake-of-all", EndGlobalBrake, name="lanes_end_brake"),
]
