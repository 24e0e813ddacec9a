"""`lanes token`: the tokens of locations."""

import sys
from pathlib import Path
from typing import Any

import click

from lanes.credentials import AGENCY
from lanes.dead_letters import operations
from lanes.dead_letters.filter import DeadLetterFilter, count_matching, find_in_batches
from lanes.printable import printable
from lanes.queue.job import Reason
from lanes.times import format_time
from ops.command.console import LocationId, examples, pluralize, print_json, say
from ops.command.dead_bulk import confirm
from ops.command.failures import Refused
from ops.command.row_files import input_file, input_format, opened
from ops.command.session import Session, connected
from ops.command.table import Column, print_table
from ops.command.token_rows import TOKEN_COLUMNS, read_token
from producers.files.rows import Format, read_rows
from worker.tokens.credential import (
    Credential,
    CredentialError,
    CredentialKind,
    read_credential,
)
from worker.tokens.credential_admin import CredentialAdmin, CredentialInfo
from worker.tokens.vault import Vault, VaultError, new_key

COLUMNS = (
    Column("location"),
    Column("kind"),
    Column("fingerprint"),
    Column("expires"),
    Column("age", right=True),
    Column("note", alarm="red"),
)
MAX_SECRET_BYTES = 64 * 1024


@click.group(epilog=examples("lanes token set ve9EPM428h8vShlRW1KT", "lanes token list"))
def token() -> None:
    """Store, list and remove the tokens of locations. They are encrypted with LANES_SECRET_KEY.

    Type a secret at the prompt, or pass it in a file or on stdin: other users of the machine can read arguments.
    """


def _admin(session: Session) -> CredentialAdmin:
    return CredentialAdmin(session.store, Vault(session.settings.secret_key))


def _now(session: Session) -> float:
    seconds, micros = session.store.read(lambda client: client.time())
    return float(seconds + micros / 1e6)


def _name(location_id: str | None, agency: str | None) -> str:
    if (location_id is None) == (agency is None):
        raise click.UsageError("say which: LOCATION, or --agency COMPANY")
    return location_id or f"{AGENCY}{agency}"


_location = click.argument("location_id", metavar="[LOCATION]", required=False, type=LocationId())
_agency = click.option("--agency", type=LocationId(), metavar="COMPANY", help="The token of this agency.")
_replay = click.option("--replay", is_flag=True, help="Replay the dead letters that lacked this token.")


@token.command(
    "set",
    epilog=examples(
        "lanes token set ve9EPM428h8vShlRW1KT                          # asks for the token",
        "lanes token set ve9EPM428h8vShlRW1KT --file pair.json --replay",
        "vault read -field=token hl | lanes token set ve9EPM428h8vShlRW1KT",
        "lanes token set --agency 5DP4iH6HLkQsiKESj6rh --file agency.json",
        "lanes token set ve9EPM428h8vShlRW1KT --from-agency 5DP4iH6HLkQsiKESj6rh",
    ),
)
@_location
@_agency
@click.option("--from-agency", type=LocationId(), metavar="COMPANY", help="Create it from the token of this agency.")
@click.option("--file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Read it from this file.")
@_replay
@connected
def set_(
    session: Session, location_id: str | None, *, agency: str | None, from_agency: str | None, **given: Any
) -> None:
    """Store the token of a location. Its lane resumes, unless it is also held for another cause.

    The token is a Private Integration Token, or JSON: the API's answer to an OAuth grant (access_token, refresh_token,
    expires_in), with client_id and client_secret if they differ from the settings.
    """
    name = _name(location_id, agency)
    if from_agency and (agency or given["file"]):
        raise click.UsageError("--from-agency needs a LOCATION, and cannot be combined with --agency or --file")
    _check_key(session)
    admin, now = _admin(session), _now(session)
    credential = Credential(CredentialKind.AGENCY, company_id=from_agency) if from_agency else _read(given["file"], now)
    session.log_change("set token", _display_name(name), credential.kind.value)
    admin.put(name, credential)
    say(f"{_display_name(name)}: stored ({credential.kind.value}, fingerprint {credential.fingerprint})")
    _resume_lanes(session, admin, name, replay=given["replay"])


def _check_key(session: Session) -> None:
    """Report a missing key before a person types a secret."""
    Vault(session.settings.secret_key).check()


def _read(file: Path | None, now: float) -> Credential:
    if file is not None:
        text = _decoded(file.read_bytes()[: MAX_SECRET_BYTES + 1])
    elif sys.stdin.isatty():
        text = str(click.prompt("token", hide_input=True, err=True))
    else:
        text = _decoded(sys.stdin.buffer.read(MAX_SECRET_BYTES + 1))
    return read_credential(text, now)


