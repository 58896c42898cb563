"""`imustream bench`: how fast the running stack is, and that nothing is lost at that speed."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pipelines.settings import Settings

_LATENCY_EXAMPLES = "Example: imustream bench latency --sensors 1000 --seconds 30 --json"
_DRAIN_EXAMPLES = "Example: imustream bench drain --sensors 1000 --seconds 60 --json"

_MAP_EXAMPLES = "Example: imustream bench map --sensors 1000 --seconds 60 --json"
_ARCHIVE_EXAMPLES = "Example: imustream bench archive --json"
_RECOVERY_EXAMPLES = "Example: imustream bench recovery --json"
_NODES_EXAMPLES = "Example: imustream bench nodes --json"

_METRICS_EXAMPLES = "Example: imustream bench metrics --rounds 2 --json"
_INFERENCE_EXAMPLES = "Example: imustream bench inference --sensors 1000 --seconds 30 --json"

_SIZING_EXAMPLES = "Example: imustream bench sizing --sensors 500 --seconds 60 --json > cost.json"
_CAPACITY_EXAMPLES = "Example: imustream bench capacity cost.json --nodes 1 --nodes 3 --nodes 30"

_LIVE_EXAMPLES = (
    "Examples: imustream bench live --clients 1000 --sensors 1 | "
    "imustream bench live --clients 1000 --sensors 1000 --rate 20 --json"
)

_Sensors = Annotated[int, typer.Option(min=1, help="How many sensors.")]
_Rate = Annotated[float | None, typer.Option(help="Samples a second (Hz); as set.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    bench = typer.Typer(no_args_is_help=True, help=__doc__)
    bench.command(epilog=_LATENCY_EXAMPLES)(latency)
    bench.command(epilog=_LIVE_EXAMPLES)(live)
    bench.command(name="map", epilog=_MAP_EXAMPLES)(whole_map)
    bench.command(epilog=_SIZING_EXAMPLES)(sizing)
    bench.command(epilog=_CAPACITY_EXAMPLES)(capacity)
    bench.command(epilog=_DRAIN_EXAMPLES)(drain)
    bench.command(epilog=_RECOVERY_EXAMPLES)(recovery)
    bench.command(epilog=_NODES_EXAMPLES)(nodes)
    bench.command(epilog=_ARCHIVE_EXAMPLES)(archive)
    bench.command(epilog=_INFERENCE_EXAMPLES)(inference)
    bench.command(epilog=_METRICS_EXAMPLES)(metrics)
    app.add_typer(bench, name="bench", epilog=f"{_LATENCY_EXAMPLES} | {_DRAIN_EXAMPLES}")


def latency(
    sensors: _Sensors = 1_000,
    rate: _Rate = None,
    seconds: Annotated[float, typer.Option(min=10, help="How long; the first 5 s warm up.")] = 30,
    watch: Annotated[int, typer.Option(min=1, help="Sensors with a WebSocket client.")] = 50,
    as_json: _Json = False,
) -> None:
    """Measure from a sensor's publish to a WebSocket client, and where the time goes."""
    from cluster.bench.latency import LatencyRun, measure_latency
    from pipelines.verify.sensor_processing import PIPELINE

    settings, stack_id = _running()
    rate_hz = settings.processing.sample_rate_hz if rate is None else rate
    run = LatencyRun(sensors, rate_hz, seconds, watch)
    with _Status() as status:
        figures = measure_latency(settings, stack_id, run, status.say, (PIPELINE,))
    _print(figures, as_json)


