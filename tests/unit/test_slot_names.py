"""Which actors a control record asks for, and what is done to those that are there."""

from hypothesis import given
from hypothesis import strategies as st

from actors.slot_names import SlotName, needs_new_generation, next_generation, parse, plan
from pipelines.control import Control

VERSION = "0123456789ab"
names = st.builds(
    SlotName,
    st.sampled_from(["sensor-processing", "ml-inference", "a-g1-2-b"]),
    st.integers(1, 10**6),
    st.integers(0, 9),
    st.sampled_from([VERSION, "abcdef"]),
)


def _record(slots: int = 2, generation: int = 4, paused: bool = False) -> Control:
    return Control("sensor-processing", slots, generation, paused, running_slots=slots)


@given(names)
def test_a_name_is_read_as_it_is_written(name: SlotName) -> None:
    assert parse(str(name)) == name


def test_other_actors_are_no_slots() -> None:
    assert parse("imustream-supervisor") is None


@given(st.sets(names), st.integers(1, 10), st.booleans())
def test_after_the_plan_exactly_the_wanted_slots_are_there(
    present: set[SlotName], slots: int, paused: bool
) -> None:
    record = _record(slots, paused=paused)
    todo = plan(record, VERSION, present)
    after = (present - set(todo.stop)) | set(todo.start)
    ours = {name for name in after if name.pipeline == record.pipeline}
    count = 0 if paused else slots
    assert ours == {SlotName(record.pipeline, 4, slot, VERSION) for slot in range(count)}
    assert {n for n in present if n.pipeline != record.pipeline} <= after
    assert not set(todo.start) & present


def test_a_rescale_raises_the_generation_and_remembers_whom_to_fence() -> None:
    wanted = Control("sensor-processing", 3, 4, False, running_slots=2, previous_slots=1)
    assert needs_new_generation(wanted)
    after = next_generation(wanted)
    assert after == Control("sensor-processing", 3, 5, False, running_slots=3, previous_slots=2)
    assert not needs_new_generation(after)
