"""Dead letters over REST: a list, each with its bytes, and their redrive."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines import topics
from pipelines.errors import DataError
from pipelines.redrive.choice import LetterChoice, why_not_redriven
from pipelines.redrive.letter import Letter
from pipelines.redrive.letter_reader import MOST_A_PAGE, LetterReader
from pipelines.redrive.redrive import redrive
from pipelines.redrive.redriven_letters import RedrivenLetters
from pipelines.settings import KafkaSettings
from serve.principal import Principal, Role, principal_of, requires
from serve.problems import declared

Answer = TypeVar("Answer")
Redriven = Callable[[], dict[int, RedrivenLetters]]

SHOWN_BYTES: Final = 4_096
"""Bytes of a letter in its JSON; `payload` gives all."""
MOST_REDRIVEN: Final = 5_000
"""Requests that one call writes; the answer says whether there are more."""
MOST_SECONDS: Final = 10.0
"""How long one call reads letters to redrive."""
_WAIT_S: Final = 5.0
_READERS: Final = 4
"""Calls that read dead-letters at once; further ones wait. Each has a consumer."""
_BOUND: Final = 2**63 - 1
_LETTER: Final[dict[str, Any]] = {
    "partition": 3,
    "offset": 1042,
    "sensor_id": "sensor1",
    "reason": "crc_mismatch",
    "detail": "the CRC is 0x1234, of these bytes it is 0x4321",
    "pipeline": "sensor-processing",
    "source": {"topic": topics.RAW, "partition": 3, "offset": 57_310},
    "byte_range": [0, 1_302],
    "failed_us": 1_767_225_600_000_000,
    "code_version": "0.1.0",
    "bytes": 1_302,
    "redrive_of": None,
    "redriven": False,
}


class LetterSource(BaseModel):
    """The record whose bytes failed."""

    topic: str
    partition: int
    offset: int


class LetterFacts(BaseModel):
    """A dead letter without its bytes; times in microseconds since the epoch."""

    partition: int
    offset: int
    sensor_id: str | None = Field(description="Null where it is not known.")
    reason: str = Field(examples=["crc_mismatch"])
    detail: str
    pipeline: str = Field(description="What refused it.", examples=["sensor-processing"])
    source: LetterSource | None = Field(description="Null where it was no record of Kafka.")
    byte_range: tuple[int, int] = Field(description="Where the bytes stood in the source.")
    failed_us: int
    code_version: str
    bytes: int
    redrive_of: int | None = Field(description="Offset of the letter of which it is another try.")
    redriven: bool = Field(description="Whether its pipeline has stepped it again.")


class LettersReport(BaseModel):
    """A page of dead letters, the newest first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"dead_letters": [_LETTER], "next_cursor": None, "reasons": {"crc_mismatch": 1}}
            ]
        }
    )

    dead_letters: list[LetterFacts]
    next_cursor: str | None = Field(description="The `cursor` of older ones; null at the end.")
    reasons: dict[str, int] = Field(
        description="How many of the letters looked at for this page have each reason."
    )


class LetterReport(LetterFacts):
    """A dead letter with its bytes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_LETTER,
                    "headers": {"reason": "crc_mismatch"},
                    "payload_hex": "7c1e0a00",
                    "not_redriven_because": None,
                }
            ]
        }
    )

    headers: dict[str, str]
    payload_hex: str = Field(description=f"The first {SHOWN_BYTES} bytes.")
    not_redriven_because: str | None = Field(description="Null where it can be redriven.")


class RedriveAsk(BaseModel):
    """One letter; or those of a reason, pipeline and sensor, each of them if none is given."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"partition": 3, "offset": 1042},
                {"reason": "implausible_timestamp", "dry_run": True},
            ]
        },
    )

    partition: int | None = Field(None, ge=0, lt=topics.PARTITIONS)
    offset: int | None = Field(None, ge=0, le=_BOUND)
    reason: str | None = Field(None, max_length=64)
    pipeline: str | None = Field(None, max_length=64)
    sensor: str | None = Field(None, max_length=64)
    dry_run: bool = Field(False, description="Only say what would be done.")

    @model_validator(mode="after")
    def _says_which(self) -> "RedriveAsk":
        place = (self.partition is not None, self.offset is not None)
        chosen = self.choice != LetterChoice()
        if any(place) != all(place) or (any(place) and chosen):
            raise ValueError("give partition and offset of one, or reason, pipeline and sensor")
        return self

    @property
    def choice(self) -> LetterChoice:
        """Which letters, where no one is named."""
        return LetterChoice(self.reason, self.pipeline, self.sensor)


