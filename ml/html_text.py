"""From HTML to the text a reader would see. Belongs here: tags, entities, comments. Not here: white space and Unicode (`ml.normalise`).

Every pattern is linear: an attribute never reaches over the next "<", and what is opened and never closed runs to the end of the text, as
in a browser. A hostile text of 100 kB therefore costs milliseconds.
"""

import html
import re

_BLOCK = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote br caption center dd details dialog dir div dl dt fieldset figcaption figure footer "
        "form frame h1 h2 h3 h4 h5 h6 header hgroup hr legend li main menu nav ol optgroup option p pre section summary table "
        "tbody tfoot thead title tr ul",
    )
)
_INLINE = frozenset(
    re.findall(
        r"\w+",
        "a abbr acronym applet area audio b base basefont bdi bdo bgsound big blink body button canvas cite code col colgroup "
        "data datalist del dfn em embed font frameset head html i iframe image img input ins isindex kbd keygen label link "
        "listing map mark marquee math meta meter nobr noembed noframes noscript object output param picture plaintext portal "
        "progress q rb rp rt rtc ruby s samp script search select slot small source span strike strong style sub sup svg td "
        "template textarea th time track tt u var video wbr xmp animate circle defs desc ellipse filter foreignobject g line path "
        "polygon polyline rect set stop symbol text tspan use",
    )
)
_CELL = frozenset(("td", "th"))
_KNOWN = _BLOCK | _INLINE

_HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(script|style|template)(?=[\s/>])[^<>]*(?:>.*?(?:</\1(?=[\s/>])[^<>]*>|\Z)|\Z)", re.IGNORECASE | re.DOTALL
)
_DECLARATION = re.compile(r"<![A-Za-z][^<>]*>|<\?[A-Za-z][^<>]*>")
_CDATA = re.compile(r"<!\[CDATA\[", re.IGNORECASE)
_TAG = re.compile(r"""</?([A-Za-z][A-Za-z0-9]*(?:[:-][A-Za-z][A-Za-z0-9-]*)*)((?:[\s/](?:"[^"<]*"|'[^'<]*'|[^"'<>])*+)?)>""")
# A tag that never ends properly but assigns an attribute: a browser may still run it, so it loses its "<name" and becomes text.
_BROKEN = re.compile(
    r"</?([A-Za-z][A-Za-z0-9:-]*)(?=[\s/][^<>=]{0,200}=)|</?(?:script|style|iframe|object|embed|template)(?=[\s/>]|\Z)", re.IGNORECASE
)
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ESCAPED_AMPERSANDS = re.compile(r"&(?:(?:amp|AMP|#0{0,4}38|#[xX]0{0,4}26);)+")


def _replace_tag(match: re.Match[str]) -> str:
    name, rest = match[1].lower(), match[2]
    if name in _BLOCK:
        return "\n" if rest.isascii() or "=" in rest else match[0]
    if name in _KNOWN:
        real = rest.isascii() or "=" in rest  # "<b thì c>" is a comparison written by a person
        return (" " if name in _CELL else "") if real else match[0]
    # Unknown names are tags only where they look like nothing else: custom elements, office markup, or an assigned attribute.
    return "" if ":" in name or "-" in name or "=" in rest else match[0]


def _replace_broken(match: re.Match[str]) -> str:
    name = match[1]
    return match[0] if name is not None and name.lower() not in _KNOWN else " "


def _replace_entity(match: re.Match[str]) -> str:
    return html.unescape(match[0])


def strip_html(text: str) -> str:
    """One pass over `text`: hidden parts, tags, then entities. Escaped markup is markup afterwards: the caller runs it to a fixpoint.

    Entities count only with their semicolon, because "?a=1&copy=2" is an address and not a copyright sign.
    """
    if "<" in text:
        if _CDATA.search(text):
            text = _CDATA.sub("", text).replace("]]>", "")
        text = _HIDDEN.sub(" ", text)
        text = _DECLARATION.sub(" ", text)
        text = _TAG.sub(_replace_tag, text)
        text = _BROKEN.sub(_replace_broken, text)
    if "&" in text:
        text = _ESCAPED_AMPERSANDS.sub("&", text) if _ESCAPED_AMPERSANDS.search(text) else _ENTITY.sub(_replace_entity, text)
    return text
