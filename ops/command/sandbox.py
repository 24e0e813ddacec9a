"""`lanes sandbox`: the server that behaves as HighLevel; its command line is its own, `-h` included."""

import click

from ops.sandbox import cli


@click.command(
    add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("given", nargs=-1, type=click.UNPROCESSED)
def sandbox(given: tuple[str, ...]) -> None:
    """Run a server that behaves as HighLevel's POST /opportunities/upsert."""
    cli.main(given)
