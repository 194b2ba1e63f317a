"""Packed export files: unpacked within limits, and damage said with its place."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze import export_packing
from assets.bronze.export_packing import ENDINGS, MAX_RATIO, PACKINGS, ending_of, rows_of_file, unpacked
from lake_config.errors import BadInputError

LINES = [json.dumps({"id": n, "text": f"Đường ngập lần thứ {n * 7919 % 1013}"}, ensure_ascii=False).encode() for n in range(2000)]
CONTENT = b"\n".join(LINES) + b"\n"


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue().to_pybytes())


PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd}
each_packing = pytest.mark.parametrize("packing", sorted(PACK))


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.jsonl", ".jsonl"),
        ("exports/upload/Tháng 2.2024.CSV.GZ", ".csv.gz"),
        ("a.ndjson.zst", ".ndjson.zst"),
        ("a.parquet", ".parquet"),
        ("Báo cáo.XLSX", ".xlsx"),
        ("a.xlsx.gz", None),
        ("a.parquet.gz", None),
        ("a.gz", None),
        (".csv", None),
        ("a.csv/b", None),
    ],
)
def test_the_ending_of_a_name(name: str, ending: str | None) -> None:
    assert ending_of(name) == ending


@pytest.mark.parametrize(("ending", "packing"), [(ending, packing) for ending, (_, packing) in ENDINGS.items() if packing])
def test_a_packed_file_gives_the_rows_of_the_plain_one(ending: str, packing: str) -> None:
    content = b"id,text\n1,a\n2,b\n" if ".csv" in ending else CONTENT
    plain = rows_of_file("a" + ending.rsplit(".", 1)[0], content)
    made = rows_of_file("a" + ending, PACK[packing](content))
    assert (made[0], made[1], list(made[2])) == (plain[0], plain[1], list(plain[2]))


@each_packing
def test_several_members_are_one_file(packing: str) -> None:
    assert unpacked(PACK[packing](b"a\n") + PACK[packing](b"b\n"), packing) == b"a\nb\n"


@each_packing
def test_a_cut_off_file_is_refused_with_its_place(packing: str) -> None:
    packed = PACK[packing](CONTENT)
    for length in (1, 4, len(packed) // 2, len(packed) - 1):
        with pytest.raises(BadInputError, match=rf"not readable {packing} beyond [\d,]+ unpacked bytes \(after line \d+\)"):
            unpacked(packed[:length], packing)
    with pytest.raises(BadInputError, match="It is empty"):
        unpacked(b"", packing)


@each_packing
@given(st.binary(max_size=200), st.integers(0, 3000))
def test_damaged_bytes_never_do_more_than_refuse(packing: str, noise: bytes, place: int) -> None:
    packed = PACK[packing](CONTENT)
    damaged = packed[:place] + noise + packed[place + len(noise) :]
    try:
        unpacked(damaged, packing)
    except BadInputError as error:
        assert packing in str(error)  # noqa: PT017  noise may leave a file whole


@each_packing
def test_a_bomb_is_refused_before_it_goes_off(packing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = PACK[packing](bytes(64 * 1024**2))
    with pytest.raises(BadInputError, match=f"more than {MAX_RATIO} times its"):
        unpacked(bomb, packing)
    monkeypatch.setattr(export_packing, "MAX_UNPACKED_BYTES", len(CONTENT) - 1)
    with pytest.raises(BadInputError, match="unpacks to more than"):
        unpacked(PACK[packing](CONTENT), packing)
    monkeypatch.setattr(export_packing, "MAX_UNPACKED_BYTES", len(CONTENT))
    assert unpacked(PACK[packing](CONTENT), packing) == CONTENT


def test_every_packing_has_an_ending_and_an_unknown_one_is_refused() -> None:
    assert set(PACKINGS.values()) == set(PACK)
    with pytest.raises(BadInputError, match=r"The ending of a\.doc is not known; expected one of \.jsonl"):
        rows_of_file("a.doc", b"")


def test_an_archive_that_is_no_workbook_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("readme.txt", "no workbook")
    for data in (buffer.getvalue(), b"", b"\xd0\xcf\x11\xe0 an old or locked workbook", buffer.getvalue()[:40]):
        with pytest.raises(BadInputError, match=r"no readable \.xlsx workbook"):
            rows_of_file("a.xlsx", data)
