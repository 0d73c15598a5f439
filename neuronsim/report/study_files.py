"""From a study to its chapter: a section of the report, and files beside the study's JSON."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..artifacts.conversion_study import ConversionStudy
from ..artifacts.noisy_weights_study import NoisyWeights
from ..artifacts.robustness_study import Study
from .chapters.conversion import conversion_report
from .chapters.noisy_weights.chapter import noisy_weights_report
from .chapters.robustness.chapter import robustness_report
from .page.elements import Section
from .page.study import StudyReport

AnyStudy = Study | ConversionStudy | NoisyWeights
_CHAPTERS: dict[type, Callable[..., StudyReport]] = {
    Study: robustness_report,
    ConversionStudy: conversion_report,
    NoisyWeights: noisy_weights_report,
}


def study_report(study: AnyStudy) -> StudyReport:
    """Title, tables, plots and findings of ``study``."""
    chapter: Any = _CHAPTERS[type(study)]
    return chapter(study)


def study_section(study: AnyStudy, source: str, anchor: str) -> Section:
    """Plots and tables of ``study``, as a section of the report; ``source``: its file, as they name it."""
    return study_report(study).section(source, anchor)


def write_study_files(study: AnyStudy, folder: Path) -> list[Path]:
    """Write plots (.png), tables (.md) and rows (.csv) of ``study`` into ``folder``; returns the files. Raises OutputError."""
    return study_report(study).write(folder)
