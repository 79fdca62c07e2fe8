"""`relance`: what operators type. A file for each group of commands, thin over the operators' API.

Exit status: 0 done; 1 the answer is no; 2 it could not be asked (wrong usage, router not reached, token refused).
"""

import typer

from relance_router.command_line.applying import apply, rollback
from relance_router.command_line.by_hand import extend, hold, reassign, release, separate
from relance_router.command_line.checking import check
from relance_router.command_line.explaining import explain
from relance_router.command_line.people import pause, reps, resume
from relance_router.command_line.reading import diff, history, show
from relance_router.command_line.rehearsing import plan, simulate

app = typer.Typer(
    help="Relance: the routing configuration as code, rehearsed before it runs, and every decision explained.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for command in (
    check,
    simulate,
    plan,
    diff,
    apply,
    rollback,
    history,
    show,
    explain,
    reps,
    pause,
    resume,
    reassign,
    separate,
    extend,
    hold,
    release,
):
    app.command()(command)
