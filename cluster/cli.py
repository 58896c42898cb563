"""`imustream`: the command line. Each module of :mod:`cluster.commands` adds one command."""

import logging
import os
import pkgutil
import sys
from importlib import import_module

import typer

import cluster.commands
from cluster.local.state_folder import StateFolder
from pipelines.errors import ImustreamError
from pipelines.logs import configure_logging
from pipelines.settings import load_settings

_EXIT_CODE = 2


def build_app() -> typer.Typer:
    """The application with every command registered."""
    app = typer.Typer(
        name="imustream",
        help="A distributed streaming service for motion sensors.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for module in pkgutil.iter_modules(cluster.commands.__path__):
        import_module(f"cluster.commands.{module.name}").register(app)
    return app


def adopt_running_stack() -> None:
    """Let commands find the local stack: take the settings that `up` chose, unless they are set.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    record = StateFolder(load_settings().local.state_dir).record()
    for name, value in (record.settings if record else {}).items():
        os.environ.setdefault(name, value)


def main() -> None:
    """Run a command; an error of ours is one line on standard error and exit code 2."""
    try:
        adopt_running_stack()
        # What a command says it prints; its log is for what goes wrong.
        configure_logging(load_settings(), "command", least=logging.WARNING)
        build_app()()
    except ImustreamError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(_EXIT_CODE)
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_EXIT_CODE)


if __name__ == "__main__":
    main()
