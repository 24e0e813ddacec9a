"""What a person does to the brake of a lane, and to that of all lanes: ends it."""

from tornado.web import HTTPError, url

from worker.dashboard.page import Change
from worker.dashboard.pages.lane import EVERYTHING, find, location_in

OVER = "it is not on the brake any more"
ANOTHER = "meanwhile the brake closed anew: see why, and end it again"


def check_ended(answer: str) -> None:
    """Say why a brake was not ended, as the script answers it.

    Raises:
        HTTPError: it is over, or another one.
    """
    if answer != "ended":
        raise HTTPError(409, OVER if answer == "free" else ANOTHER)


class EndBrake(Change):
    """Lets a lane go on that is on the brake."""

    async def post(self) -> None:
        """End the brake, if it is the one that was seen. A hold stays."""
        location = location_in(self.given)
        brake = (await self.in_thread(find, self.store, location)).brake
        if brake is None or brake.since != self.given.get("since"):
            raise HTTPError(409, OVER if brake is None else ANOTHER)
        await self.note("resume", location, f"on the brake, {brake.refusals} refusals, status {brake.status}")
        check_ended(await self.in_thread(self._end, location, brake.since))
        self.answer({"told": f"{location} is not on the brake any more."})

    def _end(self, location: str, since: float) -> str:
        answer = self.store.end_brake(location, since)
        self.watcher.renew(location)
        return answer


class EndBrakeOfAll(Change):
    """Ends the brake of all lanes; those on their own stay so."""

    async def post(self) -> None:
        """End it, if it is the one that was seen."""
        brake = (await self.in_thread(self.store.gate)).brake
        if brake is None or brake.since != self.given.get("since"):
            raise HTTPError(409, OVER if brake is None else ANOTHER)
        await self.note("resume", EVERYTHING, f"all lanes on the brake, status {brake.status}")
        check_ended(await self.in_thread(self._end, brake.since))
        self.answer({"told": "All lanes go on that are not on their own brake."})

    def _end(self, since: float) -> str:
        answer = self.store.end_brake_of_all(since)
        self.watcher.renew()
        return answer


handlers: list[url] = [
    url(r"/lanes/end-brake", EndBrake, name="lane_end_brake"),
    url(r"/lanes/end-brake-of-all", EndBrakeOfAll, name="lanes_end_brake"),
]
