"""The entry point of `kt2t`: runs a command and turns every error into one line on stderr and an exit status."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from typing import Any, TextIO, cast

import click

from kt2t import __version__
from kt2t.cli.streams import Forgiving, finish, give_up_output, open_closed
from kt2t.errors import Kt2tError, PeerError, ResourceError
from kt2t.run.signals import Interrupted, ending

COMMANDS = {
    "prepare": "Turn a recipe's raw data into records.",
    "train": "Train a recipe, or continue it.",
    "launch": "Train with several workers on this machine.",
    "evaluate": "Measure a run on a split.",
    "predict": "Answer lines of text.",
    "average": "Average a run's last checkpoints.",
    "import-t2t": "Turn a checkpoint of Tensor2Tensor into a run.",
    "explain": "Show a recipe resolved, without training.",
    "list": "List problems, models, recipes and all other parts.",
}
OUR_BUG, INTERRUPTED = 70, 130
_COMPLETION = "_KT2T_COMPLETE"  # set by a shell that completes a word
OUT_OF_MEMORY = (
    "out of memory. Use a smaller train.batch or problem.max_length, more train.micro_batches (the same numbers in less "
    "memory), or model.recompute=true if the model has this option."
)


class Commands(click.Group):
    """The group of kt2t's commands. A command's file is imported only when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"kt2t.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[Any, Any, Any]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from kt2t.options import nearest
            from kt2t.run.wrong_words import of_tensor2tensor

            if told := of_tensor2tensor(args):
                raise click.UsageError(told)
            raise click.UsageError(f"there is no command {args[0]!r}. {nearest(args[0], COMMANDS)}".rstrip())
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, "-V", "--version", prog_name="kt2t")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Tensor2Tensor, reborn on Keras 3: any problem, any model, one recipe.

    Start with `kt2t train quickstart`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and ends the process with the command's exit status.

    Args:
        arguments: The words after `kt2t`. Default: those of this process.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    open_closed()
    sys.stderr = cast(TextIO, Forgiving(sys.stderr))
    status = run(arguments, for_good=True)
    if (failed := finish()) and status == 0:
        click.echo(f"kt2t: {failed}", err=True)
        status = ResourceError.status
    if "tensorflow" in sys.modules:
        from kt2t.training.workers.peers import has_watched, leave

        if status == PeerError.status or has_watched():
            leave(status)
    gc.freeze()  # otherwise Python's last garbage collection searches all TensorFlow graphs, for over a second
    sys.exit(status)


def run(arguments: list[str] | None = None, for_good: bool = False) -> int:
    """Runs the command line, prints an error as one line on stderr, and returns the exit status.

    Args:
        arguments: The words after `kt2t`. Default: those of this process.
        for_good: Whether the process ends after this call. Repeated signals then cannot interrupt its end.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in arguments  # anywhere on the line
    arguments = [word for word in arguments if word != "--debug"]
    if arguments == ["version"]:
        arguments = ["--version"]

    def say(error: BaseException | None, message: str, status: int) -> int:
        if debug and error is not None:
            import traceback

            traceback.print_exception(error)
        from kt2t.training.workers.peers import has_last_word

        if has_last_word():
            click.echo(f"kt2t: {message}", err=True)
        return status

    try:
        with ending(for_good):
            result = _called(arguments)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.NoSuchOption as error:
        from kt2t.run.wrong_words import as_override, of_tensor2tensor

        told = of_tensor2tensor(arguments) or as_override(error.option_name, arguments)
        return say(error, f"{error.format_message()} {told}".rstrip(), 2)
    except click.ClickException as error:
        return say(error, error.format_message(), 2)
    except (KeyboardInterrupt, click.Abort):
        return say(None, "interrupted.", INTERRUPTED)
    except Interrupted as end:
        return say(None, "interrupted.", int(end.code or 0))
    except Kt2tError as error:
        return say(error, str(error), error.status)
    except BrokenPipeError:  # the reader of stdout, such as `head`, is gone
        give_up_output()
        return 0
    except MemoryError as error:
        return say(error, OUT_OF_MEMORY, ResourceError.status)
    except OSError as error:
        return say(error, f"{error.filename or 'the system'}: {error.strerror or error}.", 5)
    except Exception as error:
        if is_out_of_memory(error):
            return say(error, OUT_OF_MEMORY, ResourceError.status)
        return say(error, f"this is a bug of kt2t: {type(error).__name__}: {error}. Run again with --debug.", OUR_BUG)


def _called(arguments: list[str]) -> Any:
    """Runs a command and returns its result.

    Click's own `main` is not used for commands: it would end the process with status 1 if the reader of stdout is gone.
    """
    if _COMPLETION in os.environ:
        from kt2t.cli import complete

        complete.install()
        return cli.main(args=arguments, prog_name="kt2t", standalone_mode=False)
    with cli.make_context("kt2t", list(arguments)) as context:
        return cli.invoke(context)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception from TensorFlow or JAX reports that the host or a device has no memory left."""
    text = f"{type(error).__name__}: {error}"
    return "RESOURCE_EXHAUSTED" in text or text.startswith("ResourceExhaustedError") or "OOM when allocating" in text
