"""The operators' and developers' command line: `python -m shared.ops --help`."""

import typer

from shared.ops import contracts

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Looks after the order system. Every command says what it needs with --help.",
)
app.add_typer(contracts.app, name="contracts")

if __name__ == "__main__":
    app(prog_name="python -m shared.ops")
