"""Which partition a sensor's records are in: murmur2 of its id, as JVM clients do it.

Source: ``org.apache.kafka.common.utils.Utils.murmur2`` and ``BuiltInPartitioner``.
"""

from pipelines.topics import PARTITIONS

_MASK = 0xFFFFFFFF
_MULTIPLIER = 0x5BD1E995
_SEED = 0x9747B28C


def murmur2(data: bytes) -> int:
    """Return the 32-bit MurmurHash2 of ``data`` with Kafka's seed, unsigned."""
    length = len(data)
    h = _SEED ^ length
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        k = k * _MULTIPLIER & _MASK
        k ^= k >> 24
        k = k * _MULTIPLIER & _MASK
        h = (h * _MULTIPLIER & _MASK) ^ k
    if whole < length:
        h ^= int.from_bytes(data[whole:], "little")
        h = h * _MULTIPLIER & _MASK
    h ^= h >> 13
    h = h * _MULTIPLIER & _MASK
    return h ^ (h >> 15)


def partition_of(sensor_id: str, partitions: int = PARTITIONS) -> int:
    """Return the partition of a sensor's records, as every producer of ours chooses it."""
    return (murmur2(sensor_id.encode()) & 0x7FFFFFFF) % partitions
