"""Ends the brake of a lane, or that of all lanes, if it is the one that the page showed."""

from tornado.web import HTTPError, url

from worker.dashboard.lanes.lane_page import ALL_LANES, LaneChange
from worker.dashboard.page import Change

REFUSALS = {
    "free": "it is no longer on the brake",
    "changed": "it was braked again meanwhile: check the reason, then end the brake again",
}


def check_ended(answer: str) -> None:
    """Check the answer of the script that ends a brake.

    Raises:
        HTTPError: the brake is over, or is another one.
    """
    if answer != "ended":
        raise HTTPError(409, REFUSALS["free" if answer == "free" else "changed"])


class EndBrake(LaneChange):
    """Ends the brake of a lane."""

    async def post(self) -> None:
        """End it; a hold stays."""
        lane = await self.lane()
        location, brake = lane.location_id, lane.brake
        if brake is None or brake.since != self.payload.get("since"):
            raise HTTPError(409, REFUSALS["free" if brake is None else "changed"])
        await self.log_change("resume", location, f"on the brake, {brake.refusals} refusals, status {brake.status}")
        check_ended(await self.change_lanes([location], self.store.end_brake, location, brake.since))
        self.send_json({"message": f"{location} is no longer on the brake."})


class EndGlobalBrake(Change):
    """Ends the brake of all lanes."""

    async def post(self) -> None:
        """End it; the brakes of single lanes stay."""
        brake = (await self.run_in_thread(self.store.global_state)).brake
        if brake is None or brake.since != self.payload.get("since"):
            raise HTTPError(409, REFUSALS["free" if brake is None else "changed"])
        await self.log_change("resume", ALL_LANES, f"all lanes on the brake, status {brake.status}")
        check_ended(await self.change_lanes([], self.store.end_brake_of_all, brake.since))
        self.send_json({"message": "The brake of all lanes has ended."})


handlers: list[url] = [
    url(r"/lanes/end-brake", EndBrake, name="lane_end_brake"),
    url(r"/lanes/end-brake-of-all", EndGlobalBrake, name="lanes_end_brake"),
]
