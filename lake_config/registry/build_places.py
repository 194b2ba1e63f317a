"""Writes the generated registry files: the places of the city and the committees that govern them.

Run by hand, from the repository's root, when the package has a newer state of the administrative units:

    uv run --no-project --with vietnamadminunits==1.0.4 --with pyyaml python lake_config/registry/build_places.py

Source: the data files of the package vietnamadminunits 1.0.4 (Hieu Tran, MIT licence). They are read as files, for importing the package
would pull in geometry libraries that nothing here needs. Belongs here: the rules that turn those tables into registry rows. Not here:
hand-written registry rows. Nothing imports this module at run time.

Limits of the source: its old wards are those of January to June 2025. The 42 numbered wards that Resolution 1278/NQ-UBTVQH15 merged away on
2025-01-01 are known to it only as names that its parser of addresses takes for the ward that took them over: they have no code and no
coordinates here, and where a ward was split between two only one of them is known as its successor. valid_from 2021-01-01 (the day Thủ Đức
City began) is said of wards whose borders that resolution widened. Wards merged away in 2021 are left out.
"""

import json
import re
import sqlite3
import sys
import unicodedata
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

Record = dict[str, Any]

DATA = Path(__file__).parent / "data"
CITY = "hcm"
CITY_KEY = "thanhphohochiminh"
PROVINCES = {"tinhbinhduong": ("binh-duong", "bd"), "tinhbariavungtau": ("ba-ria-vung-tau", "brvt")}
"""The provinces that joined the city on 2025-07-01: id of the province, prefix of the ids of its units."""
KINDS = {"Quận": "district", "Huyện": "district", "Thành phố": "district", "Phường": "ward", "Xã": "commune", "Thị trấn": "commune"}
NEW_KINDS = {"Phường": "ward", "Xã": "commune", "Đặc khu": "special_zone"}
ENGLISH_KINDS = {
    "Quận": "District", "Huyện": "District", "Thành phố": "City", "Phường": "Ward", "Xã": "Commune", "Đặc khu": "Special Zone",
}  # fmt: skip
CITY_ALIASES = [
    "TP.HCM", "TP. HCM", "TP HCM", "TPHCM", "HCMC", "Ho Chi Minh City", "Hồ Chí Minh City", "TP.Hồ Chí Minh", "TP. Hồ Chí Minh",
    "TP Hồ Chí Minh", "Sài Gòn", "Saigon", "Sài Thành",
]  # fmt: skip
SHORT_NAMES = {
    "hcm": ["HCM", "TP HCM", "T.P HCM", "SG", "S.Gòn", "SGòn", "Sì Gòn"],
    "hcm-d-quan-1": ["Quận Nhất", "Q. Nhất"],
    "hcm-d-go-vap": ["Q.GV", "Q. GV", "QGV", "G.Vấp", "GVấp"],
    "hcm-d-phu-nhuan": ["Q.PN", "Q. PN", "QPN", "P.Nhuận", "PNhuận"],
    "hcm-d-binh-thanh": ["Q.BThanh", "B.Thạnh", "BThạnh", "BThanh"],
    "hcm-d-binh-tan": ["B.Tân", "BTân"],
    "hcm-d-binh-chanh": ["H.BC", "B.Chánh", "BChánh"],
    "hcm-d-tan-binh": ["Q.TB", "Q. TB", "T.Bình", "TBình"],
    "hcm-d-tan-phu": ["Q.TP", "T.Phú", "TPhú"],
    "hcm-d-thu-duc": ["TPTĐ", "TP.TĐ", "TP TĐ", "Q.TĐ", "T.Đức", "TĐức"],
    "hcm-d-hoc-mon": ["H.HM", "H.Môn"],
    "hcm-d-nha-be": ["H.NB", "N.Bè"],
    "brvt-d-vung-tau": ["TPVT", "TP.VT", "V.Tàu"],
    "ba-ria-vung-tau": ["BRVT", "BR-VT", "Bà Rịa Vũng Tàu"],
    "brvt-d-phu-my": ["thị xã Phú Mỹ"],
}
"""Short forms that people write and that mean nothing else."""
NEW_ON_2025_01_01 = {"Phường Rạch Ông", "Phường Hưng Phú", "Phường Xóm Củi"}
"""Wards of District 8 whose names did not exist before 2025-01-01."""

