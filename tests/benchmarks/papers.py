"""Reproduce papers 000 and 003 as far as the README tells, and write its tables from the results.

Run by ``make bench-papers`` (hours; goes on where it was interrupted). Copies the result files beside this one, with the
command that made each, and writes the README's blocks from them; ``--only`` takes one paper, ``--table`` runs nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from record import machine_line, write_readme

from neuronsim.conversion_study import ConversionStudy
from neuronsim.files import write_text
from neuronsim.noisy_weights import NoisyWeights
from neuronsim.report import tables_conversion, tables_noisy_weights
from neuronsim.report.blocks import Table

HERE = Path(__file__).parent
MADE = HERE / "papers.json"
# Every test image and step, at both ends of the noise; the levels between follow from `make noisy-weights`.
NOISY_WEIGHTS = ("--networks", "1", "--trials", "1", "--level", "0", "--level", "100", "--scale", "1")
# Convergence with regular input trains, where the accuracy of a settled network does not move.
REGULAR = (*NOISY_WEIGHTS, "--only", "fc", "--encoding", "deterministic", "--steps", "300", "--repeats", "0")
NOISE_ADAPTOR = ("-p", "2")


def noisy_weights() -> str:
    """The README's block on paper 000."""
    study = NoisyWeights.load(HERE / "noisy_weights.json")
    return markdown(tables_noisy_weights.about(study), tables_noisy_weights.tables(study))


def regular() -> str:
    """The README's block on regular input trains: convergence."""
    study = NoisyWeights.load(HERE / "noisy_weights_regular.json")
    tables = tables_noisy_weights.tables(study)
    return markdown(tables_noisy_weights.about(study), [table for table in tables if "convergence" in table.caption])


def noise_adaptor() -> str:
    """The README's block on paper 003: accuracy against time."""
    study = ConversionStudy.load(HERE / "noise_adaptor.json")
    shown = len({c.levels for c in study.converted})  # the tables of corrections and networks follow these
    return markdown(tables_conversion.about(study), tables_conversion.tables(study)[:shown])


def markdown(about: str, tables: Sequence[Table]) -> str:
    """What was run, then each table under its caption."""
    lines = [about, ""]
    for table in tables:
        lines += [table.markdown(), ""]
    return "\n".join(lines)


# name of the block: the reproduction, its result file, the command's options, what the README says
PAPERS: dict[str, tuple[str, str, Sequence[str], Callable[[], str]]] = {
    "noisy-weights": ("noisy-weights", "noisy_weights.json", NOISY_WEIGHTS, noisy_weights),
    "regular-trains": ("noisy-weights", "noisy_weights_regular.json", REGULAR, regular),
    "noise-adaptor": ("noise-adaptor", "noise_adaptor.json", NOISE_ADAPTOR, noise_adaptor),
}


def main() -> None:
    """Bring the chosen papers up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/bench-papers"))
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", choices=sorted(PAPERS), nargs="*", help="papers to bring up to date (default: all)")
    parser.add_argument("--architecture", choices=["fc", "cnn"], help="of noisy-weights, this network only")
    parser.add_argument("--table", action="store_true", help="only write the README from the result files")
    options = parser.parse_args()
    made = json.loads(MADE.read_text(encoding="utf-8")) if MADE.is_file() else {}
    for name in options.only or PAPERS:
        reproduction, file, arguments, block = PAPERS[name]
        if not options.table:
            out = options.out / reproduction  # the networks are shared
            more = () if options.data_dir is None else ("--data-dir", str(options.data_dir))
            command = ["neuronsim", "reproduce", reproduction, *arguments]
            if name == "noisy-weights" and options.architecture:
                command += ["--only", options.architecture]
            paths = ["--out", str(out), "--jobs", str(options.jobs), *more]
            subprocess.run([sys.executable, "-m", *command, *paths], check=True)
            write_text(HERE / file, next(out.glob("*.json")).read_text(encoding="utf-8"))
            made[name] = f"{datetime.date.today().isoformat()}, {machine_line()}; `{' '.join(command)}`"
            write_text(MADE, json.dumps(made, indent=1) + "\n")
        write_readme(name, "bench-papers", f"{block()}\n{made[name]}, tests/benchmarks/{file}")


if __name__ == "__main__":
    main()
