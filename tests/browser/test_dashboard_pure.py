"""What the views beside the live one work out, without any page: order, health, spans, sums."""

from typing import Any

import pytest
from live_page import run
from playwright.sync_api import Page

SENSORS = """
const sensors = [
  { sensor_id: "s10", state: "live", rate_hz: 200, gaps: 4, boot: 0, clock_offset_us: 0,
    last_received_us: 10, dead_letters: 0, labels: { limb: "Left wrist" } },
  { sensor_id: "s9", state: "silent", rate_hz: 0, gaps: 4, boot: 2, clock_offset_us: 0,
    last_received_us: 5, dead_letters: 0, labels: {} },
  { sensor_id: "s1", state: "live", rate_hz: 50, gaps: 0, boot: 1, clock_offset_us: -6e6,
    last_received_us: 10, dead_letters: 2 },
];
const ids = (wish) => m.fleetRows(sensors, { words: "", health: "", sort: "", ...wish })
  .map((sensor) => sensor.sensor_id).join(" ");
"""


@pytest.mark.parametrize(
    ("wish", "ids"),
    [
        ("{}", "s1 s9 s10"),
        ('{sort: "-sensor"}', "s10 s9 s1"),
        ('{sort: "gaps"}', "s1 s9 s10"),
        ('{sort: "-gaps"}', "s9 s10 s1"),
        ('{sort: "-rate"}', "s10 s1 s9"),
        ('{sort: "state"}', "s10 s1 s9"),
        ('{sort: "nonsense"}', "s1 s9 s10"),
        ('{words: "LEFT"}', "s10"),
        ('{health: "silent"}', "s9"),
        ('{health: "attention"}', "s1"),
    ],
)
def test_a_fleet_is_sorted_searched_and_filtered(modules: Page, wish: str, ids: str) -> None:
    assert run(modules, "fleet/fleet_rows", f"{SENSORS} return ids({wish});") == ids


def test_a_column_is_sorted_upwards_then_downwards(modules: Page) -> None:
    body = """return [m.sortAfter("", "gaps"), m.sortAfter("gaps", "gaps"),
      m.sortAfter("-gaps", "gaps"), m.sortAfter("", "sensor")];"""
    assert run(modules, "fleet/fleet_rows", body) == ["gaps", "-gaps", "gaps", "-sensor"]


def test_arguments_of_a_command_are_an_object_or_said_to_be_none(modules: Page) -> None:
    body = """const said = (text) => { try { return m.argumentsOf(text); }
        catch (error) { return error.message.slice(0, 24); } };
      return [" ", '{"on": true}', "[1]", "{on"].map(said);"""
    assert run(modules, "fleet/command_box", body) == [
        {}, {"on": True}, "The arguments must be a ", "The arguments are no JSO",
    ]  # fmt: skip


def test_a_span_is_zoomed_and_moved_within_its_session(modules: Page) -> None:
    body = """const whole = [100, 200];
      return [m.zoomed(whole, whole, 0.5), m.zoomed([100, 150], whole, 4),
        m.moved([120, 140], whole, -5), m.moved([120, 140], whole, 0.5),
        m.within([150, 150.1], whole), m.afterKey("ArrowRight", [120, 140], whole),
        m.afterKey("0", [120, 140], whole), m.afterKey("x", [120, 140], whole)];"""
    assert run(modules, "replay/replay_range", body) == [
        [125, 175], [100, 200], [100, 120], [130, 150], [150, 150.5], [125, 145], [100, 200], None,
    ]  # fmt: skip


def test_a_hole_is_where_no_window_is(modules: Page) -> None:
    body = """const at = (from, to) => ({ start_us: from * 1e6, end_us: to * 1e6 });
      return m.holesOf([at(0, 2), at(2, 4), at(10, 12), at(12, 14)]);"""
    assert run(modules, "replay/replay_range", body) == [[4, 10]]


def test_bytes_are_shown_as_hexadecimal_and_text_with_frame_heads_marked(modules: Page) -> None:
    body = """const lines = m.dumpLines(m.bytesOf("7c1e413c" + "00".repeat(13) + "7C"));
      return lines.map((line) => [line.offset, line.cells.map((cell) =>
        cell.text + (cell.isHead ? "!" : "")).join(" "), line.ascii]);"""
    dots = "\u00b7"
    assert run(modules, "letters/hex_dump", body) == [
        ["0000", "7c! 1e! 41 3c" + " 00" * 12, f"|{dots}A<" + dots * 12],
        ["0010", "00 7c", f"{dots}|"],
    ]