MERGED_IN_2021 = {
    "quan3": {"6", "7", "8"}, "quan4": {"5", "12"}, "quan5": {"15"}, "quan10": {"3"}, "quanphunhuan": {"12", "14"},
}  # fmt: skip
"""Numbered wards that Resolution 1111/NQ-UBTVQH14 merged away on 2021-01-01, by the package's key of the district."""

NOT_ALONE = {
    "An Bình", "An Khánh", "An Lạc", "An Phú", "An Sơn", "Bình An", "Bình Dương", "Bình Hưng", "Bình Minh", "Bình Phú", "Bình Tây",
    "Bàn Cờ", "Bạch Đằng", "Cô Giang", "Diên Hồng", "Đông Hòa", "Đức Nhuận", "Gia Định", "Hòa Bình", "Hòa Hưng", "Hưng Long", "Khánh Hội",
    "Minh Phụng", "Nguyễn Cư Trinh", "Nguyễn Thái Bình", "Phạm Ngũ Lão", "Phạm Văn Cội", "Phạm Văn Hai", "Phong Phú", "Phú Thọ", "Phú Mỹ",
    "Phước Thành", "Quảng Thành", "Sài Gòn", "Tân Bình", "Tân Phú", "Tây Nam", "Thạnh An", "Thuận An", "Tân An", "Võ Thị Sáu", "Vườn Lài",
    "Vĩnh Hội", "Xuân Hòa", "Xuân Sơn", "Chợ Lớn", "Phú Lâm", "Phú Thuận", "Bảy Hiền", "Long Bình", "Thới An", "Hạnh Thông", "Lê Minh Xuân",
    "Trừ Văn Thố", "Thanh An", "Kim Long", "Châu Pha", "Trung An", "Hiệp Phước", "Cát Lái",
    "Bình Thuận", "Phú Mỹ Hưng", "Bình Lợi", "Tân Phong", "Long Hòa", "Long Phước", "Tân Thành", "Hiệp Thành", "Phước Bình", "Hòa Phú",
    "Phú Xuân", "Tân Hiệp", "Tân Hưng", "Phước Lộc", "Bình Mỹ", "Tân Xuân", "Tam Bình",
}  # fmt: skip
"""Unit names that are also a person's, a street's, another place's or an everyday word: they count only with their type (phường ...)."""


