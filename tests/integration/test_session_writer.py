"""session_writer brings MongoDB to the last event of each session, whatever is killed or away."""

import json
from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient

from cluster.local.stack import Stack
from pipelines import topics
from pipelines.control import Control, read_control, write_record
from pipelines.generation import wait_for_generation
from pipelines.partitioner import partition_of
from pipelines.verify.documents import verify_documents
from pipelines.verify.stage_result import StageRow
from tests.integration.counting_pipeline import wait_until
from tests.integration.session_feed import SessionFeed
from tests.session_events import session_event

TOO_LARGE = 2**63
"""No integer of BSON is as large."""


@pytest.fixture
def feed(servers: Stack, request: pytest.FixtureRequest) -> Iterator[SessionFeed]:
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50]
    yield SessionFeed(servers.settings, name)


def verified(feed: SessionFeed) -> StageRow:
    """All partitions in one row."""
    total = StageRow(feed.pipeline, -1)
    for row in verify_documents(feed.settings, lambda *_: None, feed.pipeline):
        total.lost += row.lost
        total.doubled += row.doubled
        total.wrong += row.wrong
        total.differences += row.differences
        for name, count in row.checked.items():
            total.checked[name] = total.checked.get(name, 0) + count
    return total


def test_documents_are_exact_after_sigkill_in_the_middle(feed: SessionFeed) -> None:
    for revision in range(1, 5):
        feed.write(
            [
                session_event(f"killed{sensor}", revision, number)
                for sensor in range(60)
                for number in range(4)
            ]
        )
        process = feed.spawn(feed.identity())
        try:
            before = feed.counts().get("events", 0)
            wait_until(
                lambda before=before: feed.counts().get("events", 0) > before,  # type: ignore[misc]
                "the restarted writer commits",
            )
        finally:
            process.kill()
            process.wait()
    with feed.running():
        feed.wait_until_written()
    feed.assert_documents_exact()
    sensor = feed.documents("sensors")["killed7"]
    assert sensor["first_seen_us"] == session_event("killed7", 1)["start_us"]
    assert sensor["last_seen_us"] == session_event("killed7", 4, 3)["end_us"]
    assert sensor["boots"] == 1
    found = verified(feed)
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0), found.differences
    assert found.checked["sessions"] == len(feed.expected())


def test_nothing_is_lost_while_mongodb_is_away_and_an_alarm_says_so(
    servers: Stack, feed: SessionFeed
) -> None:
    with feed.running() as loop:
        feed.write([session_event(f"away{sensor}", 1) for sensor in range(30)])
        feed.wait_until_written()
        servers.stop("documentdb")
        try:
            feed.write([session_event(f"away{sensor}", 2) for sensor in range(40)])
            key = (feed.pipeline, 0)
            wait_until(lambda: key in read_control(feed.settings.kafka).alarms, "an alarm")
            alarm = read_control(feed.settings.kafka).alarms[key].message
            assert "MongoDB does not take sessions" in alarm and "wait in Kafka" in alarm
            assert loop.status.phase in ("retrying", "running")
            feed.write([session_event(f"away{sensor}", 3) for sensor in range(20)])
        finally:
            servers.start("documentdb")
        feed.wait_until_written()
        wait_until(lambda: key not in read_control(feed.settings.kafka).alarms, "the alarm's end")
    feed.assert_documents_exact()
    assert feed.letters() == []


def test_what_mongodb_refuses_or_is_no_session_is_dead_lettered_once_and_the_rest_written(
    feed: SessionFeed,
) -> None:
    good = [session_event(f"refusal{sensor}", 2) for sensor in range(70)]
    poison = session_event("refusal3", 3, samples=TOO_LARGE)
    feed.write([*good[:10], poison, *good[10:]])
    feed.write_raw("refusal4", b"not json")
    feed.write_raw("refusal5", json.dumps(session_event("refusal6", 1)).encode())
    process = feed.spawn(feed.identity())
    try:
        feed.wait_until_written()
    finally:
        process.kill()
        process.wait()
    with feed.running(feed.identity(generation=2)):
        feed.write([session_event("refusal9", 3)])
        feed.wait_until_written()
    letters = feed.letters()
    mine = [
        (headers, value) for headers, value in letters if b"refusal" in value or value[:1] == b"n"
    ]
    reasons = sorted(headers["reason"].decode() for headers, _ in mine)
    assert reasons == ["not_a_session", "not_a_session", "refused_by_mongodb"]
    (refused,) = [item for item in mine if item[0]["reason"] == b"refused_by_mongodb"]
    assert json.loads(refused[1]) == poison
    assert b"8-byte" in refused[0]["detail"]
    documents = feed.documents("sessions")
    for event in good:
        expected = 3 if event["sensor_id"] == "refusal9" else 2
        assert documents[event["session_id"]]["session"]["revision"] == expected
    found = verified(feed)
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0), found.differences
    assert found.checked["dead_letters"] == feed.counts()["dead_letters"] == len(letters)


