"""``neuronsim report``: everything in a folder as one page."""

from pathlib import Path
from typing import Annotated

import typer

from .common import console, output_file, saved


def report_command(
    folder: Annotated[
        Path, typer.Argument(help="Folder that is searched for datasets, cards, runs and evaluations.")
    ] = Path("build"),
    out: Annotated[Path | None, typer.Option(help="Page to write. Default: report.html in the folder.")] = None,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "From waveform to accuracy",
) -> None:
    """Bind everything in FOLDER into one self-contained HTML page; every number names its file.

    Example: neuronsim report build/demo
    """
    from neuronsim.report import discover, write_report

    def skipped(path: Path) -> None:
        console.print(f"[yellow]passed over[/] {path}: of an earlier version, or not of neuronsim", soft_wrap=True)

    files = discover(folder, on_skip=skipped)
    page = write_report(output_file(out or folder / "report.html", *files), files, title=title)
    saved("report", page)