@pytest.mark.parametrize(
    ("name", "title", "unit", "direction"),
    [
        ("velocity_rmse_walk_m_s", "Velocity RMSE walk", "m/s", -1),
        ("moving_auc", "Moving AUC", "", 1),
        ("velocity_bias_m_s", "Velocity bias", "m/s", -1),
        ("mean_rmse_m_s", "Mean RMSE", "m/s", 0),
        ("moving_share", "Moving share", "", 0),
    ],
)
def test_a_metric_has_a_name_a_unit_and_a_better_side(
    modules: Page, name: str, title: str, unit: str, direction: int
) -> None:
    body = f'return [...m.metricName("{name}"), m.directionOf("{name}")];'
    assert run(modules, "models/comparison", body) == [title, unit, direction]


def test_versions_are_compared_metric_by_metric(modules: Page) -> None:
    body = """const of = (velocity_bias_m_s) =>
        ({ metrics: { velocity_bias_m_s, moving_auc: 0.9 } });
      const rows = m.comparisonRows([of(-0.1), of(0.05), {}]);
      return [...rows.map((row) => row.best), m.changeAgainst(0.2, 0.1), m.changeAgainst(0, 1)];"""
    assert run(modules, "models/comparison", body) == [1, -1, "\u221250.0 %", ""]


STAGES = """
const stage = (name, from, to, more = {}) =>
  ({ name, from, to, records_per_s: 10, samples_per_s: null, lag: 0, counts: {}, lost: 0,
     doubled: 0, ...more });
const stages = [stage("bridge", "mqtt", "imu-data-all", { lost: null, lag: null }),
  stage("sensor-processing", "imu-data-all", "sensor-data-transformed", { lag: 700 }),
  stage("sensor-processing", "imu-data-all", "sensor-data-aggregated", { lag: 700, lost: 2 }),
  stage("archive", "imu-data-all", "parquet"), stage("archive", "dead-letters", "parquet")];
"""


def test_arrows_of_one_stage_are_one_box_with_their_sums(modules: Page) -> None:
    body = f"""{STAGES} const boxes = m.boxesOf(stages);
      return boxes.map((box) => [box.name, box.records_per_s, box.lag, box.lost,
        m.conditionOf(box), box.from.length, box.to.length]).concat([m.summaryOf(boxes)]);"""
    found: list[Any] = run(modules, "flow/stages", body)
    assert found == [
        ["bridge", 10, None, None, "good", 1, 1],
        ["sensor-processing", 10, 700, 2, "bad", 1, 2],
        ["archive", 20, 0, 0, "good", 2, 1],
        "The flow from MQTT to Parquet in 3 stages. Something was lost in sensor-processing.",
    ]


@pytest.mark.parametrize("shape", ["m.wideLayout(boxes)", "m.narrowLayout(boxes, 330)"])
def test_nothing_of_the_picture_lies_over_another_or_outside(modules: Page, shape: str) -> None:
    body = f"""{STAGES} const {{ boxesOf }} = await import("/js/flow/stages.js");
      const boxes = boxesOf([...stages, stage("unheard-of", "a", "b")]);
      const layout = {shape};
      const nodes = [...layout.boxes.values(), ...layout.places.values()];
      const wrong = nodes.filter((n) => n.x < 0 || n.y < 0 || n.x + n.width > layout.width ||
        n.y + n.height > layout.height);
      nodes.forEach((a, i) => nodes.slice(i + 1).forEach((b) => {{
        if (a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height &&
            b.y < a.y + a.height) wrong.push([a, b]);
      }}));
      return [wrong, layout.boxes.size, layout.arrows.map((a) => m.arrowPath(a, layout.wide))];"""
    wrong, boxes, arrows = run(modules, "flow/flow_layout", body)
    assert wrong == []
    assert boxes == 4
    assert len(arrows) >= 9 and not any("NaN" in path for path in arrows)
