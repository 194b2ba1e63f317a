"""The words around a name that tell what it is. Belongs here: lists of words, and how one is looked up. Not here: decisions on them."""

from ml.normalise import fold

Cues = frozenset[str]


def _cues(words: str) -> Cues:
    """Words as written with diacritics, and without: "cau" may stand for "cầu"."""
    listed = words.split()
    return frozenset({*listed, *map(fold, listed)})


STREETS = _cues("đường phố hẻm ngõ ngách lộ")
WATERS = _cues("cầu sông kênh rạch phà hầm hồ núi đèo suối")
SURNAMES = _cues("nguyễn trần lê phạm huỳnh hoàng phan vũ võ đặng bùi đỗ hồ ngô dương lý cô trừ")
"""Family names, and the honorifics of ward names that are a person's."""
FINANCE = frozenset({
    ("grdp",), ("gdp",), ("bctc",), ("fdi",),
    ("loi", "nhuan"), ("doanh", "thu"), ("tang", "truong"), ("kinh", "doanh"), ("quy", "truoc"), ("chi", "tieu"),
})  # fmt: skip
"""Folded words that make "Q1" the first quarter of a year."""
PRODUCTS = _cues("combo audi galaxy samsung chuột phím mẫu dòng nhấn bản model chiếc hãng con")
COUNTING = _cues("có và gồm hơn khoảng gần cả bỏ thêm tới trong với nhóm là được còn đã tăng giảm")
"""Before a small number: it counts units ("có 3 quận 1 huyện"), while after "tổ" or "hẻm" it is part of an address."""
BODIES = frozenset({("giao", "xu"), ("giao", "ho"), ("dai", "hoc"), ("bia",), ("becamex",), ("doi", "bong"), ("cau", "lac", "bo")})
"""Folded words right before the name of a body that is called after a place."""
COMPANY = ("cong", "ty")
QUESTION = _cues("câu bài phần ý điểm lần lượt")
ROOMS = _cues("phòng trang lầu tầng xem tập chương sđt tòa")
TALLIED = _cues(
    "người hộ căn xe tuyến năm giờ ngày tháng tuần phút điểm chiếc vụ trường ca em bé cháu đứa nhà con cây lần triệu "
    "tỷ nghìn ngàn đồng km mét m m2 tấn kg tiếng đội chốt trạm cái trụ cửa bạn học "
    "khu dự công phần cấp tuổi nơi chỗ đoạn hôm thứ bên làn giây phường xã quận huyện thành"
)
"""What is counted: a number before one of these names no further unit of a list."""
TYPES = _cues("quận huyện phường xã thị thành tp q p h x f tt tx tỉnh đặc")
WARD_TYPES = _cues("phường xã trấn")
LOCATIVES = _cues("ở tại qua về bên khu từ ra vô vào trên dưới dân gần tới đến phía đường chợ ngã quanh thuộc hướng người qua")
DIRECTIONS = _cues("đông tây nam bắc trung thượng hạ")
FORMER = _cues("cũ")
FORMER_BARE = frozenset({"cũ", "cu"})
HO_CHI_MINH = _cues("đoàn tncs niên tưởng bác chủ tịch lăng tàng dịch mòn sản đội")
"""Before "HCM": the person, his campaign, the youth union."""
LINKS = frozenset({",", "(", "-", "–", "/", "thuộc", "thuoc", "của", "cua", "tại", "tai", "ở", "o"})
"""What may stand between a unit and the larger one it lies in."""
SEPARATORS = frozenset({",", "và", "va", "&", "-", "–", "/", "+", "hoặc", "hoac", "hay", "cùng", "cung", "với", "voi", "lẫn", "lan", ";"})
"""What parts the units of a list."""

_ELSEWHERE = (
    "hà nội, hải phòng, đà nẵng, cần thơ, huế, đồng nai, long an, tây ninh, bình phước, bình thuận, ninh "
    "thuận, lâm đồng, khánh hòa, phú yên, "
    "bình định, quảng ngãi, quảng nam, quảng trị, quảng bình, hà tĩnh, nghệ an, thanh hóa, ninh bình, "
    "nam định, thái bình, hà nam, hưng yên, "
    "hải dương, bắc ninh, bắc giang, quảng ninh, lạng sơn, cao bằng, thái nguyên, tuyên quang, hà giang, "
    "lào cai, yên bái, sơn la, lai châu, "
    "điện biên, hòa bình, phú thọ, vĩnh phúc, đắk lắk, đắk nông, gia lai, kon tum, tiền giang, bến tre, trà vinh, vĩnh long, đồng tháp, "
    "an giang, kiên giang, hậu giang, sóc trăng, bạc liêu, cà mau, đà lạt, nha trang, biên hòa, đồng "
    "xoài, paris, tokyo, seoul, bangkok, vienna, budapest, "
    "zurich, thượng hải, singapore"
)
ELSEWHERE = frozenset(tuple(fold(name).split()) for name in _ELSEWHERE.split(", "))
"""Folded words of provinces and cities elsewhere: a unit named as part of one is not the city's."""
ELSEWHERE_LINKS = LINKS | {"tỉnh", "tinh", "tp", ".", "thành", "phố", "thanh", "pho"}
AFTER_SAIGON = frozenset({("giai", "phong"), ("tiep", "thi"), ("co", "."), ("coop",), ("times",)})
"""What makes "Sài Gòn" the name of a paper or a company."""
ROUTES = frozenset({("suoi", "tien"), ("tham", "luong")})
"""Ends of metro lines: a name joined to one by a dash is the line's."""
PLURALS = _cues("các những hai ba bốn mấy")
"""Before a type: several units follow."""