def _decoded(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.strip() or len(raw) > MAX_SECRET_BYTES:
        raise CredentialError(f"no token found: must be text of 1 to {MAX_SECRET_BYTES} bytes")
    return text


def _resume_lanes(session: Session, admin: CredentialAdmin, name: str, *, replay: bool) -> None:
    """Resume the lanes that use a token; with `replay`, first replay the dead letters that lacked it."""
    if replay:
        for location_id in admin.locations_served(name):
            _replay_dead(session, location_id)
    resumed = admin.resume(name)
    for location_id in resumed:
        say(f"{location_id} resumed")
    for lane in session.store.lanes(set(admin.locations_served(name)).difference(resumed)):
        if lane.hold is not None:
            say(f"{lane.location_id} stays held by {printable(lane.hold_text)}")


def _replay_dead(session: Session, location_id: str) -> None:
    store = session.store
    dead_letter_filter, replayed = DeadLetterFilter(location_id, Reason.UNAUTHORIZED), 0
    if total := count_matching(store, dead_letter_filter, dead_letter_filter.time_range(store)):
        session.log_change("replay", f"{pluralize(total, 'dead letter')}{dead_letter_filter}", "with the new token")
    for batch in find_in_batches(store, dead_letter_filter):
        for result in operations.replay(store, [job.id for job in batch]):
            if result.answer == "replayed":
                replayed += 1
            else:
                newer = f" by {result.superseded_by}" if result.superseded_by else ""
                say(f"{result.job_id}: left unchanged: {printable(result.answer + newer)}")
    say(f"{location_id}: replayed {pluralize(replayed, 'dead letter')}")


@token.command(
    "import",
    epilog=examples(
        "lanes token import tokens.jsonl --dry-run",
        """echo '{"locationId": "loc", "token": "pit-..."}' | lanes token import -""",
        """echo '{"locationId": "loc", "agency": "company"}' | lanes token import -""",
    ),
)
@input_file
@click.option("--dry-run", is_flag=True, help="Check every row and store none.")
@_replay
@connected
def import_(session: Session, file: str, *, form: Format | None, dry_run: bool, replay: bool) -> None:
    """Store the tokens of FILE, or of stdin (-): JSON Lines, a JSON array, or CSV with a header. FILE may be compressed
    by gzip. Each row has locationId (for an agency companyId) and one of: token; access_token and refresh_token, as
    the API returned them; agency, the company that creates the location's token.
    """
    _check_key(session)
    admin, now = _admin(session), _now(session)
    stored = refused = 0
    with opened(file) as source:
        for row in read_rows(source, form or input_format(file), TOKEN_COLUMNS):
            try:
                found = read_token(row, now)
                if not dry_run:
                    session.log_change("set token", _display_name(found.name), found.credential.kind.value)
                    admin.put(found.name, found.credential)
            except (CredentialError, click.UsageError) as error:
                say(f"{'stdin' if file == '-' else printable(file)}:{row.where}: {error}")
                refused += 1
                continue
            stored += 1
            if not dry_run:
                session.so_far = f"{pluralize(stored, 'token')} stored; to continue, run the same command again"
                _resume_lanes(session, admin, found.name, replay=replay)
    say(f"{pluralize(stored, 'token')} {'would be stored' if dry_run else 'stored'}, {refused} refused")
    if refused:
        raise click.exceptions.Exit(Refused.exit_code)


@token.command("list", epilog=examples("lanes token list", "lanes token list --json | jq -r '.[].location_id'"))
@click.option("--json", "as_json", is_flag=True, help="Print them as a JSON array.")
@connected
def list_(session: Session, *, as_json: bool) -> None:
    """List the stored tokens with kind, fingerprint, expiry and age, never the token itself."""
    entries = list(_admin(session).entries())
    if as_json:
        print_json([entry.as_json() for entry in entries])
    else:
        none = "no tokens are stored; every location uses LANES_API_TOKEN"
        print_table(COLUMNS, [_row(entry) for entry in entries], none)


def _row(entry: CredentialInfo) -> tuple[object, ...]:
    known = entry.credential
    agency = f" from {known.company_id}" if known and known.kind is CredentialKind.AGENCY else ""
    kind = f"{known.kind.value}{agency}" if known else "?"
    expires = format_time(known.expires_at if known else None)
    return (_display_name(entry.name), kind, known.fingerprint if known else "?", expires, _age(entry.age), entry.note)


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _display_name(name: str) -> str:
    return f"agency {name.removeprefix(AGENCY)}" if name.startswith(AGENCY) else name


@token.command(epilog=examples("lanes token remove ve9EPM428h8vShlRW1KT --yes"))
@_location
@_agency
@click.option("--yes", is_flag=True, help="Do not ask.")
@connected
def remove(session: Session, location_id: str | None, *, agency: str | None, yes: bool) -> None:
    """Remove a token. The location's jobs are sent with LANES_API_TOKEN from then on. It asks first."""
    name = _name(location_id, agency)
    admin = _admin(session)
    if name not in admin.names():
        raise Refused(f"{_display_name(name)}: no token is stored")
    if not yes:
        confirm(f"remove the token of {_display_name(name)}?", "add --yes")
    session.log_change("remove token", _display_name(name))
    admin.remove(name)
    say(f"{_display_name(name)}: removed")


@token.command("rotate-key", epilog=examples("LANES_SECRET_KEY=$new,$old lanes token rotate-key"))
@connected
def rotate_key(session: Session) -> None:
    """Encrypt every stored token with the first key of LANES_SECRET_KEY. After that, remove the other keys.

    Before it, give both keys to every worker, the new one first. It is safe to repeat and to interrupt.
    """
    _check_key(session)
    admin = _admin(session)
    session.log_change("rotate key", "tokens")
    done = unreadable = 0
    for name in admin.names():
        try:
            done += admin.reencrypt(name)
        except VaultError as error:
            say(str(error))
            unreadable += 1
        session.so_far = f"{pluralize(done, 'token')} encrypted; to continue, run the same command again"
    say(f"{pluralize(done, 'token')} encrypted with the first key")
    if unreadable:
        raise Refused(f"{pluralize(unreadable, 'token')} could not be decrypted: keep the old key, or set them again")


@token.command("new-key", epilog=examples("lanes token new-key > ops/secrets/secret_key"))
def new_key_() -> None:
    """Print a new key for LANES_SECRET_KEY."""
    click.echo(new_key())
