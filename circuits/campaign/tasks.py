"""What the pool of a campaign does: a simulation of a neuron, or a measurement of one of its cells."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, Generic, TypeVar

from ..cells.measurement import CellResult, Measurement, perform
from ..cells.measurement import key_of as key_of_cell
from ..deck.job import Job
from ..deck.run import Run
from ..deck.transistors import Transistor
from ..ngspice import command_line as engine_cli
from ..ngspice.outcome import Outcome
from .engines import simulate

T = TypeVar("T")
AnyOutcome = TypeVar("AnyOutcome", bound=Outcome | CellResult)
_CELL_LIMIT_S = 660.0


@dataclass(frozen=True, kw_only=True)
class Result(Generic[AnyOutcome]):
    """Outcome of one task, how many attempts it took, and with which options ("default" or "safer") it was reached."""

    outcome: AnyOutcome
    attempts: int
    options: str


class Urgency(IntEnum):
    """What begins first: by what waits for it, and the long ones before the many short ones."""

    RUN = 0
    CELL = 1
    LEAD_IN = 2
    TRIM = 3  # a chip has a long way to go, one simulation after the other
    PROBE = 4  # the first run of a campaign tells whether the others can work


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A job and its variant with safer options. The most urgent tasks begin first, among equals those with the most steps."""

    outcome: ClassVar[type] = Outcome
    job: Job
    safer: Callable[[], Job]
    urgency: Urgency = Urgency.RUN

    @property
    def steps(self) -> float:
        """Least number of time steps."""
        return self.job.steps

    def key(self, engine: str, version: str) -> str:
        """Hash of everything that the outcome depends on."""
        return self.job.key(engine, version)

    def call(self, engine: str, timeout_s: float, options: str) -> tuple[Callable[..., Any], tuple, float]:
        """Function and arguments for a worker, and seconds after which it is killed."""
        job = self.job if options == "default" else self.safer()
        # the command-line engine kills its own process; the pool's limit is then only the second line
        return simulate, (engine, job, timeout_s), timeout_s + 30 * (engine == engine_cli.NAME)


@dataclass(frozen=True, kw_only=True)
class CellTask:
    """A measurement of a cell; it brings its own simulator, options and time limit."""

    outcome: ClassVar[type] = CellResult
    measurement: Measurement
    urgency: Urgency = Urgency.CELL
    steps: float = 0.0

    def key(self, engine: str, version: str) -> str:
        """Hash of everything that the outcome depends on. Raises InputError and MissingToolError as :func:`.bench.models`."""
        return key_of_cell(self.measurement, version)

    def call(self, engine: str, timeout_s: float, options: str) -> tuple[Callable[..., Any], tuple, float]:
        """Function and arguments for a worker, and seconds after which it is killed."""
        return perform, (self.measurement,), _CELL_LIMIT_S


Task = Simulation | CellTask
#: gives the transistors of a run's deck
TransistorsOf = Callable[[Run], tuple[Transistor, ...]]
#: yields tasks, is sent their results in that order, returns what it concludes
Flow = Generator[Sequence[Task], list[Result], T]


def measure(measurements: Sequence[Measurement]) -> Flow[list[Result[CellResult]]]:
    """The flow of measurements of cells, none of which waits for another."""
    return (yield [CellTask(measurement=measurement) for measurement in measurements])
