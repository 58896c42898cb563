"""Synthetic dead letters: listed, counted, inspected and redriven as the api does it."""

from typing import Any

from synthetic_world import World

REASONS = ("crc_mismatch", "truncated_frame", "not_a_frame", "implausible_timestamp")
DETAILS = {
    "crc_mismatch": "the frame's CRC is 0x1f0e, its bytes give 0x9a44",
    "truncated_frame": "the frame says 1,300 bytes, 96 are there",
    "not_a_frame": "no frame begins in these bytes",
    "implausible_timestamp": "the frame's time is 3 d ahead of when it was received",
}
FAILED_US = 1_790_000_000_000_000


def letter(world: World, number: int) -> dict[str, Any]:
    """One dead letter as the list gives it; number 0 failed last."""
    reason = REASONS[(number * number + number // 3) % 4]
    sender = world.sensors[number % len(world.sensors)]
    return {
        "partition": number % 10, "offset": 9_000 - number,
        "sensor_id": None if reason == "not_a_frame" else sender,
        "reason": reason, "detail": DETAILS[reason], "pipeline": "sensor-processing",
        "source": {"topic": "imu-data-all", "partition": number % 10, "offset": 70_000 - number},
        "failed_us": FAILED_US - number * 61_000_000, "code_version": "1f0c2ab",
        "bytes": 96 + number % 3 * 40, "redriven": number in world.redriven,
    }  # fmt: skip


def matching(
    world: World, reason: str | None, pipeline: str | None, sensor: str | None
) -> list[int]:
    """The numbers of the letters that a filter lets through."""
    found = []
    for number in range(world.letters):
        each = letter(world, number)
        if (
            reason in (None, each["reason"])
            and pipeline in (None, each["pipeline"])
            and sensor in (None, each["sensor_id"])
        ):
            found.append(number)
    return found


def listed(world: World, found: list[int], limit: int, cursor: str | None) -> dict[str, Any]:
    """One page of letters, and how many of them have each reason."""
    first = int(cursor or 0)
    page = [letter(world, number) for number in found[first : first + limit]]
    everything = [each["reason"] for each in page]
    return {
        "dead_letters": page,
        "next_cursor": str(first + limit) if first + limit < len(found) else None,
        "reasons": {name: everything.count(name) for name in REASONS if name in everything},
    }


def inspected(world: World, number: int) -> dict[str, Any]:
    """One letter with its bytes and headers."""
    each = letter(world, number)
    payload = b"\x7c\x1e\x5c\x00<script>" + bytes((7 * i + number) % 256 for i in range(140))
    return {
        **each,
        "not_redriven_because": None if each["sensor_id"] else "it names no sensor",
        "payload_hex": payload[: each["bytes"]].hex(),
        "headers": {
            "reason": each["reason"], "detail": each["detail"], "pipeline": each["pipeline"],
            "byte-range": "0-96", "content-type": "application/octet-stream",
        },
    }  # fmt: skip


def redriven(world: World, numbers: list[int], dry_run: bool) -> dict[str, Any]:
    """What a redrive of these did."""
    again = [number for number in numbers if number in world.redriven]
    fresh = [number for number in numbers if number not in world.redriven]
    refused = [number for number in fresh if letter(world, number)["reason"] == "not_a_frame"]
    sent = [number for number in fresh if number not in refused]
    if not dry_run:
        world.redriven.update(sent)
    return {
        "matched": len(numbers), "requested": len(sent), "already": len(again), "pending": 0,
        "redriven": 0 if dry_run else len(sent), "counts": {}, "more": False,
        "refusals": len(refused),
        "refused": [
            {"partition": number % 10, "offset": 9_000 - number, "why": "it names no sensor"}
            for number in refused[:20]
        ],
    }  # fmt: skip
