"""TeX names and the characters they stand for, from pylatexenc's tables, with our few additions."""

from __future__ import annotations

from pylatexenc.latex2text import get_default_latex_context_db

from peerscope.record.markup.clean import words


def _symbols() -> dict[str, str]:
    """Macros without arguments and the Unicode text that pylatexenc gives them."""
    db = get_default_latex_context_db()
    table: dict[str, str] = {}
    for category in db.categories():
        for spec in db.iter_macro_specs([category]):
            text = spec.simplify_repl
            if isinstance(text, str) and "%" not in text and len(text) < 12 and text.strip():
                table.setdefault(spec.macroname, text)
    table.pop("today", None)
    table.update(
        {
            "ie": "i.e.", "eg": "e.g.", "etal": "et al.", "etc": "etc.", "wrt": "w.r.t.", "cf": "cf.",
            "vs": "vs.", "lq": "‘", "rq": "’", "lbrace": "{", "rbrace": "}", "lbrack": "[",
            "rbrack": "]", "textbraceleft": "{", "textbraceright": "}", "textbackslash": "\\",
            "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">",
            "textbar": "|", "textquotesingle": "'", "textasciigrave": "`", "textunderscore": "_",
            "textdollar": "$", "textregistered": "®", "texttrademark": "™", "textdegree": "°",
            "textordfeminine": "ª", "textordmasculine": "º", "textmu": "µ", "texttimes": "×",
            "textellipsis": "…", "dots": "…", "ldots": "…", "cdots": "⋯", "TeX": "TeX",
            "LaTeX": "LaTeX", "BibTeX": "BibTeX", "DH": "Ð", "dh": "ð", "TH": "Þ", "th": "þ",
            "DJ": "Đ", "dj": "đ", "NG": "Ŋ", "ng": "ŋ", "S": "§", "P": "¶", "pounds": "£",
            "copyright": "©", "euro": "€", "degree": "°", "deg": "°", "slash": "/", "prime": "′",
            "lvert": "|", "rvert": "|", "lVert": "‖", "rVert": "‖", "vert": "|", "Vert": "‖",
            "lt": "<", "gt": ">", "colon": ":", "middot": "·", "cdot": "·", "star": "⋆",
            "textvisiblespace": " ", "guillemotleft": "«", "guillemotright": "»",
            "textsection": "§", "textbullet": "•", "item": "• ", "quotedblbase": "„",
            "textonehalf": "½", "textthreequarters": "¾", "textonequarter": "¼", "and": "and",
        }
    )  # fmt: skip
    return table


SYMBOLS = _symbols()
"""Macro name to Unicode text, for macros that take no argument."""

LETTERS = words("ss ae AE oe OE o O l L aa AA i j DH dh TH th DJ dj NG ng")
"""Macros that are letters of a word; white space after them only ends their name."""

_RELATION_NAMES = (
    "le leq ge geq ne neq sim simeq approx equiv cong propto in notin ni subset subseteq supset "
    "supseteq to rightarrow leftarrow leftrightarrow Rightarrow Leftarrow Leftrightarrow iff implies "
    "mapsto longrightarrow Longrightarrow times pm mp otimes oplus wedge vee cup cap ll gg leqslant "
    "geqslant lesssim gtrsim succ prec models vdash perp parallel div setminus"
)
RELATIONS = {name: SYMBOLS[name] for name in _RELATION_NAMES.split() if name in SYMBOLS}
"""Relations and operators, which are printed with a space on both sides."""

ACCENTS = {
    "hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "vec": "\u20d7", "dot": "\u0307",
    "ddot": "\u0308", "acute": "\u0301", "grave": "\u0300", "breve": "\u0306", "check": "\u030c",
    "widehat": "\u0302", "widetilde": "\u0303", "overline": "\u0304",
}  # fmt: skip
"""Accents of maths and the combining character they set on a single letter."""

TEXT_ACCENTS = {
    "'": "\u0301", "`": "\u0300", "^": "\u0302", '"': "\u0308", "~": "\u0303", "=": "\u0304",
    ".": "\u0307", "c": "\u0327", "v": "\u030c", "u": "\u0306", "H": "\u030b", "k": "\u0328",
    "r": "\u030a", "b": "\u0331", "d": "\u0323",
}  # fmt: skip
"""Accents of text: the character after the backslash and the combining character."""

SUPERSCRIPT = dict(zip("0123456789+-=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", strict=True))
SUBSCRIPT = dict(
    zip("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
