"""How the figures of the TTFS benchmark are shown: the table of docs/measured.md and the plot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from record import picture

from neuronsim.atomic_write import write_atomically

TITLES = {
    "fc": "FC 784 -> 800",
    "conv1": "SCNN(5,32,2) on 28 x 28 x 1",
    "conv2": "SCNN(5,16,2) on 14 x 14 x 32",
    "network": "the whole network",
}
NAMES = {"published": "published algorithm", "engine": "neuronsim", "product": "plain product"}


# Forward and backward on all threads: layer, ratio, bound. Memory beyond inputs, outputs and weights; seconds per epoch by batch.
_FASTER, _NEAR = "published_over_engine", "engine_over_product"
_RATIOS = (("fc", _FASTER, 150.0), ("fc", _NEAR, 8.0), ("conv1", _FASTER, 60.0), ("conv2", _FASTER, 60.0))
_MEMORY_BYTES = 50e6
_EPOCH_S = {"128": 60.0, "10": 120.0}


def goals(results: dict) -> list[tuple[str, bool]]:
    """What was set as a goal and measured here, each with its figure, and whether it holds."""
    found = []
    for layer, key, bound in _RATIOS:
        if entry := results["layers"].get(layer):
            value = list(entry["ratios"].values())[-1]["both"][key]
            faster = key == _FASTER
            text = "times the published algorithm's speed" if faster else "times the plain product's time"
            sign, holds = ("≥", value >= bound) if faster else ("≤", value <= bound)
            found.append((f"{TITLES[layer]}: {value:.3g} {text} ({sign} {bound:g})", holds))
    most = {
        layer: entry["memory"]["engine at the larger batch"]["extra_bytes"]
        for layer, entry in results["layers"].items()
    }
    if most:
        found.append(
            (f"extra memory: at most {max(most.values()) / 1e6:.0f} MB (≤ 50)", max(most.values()) <= _MEMORY_BYTES)
        )
        found.append(("same bits on every number of threads", all(e["identical"] for e in results["layers"].values())))
    for size, bound in _EPOCH_S.items():
        if figure := results["epochs"].get(size):
            holds = figure["epoch_s"] <= bound
            found.append((f"epoch at batch {size}: {figure['epoch_s']:.0f} s (≤ {bound:g})", holds))
    return found


def ms(figure: dict) -> str:
    """Median time in milliseconds, three digits, thousands in full."""
    value = figure["median_ms"]
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def measured_table(results: dict) -> str:
    """The figures as docs/measured.md has them."""
    threads = list(next(iter(results["layers"].values()))["time"])
    heads = [f"{kind}, {count} thread{'s' * (count != '1')}" for kind in ("forward", "+ backward") for count in threads]
    lines = [
        f"Batch {results['batch']}, ms: {NAMES['published']} / **{NAMES['engine']}** / {NAMES['product']} of that shape.",
        "",
        f"| layer | {' | '.join(heads)} | extra memory, MB |",
        "|---|" + "---|" * (len(heads) + 1),
    ]
    for layer, entry in results["layers"].items():
        cells = [
            " / ".join(f"**{ms(run[name][kind])}**" if name == "engine" else ms(run[name][kind]) for name in NAMES)
            for kind in ("forward", "both")
            for run in entry["time"].values()
        ]
        memory = " / ".join(f"{entry['memory'][name]['extra_bytes'] / 1e6:.0f}" for name in NAMES)
        lines.append(f"| {TITLES[layer]} | {' | '.join(cells)} | {memory} |")
    link = picture("times and memory on logarithmic scales", "ttfs.png")
    lines += ["", *facts(results, threads[-1]), "", link, ""]
    m = results["machine"]
    again = ", ".join(
        f"{TITLES[layer]} once more, {about['date']}, load average {about['machine']['load_average_at_start']:.1f}"
        for layer, about in results.get("again", {}).items()
    )
    made = f"{results['date']}, {m['cpu']}, {m['cores']} cores; `{results['command']}`"
    return "\n".join([*lines, f"{made}{f' ({again})' * bool(again)}, tests/benchmarks/ttfs.json"])


def facts(results: dict, count: str) -> list[str]:
    """The sentences below the table, for ``count`` threads."""
    layers = results["layers"]

    def each(show: Callable[[dict], str]) -> str:
        return ", ".join(f"{TITLES[name].split(' on ')[0]}: {show(entry)}" for name, entry in layers.items())

    def ratio(key: str) -> str:
        return each(lambda entry: f"{entry['ratios'][count]['both'][key]:.3g}")

    signed = each(lambda entry: f"{entry['time'][count]['engine signed']['both']['median_ms']:.3g}")
    larger = each(lambda entry: f"{entry['memory']['engine at the larger batch']['extra_bytes'] / 1e6:.0f}")
    same = all(entry["identical"] for entry in layers.values())
    lines = [
        f"- Forward and backward, {count} threads, times faster than the published algorithm: "
        f"{ratio('published_over_engine')}; times the plain product: {ratio('engine_over_product')}.",
        f"- With signed weights, under which many neurons fire late or never, ms: {signed}.",
        f"- Extra memory at batch {results['memory_batch']}, MB: {larger}. Results of 1 and {count} threads are "
        f"{'identical bit for bit' if same else '**not identical**'}.",
    ]
    for size, figure in results["epochs"].items():
        how = "measured" if figure["images"] >= 50_000 else f"from {figure['images']:.0f} images"
        lines.append(
            f"- One epoch over 60,000 images at batch {size}, with `training.train` and {figure['optimizer'].upper()}: "
            f"{figure['epoch_s']:.0f} s ({how})."
        )
    missed = [text for text, holds in goals(results) if not holds]
    held = len(goals(results)) - len(missed)
    lines.append(
        f"- Goals that hold: {held} of {held + len(missed)}{'; **missed**: ' * bool(missed)}{'; '.join(missed)}."
    )
    return lines


def plot(results: dict, path: Path) -> None:
    """Times and memory as bars on logarithmic scales."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    layers = results["layers"]
    count = list(next(iter(layers.values()))["time"])[-1]
    panels = (
        (f"forward, ms ({count} threads)", lambda e, name: e["time"][count][name]["forward"]["median_ms"]),
        (f"forward + backward, ms ({count} threads)", lambda e, name: e["time"][count][name]["both"]["median_ms"]),
        ("extra memory, MB", lambda e, name: max(e["memory"][name]["extra_bytes"] / 1e6, 0.1)),
    )
    figure, axes = pyplot.subplots(1, 3, figsize=(15, 4.8), layout="constrained")
    for axis, (title, value) in zip(axes, panels, strict=True):
        for k, (name, color) in enumerate(zip(NAMES, ("#b0553a", "#2a6f97", "#9a9a9a"), strict=True)):
            places = [x + 0.27 * (k - 1) for x in range(len(layers))]
            bars = axis.bar(
                places, [value(entry, name) for entry in layers.values()], 0.25, label=NAMES[name], color=color
            )
            axis.bar_label(bars, fmt="{:.3g}", fontsize=7)
        axis.set_yscale("log")
        axis.set_xticks(range(len(layers)), [TITLES[name].replace(" on ", "\non ") for name in layers], fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.margins(y=0.1)
        axis.spines[["top", "right"]].set_visible(False)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=9, frameon=False, loc="outside lower center", ncols=3)
    m = results["machine"]
    figure.suptitle(
        f"TTFS layers, batch {results['batch']}: {m['cpu']}, {m['cores']} cores, {results['date']}", fontsize=11
    )
    write_atomically(path, lambda temporary: figure.savefig(temporary, dpi=130, format="png"))
    pyplot.close(figure)
