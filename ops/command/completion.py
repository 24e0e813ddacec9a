"""`lanes completion`: shell completion for the command."""

import click
from click.shell_completion import get_completion_class

from ops.command.console import examples
from ops.command.failures import WrongUse


@click.command(
    epilog=examples(
        'eval "$(lanes completion bash)"        # in ~/.bashrc',
        'eval "$(lanes completion zsh)"         # in ~/.zshrc, after compinit',
        "lanes completion fish > ~/.config/fish/completions/lanes.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise WrongUse(f"no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, "lanes", "_LANES_COMPLETE").source())
