"""Common words that free text (titles, topics, notes) is made of."""

from __future__ import annotations

from random import Random
from typing import Final

from .grammar import listed

__all__ = ["invented", "name_like", "noun_phrase", "topic", "unusual_topic", "vocabulary"]

_NOUNS: Final = listed(
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
    """
)
_ADJECTIVES: Final = listed(
    """
    red blue green black white big small long short old new fast slow good bad happy sad easy hard open warm
    cold hot wet dry dark bright loud quiet cheap late early free busy full hungry last next best own
    """
)
_VERBS: Final = listed(
    """
    find sell make break move bring give keep leave help check look show pack drive fly walk swim ride book
    reserve order arrange set wash clean fix learn teach win eat cook drink wake remember forget write send
    answer call say translate read mean pay buy play hear listen track arrive turn start stop wait count
    change convert plan schedule remind stay sleep land lose follow guide ring beep
    """
)


_ONSETS: Final = listed("b br c ch d dr f fl g gr h j k l m n p pl qu r s st t tr v w z")
_VOWELS: Final = listed("a e i o u ea oo")
_CODAS: Final = ("", "", "l", "m", "n", "r", "s", "t", "nd", "rk")


def invented(rng: Random) -> str:
    """Return a word of one or two syllables that most likely means nothing."""
    syllables = rng.choice((1, 2, 2))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(syllables))


def name_like(rng: Random) -> str:
    """Return one or two invented words in capitals: `Drevol`, `Quar Noobes`."""
    return " ".join(invented(rng).capitalize() for _ in range(rng.choice((1, 1, 2))))


def unusual_topic(rng: Random) -> str:
    """Return a topic, half of the time with an invented word."""
    known = topic(rng)
    return known if rng.random() < 0.5 else f"{known} {invented(rng)}"


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