def main() -> int:
    """Write the generated files. Returns the exit status."""
    spec = find_spec("vietnamadminunits")
    if spec is None or spec.origin is None:
        sys.stderr.write("vietnamadminunits is not installed; run this with: uv run --with vietnamadminunits==1.0.4 ...\n")
        return 2
    source = Path(spec.origin).parent / "data"
    with sqlite3.connect(f"file:{source / 'dataset.db'}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        legacy = "SELECT * FROM admin_units_legacy WHERE provinceKey = ? ORDER BY wardCode"
        old = [dict(row) for row in db.execute(legacy, (CITY_KEY,))]
        joined = {key: [dict(row) for row in db.execute(legacy, (key,))] for key in PROVINCES}
        new = [dict(row) for row in db.execute("SELECT * FROM admin_units WHERE provinceKey = ? ORDER BY wardCode", (CITY_KEY,))]
        query = "SELECT DISTINCT districtShort FROM admin_units_legacy WHERE provinceKey IN (?, ?, ?)"
        area_names = {name for (name,) in db.execute(query, ("tinhbinhduong", "tinhbariavungtau", CITY_KEY))}
    converter = json.loads((source / "converter_2025.json").read_text(encoding="utf-8"))
    parser = json.loads((source / "parser_legacy.json").read_text(encoding="utf-8"))
    units, id_of_key = units_since_july_2025(new, area_names)
    took_over = successors(converter, id_of_key)
    districts, wards = units_until_june_2025(old, took_over)
    wards += wards_until_2024(old, parser["DICT_PROVINCE_DISTRICT_WARD_NO_ACCENTED"][CITY_KEY], {ward["id"] for ward in wards})
    place = {"owner": "data-team"}
    before = place | {"valid_from": "2021-01-01", "valid_to": "2025-06-30"}
    after = place | {"valid_from": "2025-07-01"}
    write("places_city.yaml", "places", place, [city_row(old[0])])
    write("places_until_june_2025.yaml", "places", before, [*districts, *wards])
    write("places_until_june_2025_joined.yaml", "places", before, [row for key in joined for row in province(joined[key], took_over)])
    write("places_since_july_2025.yaml", "places", after, units)
    committee = {"kind": "committee", "topics": ["urban_order", "waste", "environment", "housing_land", "public_services", "security"]}
    write("agencies_until_june_2025.yaml", "agencies", before | committee, [committee_row(row) for row in districts])
    write("agencies_since_july_2025.yaml", "agencies", after | committee, [committee_row(row) for row in units])
    return 0


def city_row(city: Record) -> Record:
    """The city as a whole, at all times: its area grew in July 2025, its name, id and (in the registry) its middle stayed."""
    return {
        "id": CITY,
        "name_vi": "Thành phố Hồ Chí Minh",
        "kind": "city",
        "code": city["provinceCode"],
        "aliases": list(dict.fromkeys([*CITY_ALIASES, *SHORT_NAMES[CITY]])),
        "lat": city["provinceLat"],
        "lon": city["provinceLon"],
    }


def units_since_july_2025(records: list[Record], area_names: set[str]) -> tuple[list[Record], dict[str, str]]:
    """The wards, communes and the special zone of the merged city, and the id for each key of the package."""
    rows = []
    id_of_key = {}
    slugs = Counter(slug(record["wardShort"]) for record in records)
    for record in records:
        # Thanh An and Thạnh An differ by a tone mark only: such units carry their code in the id.
        code = f"-{record['wardCode']}" if slugs[slug(record["wardShort"])] > 1 else ""
        row_id = f"hcm-w2025-{slug(record['wardShort'])}{code}"
        name = record["ward"]
        # A name that was a whole district's or city's until June 2025 still means that larger area to most writers.
        alone = record["wardUnique"] == 1 and record["wardShort"] not in NOT_ALONE | area_names
        rows.append({
            "id": row_id,
            "name_vi": name,
            "kind": NEW_KINDS[record["wardType"]],
            "parent_id": CITY,
            "code": record["wardCode"],
            "aliases": [*typed_aliases(record["wardType"], record["wardShort"]), *([record["wardShort"]] if alone else [])],
            "lat": record["wardLat"],
            "lon": record["wardLon"],
        })  # fmt: skip
        id_of_key[record["wardKey"]] = row_id
    refuse_repeats(rows)
    return rows, id_of_key


def successors(converter: Record, id_of_key: dict[str, str]) -> dict[str, list[str]]:
    """For each key `province_district_ward` of an old ward: the ids of the units that took it over, the main one first."""
    found: dict[str, list[str]] = {}
    for new_key, old_keys in converter["DICT_PROVINCE_WARD_NO_DIVIDED"][CITY_KEY].items():
        for old_key in old_keys:
            found.setdefault(old_key, []).append(id_of_key[new_key])
    for old_key, parts in converter["DICT_PROVINCE_WARD_DIVIDED"][CITY_KEY].items():
        ordered = sorted(parts, key=lambda part: not part["isDefaultNewWard"])
        found.setdefault(old_key, []).extend(id_of_key[part["newWardKey"]] for part in ordered)
    return {key: list(dict.fromkeys(ids)) for key, ids in found.items()}


def province(records: list[Record], took_over: dict[str, list[str]]) -> list[Record]:
    """A province that joined the city, its districts and their wards, each with its successors."""
    first = records[0]
    row_id, prefix = PROVINCES[first["provinceKey"]]
    districts, wards = units_until_june_2025(records, took_over, prefix, row_id)
    after = dict.fromkeys(unit for district in districts for unit in district["successor_ids"])
    row = {
        "id": row_id,
        "name_vi": first["province"],
        "kind": "province",
        "code": first["provinceCode"],
        "aliases": [first["provinceShort"], *SHORT_NAMES.get(row_id, [])],
        "lat": first["provinceLat"],
        "lon": first["provinceLon"],
        "successor_ids": list(after),
    }
    return [row, *districts, *wards]


def units_until_june_2025(
    records: list[Record], took_over: dict[str, list[str]], prefix: str = CITY, parent_id: str = CITY
) -> tuple[list[Record], list[Record]]:
    """The districts of the city or of a province that joined it, and their wards, each with its successors."""
    districts: dict[str, Record] = {}
    wards = []
    names = Counter(record["ward"] for record in records)
    shorts = Counter(record["wardShort"] for record in records)
    for record in records:
        district_slug = slug(record["districtShort"])
        after = took_over.get(f"{record['provinceKey']}_{record['districtKey']}_{record['wardKey'] or ''}", [])
        district = districts.setdefault(district_slug, district_row(record, f"{prefix}-d-{district_slug}", parent_id))
        district["successor_ids"] = list(dict.fromkeys([*district["successor_ids"], *after]))
        short = record["wardShort"]
        if short is None:  # Côn Đảo had no communes
            district["successor_ids"] = after
            continue
        numbered = re.fullmatch(r"(Phường )?\d+", short) is not None
        alone = not numbered and names[record["ward"]] == 1
        bare = (
            alone
            and shorts[short] == 1
            and not record["wardShortKeyDuplicated"]
            and short not in NOT_ALONE
            and short != record["districtShort"]
        )
        row = {
            "id": f"{prefix}-w2021-{district_slug}-{slug(short)}",
            "name_vi": record["ward"],
            "kind": KINDS[record["wardType"]],
            "parent_id": district["id"],
            "code": record["wardCode"],
            "aliases": [*typed_aliases(record["wardType"], short.removeprefix("Phường ")), *([short] if bare else [])],
            "match_alone": alone,
            "lat": record["wardLat"],
            "lon": record["wardLon"],
            "successor_ids": after,
        }
        wards.append(row | ({"valid_from": "2025-01-01"} if record["ward"] in NEW_ON_2025_01_01 else {}))
    rows = [*districts.values(), *wards]
    refuse_repeats(rows)
    return list(districts.values()), wards


def wards_until_2024(records: list[Record], names: Record, known: set[str]) -> list[Record]:
    """The numbered wards that were merged away on 2025-01-01: those that the parser of addresses takes for another ward of the district."""
    rows: dict[str, Record] = {}
    for record in records:
        district = f"{CITY}-d-{slug(record['districtShort'])}"
        prefix = f"{CITY}-w2021-{slug(record['districtShort'])}-"
        keywords = names[record["districtKey"]].get(record["wardKey"], {}).get("wardKeywords", ())
        for number in sorted(int(match[1]) for match in map(re.compile(r"phuong([1-9]\d?)").fullmatch, keywords) if match):
            row_id = f"{prefix}phuong-{number}"
            if row_id in known or str(number) in MERGED_IN_2021.get(record["districtKey"], ()):
                continue
            rows[row_id] = {
                "id": row_id,
                "name_vi": f"Phường {number}",
                "kind": "ward",
                "parent_id": district,
                "aliases": typed_aliases("Phường", str(number)),
                "match_alone": False,
                "valid_to": "2024-12-31",
                "successor_ids": [prefix + slug(record["wardShort"])],
            }
    return list(rows.values())


def district_row(record: Record, row_id: str, parent_id: str) -> Record:
    """A district; successors are filled in from its wards."""
    name = record["districtShort"]
    number = name.removeprefix("Quận ") if name.startswith("Quận ") else None
    aliases = number_aliases(number) if number else [*typed_aliases(record["districtType"], name), name]
    if row_id == "hcm-d-thu-duc":
        aliases += ["quận Thủ Đức", "Q.Thủ Đức", *number_aliases("2"), *number_aliases("9"), "quận 2", "quận 9"]
    aliases += SHORT_NAMES.get(row_id, [])
    return {
        "id": row_id,
        "name_vi": record["district"],
        "kind": "district",
        "parent_id": parent_id,
        "code": record["districtCode"],
        "aliases": [alias for alias in aliases if alias != record["district"]],
        "lat": record["districtLat"],
        "lon": record["districtLon"],
        "successor_ids": [],
    }


def committee_row(place: Record) -> Record:
    """The People's Committee of a place."""
    name = place["name_vi"]
    kind = next(kind for kind in ENGLISH_KINDS if name.startswith(kind))
    rest = name.removeprefix(kind).strip()
    english = f"District {rest}" if rest.isdigit() else f"{ascii_text(rest)} {ENGLISH_KINDS[kind]}"
    lower = name[0].lower() + name[1:]
    short = [f"UBND {alias}" for alias in place["aliases"][:2] if re.match(r"[A-Z]+\.", alias)]
    return {
        "id": f"ubnd-{place['id'].removeprefix('hcm-')}",
        "name_vi": f"Ủy ban nhân dân {lower}",
        "name_en": f"People's Committee of {english}",
        "area": place["id"],
        "aliases": [f"UBND {lower}", *short],
    }


def typed_aliases(kind: str, name: str) -> list[str]:
    """The name with its type, in the abbreviations people write."""
    forms = {
        "Phường": ["P.{}", "P. {}", "P{}" if name.isdigit() else ""],
        "Quận": ["Q.{}", "Q. {}"],
        "Huyện": ["H.{}", "H. {}"],
        "Thành phố": ["TP.{}", "TP. {}", "TP {}"],
        "Xã": ["X.{}"],
        "Thị trấn": ["TT.{}", "TT {}"],
        "Đặc khu": [],
    }[kind]
    return [form.format(name) for form in forms if form]


def number_aliases(number: str) -> list[str]:
    """How a numbered district is written."""
    return [form.format(number) for form in ("Q.{}", "Q. {}", "Q{}", "Q {}", "District {}")]


def slug(name: str) -> str:
    """Lower-case ASCII words joined by -, for example cau-ong-lanh."""
    return re.sub(r"[^a-z0-9]+", "-", ascii_text(name).lower()).strip("-")


def ascii_text(name: str) -> str:
    """The name without diacritics."""
    decomposed = unicodedata.normalize("NFD", name.replace("Đ", "D").replace("đ", "d"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def refuse_repeats(rows: list[Record]) -> None:
    """Raise ValueError where two rows would get one id."""
    twice = [row_id for row_id, count in Counter(row["id"] for row in rows).items() if count > 1]
    if twice:
        raise ValueError(f"one id for several units: {', '.join(twice)}; make the slugs differ")


def write(file: str, section: str, defaults: Record, rows: list[Record]) -> None:
    """Write one generated file, its rows in the order given."""
    head = "# Generated by build_places.py from vietnamadminunits 1.0.4 (MIT, see LICENSE-vietnamadminunits.txt); do not edit by hand.\n"
    content = {"defaults": {section: defaults}, section: rows}
    body = yaml.safe_dump(content, allow_unicode=True, sort_keys=False, default_flow_style=None, width=140)
    # safe_dump quotes dates because they are strings here; the registry wants them as dates.
    body = re.sub(r"(valid_(?:from|to): )'(\d{4}-\d{2}-\d{2})'", r"\1\2", body)
    (DATA / file).write_text(head + body, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
