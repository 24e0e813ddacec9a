"""`make chaos`, `python -m tests.chaos --seconds 600 --seed 1`: faults for some time, then the report.

Exit status 1 when anything was lost, out of order, too fast, sent without need, or stuck.
"""

import argparse
import json
import os
import secrets
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lanes.errors import LanesError
from ops.embedded.processes import end_on_signals
from tests.chaos import journal
from tests.chaos.environment import Environment
from tests.chaos.evidence import NotTried
from tests.chaos.faults import FAULTS, TOGETHER, rounds
from tests.chaos.report import Report, make_report
from tests.chaos.run import Run


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    made = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Inject faults into a running system, and account for every job afterwards.",
        epilog="example: python -m tests.chaos --seconds 600 --seed 1 --json > run.json",
    )
    made.add_argument("--seconds", type=float, default=180, help="for how long faults begin (default: %(default)s)")
    made.add_argument("--seed", type=int, default=None, help="the same seed, the same schedule (default: a new one)")
    made.add_argument("--fault", action="append", choices=sorted(FAULTS), help="only these; may be given again")
    made.add_argument("--together", type=float, default=TOGETHER, help="share of rounds with several faults at once")
    made.add_argument("--keep", action="store_true", help="keep the folder with logs and journals")
    made.add_argument("--json", dest="as_json", action="store_true", help="print the report as JSON")
    return made


def run_once(
    folder: Path, seed: int, names: Sequence[str], *, seconds: float, together: float, console: Console
) -> Report:
    """Inject faults for some seconds, and judge the run."""
    began = time.monotonic()
    not_tried = [NotTried(name, why) for name in names if (why := FAULTS[name].missing())]
    usable = [name for name in names if FAULTS[name].missing() is None]

    def log(line: str) -> None:
        console.print(f"[{time.monotonic() - began:6.1f} s] {line}", markup=False, highlight=False)

    with Environment(folder, seed, small_disk="disk full" in usable) as environment:
        run = Run(environment, log)
        run.inject_faults(rounds(seed, usable, together), seconds)
        log("the faults are over: letting the lanes run dry")
        evidence = run.finish()
        recorded = journal.read(environment.journals)
        return make_report(run, evidence, recorded, seed=seed, seconds=time.monotonic() - began, not_tried=not_tried)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, report, and return the exit status."""
    given = parser().parse_args(arguments)
    end_on_signals()
    os.nice(5)
    console = Console(stderr=True)
    seed = given.seed if given.seed is not None else secrets.randbelow(1_000_000)
    names = given.fault or list(FAULTS)
    again = ["python", "-m", "tests.chaos", "--seconds", f"{given.seconds:g}", "--seed", str(seed)]
    again += [part for name in given.fault or () for part in ("--fault", name)]
    console.print(f"again: {shlex.join(again)}", markup=False, highlight=False)
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    keep = given.keep
    try:
        report = run_once(folder, seed, names, seconds=given.seconds, together=given.together, console=console)
        keep = keep or bool(report.wrong)
        report.print(console if given.as_json else Console())
        if given.as_json:
            print(json.dumps(report.as_json(), indent=2))
    except LanesError as error:
        keep = True
        console.print(f"the run broke off: {error}", markup=False, highlight=False)
        return 1
    finally:
        if keep:
            console.print(f"logs and journals: {folder}", markup=False, highlight=False)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if report.wrong:
        console.print(f"{len(report.wrong)} violations; again: {shlex.join(again)}", markup=False, highlight=False)
    return 1 if report.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
