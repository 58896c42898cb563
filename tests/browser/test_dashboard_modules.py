"""The pure modules of the page, run in the browser they are for."""

import pytest
from live_page import run
from playwright.sync_api import Page


def test_a_ring_gives_the_last_values_in_order_after_many_turns(modules: Page) -> None:
    found = run(
        modules,
        "ring",
        """
        const ring = new m.Ring(["a"], 8);
        const wrong = [];
        for (let i = 0; i < 100; i += 1) {
          ring.push(i, { a: [i * 10] }, 0);
          for (const from of [-1, i - 9, i - 3.5, i, i + 1]) {
            const [times, values] = ring.view(["a"], from);
            const oldest = Math.max(0, i - 7);
            const first = Math.max(oldest, Math.min(i + 1, Math.ceil(from)) - 1);
            const wanted = [];
            for (let t = first; t <= i; t += 1) wanted.push(t);
            const got = [...times].join() + "|" + [...values].join();
            const right = wanted.join() + "|" + wanted.map((t) => t * 10).join();
            if (got !== right) wrong.push([i, from, got, right]);
          }
          if (ring.last("a") !== i * 10 || ring.lastTime() !== i) wrong.push(i);
        }
        return wrong;
        """,
    )
    assert found == []


def test_a_playhead_glides_over_bursts_and_never_passes_the_newest_sample(modules: Page) -> None:
    found = run(
        modules,
        "playhead",
        """
        const head = new m.Playhead();
        const steps = [];
        let time = 0;
        for (let frame = 0; frame < 1200; frame += 1) {
          time += 1 / 60;
          const burst = Math.floor(time / 0.32) * 0.32;
          if (burst !== head.newest) head.arrived(burst);
          const before = head.time;
          const edge = head.advance(1 / 60);
          if (frame > 600) steps.push((edge - before) * 60);
          if (edge > head.newest) return "passed";
        }
        return [Math.min(...steps), Math.max(...steps), head.newest - head.time];
        """,
    )
    slowest, fastest, lag_s = found
    assert slowest >= 0.8 and fastest <= 1.3, "it never stands still and never leaps"
    assert 0 <= lag_s < 0.5


def test_a_playhead_follows_a_clock_that_jumps(modules: Page) -> None:
    body = """
        const head = new m.Playhead();
        return [1e9, 1e9 + 1, 5, 6, 2e9].map((t) => { head.arrived(t); return head.time; });
        """
    assert run(modules, "playhead", body) == [1e9, 1e9, 5, 5, 2e9]


def test_an_axis_holds_its_values_widens_at_once_and_narrows_late(modules: Page) -> None:
    found = run(
        modules,
        "axis_range",
        """
        const range = new m.AxisRange(1, false);
        const still = range.fit(-0.2, 0.2, 0);
        const wide = range.fit(-3.3, 9.1, 10);
        const kept = range.fit(-0.2, 0.2, 20);
        const narrow = range.fit(-0.2, 0.2, 10_000);
        const none = range.fit(Infinity, -Infinity, 10_001);
        return [still, wide, kept, narrow, none];
        """,
    )
    still, wide, kept, narrow, none = found
    assert still[0] <= -0.2 and still[1] >= 0.2 and still[1] - still[0] >= 1
    assert wide[0] <= -3.3 and wide[1] >= 9.1
    assert kept == wide
    assert narrow == still == none


def test_samples_of_another_boot_or_an_older_clock_begin_a_new_trace(modules: Page) -> None:
    found = run(
        modules,
        "trace",
        """
        const row = (t, boot = 0) => ({ timestamp_us: [t * 1e6, t * 1e6 + 5000], boot: [boot, boot],
          acc_x: [1, null] });
        const lengths = [];
        const trace = new m.Trace();
        const append = (columns) => { trace.append(columns); lengths.push(trace.ring.length); };
        append(row(100)); append(row(100.01));
        append(row(99.9));           // late: left out
        append(row(103));            // after a hole
        lengths.push(trace.holes.length);
        append(row(104, 1));         // another boot
        append(row(5, 1));           // the clock went back
        lengths.push(trace.holes.length, trace.samples);
        return lengths;
        """,
    )
    assert found == [2, 4, 4, 6, 1, 2, 2, 0, 12]


def test_attempts_wait_ever_longer_up_to_a_bound(modules: Page) -> None:
    body = (
        "return [1, 2, 3, 50].map((attempt) => [m.backoffMs(attempt, 0), m.backoffMs(attempt, 1)])"
    )
    assert run(modules, "backoff", body) == [
        [250, 500], [500, 1_000], [1_000, 2_000], [7_500, 15_000],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(4.9, "4 s"), (700, "11 min"), (7_300, "2 h"), (200_000, "2 d"), (1.8e9, "57 years")],
)
def test_spans_are_said_in_the_largest_fitting_unit(
    modules: Page, seconds: float, words: str
) -> None:
    assert run(modules, "format", f"return m.span({seconds})") == words
