"""Random but plausible streams of a few devices, for property-based tests."""

from hypothesis import strategies as st

from tests.unit.frame_building import PERIOD_US, START_US, Record, frame, record, tick

_SENSORS = (b"sensor1", "αισθητήρας".encode())

Move = tuple[str, int, int]

moves: st.SearchStrategy[list[Move]] = st.lists(
    st.tuples(
        st.sampled_from(
            ["frame"] * 8
            + ["long"] * 2
            + ["tick"] * 3
            + ["duplicate", "overlap", "skip", "swap", "heartbeat", "reboot", "step", "cut", "two"]
        ),
        st.integers(0, len(_SENSORS) - 1),
        st.integers(0, 20),
    ),
    min_size=1,
    max_size=60,
)


class _Device:
    def __init__(self, key: bytes) -> None:
        self.key = key
        self.next_number = 0
        self.clock_us = START_US
        self.sent: list[bytes] = []

    def make(self, samples: int) -> bytes:
        made = frame(self.next_number, self.clock_us, samples)
        self.advance(samples)
        self.sent.append(made)
        return made

    def advance(self, samples: int) -> None:
        self.next_number += samples
        self.clock_us += samples * PERIOD_US


def records_of(stream: list[Move]) -> list[Record]:
    """Return the records that the moves make, in order."""
    devices = [_Device(key) for key in _SENSORS]
    records: list[Record] = []
    for move, which, size in stream:
        device = devices[which]
        records += (
            [tick()]
            if move == "tick"
            else [record(payload, device.key) for payload in _payloads(device, move, size)]
        )
    return records


def _payloads(device: _Device, move: str, size: int) -> list[bytes]:  # noqa: PLR0911
    match move:
        case "frame":
            return [device.make(64)]
        case "long":
            return [device.make(100 * (size + 1))]
        case "duplicate":
            return device.sent[-1 - size : len(device.sent) - size]
        case "overlap":
            start = max(0, device.next_number - 10 * size)
            back_us = (device.next_number - start) * PERIOD_US
            return [frame(start, device.clock_us - back_us, 15 * size + 1)]
        case "skip":
            device.advance(64 * size)
            return []
        case "swap":
            first, second = device.make(64), device.make(64)
            return [second, first]
        case "heartbeat":
            return [frame(device.next_number, device.clock_us, 0)]
        case "reboot":
            device.next_number = 0
            device.clock_us += size * 1_000_000
            return []
        case "step":
            device.clock_us += (size - 10) * 3_000_000
            return []
        case "cut":
            return [device.make(64)[: 50 * size + 1]]
    return [device.make(32) + b"\x00" * size + device.make(32)]
