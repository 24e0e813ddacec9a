"""The header comment of each script is compared with what the script uses."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from lanes.checks.check_store import CheckStore
from lanes.credentials import CredentialStore
from lanes.outcomes.store import OutcomeStore
from lanes.queue.job import State
from lanes.queue.new_job import NewJob
from lanes.queue.store import LaneStore
from lanes.queue.transitions import enqueue_arguments
from lanes.services.store import ServiceStore
from lanes.storage.scripts import read

FOLDER = Path(str(files("lanes") / "scripts"))
NAMES = sorted(path.stem for path in FOLDER.glob("*.lua"))
INCLUDES = sorted(
    path.relative_to(FOLDER / "include").with_suffix("").as_posix() for path in (FOLDER / "include").rglob("*.lua")
)
# They take any number of the same things, and nothing else.
IDS_ALONE = ("check_jobs", "read_all_counts", "count_dead_letters", "read_jobs", "summarize")
ROOT = Path(__file__).parents[3]


def header_of(name: str) -> str:
    lines = read(name)
    end = next(number for number, line in enumerate(lines) if not line.startswith("--") or "@include" in line)
    return "\n".join(line.removeprefix("--").strip() for line in lines[:end])


def code_of(name: str) -> str:
    return "\n".join(line.split("--")[0] for line in read(name))


@pytest.mark.parametrize("name", NAMES)
def test_a_script_has_a_method_of_its_name(name: str) -> None:
    """Or findings name it as their repair. `ServiceStore.add` runs `add_service`."""
    stores = (LaneStore, CredentialStore, CheckStore, OutcomeStore)
    texts = "".join(path.read_text("utf-8") for path in (ROOT / "lanes").rglob("*.py"))
    of_a_service = callable(getattr(ServiceStore, name.replace("_service", ""), None))
    assert of_a_service or any(callable(getattr(store, name, None)) for store in stores) or f'Repair("{name}"' in texts
    assert header_of(name).startswith(f"{name}: ")


def whole_of(name: str) -> str:
    """Return the code of a script with that of everything that it includes."""
    included = re.findall(r"^-- @(?:include|lazy) ([\w/]+)$", "\n".join(read(name)), re.MULTILINE)
    return "\n".join([code_of(name), *(whole_of(f"include/{include}") for include in included)])


@pytest.mark.parametrize("name", NAMES)
def test_the_header_lists_the_arguments_that_the_script_uses(name: str) -> None:
    ranges = re.findall(r"^(\d+) (?:to (\d+) )?|^(\d+)\.\. ", header_of(name), re.MULTILINE)
    bounds = [(int(first or rest), int(last or first or rest)) for first, last, rest in ranges]
    listed = [each for first, last in bounds for each in range(first, last + 1)]
    open_ended = {int(number) for number in re.findall(r"^(\d+)\.\. ", header_of(name), re.MULTILINE)}
    code = whole_of(name)
    used = {int(number) for number in re.findall(r"ARGV\[(\d+)\]", code)}
    begun = {int(start) for start in re.findall(r"(?:reply\('\w+', |for at = )(\d+)(?:\)|, #ARGV)", code)}
    consumer_arguments = {start + more for start in begun - open_ended for more in range(3)}
    last = {len(listed)} if "ARGV[#ARGV]" in code else set()
    if name in IDS_ALONE:
        assert "ipairs(ARGV)" in code
    elif name == "limit":
        assert "ARGV[i + 1]" in code
        assert listed == [1, 2, 3, 4]
    else:
        assert used | begun | consumer_arguments | last == set(listed)
    assert listed == list(range(1, len(listed) + 1))


def test_the_header_of_enqueue_lists_what_it_reads_of_a_job() -> None:
    header = "\n".join(line.removeprefix("-- ") for line in read("enqueue") if line.startswith("--"))
    fields, options = (re.findall(rf"^ {{{indent}}}(\w+)", header, re.MULTILINE) for indent in (4, 6))
    code = code_of("enqueue")
    listed = fields[fields.index("id") :][: int(code.split("FIELDS = ")[1].split()[0])]
    named = re.findall(r"(\w+) = ARGV\[at(?: \+ (\d+))?\]", code.split("function take_all")[1])
    assert [*named, ("options", "4")] == [(name, str(place or "")) for place, name in enumerate(listed)]
    options_of_all_kinds = {"merge": True, "event_time": 1, "version": "v3", "expires_while_held": True}
    job = NewJob("id", "loc", "r", b"{}", 1, 1, "s", "k", "f", 1, **options_of_all_kinds)  # type: ignore[arg-type]
    sent = re.findall(r" (\w+)=", str(enqueue_arguments([job], 60, 10)[-1]))
    assert sent == options


@pytest.mark.parametrize("name", NAMES)
def test_the_header_names_every_code_that_the_script_returns(name: str) -> None:
    returns = header_of(name).split("Returns: ")[1]
    listed = set(re.findall(r"'(\w+)'", returns))
    code = code_of(name)
    returned = set(re.findall(r"return (?:\{ |reply\()?'(\w+)'", code)) | set(
        re.findall(r"(?:verdict = |note_answer\(| and | or )'(\w+)'", code)
    )
    assert returned == listed


@pytest.mark.parametrize("name", NAMES)
def test_every_check_comes_before_the_first_write(name: str) -> None:
    """A refusal of a caller's wish (conflict, known, wrong state) must not follow a write of the same script."""
    code = code_of(name)
    write = re.search(r"redis\.call\('(SET|HSET|ZADD|SADD|DEL|RPUSH)'", code)
    refusals = [
        match.start() for match in re.finditer(r"return (?:\{ )?(?:'known'|'conflict'|'unknown'|'free'|job\[1\])", code)
    ]
    assert write is None or all(position < write.start() for position in refusals)


