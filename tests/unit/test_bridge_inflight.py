"""Which messages the bridge may acknowledge, and when."""

from hypothesis import given
from hypothesis import strategies as st

from actors.bridge_inflight import InFlight


class Refusal:
    """A delivery report's error."""

    def str(self) -> str:
        """Say what it is."""
        return "Broker: Message size too large"


@given(st.permutations(range(8)))
def test_messages_leave_in_the_order_received_whatever_order_kafka_reports(
    order: list[int],
) -> None:
    in_flight = InFlight()
    messages = [in_flight.add(mid, 10, 1, dead=False) for mid in range(8)]
    left: list[int | None] = []
    reported: set[int] = set()
    for mid in order:
        messages[mid].report(None, None)
        reported.add(mid)
        left += [message.mid for message in in_flight.take_delivered()]
        head = next((k for k in range(8) if k not in reported), 8)
        assert left == list(range(head))
    assert (len(in_flight), in_flight.size) == (0, 0)


def test_a_message_of_several_records_waits_for_the_last_of_them() -> None:
    in_flight = InFlight()
    tick = in_flight.add(7, 430, 10, dead=False)
    for _ in range(9):
        tick.report(None, None)
    assert in_flight.take_delivered() == []
    tick.report(None, None)
    assert in_flight.take_delivered() == [tick]


def test_a_refused_record_keeps_its_message_and_is_told() -> None:
    in_flight = InFlight()
    in_flight.add(1, 10, 1, dead=False).report(Refusal(), None)
    assert in_flight.take_delivered() == []
    assert in_flight.error == "Broker: Message size too large"
