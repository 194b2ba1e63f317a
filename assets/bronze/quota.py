"""A daily quota that is never exceeded, whatever dies: units are reserved in the landing bucket before they are spent.

The cursor cannot carry this alone: a process killed between a call and its commit has spent units that no commit knows of. So the day is
cut into blocks of units; a block belongs to whoever first creates its object (`If-None-Match: *`, one winner), and only who owns a block
may spend it. What is left of a block when a run ends is lost: the count errs on the careful side. A day is a Pacific day, for that is
when YouTube resets its count.
"""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx

from lake_config.errors import StoreError
from lake_config.storage import Lake

PACIFIC = ZoneInfo("America/Los_Angeles")
BLOCK_UNITS = 10
_BUCKET = "landing"
_TIMEOUT_SECONDS = 20.0
_TAKEN = 412


def quota_day(moment: datetime) -> date:
    """The Pacific day of a moment."""
    return moment.astimezone(PACIFIC).date()


def next_reset(moment: datetime) -> datetime:
    """When the day of a moment ends: the next Pacific midnight, in UTC."""
    tomorrow = quota_day(moment) + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=PACIFIC).astimezone(UTC)


def block_sizes(daily_units: int) -> list[int]:
    """The blocks a day is cut into; together exactly the daily units."""
    whole, rest = divmod(max(daily_units, 0), BLOCK_UNITS)
    return [BLOCK_UNITS] * whole + ([rest] if rest else [])


class QuotaLedger:
    """The units of one key. `account` names it in the landing bucket and must not be the key itself.

    `spent` counts what this run spent. Raises StoreError where a block can be neither taken nor found taken.
    """

    def __init__(self, lake: Lake, account: str, daily_units: int, clock: Callable[[], datetime]) -> None:
        self.lake, self.account, self.clock = lake, account, clock
        self.sizes = block_sizes(daily_units)
        self.spent = 0
        self._day: date | None = None
        self._next_block = self._left = 0
        self._is_exhausted = False

    def spend(self, units: int) -> bool:
        """Whether so many units may be spent; they are then spent, whatever becomes of the call."""
        self._open_day()
        while self._left < units and not self._is_exhausted and self._next_block < len(self.sizes):
            number = self._next_block
            self._next_block += 1
            if self._take_block(number):
                self._left += self.sizes[number]
        if self._is_exhausted or self._left < units:
            return False
        self._left -= units
        self.spent += units
        return True

    def exhaust(self) -> None:
        """The platform says that the day's units are spent, by others with the same key perhaps: no further call in this run."""
        self._open_day()
        self._is_exhausted = True

    def reserved_units(self) -> int:
        """Units of this day that some run has reserved; what was really spent is at most that."""
        self._open_day()
        return sum(self.sizes[number] for number in self._taken_blocks() if number < len(self.sizes))

    def _prefix(self, day: date | None = None) -> str:
        return f"quota/{self.account}/" + (f"{day.isoformat()}/" if day else "")

    def _open_day(self) -> None:
        today = quota_day(self.clock())
        if today != self._day:
            self._day, self._left, self._is_exhausted = today, 0, False
            taken = self._taken_blocks()
            self._next_block = max(taken) + 1 if taken else 0
            if not taken:
                self._forget_before(today)

    def _taken_blocks(self) -> list[int]:
        listed = self.lake.objects.list_objects(bucket_name=_BUCKET, prefix=self._prefix(self._day), recursive=True)
        return [int(str(found.object_name).rsplit("/", 1)[-1]) for found in listed]

    def _take_block(self, number: int) -> bool:
        """Create the block's object; False when another run has it. The SDK's put knows no condition, so its presigned address is used."""
        key = f"{self._prefix(self._day)}{number:06d}"
        url = self.lake.objects.get_presigned_url("PUT", bucket_name=_BUCKET, object_name=key, expires=timedelta(minutes=5))
        content = json.dumps({"units": self.sizes[number], "taken_at": self.clock().isoformat()}).encode()
        try:
            with httpx.Client(timeout=_TIMEOUT_SECONDS, trust_env=False) as http:
                answer = http.put(url, content=content, headers={"If-None-Match": "*"})
        except httpx.HTTPError as error:
            raise StoreError(
                f"The quota of {self.account} cannot be reserved: the object store does not answer ({type(error).__name__})."
            ) from None
        if not answer.is_success and answer.status_code != _TAKEN:
            raise StoreError(f"The quota of {self.account} cannot be reserved: the object store answered {answer.status_code} to a put.")
        return answer.is_success

    def _forget_before(self, today: date) -> None:
        """Remove the blocks of days gone by; one day is kept, for clocks may differ a little."""
        kept = self._prefix(today - timedelta(days=1))
        for found in self.lake.objects.list_objects(bucket_name=_BUCKET, prefix=self._prefix(), recursive=True):
            if found.object_name is not None and found.object_name < kept:
                self.lake.objects.remove_object(bucket_name=_BUCKET, object_name=found.object_name)