class RefusedLetter(BaseModel):
    """A letter that cannot be redriven."""

    partition: int
    offset: int
    why: str


class RedriveAnswer(BaseModel):
    """What became of a redrive within some seconds; the slots go on with what is pending."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "matched": 2,
                    "requested": 1,
                    "redriven": 1,
                    "already": 1,
                    "refusals": 0,
                    "pending": 0,
                    "counts": {"redriven": 1},
                    "refused": [],
                    "more": False,
                }
            ]
        }
    )

    matched: int
    requested: int = Field(description="Requests written; in a dry run, those that would be.")
    redriven: int = Field(
        description="Stepped again by now; in a dry run, those that would be, as `requested`."
    )
    already: int = Field(description="Redriven before.")
    refusals: int
    pending: int
    counts: dict[str, int] = Field(description="What became of the redriven: the ledger's counts.")
    refused: list[RefusedLetter] = Field(description="The first of the refusals.")
    more: bool = Field(description="There are more than one call takes: ask again.")


def dead_letter_routes(kafka: KafkaSettings, redriven: Redriven) -> APIRouter:
    """Return the routes below `/api/v1/dead-letters`.

    Args:
        kafka: where they are.
        redriven: says which letters were redriven; it raises UnavailableError as long as it does
            not know.
    """
    router = APIRouter(prefix="/api/v1/dead-letters", tags=["dead-letters"])
    readers = asyncio.Semaphore(_READERS)

    async def ask(question: Callable[[], Answer]) -> Answer:
        async with readers:
            return await asyncio.to_thread(question)

    async def letter_of(principal: Principal, partition: int, offset: int) -> Letter:
        def look() -> Letter | None:
            with LetterReader(kafka) as reader:
                return reader.letter(partition, offset)

        found = await ask(look)
        if found is None or not _may_see(principal, found.sensor_id):
            raise HTTPException(
                HTTPStatus.NOT_FOUND, f"There is no dead letter {partition}/{offset}."
            )
        return found

    @router.get("", summary="Dead letters, the newest first")
    async def list_dead_letters(
        principal: Annotated[Principal, Depends(principal_of)],
        reason: Annotated[
            str | None,
            Query(description="Only with it.", max_length=64, examples=["crc_mismatch"]),
        ] = None,
        pipeline: Annotated[
            str | None,
            Query(description="What refused them.", max_length=64, examples=["sensor-processing"]),
        ] = None,
        sensor: Annotated[
            str | None,
            Query(description="Only of this sensor.", max_length=64, examples=["sensor1"]),
        ] = None,
        limit: Annotated[int, Query(description="Letters a page.", ge=1, le=MOST_A_PAGE)] = 50,
        cursor: Annotated[
            str | None, Query(description="`next_cursor` of a page before.", max_length=256)
        ] = None,
    ) -> LettersReport:
        choice = LetterChoice(reason, pipeline, sensor)

        def look() -> LettersReport:
            known = redriven()
            with LetterReader(kafka) as reader:
                page = reader.page(choice, limit, cursor, lambda of: _may_see(principal, of))
            return LettersReport(
                dead_letters=[LetterFacts(**_facts(letter, known)) for letter in page.letters],
                next_cursor=page.next,
                reasons=page.reasons,
            )

        try:
            return await ask(look)
        except DataError as error:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None

    @router.get("/{partition}/{offset}", summary="One dead letter", responses=_NOT_FOUND)
    async def get_dead_letter(
        partition: _Partition,
        offset: _Offset,
        principal: Annotated[Principal, Depends(principal_of)],
    ) -> LetterReport:
        found = await letter_of(principal, partition, offset)
        known = await asyncio.to_thread(redriven)
        return LetterReport(
            **_facts(found, known),
            headers={k: v.decode(errors="replace") for k, v in found.headers.items()},
            payload_hex=found.value[:SHOWN_BYTES].hex(),
            not_redriven_because=why_not_redriven(found),
        )

    @router.get(
        "/{partition}/{offset}/payload",
        summary="The bytes of a dead letter",
        response_class=Response,
        responses={
            HTTPStatus.OK: {"content": {_BYTES: {"schema": {"type": "string"}}}},
            **_NOT_FOUND,
        },
    )
    async def get_dead_letter_payload(
        partition: _Partition,
        offset: _Offset,
        principal: Annotated[Principal, Depends(principal_of)],
    ) -> Response:
        found = await letter_of(principal, partition, offset)
        name = f"attachment; filename=dead-letter-{partition}-{offset}.bin"
        return Response(found.value, media_type=_BYTES, headers={"Content-Disposition": name})

    @router.post(
        "/redrive",
        summary="Hand dead letters to the pipeline that refused them, each once",
        status_code=HTTPStatus.ACCEPTED,
        responses=_NOT_FOUND,
    )
    async def redrive_dead_letters(
        wanted: RedriveAsk,
        principal: Annotated[Principal, Depends(requires(Role.OPERATOR))],
    ) -> RedriveAnswer:
        named = None
        if wanted.partition is not None and wanted.offset is not None:
            named = [await letter_of(principal, wanted.partition, wanted.offset)]

        def meant(letter: Letter) -> bool:
            return wanted.choice.holds(letter) and _may_see(principal, letter.sensor_id)

        def do() -> RedriveAnswer:
            known = redriven()
            with LetterReader(kafka) as reader:
                there = reader.oldest_first(LetterChoice()) if named is None else named
                some = _Some(there, known, meant)
                report = redrive(
                    kafka,
                    some,
                    known,
                    asked_by=f"{principal.subject} by the api",
                    dry_run=wanted.dry_run,
                    wait_s=_WAIT_S,
                )
            if wanted.dry_run:
                report.redriven = report.requested
            return RedriveAnswer(**report.as_json(), more=some.more)

        return await ask(do)

    return router


_BYTES: Final = "application/octet-stream"
_NOT_FOUND: Final = declared(HTTPStatus.NOT_FOUND)
_Partition = Annotated[
    int, Path(description="Of dead-letters.", ge=0, lt=topics.PARTITIONS, examples=[3])
]
_Offset = Annotated[int, Path(description="Within it.", ge=0, le=_BOUND, examples=[1042])]


class _Some:
    """Those of the letters that are meant, as many as one call takes."""

    def __init__(
        self,
        letters: Iterable[Letter],
        redriven: dict[int, RedrivenLetters],
        meant: Callable[[Letter], bool],
    ) -> None:
        self._letters = letters
        self._redriven = redriven
        self._meant = meant
        self.more = False

    def __iter__(self) -> Iterator[Letter]:
        deadline = time.monotonic() + MOST_SECONDS
        count = 0
        for letter in self._letters:
            if count >= MOST_REDRIVEN or time.monotonic() > deadline:
                self.more = True
                return
            if not self._meant(letter):
                continue
            count += letter.offset not in self._redriven[letter.partition]
            yield letter


def _may_see(principal: Principal, sensor_id: str | None) -> bool:
    """A letter of no known sensor is for those who may see all."""
    return principal.sensors is None or (sensor_id is not None and principal.may_see(sensor_id))


def _facts(letter: Letter, redriven: dict[int, RedrivenLetters]) -> dict[str, Any]:
    return {**letter.facts(), "redriven": letter.offset in redriven[letter.partition]}
