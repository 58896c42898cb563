"""A trace in words for a terminal. Pure."""

from collections.abc import Iterator

from cluster.trace.moment import after, clock
from cluster.trace.stage import Stage, State, Trace

_MARK = {State.HERE: "+", State.WAITING: ".", State.NEVER: "-", State.UNKNOWN: "?"}
_NAME_WIDTH = 16


def lines(trace: Trace) -> Iterator[str]:
    """Yield a headline, then two lines for each stage: when and where, and what."""
    boot = "" if trace.boot is None else f", boot {trace.boot}"
    of = f", frame {trace.trace_id}" if trace.trace_id else ""
    yield f"Sample {trace.sample} of {trace.sensor_id}{boot}{of}"
    for stage in trace.stages:
        yield from stage_lines(stage, trace.received_us)
    if not trace.complete:
        yield "The time was up before all was looked at: give it more with --within."


def stage_lines(stage: Stage, received_us: int | None) -> Iterator[str]:
    """Yield the lines of one stage."""
    name = f"{_MARK[stage.state]} {stage.name.replace('_', ' '):<{_NAME_WIDTH}}"
    head = []
    if stage.at_us is not None:
        head.append(clock(stage.at_us))
        if received_us is not None and stage.at_us != received_us:
            head.append(after(stage.at_us, received_us))
    if stage.place is not None and stage.place != stage.words:
        head.append(stage.place)
    if head:
        yield f"{name} {'  '.join(head)}"
        yield f"  {'':<{_NAME_WIDTH}} {stage.words}"
    else:
        yield f"{name} {stage.words}"