def test_an_older_writer_or_a_replay_never_lowers_a_revision(feed: SessionFeed) -> None:
    with feed.running():
        feed.write([session_event("older1", revision) for revision in (3, 1, 2)])
        feed.wait_until_written()
        feed.write([session_event("older1", 2)])
        feed.wait_until_written()
    (document,) = [d for d in feed.documents("sessions").values() if "older1" in d["_id"]]
    assert document["session"]["revision"] == 3


def test_what_users_write_of_a_sensor_stays(feed: SessionFeed) -> None:
    client: MongoClient[dict[str, object]] = MongoClient(feed.settings.mongo.uri.get_secret_value())
    sensors = client[feed.settings.mongo.database]["sensors"]
    sensors.insert_one({"_id": "labelled1", "labels": ["left wrist"], "firmware": "1.4"})
    with feed.running():
        feed.write([session_event("labelled1", 5)])
        feed.wait_until_written()
    document = sensors.find_one({"_id": "labelled1"})
    client.close()
    assert document is not None
    assert (document["labels"], document["firmware"]) == (["left wrist"], "1.4")
    assert document["boots"] == 1


def test_the_proof_names_what_is_lost_older_altered_or_made_up(feed: SessionFeed) -> None:
    with feed.running():
        feed.write([session_event(f"proof{sensor}", 4) for sensor in range(4)])
        feed.wait_until_written()
    client: MongoClient[dict[str, object]] = MongoClient(feed.settings.mongo.uri.get_secret_value())
    sessions = client[feed.settings.mongo.database]["sessions"]
    lost, older, altered = (session_event(f"proof{n}", 4)["session_id"] for n in range(3))
    sessions.delete_one({"_id": lost})
    sessions.update_one({"_id": older}, {"$set": {"session.revision": 3}})
    sessions.update_one({"_id": altered}, {"$set": {"session.samples": 7}})
    made_up = {"sensor_id": "proof9", "revision": 1}
    sessions.insert_one({"_id": "proof9_1", "session": made_up})
    client.close()
    found = verified(feed)
    assert (found.lost, found.doubled, found.wrong) == (1, 0, 3)
    words = sorted(f"{d.kind}: {d.what}" for d in found.differences)
    assert words == sorted(
        [
            f"lost: session {lost} is not in MongoDB",
            f"wrong: session {older}: MongoDB has revision 3, the last event is revision 4",
            f"wrong: session {altered}: revision 4 in MongoDB is not what its event says",
            "wrong: session proof9_1: revision 1 in MongoDB has no event in the topic",
        ]
    )


def test_two_slots_own_the_partitions_between_them_and_are_seen_to(
    feed: SessionFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Control(feed.pipeline, slots=2, generation=4, paused=False, running_slots=2)
    write_record(feed.settings.kafka, record)
    feed.write([session_event(f"slots{sensor}", 1) for sensor in range(30)])
    with feed.running(feed.identity(4, 0, 2)), feed.running(feed.identity(4, 1, 2)):
        monkeypatch.setitem(topics.SINKS, feed.pipeline, (topics.SESSIONS,))
        wait_for_generation(feed.settings, feed.pipeline, 30, lambda _: None)
        feed.wait_until_written()
    assert {mark.slot for mark in feed.marks().values()} == {0, 1}
    feed.assert_documents_exact()
    with feed.running(feed.identity(generation=3)) as loop:
        wait_until(lambda: loop.status.phase == "fenced", "the superseded slot gives way")


def test_records_deleted_before_they_were_written_stop_the_pipeline_with_an_alarm(
    feed: SessionFeed,
) -> None:
    feed.write([session_event("deleted1", 1)])
    with feed.running():
        feed.wait_until_written()
    feed.write([session_event("deleted1", 2)])
    partition = partition_of("deleted1")
    lost = TopicPartition(topics.SESSIONS, partition, -1)
    admin = AdminClient({"bootstrap.servers": feed.settings.kafka.bootstrap_servers})
    admin.delete_records([lost])[lost].result(20)
    with feed.running() as loop:
        wait_until(lambda: loop.status.phase == "stopped", "the slot stops")
    assert f"{topics.SESSIONS}/{partition}" in loop.status.detail
    assert f"delete the consumer group imustream.{feed.pipeline}" in loop.status.detail
