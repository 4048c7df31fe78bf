"""TeX macros that may stand in titles and abstracts, by what becomes of them."""

from __future__ import annotations

import re

from peerscope.record.markup.clean import words

STYLES = {
    "emph": "emph", "textit": "emph", "textsl": "emph", "textbf": "textbf", "strong": "textbf",
    "textsuperscript": "textsuperscript", "textsubscript": "textsubscript", "texttt": "texttt",
    "code": "texttt", "lstinline": "texttt",
}  # fmt: skip
DECLARATIONS = {
    "it": "emph", "em": "emph", "sl": "emph", "itshape": "emph", "slshape": "emph", "bf": "textbf",
    "bfseries": "textbf", "tt": "texttt", "ttfamily": "texttt",
}  # fmt: skip
CONTENT_ONLY = words(
    "textsc textsf textrm textup textmd textnormal text mbox hbox fbox underline uline uwave sout "
    "textquote enquote uppercase MakeUppercase lowercase title section subsection paragraph "
    "nobreakspace protect relax noindent centering small large Large footnotesize scriptsize tiny "
    "normalsize huge rm sf sc bgroup egroup selectfont upshape scshape rmfamily sffamily mdseries "
    "normalfont boldmath unboldmath NoCaseChange ensuremath hfill newline linebreak par smallskip "
    "medskip bigskip quad qquad xspace left right displaystyle sloppy frenchspacing "
    "begingroup endgroup expandafter noexpand csname endcsname leavevmode ignorespaces"
)
SPACE_LIKE = words("quad qquad par newline linebreak hfill smallskip medskip bigskip space")
# Dropped together with this many arguments.
DROPPED = {
    "label": 1, "ref": 1, "eqref": 1, "autoref": 1, "cref": 1, "Cref": 1, "pageref": 1, "vspace": 1,
    "hspace": 1, "input": 1, "include": 1, "includegraphics": 1, "bibliography": 1, "color": 1,
    "footnotemark": 0, "footnotetext": 1,
    "thanks": 1, "index": 1, "begin": 1, "end": 1, "pagestyle": 1, "bibliographystyle": 1,
    "usepackage": 1, "documentclass": 1, "def": 1, "let": 0, "edef": 1, "gdef": 1, "xdef": 1,
    "newcommand": 1, "renewcommand": 1, "providecommand": 1, "write": 1, "openin": 0, "openout": 0,
    "catcode": 0, "special": 1, "immediate": 0, "read": 0, "vskip": 0, "hskip": 0, "fontsize": 2,
    "rule": 2, "hypersetup": 1, "setlength": 2, "phantom": 1, "vphantom": 1, "hphantom": 1,
}  # fmt: skip
DEFINING = words("def edef gdef xdef newcommand renewcommand providecommand let")
# The last argument is the content, those before it go.
LAST_OF_TWO = words("textcolor colorbox hyperlink hyperref foreignlanguage scalebox raisebox")
MATHS_ONLY = {
    "frac": 2, "sqrt": 1, "mathcal": 1, "mathbb": 1, "mathbf": 1, "mathrm": 1, "mathfrak": 1,
    "mathscr": 1, "mathit": 1, "mathsf": 1, "mathtt": 1, "operatorname": 1, "boldsymbol": 1, "hat": 1,
    "tilde": 1, "bar": 1, "vec": 1, "overline": 1, "widehat": 1, "widetilde": 1, "binom": 2, "dfrac": 2,
    "tfrac": 2, "bm": 1, "overrightarrow": 1,
}  # fmt: skip
CITE = re.compile(r"(?:no|full|foot|super|text|paren|auto|smart)?cite(?:[a-z]*)|Cite[a-z]*|citen")
