"""JSON payloads for tests, as hypothesis makes them: good ones of both forms, and broken ones."""

import json
from typing import Any

from hypothesis import strategies as st

START_NS = 1_790_000_000_000_000_000
_NAMES = (
    "accelerometer",
    "gravity",
    "totalacceleration",
    "gyroscope",
    "gyroscopeuncalibrated",
    "magnetometer",
    "accelerometeruncalibrated",
    "location",
    "Accelerometer",
)

values = st.one_of(st.floats(-300, 300), st.integers(-200, 200))
vectors = st.lists(values, min_size=3, max_size=3)
times_ns = st.integers(0, 3_000_000_000).map(lambda after: START_NS + after)


@st.composite
def plain_samples(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.sets(st.sampled_from(("acc", "gyro", "mag"))))
    vector = st.one_of(vectors, st.none()) if draw(st.booleans()) else vectors
    return {"t_us": draw(times_ns) // 1000, **{name: draw(vector) for name in names}}


@st.composite
def logged_readings(draw: st.DrawFn) -> dict[str, Any]:
    time_ns = draw(times_ns)
    return {
        "name": draw(st.sampled_from(_NAMES)),
        "time": str(time_ns) if draw(st.booleans()) else time_ns,
        "values": dict(zip("xyz", draw(vectors), strict=True)),
    }


plain = st.builds(lambda s: {"samples": s}, st.lists(plain_samples(), min_size=1, max_size=12))
logged = st.builds(
    lambda p: {"messageId": 1, "sessionId": "s", "deviceId": "d", "payload": p},
    st.lists(logged_readings(), min_size=1, max_size=12),
)

anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(("samples", "payload", "t_us", "acc", "name", "time", "values", "x")),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)


def encoded(message: Any) -> bytes:
    """Return a message as a device sends it."""
    return json.dumps(message, ensure_ascii=False).encode(errors="surrogatepass")
