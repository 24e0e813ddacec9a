"""Another client of the same app, that knows nothing of the lanes: it takes a part of one location's budget.

`python -m benchmarks.second_client URL LOCATION REQUESTS SECONDS SEED` sends until it is ended: for a few seconds at a
time at 30 to 60 % of the budget, with gaps at random. What is throttled it lets go.
"""

import random
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import requests

from benchmarks.bodies import make_body
from benchmarks.upsert import HEADERS, PATH, TIMEOUT_SECONDS

SHARE = (0.3, 0.6)
KEEPS_SHARE_SECONDS = (2.0, 5.0)
THREADS = 32
CONTACT = "other-"


def main() -> None:
    """Send until SIGTERM, then wait for the last answers."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    url, location, *numbers = sys.argv[1:]
    budget, window, seed = (int(number) for number in numbers)
    chance = random.Random(seed)
    session = requests.Session()
    session.trust_env = False
    session.headers.update(HEADERS)
    session.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=THREADS))

    def send(number: int) -> None:
        body = make_body(location, f"{CONTACT}{number}")
        session.post(url + PATH, json=body, timeout=TIMEOUT_SECONDS)

    rate, until, number = 0.0, 0.0, 0
    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            now = time.monotonic()
            if now >= until:
                rate = chance.uniform(*SHARE) * budget / window
                until = now + chance.uniform(*KEEPS_SHARE_SECONDS)
            number += 1
            pool.submit(send, number)
            time.sleep(chance.expovariate(rate))


if __name__ == "__main__":
    main()
