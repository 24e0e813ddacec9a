"""What a POST alone costs: `python -m benchmarks.bare_requests KIND URL COUNT` sends one after the other.

Its last line is the user and system time of the loop in seconds.
"""

import json
import sys
import time
from collections.abc import Callable

import requests

from benchmarks.bodies import Body, make_bodies
from benchmarks.upsert import HEADERS, PATH, TIMEOUT_SECONDS

Send = Callable[[Body], requests.Response]


def plain(url: str) -> Send:
    """`Session.post` with its defaults: each call reads proxies and `.netrc` from the environment."""
    session = requests.Session()
    session.headers.update(HEADERS)
    return lambda body: session.post(url, json=body, timeout=TIMEOUT_SECONDS)


def prepared(url: str) -> Send:
    """Prepared once and copied, nothing read from the environment: the least that `requests` can do."""
    session = requests.Session()
    session.trust_env = False
    template = requests.Request("POST", url, headers={**HEADERS, "Content-Type": "application/json"}).prepare()

    def send(body: Body) -> requests.Response:
        request = template.copy()
        request.body = json.dumps(body).encode()
        request.headers["Content-Length"] = str(len(request.body))
        return session.send(request, timeout=TIMEOUT_SECONDS)

    return send


KINDS: dict[str, Callable[[str], Send]] = {"post": plain, "prepared": prepared}


def main() -> None:
    """Send them all."""
    kind, url, count = sys.argv[1:]
    send, bodies = KINDS[kind](url + PATH), make_bodies(int(count))
    started = time.process_time()
    for body in bodies:
        send(body).raise_for_status()
    print(time.process_time() - started)


if __name__ == "__main__":
    main()
