"""`make fuzz`: each target for some time with atheris, which looks for inputs that reach new code; prints counts.

    python -m tests.fuzzing --seconds 60 [TARGET ...]

What was found stays in `.fuzz/TARGET`, to begin with the next time. Exit status: 1 when something was broken; the input
is in `.fuzz/TARGET` then, under a name that begins with `crash-` or `timeout-`.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(".fuzz")
SEEDS = (
    b'{"pipelineId":"p","locationId":"l","contactId":"c","monetaryValue":1.5,"_options":{"priority":3}}',
    b"pipelineId,locationId,contactId\np,l,c\n",
    b'wait=20\n{"pipelineId":"p","locationId":"l","contactId":"c","_options":{"service":"crm"}}',
    b"32retry-after: 3\n{}",
    b"1 retry 1 2 {}",
    b'{"id":"1-1","event":"lane_held"}',
    b'{"refresh_token":"r","expires_in":86400}',
    b"status=422&from=2026-05-01T07:00&sort=failed_at&order=up&page=2&search=a&show=held&rows=50",
    b"$EOF:" + b"m" * 40 + b"\nREDIS0009\xff12345678" + b"m" * 40,
)


def fuzz(name: str, arguments: list[str]) -> None:
    """Be the fuzzer of one target; does not return."""
    import atheris  # noqa: PLC0415 - not in every environment

    with atheris.instrument_imports(include=["lanes", "producers", "worker", "ops"]):
        from tests.fuzzing.targets import TARGETS  # noqa: PLC0415 - watched from their first line on

    atheris.Setup([name, *arguments], TARGETS[name])
    atheris.Fuzz()


def run(name: str, seconds: int) -> bool:
    """Let a process fuzz a target; print a line; return whether it held."""
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (folder / f"seed{number}").write_bytes(seed)
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-max_len=4096", "-rss_limit_mb=1024"]
    command = [sys.executable, "-m", "tests.fuzzing", "--be", name, *limits]
    ended = subprocess.run(
        [*command, f"-artifact_prefix={folder}/", "-print_final_stats=1", str(folder)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    found = re.search(r"number_of_executed_units:\s*(\d+)", ended.stderr)
    covered = re.findall(r"cov: (\d+)", ended.stderr)
    print(
        f"{name:16} {found[1] if found else '?':>9} inputs, {covered[-1] if covered else '?':>6} edges reached",
        flush=True,
    )
    if ended.returncode:
        print("\n".join((ended.stdout + ended.stderr).splitlines()[-30:]))
    return ended.returncode == 0


def main() -> int:
    """Fuzz the targets, one after the other."""
    if sys.argv[1:2] == ["--be"]:
        fuzz(sys.argv[2], sys.argv[3:])
    from tests.fuzzing.targets import TARGETS  # noqa: PLC0415 - a fuzzer must not have imported them before

    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing")
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    given = parser.parse_args()
    unknown = set(given.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    held = [run(name, given.seconds) for name in given.targets]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
