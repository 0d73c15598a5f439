"""A conversion study: what was run, what it shows in sentences, and its plot, tables and rows."""

from __future__ import annotations

from neuronsim.analysis.noise_adaptor import EARLY, AdaptorEffect, adaptor_effect, all_levels, times
from neuronsim.artifacts.conversion_study import ConversionStudy, Converted
from neuronsim.papers import paper003
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Note, Table
from neuronsim.report.page.study import Plot, StudyReport

from .against_time import accuracy_table, conversion_plot, corrections_table, hundredths, with_words

_FIELDS = (
    "levels", "adaptor", "correction", "seed", "time", "accuracy", "ann", "ann_noisy", "full_precision", "spikes_per_neuron",
    "checkpoint_sha256",
)  # fmt: skip


def conversion_report(study: ConversionStudy) -> StudyReport:
    """Plot, tables and rows of one study."""
    about = _about(study)
    text = "This study was shortened (--quick): it shows that everything runs, not what the method can do."
    rows = [
        {**c.model_dump(), "time": time, "accuracy": accuracy}
        for c in study.converted
        for time, accuracy in zip(c.times, c.accuracy, strict=True)
    ]
    return StudyReport(
        study=study,
        name="conversion",
        title=f"Accuracy against time, with and without the noise adaptor ({study.data})",
        short="Noise adaptor",
        about=about,
        plots=[Plot(name="conversion", draw=conversion_plot, caption=about)],
        tables=_tables(study),
        rows=[{field: row[field] for field in _FIELDS} for row in rows],
        findings=[_words(study, effect) for p in all_levels(study) if (effect := adaptor_effect(study, p)) is not None],
        notes=[Note(text=text, warning=True)] if study.quick else [],
        command=study.command,
    )


def _about(study: ConversionStudy) -> str:
    """What was trained on what, and how much of it."""
    quick = " A shortened run: it shows that everything works, not what the method can do." if study.quick else ""
    return (
        f"{study.experiment} ({study.n_weights} weights) on {study.data_source}: {study.n_train} training images, "
        f"{study.epochs[0]} epochs in full precision with max-pools, {study.epochs[1]} quantized with average-pools; "
        f"{study.n_images} test images; {len(study.seeds)} seeds, the pretrained network of a seed shared by its variants. "
        f"Intervals: 95 %, t, over the seeds.{quick}"
    )


def _tables(study: ConversionStudy) -> list[Table]:
    """Accuracy against T with what the adaptor bought, a table for each p; the corrections; every network."""
    columns: list[Column[Converted]] = [
        Column("seed", "seed"),
        Column("network", lambda c: f"p = {c.levels}, {with_words(c.adaptor)}"),
        Column("full precision", "full_precision", hundredths),
        Column("quantized ANN", "ann", hundredths),
        Column("ANN with noise", "ann_noisy", hundredths),
        Column(f"T = {times(study)[-1]}", lambda c: c.accuracy[-1], hundredths),
        Column("spikes per neuron and step", "spikes_per_neuron", "{:.3f}".format),
        Column("checkpoint", "checkpoint_sha256", lambda digest: digest[:12]),
    ]
    caption = "Every network, accuracy in percent. Full precision: ReLU and max-pools, before quantized training."
    corrected = {c.levels for c in study.converted if c.correction != "none"}
    return [
        *(accuracy_table(study, levels) for levels in all_levels(study)),
        *(corrections_table(study, levels) for levels in sorted(corrected)),
        table(caption, columns, [c for c in study.converted if c.correction == "none"], folded=True),
    ]


def _words(study: ConversionStudy, effect: AdaptorEffect) -> str:
    """What the study shows for one p."""
    parts = [
        f"with the adaptor the mean is higher at {_at(effect.better_early)} of T <= {EARLY}",
        f"the 95 % interval of the difference lies above 0 at {_at(effect.above)}, below 0 at {_at(effect.below)} "
        f"(of {effect.n_times} times, none corrected for their number)",
    ]
    if effect.late:
        late = effect.late
        parts.append(
            f"from T = {late.first} to {late.last} accuracy changes by {100 * late.without:+.2f} points without, "
            f"{100 * late.with_adaptor:+.2f} with adaptor"
        )
    if effect.ann:
        paper = paper003.gain(effect.levels, None)
        beside = "" if paper is None else f" (paper {100 * paper:+.2f})"
        parts.append(f"the quantized ANN changes by {100 * effect.ann.mean:+.2f} points through the adaptor{beside}")
    return f"p = {effect.levels}, {len(study.seeds)} seeds: {'; '.join(parts)}."


def _at(some: list[int]) -> str:
    """Times in words."""
    return "T = " + ", ".join(map(str, some)) if some else "no T"
