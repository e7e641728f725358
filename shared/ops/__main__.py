"""The operators' and developers' command line: `python -m shared.ops --help`."""

import typer

from shared.ops import contracts, dead, held, parked, quarantine, repairs, tokens, topics, unknown
from shared.ops.contributed import contributions
from shared.ops.journey import journey
from shared.ops.restored import restored
from shared.ops.status import status
from shared.ops.truncated import accept_truncated

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Looks after the order system. Every command says what it needs with --help. "
    "Exit codes: 0 done; 1 the answer is no, or there is none; 2 asked wrongly; "
    "3 a server could not be asked, or has not answered yet.",
)
app.command()(status)
app.command()(journey)
app.command()(accept_truncated)
app.command()(restored)
app.add_typer(topics.app, name="topics")
app.add_typer(tokens.app, name="tokens")
app.add_typer(dead.app, name="dead")
app.add_typer(unknown.app, name="unknown")
app.add_typer(held.app, name="held")
app.add_typer(parked.app, name="parked")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(repairs.app, name="repairs")
app.add_typer(contracts.app, name="contracts")
for added in contributions():
    for name, commands in added.commands.items():
        app.add_typer(commands, name=name)

if __name__ == "__main__":
    app(prog_name="python -m shared.ops")
