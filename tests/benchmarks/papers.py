"""Reproduce papers 000 and 003 as far as docs/measured.md tells, and write its tables from the results.

Run by ``make bench-papers`` (hours; goes on where it was interrupted). Copies the result files beside this one, with the
command that made each, and writes the block of docs/measured.mds from them; ``--only`` takes one block, ``--table`` runs nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cards import made_card
from record import machine_line, picture, write_block

from neuronsim.artifacts.conversion_study import ConversionStudy
from neuronsim.artifacts.noisy_weights_study import NoisyWeights
from neuronsim.atomic_write import write_text
from neuronsim.report.page.elements import Table
from neuronsim.report.page.figures import save_png
from neuronsim.report.study_files import study_report

HERE = Path(__file__).parent
MADE = HERE / "papers.json"
# Every test image and step, at both ends of the noise; the levels between follow from `make noisy-weights`.
_ENDS = ("--networks", "1", "--trials", "1", "--level", "0", "--level", "100", "--scale", "1")
NOISY_WEIGHTS = (*_ENDS, "--chips", "10")
# Convergence with regular input trains, where the accuracy of a settled network does not move.
REGULAR = (*_ENDS, "--chips", "1", "--only", "fc", "--encoding", "deterministic", "--steps", "300", "--repeats", "0")
# The same network on the neurons of a circuit, a part of the images on each chip.
_ONE = ("--networks", "1", "--trials", "1", "--only", "fc", "--level", "0", "--scale", "1", "--repeats", "0")
CARD = (*_ONE, "--images", "1000", "--steps", "500", "--chips", "10")
NOISE_ADAPTOR = ("-p", "2")


def noisy_weights() -> str:
    """The block of docs/measured.md on paper 000."""
    study = study_report(NoisyWeights.load(HERE / "noisy_weights.json"))
    return markdown(study.about, study.tables, study.findings)


def on_card() -> str:
    """The block of docs/measured.md on the neurons of a circuit."""
    study = study_report(NoisyWeights.load(HERE / "noisy_weights_card.json"))
    return markdown(study.about, [table for table in study.tables if "rate card" in table.caption])


def regular() -> str:
    """The block of docs/measured.md on regular input trains: convergence."""
    study = study_report(NoisyWeights.load(HERE / "noisy_weights_regular.json"))
    return markdown(study.about, [table for table in study.tables if "convergence" in table.caption])


def noise_adaptor() -> str:
    """The block of docs/measured.md on paper 003: accuracy against time, corrections, their picture."""
    study = study_report(ConversionStudy.load(HERE / "noise_adaptor.json"))
    save_png(study.plots[0].draw, HERE / "noise_adaptor.png", study.study)
    shown = [table for table in study.tables if not table.folded]
    link = picture("accuracy against time, and what the adaptor bought", "noise_adaptor.png")
    return markdown(study.about, shown, study.findings) + f"\n{link}\n"


def markdown(about: str, tables: Sequence[Table], sentences: Sequence[str] = ()) -> str:
    """What was run, what came out, then each table under its caption."""
    lines = [about, "", *(f"- {sentence}" for sentence in sentences), *([""] if sentences else [])]
    for table in tables:
        lines += [table.markdown(), ""]
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A block of docs/measured.md: the reproduction with its options, on a circuit's card or not, and the file of its result."""

    reproduction: str
    options: Sequence[str]
    file: str
    block: Callable[[], str]
    card: str | None = None


PARTS = {
    "noisy-weights": Part(
        reproduction="noisy-weights", options=NOISY_WEIGHTS, file="noisy_weights.json", block=noisy_weights
    ),
    "regular-trains": Part(
        reproduction="noisy-weights", options=REGULAR, file="noisy_weights_regular.json", block=regular
    ),
    "rate-card": Part(
        reproduction="noisy-weights", options=CARD, file="noisy_weights_card.json", block=on_card, card="axon_hillock"
    ),
    "noise-adaptor": Part(
        reproduction="noise-adaptor", options=NOISE_ADAPTOR, file="noise_adaptor.json", block=noise_adaptor
    ),
}


def main() -> None:
    """Bring the chosen blocks up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench-papers"))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=sorted(PARTS), nargs="*", help="blocks to bring up to date (default: all)")
    parser.add_argument("--architecture", choices=["fc", "cnn"], help="of noisy-weights, this network only")
    parser.add_argument("--table", action="store_true", help="only write docs/measured.md from the result files")
    options = parser.parse_args()
    made = json.loads(MADE.read_text(encoding="utf-8")) if MADE.is_file() else {}
    for name in options.only or PARTS:
        part = PARTS[name]
        if not options.table:
            out = options.out / part.reproduction  # the networks are shared
            more = [] if options.data_dir is None else ["--data-dir", str(options.data_dir)]
            command = ["neuronsim", "reproduce", part.reproduction, *part.options]
            if name == "noisy-weights" and options.architecture:
                command += ["--only", options.architecture]
            if part.card:
                path = options.out / f"{part.card}.json"
                command += ["--card", str(made_card(part.card, path, "rate_card", "--jobs", str(options.jobs)))]
            paths = ["--out", str(out), "--jobs", str(options.jobs), *more]
            subprocess.run([sys.executable, "-m", *command, *paths], check=True)
            write_text(HERE / part.file, next(out.glob("*.json")).read_text(encoding="utf-8"))
            made[name] = f"{datetime.date.today().isoformat()}, {machine_line()}; `{' '.join(command)}`"
            write_text(MADE, json.dumps(made, indent=1) + "\n")
        write_block(name, "bench-papers", f"{part.block()}\n{made[name]}, tests/benchmarks/{part.file}")


if __name__ == "__main__":
    main()