def live(
    clients: Annotated[int, typer.Option(min=1, help="WebSocket clients.")] = 1_000,
    sensors: Annotated[
        int, typer.Option(min=1, help="Sensors that send; the clients share them out.")
    ] = 1,
    rate: _Rate = None,
    seconds: Annotated[float, typer.Option(min=10, help="How long; the first 5 s warm up.")] = 30,
    as_json: _Json = False,
) -> None:
    """Measure many WebSocket clients: messages a second, how late, CPU and memory for each.

    The clients run in a process of their own on this machine, whose cost is told too.
    """
    from cluster.bench.live import LiveRun, measure_live

    settings, stack_id = _running()
    rate_hz = settings.processing.sample_rate_hz if rate is None else rate
    run = LiveRun(clients, sensors, rate_hz, seconds)
    with _Status() as status:
        figures = measure_live(settings, stack_id, run, status.say)
    _print(figures, as_json)


def whole_map(
    sensors: _Sensors = 1_000,
    rate: _Rate = None,
    seconds: Annotated[float, typer.Option(min=30, help="How long the fleet sends.")] = 60,
    watch: Annotated[int, typer.Option(min=1, help="Sensors with a WebSocket client.")] = 20,
    as_json: _Json = False,
) -> None:
    """Run the whole map: what share of the samples each pipeline keeps up with, and the CPU."""
    from cluster.bench.latency import LatencyRun
    from cluster.bench.whole_map import measure_map

    settings, stack_id = _running()
    rate_hz = settings.processing.sample_rate_hz if rate is None else rate
    with _Status() as status:
        run = LatencyRun(sensors, rate_hz, seconds, watch)
        figures = measure_map(settings, stack_id, run, status.say)
    _print(figures, as_json)


def sizing(
    sensors: _Sensors = 500,
    rate: _Rate = None,
    seconds: Annotated[float, typer.Option(min=10, help="How long the fleet sends.")] = 60,
    as_json: _Json = False,
) -> None:
    """Measure what each 100,000 samples/s cost: cores, memory, bytes in Kafka and the archive."""
    from cluster.bench.sizing import SizingRun, measure_sizing

    settings, stack_id = _running()
    rate_hz = settings.processing.sample_rate_hz if rate is None else rate
    with _Status() as status:
        run = SizingRun(sensors, rate_hz, seconds)
        figures = measure_sizing(settings, stack_id, run, status.say)
    _print(figures, as_json)


def capacity(
    cost: Annotated[Path, typer.Argument(help="What `bench sizing --json` printed.")],
    nodes: Annotated[list[int] | None, typer.Option(min=1, help="How many nodes.")] = None,
    node_cores: Annotated[int, typer.Option(min=1, help="Cores of a node.")] = 16,
    as_json: _Json = False,
) -> None:
    """Say what a number of nodes carries, by what was measured, and what stops it there."""
    from cluster.bench.capacity import fit, limits
    from cluster.bench.sizing import PER_SAMPLES_PER_S, read_sizing

    figures = read_sizing(cost)
    cores, brokers = figures["cores"], figures["brokers"]
    fits = [fit(cores, PER_SAMPLES_PER_S, brokers, n, node_cores) for n in nodes or [1, 3, 30]]
    by_nodes = {
        f"{one.nodes} nodes": {
            "samples_per_s": round(one.samples_per_s),
            "limited_by": one.limited_by,
            "cores_used": round(one.cores_used, 1),
        }
        for one in fits
    }
    most = {one.part: round(one.samples_per_s) for one in limits(cores, PER_SAMPLES_PER_S)}
    _print({"most_samples_per_s": most, **by_nodes}, as_json)


def drain(
    sensors: _Sensors = 1_000,
    rate: _Rate = None,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of data to drain.")] = 60,
    as_json: _Json = False,
) -> None:
    """Measure how fast a backlog drains, exactly once, and what it costs.

    The number of slots is the pipeline's: set it with `imustream scale` before.
    """
    from cluster.bench.drain import DrainRun, measure_drain

    settings, stack_id = _running()
    rate_hz = settings.processing.sample_rate_hz if rate is None else rate
    with _Status() as status:
        run = DrainRun(sensors, rate_hz, seconds)
        figures = measure_drain(settings, stack_id, run, status.say)
    _print(figures, as_json)


