"""The whole chain once: netlist in ngspice -> card -> trained 4-bit network -> its accuracy on chips of the circuit -> report."""

from collections.abc import Callable
from pathlib import Path

from neuronsim.circuits import characterize
from neuronsim.training import evaluate, train

from ..calibration.calibrate import calibrate
from ..progress import bar
from ..report import levels_near, write_datasheet, write_report

NEURON, EXPERIMENT = "pll_nlif_averaged", "demo_mnist_4bit"
PLANS = "transfer,table3,saturation,phase_noise,mismatch"
STEPS = 5


def demo(
    out: Path,
    *,
    seed: int = 0,
    jobs: int | None = None,
    data_dir: Path | None = None,
    chips: int = 20,
    images: int = 500,
    say: Callable[[str], None] = lambda step: None,
    made: Callable[[str, Path], None] = lambda what, path: None,
    progress: bool = False,
) -> Path:
    """Run the chain into the folder ``out``; returns the report (.html). Steps that are finished there are not done again.

    ``chips``: draws of frozen mismatch; ``images``: held-out test images, of 1000. ``say`` is called with each of the
    STEPS before it starts, ``made`` with every result and its file; ``progress``: bars on standard error.

    Raises what the steps raise: MissingToolError (no ngspice, no data set), OutputError and so on.
    """
    say(f"characterize {NEURON} in ngspice (plans {PLANS})")
    dataset = out / f"{NEURON}.nc"
    with bar(f"characterize {NEURON}", 1, shown=progress) as steps:
        characterize(NEURON, PLANS, out=dataset, seed=seed, jobs=jobs, progress=steps.move)
    made("dataset", dataset)
    made("datasheet", write_datasheet(dataset, dataset.with_suffix(".html"), levels=levels_near(dataset, NEURON)))
    say("calibrate a model card")
    card = out / "card.json"
    calibrate(dataset, out=card, seed=seed)
    made("card", card)
    say(f"train {EXPERIMENT} (paper 004's MNIST network, 4-bit weights)")
    run = train(EXPERIMENT, out=out / "run", data_dir=data_dir, progress=progress, threads=jobs)
    made("run", run)
    say(f"evaluate it clean, quantized and on {chips} chips of its card")
    evaluation = evaluate(
        run,
        card=card,
        chips=chips,
        images=images,
        data_dir=data_dir,
        seed=seed,
        out=out / "evaluation.json",
        progress=progress,
        threads=jobs,
    )
    made("evaluation", evaluation)
    say("write the report")
    page = write_report(out / "report.html", [dataset, card, run, evaluation], title="neuronsim demo")
    made("report", page)
    return page
