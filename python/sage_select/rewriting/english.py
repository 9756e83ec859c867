"""English words of which edits know more than how they are written; texts in other languages have none of them."""

from __future__ import annotations

from typing import Final

__all__ = ["CONTRACTIONS", "EXPANSIONS", "FILLERS", "FIXED"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VERBS: Final = _words("do does did is are was were have has had would could should")
_SEVERAL: Final = _words("you we they")
_SOMEBODY: Final = _words("you we they he she it")
#: Two words -> how they are said as one, where both mean the same whatever stands around them.
CONTRACTIONS: Final = {
    **{f"{verb} not": f"{verb}n't" for verb in _VERBS},
    "can not": "can't",
    "will not": "won't",
    **{f"{who} are": f"{who}'re" for who in _SEVERAL},
    **{f"{who} have": f"{who}'ve" for who in _SEVERAL},
    **{f"{who} will": f"{who}'ll" for who in _SOMEBODY},
    **{f"{who} would": f"{who}'d" for who in _SOMEBODY - {"it"}},
    **{f"i {verb}": f"I'{short}" for verb, short in (("am", "m"), ("will", "ll"), ("have", "ve"), ("would", "d"))},
    **{f"{what} is": f"{what}'s" for what in ("what", "that", "there", "where", "who")},
    "let us": "let's",
}
#: How one word is said as two, where only one meaning is possible: he's is he is, or he has.
EXPANSIONS: Final = {
    **{f"{verb}n't": f"{verb} not" for verb in _VERBS},
    "can't": "cannot",
    "cannot": "can't",
    "won't": "will not",
    **{f"{who}'re": f"{who} are" for who in _SEVERAL},
    **{f"{who}'ve": f"{who} have" for who in _SEVERAL},
    **{f"{who}'ll": f"{who} will" for who in _SOMEBODY},
    **{f"i'{short}": f"I {verb}" for verb, short in (("am", "m"), ("will", "ll"), ("have", "ve"))},
}
#: What may be left out of a request.
FILLERS: Final = _words("please just really actually basically simply kindly also very quite perhaps maybe")
#: What changes the meaning where it changes: negations, numbers, amounts, order, conditions.
FIXED: Final = _words(
    "not no never none nor neither without nothing nobody nowhere hardly cannot except unless until only "
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million "
    "billion half third quarter fifth dozen double twice triple thrice times first second last next previous "
    "more less fewer most least than as before after above below over under between from to into by per of in on "
    "at and or but if then else when while each every all both any some many much total same other another "
    "yes true false left right up down off out the a an this that these those my your his her its our their"
).union(EXPANSIONS)
