"""The block of docs/measured.md on pll_nlif_transistor."""

from __future__ import annotations

from typing import Any

from transistor_figures import ABOVE


def measured_table(results: dict[str, Any]) -> str:
    """The block of docs/measured.md."""
    card, q = results["card"], results["card"]["quality"]
    c = q["coverage"]
    rows = [
        (
            f"held-out spike time, {q['n_held_out']} runs: median, 95th percentile",
            f"{q['median_error']:.1%}, {q['p95_error']:.1%} ({q['median_over_target']:.2f} and "
            f"{q['p95_over_target']:.2f} of what is allowed)",
        ),
        (
            f"predicted 90 % interval holds, of {q['n_coverage']} noise-free runs",
            f"{c['value']:.1%} [{c['low']:.1%}, {c['high']:.1%}]",
        ),
        ("output sampled every", f"{card['resolution_s'] * 1e9:.3f} ns"),
        ("tau, gain, power", f"{card['tau_s'] * 1e9:.1f} ns, {card['gain']:.3f}, {card['power_w'] * 1e6:.0f} uW"),
    ]
    if limit := card.get("xor_limit_weight"):
        text = f"{limit['value']:.2f} unit weights [{limit['low']:.2f}, {limit['high']:.2f}]"
        rows.append(("phase error at which the detector folds back", text))
    for name, found in results.get("verify", {}).items():
        word = "holds" if found["holds"] else "is rejected"
        rows.append((f"`verify`, {found['stimuli']} stimuli, {name}: the card", f"{word} ({found['outside']} outside)"))
    if "corners" in results:
        at = results["corners"]
        energies = at["active_energy_j"], at["always_on_energy_j"]
        rows.append(("operating points at which it fires", f"{at['fired']} of {at['points']}"))
        for word, e, n in zip(
            ("active window", "always on for 5 tau"), energies, at["within_paper_10_pj"].values(), strict=True
        ):
            text = f"{e['min'] * 1e12:.1f} / {e['median'] * 1e12:.1f} / {e['max'] * 1e12:.1f} pJ; below the paper's 10 pJ at {n}"
            rows.append((f"energy per spike over them, {word}: min / median / max", text))
    if "reset" in results:
        r = results["reset"]
        rows.append(
            (
                "after a reset the same stimulus fires it again",
                f"at {r['fires_again']} of {r['points']} points; within {r['tolerance_s'] * 1e9:.1f} ns of the first spike time "
                f"at {r['within_tolerance']}, difference {r['rms_shift_s'] * 1e9:.1f} ns rms",
            )
        )
    if "noise" in results and results["noise"]["sigma_over_predicted"]:
        n = results["noise"]
        s, c, v = n["sigma_over_predicted"], n["coverage"], n["loop_v"]
        rows += [
            (
                "phase noise in the loop, thresholds per sqrt(tau)",
                f"{v['value']:.3f} [{v['low']:.3f}, {v['high']:.3f}]",
            ),
            (
                "spread of held-out noisy runs over the predicted one",
                f"{s['value']:.2f} [{s['low']:.2f}, {s['high']:.2f}]",
            ),
            (
                f"predicted 90 % interval holds, of {n['n_coverage']} held-out noisy runs",
                f"{c['value']:.1%} [{c['low']:.1%}, {c['high']:.1%}]",
            ),
        ]
    for where, found in results.get("thermal", {}).items():
        kappa, power = found["kappa_sqrt_s"], found["exponent"]
        rows.append(
            (
                f"ring VCO, thermal noise, {where}: kappa of kappa sqrt(t), exponent of a free law, above the numerical floor",
                f"{kappa['value'] * 1e9:.0f}e-9 sqrt(s) (theory {found['kappa_theory_sqrt_s'] * 1e9:.0f}e-9), "
                f"{power['value']:.2f} [{power['low']:.2f}, {power['high']:.2f}], {found['over_floor']:.1f} x",
            )
        )
    if "chips" in results:
        m = results["chips"]
        y = m["and_within_tolerance"]
        rows.append(
            (
                f"chips within {m['tolerance']:.0%} of the nominal spike time "
                f"({'trimmed' if m.get('trimmed') else 'as drawn, no trimming'}), of {m['chips']}: yield",
                f"{y['value']:.0%} [{y['low']:.0%}, {y['high']:.0%}]",
            )
        )
    for plan, word in (("jitter", "input jitter"), ("quantization", "weights of")):
        if plan in results:
            names, trials = "/".join(results[plan]), next(iter(results[plan].values()))["trials"]
            for where, part in (("", results), (f", `{ABOVE}`, same stimuli", results.get("above", {}))):
                if plan in part:
                    found = " / ".join(f"{level['mean']:.2%}" for level in part[plan].values())
                    rows.append((f"output jitter at {word} {names}, {trials} trials{where}", found))
            paper = [level["paper"] for level in results[plan].values()]
            rows.append(
                (f"the same in paper 004 ({word})", " / ".join("-" if v is None else f"{v:.3%}" for v in paper))
            )
    for step in results.get("levels", []):
        rows.append(
            (
                f"`{step['level']}` against {step['against']}, {step['n']} spikes: median, 95th percentile",
                f"{step['median']:.2g}, {step['p95']:.2g} relative; same outcome in {step['agreement']:.0%}",
            )
        )
    lines = ["| figure | measured |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), ""]
    where = "tests/benchmarks/transistor.json"
    return "\n".join([*lines, f"{results['date']}, {results['machine']}; `{results['command']}`, {where}"])
