"""How far a backfill is, on a terminal's standard error; nothing where there is none."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich import progress as rich_progress
from rich.console import Console

from pipelines import topics
from pipelines.backfill.plan import PartitionPlan
from pipelines.backfill.ray_run import Show
from pipelines.backfill.replay import Saved


@contextmanager
def shown_progress(plans: Sequence[PartitionPlan]) -> Iterator[Show]:
    """Show a bar over the offsets to replay, with partitions done, records and samples a second."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    starts = {plan.partition: plan.start for plan in plans}
    columns = (
        rich_progress.TextColumn("backfill"),
        rich_progress.BarColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("{task.fields[said]}"),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=sum(plan.emit_end - plan.start for plan in plans), said="")
        first: dict[int, Saved] = {}

        def show(saved: dict[int, Saved]) -> None:
            for partition, one in saved.items():
                first.setdefault(partition, one)
            elapsed_s = max(bar.tasks[0].elapsed or 0.0, 1e-6)
            records = sum(one.records - first[p].records for p, one in saved.items())
            rows = sum(one.rows.get(topics.TRANSFORMED, 0) for one in saved.values())
            done = sum(one.done for one in saved.values())
            bar.update(
                task,
                completed=sum(one.next_offset - starts[p] for p, one in saved.items()),
                said=f"{done} of {len(plans)} partitions, {records / elapsed_s:,.0f} records/s, "
                f"{rows:,} samples",
            )

        yield show
