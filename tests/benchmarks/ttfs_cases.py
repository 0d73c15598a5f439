"""One case of the TTFS benchmark, run in a fresh process by bench_ttfs.py; prints its figures as one line of JSON.

python ttfs_cases.py time LAYER THREADS BATCH SECONDS
python ttfs_cases.py memory LAYER IMPLEMENTATION THREADS BATCH
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import hashlib
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from ttfs_layers import IMPLEMENTATIONS, LAYERS, make_case

from neuronsim.training.compiled.threads import use_threads


def threads_of(implementation: str, threads: int) -> contextlib.AbstractContextManager[None]:
    """Run on so many threads: the engine's own or torch's."""
    if implementation == "engine":
        return use_threads(threads)
    torch.set_num_threads(threads)
    return contextlib.nullcontext()


def median_ms(call: Callable[[], object], seconds: float) -> dict[str, float]:
    """Median, least and number of the times of ``call`` in milliseconds: about ``seconds`` long, 3 to 200 times."""
    call()
    spent: list[float] = []
    while len(spent) < 3 or (sum(spent) < seconds and len(spent) < 200):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return {"median_ms": 1e3 * statistics.median(spent), "least_ms": 1e3 * min(spent), "runs": len(spent)}


def digest(tensors: list[Tensor]) -> str:
    """SHA-256 over the bits of the tensors."""
    total = hashlib.sha256()
    for tensor in tensors:
        total.update(tensor.detach().contiguous().numpy().tobytes())
    return total.hexdigest()


def timings(layer: str, threads: int, batch: int, seconds: float) -> dict[str, dict]:
    """Forward and forward + backward of every implementation; the engine also with signed weights.

    ``disagreement``: fraction of the engine's outputs that differ from the published algorithm's by more than 0.1 %, or of
    which one is silent.
    """
    found: dict[str, dict] = {}
    spikes: dict[str, Tensor] = {}
    for name, weights in (*((name, "start") for name in IMPLEMENTATIONS), ("engine", "signed")):
        with threads_of(name, threads):
            case = make_case(layer, name, batch, weights)
            figures: dict = {"forward": median_ms(case.forward, seconds), "both": median_ms(case.both, seconds)}
            out = spikes[name] = case.both()
            if name == "engine":
                if weights == "start":
                    ours, theirs = out.reshape(-1), spikes["published"].reshape(-1)
                    close = torch.isclose(ours, theirs, rtol=1e-3, atol=0)
                    figures["disagreement"] = float((~close).double().mean())
                figures["fired"] = float(torch.isfinite(out).double().mean())
                figures["digest"] = digest([out, *case.gradients()])
        found[name if weights == "start" else f"{name} {weights}"] = figures
    return found


def extra_memory(layer: str, implementation: str, threads: int, batch: int) -> dict[str, object]:
    """Peak memory of one forward + backward pass beyond inputs, outputs, weights and their gradients, in bytes.

    The process's resident memory: its peak is reset (Linux) after two images have warmed everything up and freed memory was
    given back, so that only what this pass touches counts. The slope S - 1, which the backward pass needs, counts as extra, as
    do the gradients between the layers of the network.
    """
    with threads_of(implementation, threads):
        case = make_case(layer, implementation, batch)
        outputs = sum(batch * s.geometry.positions * s.n_out * case.inputs.element_size() for s in LAYERS[layer])
        gc.collect()
        status = Path("/proc/self/status")
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        try:
            Path("/proc/self/clear_refs").write_text("5")
            before, method = _status_bytes(status, "VmRSS"), "VmHWM after a reset"
        except OSError:
            before, method = _peak_bytes(), "ru_maxrss"
        case.both()
        after = _status_bytes(status, "VmHWM") if method.startswith("VmHWM") else _peak_bytes()
    kept = outputs + sum(tensor.numel() * tensor.element_size() for tensor in case.gradients())
    return {"extra_bytes": max(0, after - before - kept), "method": method}


def _status_bytes(status: Path, field: str) -> int:
    return next(1024 * int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(arguments: list[str]) -> None:
    """Run one case, see the top of this file."""
    if arguments[0] == "time":
        layer, threads, batch, seconds = arguments[1:]
        found: dict = timings(layer, int(threads), int(batch), float(seconds))
    else:
        layer, implementation, threads, batch = arguments[1:]
        found = extra_memory(layer, implementation, int(threads), int(batch))
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