@pytest.mark.parametrize("name", NAMES + [f"include/{name}" for name in INCLUDES])
def test_every_included_file_exists_and_is_used(name: str) -> None:
    included = re.findall(r"^-- @include ([\w/]+)$", "\n".join(read(name)), re.MULTILINE)
    assert set(included) <= set(INCLUDES)
    for include in included:
        if include != "now":
            defined = re.findall(r"^local (?:function )?(\w+)", "\n".join(read(f"include/{include}")), re.MULTILINE)
            assert any(re.search(rf"\b{word}\b", code_of(name)) for word in defined), include
    for include in re.findall(r"^-- @lazy ([\w/]+)$", "\n".join(read(name)), re.MULTILINE):
        called = set(re.findall(rf"\b{include.rpartition('/')[2]}\(\)\.(\w+)", code_of(name)))
        assert called, include
        assert called <= set(re.findall(r"^local function (\w+)", code_of(f"include/{include}"), re.MULTILINE)), include


def test_every_include_is_included() -> None:
    text = "\n".join("\n".join(read(name)) for name in [*NAMES, *(f"include/{name}" for name in INCLUDES)])
    assert set(re.findall(r"^-- @(?:include|lazy) ([\w/]+)$", text, re.MULTILINE)) == set(INCLUDES)


def edges_of_headers() -> set[tuple[str, str, str]]:
    """Return (from, to, script) of every `Moves:` line."""
    found = set()
    for name in NAMES:
        moves = re.search(r"^Moves: (.*)$", header_of(name), re.MULTILINE)
        for part in moves[1].split(";") if moves else ():
            sources, targets = part.split("->")
            for source in sources.split("|"):
                for target in targets.split("|"):
                    words = [
                        state for state in (*(s.value.replace("_", " ") for s in State), "nothing") if state in target
                    ]
                    found.add((source.strip(), words[0], name))
    return found


def test_the_drawn_edges_are_those_of_the_scripts() -> None:
    page = (ROOT / "docs/states.md").read_text("utf-8")
    table = re.findall(r"^\| ([A-Z]) \| ([\w ]+) \| ([\w ]+) \| (\w+) \|", page, re.MULTILINE)
    assert {(source, target, script) for _, source, target, script in table} == edges_of_headers()
    drawing = page.split("```")[1]
    assert {letter for letter, *_ in table} == set(re.findall(r"\b([A-Z]) (?:[a-z])", drawing))
    assert all(re.search(rf"\b{letter} {script}", drawing) for letter, _, _, script in table)