def inference(
    sensors: _Sensors = 1_000,
    rate: _Rate = None,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of data to drain.")] = 30,
    as_json: _Json = False,
) -> None:
    """Measure how fast a backlog of samples is predicted, against onnxruntime alone.

    The number of slots is the pipeline's, that of replicas is `inference.replicas`.
    """
    from cluster.bench.drain import DrainRun
    from cluster.bench.inference import measure_inference

    settings, stack_id = _running()
    rate_hz = settings.processing.sample_rate_hz if rate is None else rate
    with _Status() as status:
        run = DrainRun(sensors, rate_hz, seconds)
        figures = measure_inference(settings, stack_id, run, status.say)
    _print(figures, as_json)


def metrics(
    sensors: _Sensors = 1_000,
    rate: _Rate = None,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds of data in each drain.")] = 30,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of four drains.")] = 2,
    as_json: _Json = False,
) -> None:
    """Measure what keeping metrics costs a slot: drains with and without, in turn.

    All pipelines are paused meanwhile; one slot of the bench's own stands in for the first.
    """
    from cluster.bench.drain import DrainRun
    from cluster.bench.metrics_cost import measure_metrics_cost

    settings, _ = _running()
    rate_hz = settings.processing.sample_rate_hz if rate is None else rate
    with _Status() as status:
        run = DrainRun(sensors, rate_hz, seconds)
        figures = measure_metrics_cost(settings, run, rounds, status.say)
    _print(figures, as_json)


def recovery(as_json: _Json = False) -> None:
    """Kill the bridge and the slots under load, and measure how soon the stream goes on."""
    from cluster.bench.recovery import measure_recovery

    settings, stack_id = _running()
    with _Status() as status:
        figures = measure_recovery(settings, stack_id, status.say)
    _print(figures, as_json)


def nodes(as_json: _Json = False) -> None:
    """Lose whole nodes of a simulated Ray cluster under load, on servers of its own.

    It needs no running stack: three nodes and a head start on this machine, and all of it ends.
    """
    import os

    from cluster.local.ray_head import ray_environment

    # Ray reads some of it when it is imported.
    os.environ.update(ray_environment())
    from cluster.bench.node_loss import measure_node_loss

    with _Status() as status:
        figures = measure_node_loss(status.say)
    _print(figures, as_json)


def archive(as_json: _Json = False) -> None:
    """Archive what the topics hold into a folder, and write the same rows by pyarrow alone.

    Whatever the topics hold is written: `imustream bench drain` before makes a good load.
    """
    from cluster.bench.archive import measure_archive
    from pipelines.settings import load_settings

    with _Status() as status:
        figures = measure_archive(load_settings(), status.say)
    _print(figures, as_json)


def _running() -> "tuple[Settings, str]":
    """Return the settings and the id of the local stack that runs."""
    from cluster.local.state_folder import StateFolder
    from pipelines.errors import UnavailableError
    from pipelines.settings import load_settings

    settings = load_settings()
    record = StateFolder(settings.local.state_dir).record()
    if record is None:
        raise UnavailableError(
            f"no local stack runs in {settings.local.state_dir}: start it with `imustream up`"
        )
    return settings, record.stack_id


class _Status:
    """Says on standard error what the benchmark is doing."""

    def __enter__(self) -> "_Status":
        from rich.console import Console

        self._status = Console(stderr=True).status("starting")
        self._status.start()
        return self

    def say(self, what: str) -> None:
        """Show what is being done now."""
        self._status.update(what)

    def __exit__(self, *_: object) -> None:
        self._status.stop()


def _print(figures: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(figures))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", show_header=False, box=None)
    for name, value in figures.items():
        if isinstance(value, dict):
            for part, inner in value.items():
                shown = inner if not isinstance(inner, dict) else _shown(inner)
                table.add_row(f"{name}: {part}", str(shown))
        else:
            table.add_row(name, f"{value:,}" if isinstance(value, int) else str(value))
    Console().print(table)


def _shown(figures: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:,}" for name, value in figures.items())
