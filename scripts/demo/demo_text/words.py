"""Common words that free text (titles, topics, notes) is made of."""

from __future__ import annotations

from random import Random
from typing import Final

__all__ = ["noun_phrase", "topic", "vocabulary"]

_NOUNS: Final = tuple(
    """
    water bread milk rain snow sun wind storm umbrella coat weather forecast beach flight plane airport train
    station bus taxi cab driver road street bridge traffic route way trip travel journey ticket seat luggage
    passport holiday hotel room bed stay night sleep breakfast lunch dinner table chair restaurant food kitchen
    meal menu cafe coffee tea cake pizza soup meeting event calendar appointment agenda schedule plan day week
    month year morning evening noon hour minute clock alarm timer countdown reminder note mail email message
    language word sentence money cash exchange rate currency price cost share stock market trade bank value
    music song band album concert piano guitar parcel package delivery box door key light lamp switch house
    home garden tree flower grass dog cat bird fish horse river lake sea island mountain hill forest star moon
    news paper story report headline school class teacher student lesson science history art paint picture film
    game sport bike car wheel engine fuel doctor health nurse heart hand foot head eye family mother father
    sister brother child friend neighbour party birthday gift wedding summer winter spring autumn office desk
    computer screen team boss client project budget tax shop city town village country peace law
    """.split()
)
_ADJECTIVES: Final = tuple(
    """
    red blue green black white big small long short old new fast slow good bad happy sad easy hard open warm
    cold hot wet dry dark bright loud quiet cheap late early free busy full hungry last next best own
    """.split()
)
_VERBS: Final = tuple(
    """
    find sell make break move bring give keep leave help check look show pack drive fly walk swim ride book
    reserve order arrange set wash clean fix learn teach win eat cook drink wake remember forget write send
    answer call say translate read mean pay buy play hear listen track arrive turn start stop wait count
    change convert plan schedule remind stay sleep land lose follow guide ring beep
    """.split()
)


def vocabulary() -> tuple[str, ...]:
    """Return every word that free text is made of."""
    return _NOUNS + _ADJECTIVES + _VERBS


def topic(rng: Random) -> str:
    """Return one or two words: `peace`, `cheap coffee`, `school budget`."""
    noun = rng.choice(_NOUNS)
    return rng.choice((noun, f"{rng.choice(_ADJECTIVES)} {noun}", " ".join(rng.sample(_NOUNS, 2))))


def noun_phrase(rng: Random) -> str:
    """Return two to four words: `the red coat`, `bread and milk`, `wash the car`."""
    one, other = rng.sample(_NOUNS, 2)
    pattern = rng.choice(("the {adjective} {one}", "{one} and {other}", "{verb} the {one}", "the {one} {other}"))
    return pattern.format(one=one, other=other, adjective=rng.choice(_ADJECTIVES), verb=rng.choice(_VERBS))
