"""`kt2t predict`: reads lines and writes the model's answers, in the same order."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from kt2t.cli import complete
from kt2t.cli.console import checkpoint_option, logged, progress, run_argument, say
from kt2t.cli.quiet import import_keras
from kt2t.disk import writing
from kt2t.errors import DataError

if TYPE_CHECKING:
    from kt2t.run.predict import Predictor

LISTS = ("", ".txt", ".lst", ".list", ".gz")  # suffixes of files that hold one path per line
PROMPT = "> "


@click.command("predict", short_help="Read lines, write the model's answers.")
@run_argument
@click.argument(
    "words", nargs=-1, metavar="[report.decode.KEY=VALUE]... [FILE]...", shell_complete=complete.override_or_file
)
@checkpoint_option
@click.option(
    "--input",
    "sources",
    multiple=True,
    help="A file of lines, plain or gzip; for a model that reads pictures or sounds, such files. Stdin by default.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Where to write; stdout by default.")
@click.option(
    "--documents", is_flag=True, help="Each file, or stdin, is one text of many lines, and its answer keeps its lines."
)
@click.option("--tokens", default=8192, show_default=True, help="Source positions per batch, padding counted.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write one JSON object per line, with scores. report.decode.n_best=4 gives four hypotheses.",
)
def command(
    run: Path,
    words: tuple[str, ...],
    sources: tuple[str, ...],
    checkpoint: str | None,
    output: Path | None,
    documents: bool,
    tokens: int,
    as_json: bool,
) -> None:
    """Answer one example per line with RUN, a run folder: write each answer as one line, in the same order.

    A line is a text, or the path of a picture or recording if the model reads such files. Each answer is written as
    soon as it is ready; on a terminal each line is answered at once.
    """
    from kt2t.run.folder import RunFolder

    overrides = [word for word in words if "=" in word]
    further = [word for word in words if "=" not in word]  # further files, from a shell's `--input *.png`
    for word in further:
        if not Path(word).exists():
            raise click.UsageError(f"{word!r} is neither report.decode.KEY=VALUE nor a file.")
    files = [*sources, *further]
    RunFolder(run).manifest()  # a wrong folder is named before keras is imported
    import_keras()
    with _opened(output) as destination:
        shows = destination.isatty()  # a bar would overwrite answers on a terminal
        with logged() if shows else progress("predict") as told:
            from kt2t.run.predict import Predictor

            predictor = Predictor(run, checkpoint, overrides)
            if documents:
                _write(destination, _whole(predictor, files or ["-"], as_json), output)
                return
            options = {"tokens": tokens, "as_json": as_json, "progress": None if shows else told}
            if not files and sys.stdin.isatty():
                _converse(predictor, destination, as_json)
                return
            _write(destination, _answers(predictor, files or ["-"], options), output)


def _answers(predictor: Predictor, files: list[str], options: dict[str, Any]) -> Iterator[str]:
    """Yields the answers to the lines of each file, or to the files themselves if the model reads pictures or recordings."""
    from kt2t.run.lines import Lines

    waiting: list[str] = []
    for name in files:
        if predictor.reads_files and name != "-" and Path(name).suffix.lower() not in LISTS:
            waiting.append(name)
            continue
        yield from predictor.lines(waiting, source=None, **options)
        waiting = []
        with _stream(name) as stream:
            lines = Lines(stream, "<stdin>" if name == "-" else name, whole=_is_file(stream))
            yield from predictor.chunks(lines.chunk, source=lines.name, **options)
    yield from predictor.lines(waiting, source=None, **options)


def _whole(predictor: Predictor, files: list[str], as_json: bool) -> Iterator[str]:
    """Yields the answers to whole documents, separated by a line with a form feed, unless they are JSON."""
    from kt2t.run.documents import BETWEEN, read_document

    def texts() -> Iterator[str]:
        for name in files:
            with _stream(name) as stream:
                yield read_document(stream, "<stdin>" if name == "-" else name)

    for number, answer in enumerate(predictor.documents(texts(), as_json)):
        if number and not as_json:
            yield BETWEEN
        yield answer


def _converse(predictor: Predictor, destination: IO[str], as_json: bool) -> None:
    """Answers a person line by line, until the end of the input (Ctrl-D)."""
    say("Type a line; Ctrl-D ends.")
    while True:
        try:
            line = _asked(destination.isatty())
        except EOFError:
            say("")
            return
        try:
            answers = list(predictor.lines([line], as_json=as_json, source=None, keep_lines=True))
        except DataError as error:
            say(str(error))
            continue
        _write(destination, answers, None)


def _asked(on_screen: bool) -> str:
    if on_screen:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  # lets `input` edit the line and recall earlier ones
        return input(PROMPT)
    click.echo(PROMPT, err=True, nl=False)
    return input()


def _write(destination: IO[str], answers: Iterable[str], output: Path | None) -> None:
    """Writes each answer as soon as it is ready. An existing file keeps its old content until the first answer is ready."""
    begun = output is None or not output.is_file()
    for answer in answers:
        if not begun:
            destination.truncate(0)
            begun = True
        destination.write(f"{answer}\n")
        destination.flush()
    if not begun:
        destination.truncate(0)


@contextlib.contextmanager
def _stream(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        file = open(name, "rb")
    except OSError as error:
        raise DataError(f"'{name}' cannot be read: {error.strerror or error}.") from None
    with file:
        yield file


def _is_file(stream: IO[bytes]) -> bool:
    """Whether a stream is a regular file, whose lines all exist already; a pipe or terminal is not."""
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError, AttributeError):
        return True


@contextlib.contextmanager
def _opened(output: Path | None) -> Iterator[Any]:
    """Opens the output before the work starts. An existing file keeps its content until the answers are written.

    Raises:
        ResourceError: The file cannot be written.
    """
    if output is None or str(output) == "-":
        with click.open_file("-", "w", encoding="utf-8") as file:
            yield file
        return
    with writing(output):
        new = not output.exists()
        handle = os.open(output, os.O_WRONLY | os.O_CREAT, 0o666)
    try:
        with open(handle, "w", encoding="utf-8") as file:
            yield file
    except BaseException:
        if new and output.is_file() and not output.stat().st_size:
            output.unlink()
        raise
