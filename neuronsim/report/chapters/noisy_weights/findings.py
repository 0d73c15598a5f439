"""What a noisy-weights study shows, as sentences made from its numbers: they change with the result file."""

from __future__ import annotations

from neuronsim.artifacts.noisy_weights_study import ANN_PAPER, NAMES, NoisyWeights, Row


def findings(study: NoisyWeights) -> list[str]:
    """One sentence or two on each network: the fall under the largest noise, ours and the paper's, and frozen noise."""
    found = []
    for architecture in dict.fromkeys(network.architecture for network in study.networks):
        sides = [_fall(study, architecture, *which) for which in (("ann", ANN_PAPER), ("snn", "temporal"))]
        parts = [part for part in (*sides, _frozen(study, architecture)) if part]
        if parts:
            found.append(f"{NAMES[architecture]}: {'; '.join(parts)}.")
    return found


def _fall(study: NoisyWeights, architecture: str, side: str, noise: str) -> str:
    """How far one side falls from no noise to the largest."""
    rows = study.select(architecture, side, noise)
    if len(rows) < 2 or rows[0].level != 0:
        return ""
    first, last = rows[0], rows[-1]
    name = "analog, one draw for all images" if side == "ann" else "spiking, temporal noise"
    ours = _change(first.accuracy.mean, last.accuracy.mean)
    text = f"{name}: {ours} from no noise to {last.level:.0%}"
    # The paper's "around" and "above" are no numbers to take a difference of.
    if _exact(first) and _exact(last) and first.paper and last.paper:
        text += f", in the paper {_change(first.paper.accuracy or 0, last.paper.accuracy or 0)}"
    return text


def _exact(row: Row) -> bool:
    return row.paper is not None and row.paper.accuracy is not None and not row.paper.accuracy_note


def _change(before: float, after: float) -> str:
    return f"{100 * (after - before):+.2f} points ({100 * before:.2f} to {100 * after:.2f})"


def _frozen(study: NoisyWeights, architecture: str) -> str:
    """What frozen noise costs both sides, as far as their chips tell."""
    paired = [d for d in study.frozen if d.architecture == architecture]
    if paired:
        d = max(paired, key=lambda d: d.level)
        if d.low is None or d.high is None:
            return f"frozen noise of {d.level:.0%} on one chip: spiking minus analog {100 * d.mean:+.2f} points, no interval"
        where = "within" if d.low <= 0 <= d.high else "outside"
        of = "networks" if d.over == "networks" else "chips"
        return (
            f"frozen noise of {d.level:.0%}, the same {d.n} chips on both sides: spiking minus analog {100 * d.mean:+.2f} points "
            f"[{100 * d.low:+.2f}, {100 * d.high:+.2f}] over the {of}, 0 lies {where}"
        )
    ann, snn = (study.select(architecture, side, "frozen") for side in ("ann", "snn"))
    if not ann or not snn:
        return ""
    a, b = ann[-1].accuracy, snn[-1].accuracy
    return (
        f"frozen noise of {ann[-1].level:.0%}: analog {100 * a.mean:.2f} % on {_chips(a.n)}, spiking {100 * b.mean:.2f} % on "
        f"{_chips(b.n)}, other draws on each side, so a difference cannot be told from chance"
    )


def _chips(n: int) -> str:
    return "one chip" if n == 1 else f"{n} chips"
