"""Kinds of values that a parameter or a result can hold, and how they are spoken and asked for."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from .grammar import listed
from .words import name_like, noun_phrase, topic, unusual_topic

__all__ = ["KINDS", "Kind", "Value"]

Value = str | int

_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = ("January", "March", "April", "May", "June", "July", "August", "October")
_RELATIVE_DAYS: Final = ("today", "tomorrow")


@dataclass(frozen=True)
class Kind:
    """One kind of value.

    Exactly one of `words`, `patterns`, `numbers` and `phrase` says where values come from: a list of words; codes
    in which `A` is a letter and `0` a digit; a range of integers; or a writer of free text.
    """

    ask: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    numbers: range | None = None
    phrase: Callable[[Random], str] | None = None
    is_date: bool = False

    @property
    def json_type(self) -> str:
        """Return the JSON schema type of the values."""
        return "integer" if self.numbers is not None else "string"

    def draw(self, rng: Random) -> Value:
        """Return a random value."""
        if self.words:
            return rng.choice(self.words)
        if self.numbers is not None:
            return rng.choice(self.numbers)
        if self.phrase is not None:
            return self.phrase(rng)
        return "".join(_SYMBOLS.get(symbol, _same)(rng, symbol) for symbol in rng.choice(self.patterns))

    def spoken(self, value: Value) -> str:
        """Return `value` as it stands in a sentence: `on Monday`, but `tomorrow`."""
        if self.is_date and value not in _RELATIVE_DAYS:
            return f"on {value}"
        return str(value)


def _same(_rng: Random, symbol: str) -> str:
    return symbol


def _letter(rng: Random, _symbol: str) -> str:
    return rng.choice(string.ascii_uppercase)


def _digit(rng: Random, _symbol: str) -> str:
    return rng.choice(string.digits)


_SYMBOLS: Final = {"A": _letter, "0": _digit}

_CITIES: Final = listed(
    "Oslo Paris Rome Lima Cairo Delhi Tokyo Dublin Athens Berlin Madrid Vienna Lisbon Prague Warsaw Zurich "
    "Geneva Milan Turin Porto Lagos Nairobi Quito Bogota Boston Denver Dallas Austin Miami Seattle Toronto "
    "Ottawa Sydney Perth Seoul Osaka Hanoi Manila Riga Tallinn"
)
_PEOPLE: Final = listed(
    "Anna Ben Clara David Elena Felix Grace Hugo Ines Jonas Karin Leo Maria Nina Oscar Paula Rosa Simon "
    "Tara Victor Wendy Yusuf Amir Bella Carlos Diana Emil Fatima George Hanna"
)

#: name -> kind; a parameter names its kind or is called like it.
KINDS: Final[dict[str, Kind]] = {
    "amount": Kind(("(How much|Which amount)?", "What amount?"), numbers=range(5, 1000, 5)),
    "artist": Kind(
        ("Which artist?", "Whose music?"),
        words=("Miles Davis", "Nina Simone", "Queen", "Abba", "Mozart", "Bach", "Adele", "Bob Dylan", "Sade"),
    ),
    "city": Kind(("Which city?", "For which city?", "In which city?"), words=_CITIES),
    "code": Kind(("Which number?", "What is the number?"), patterns=("A-000",)),
    "color": Kind(("Which color?",), words=listed("red blue green black white yellow brown")),
    "company": Kind(
        ("Which company?", "Of which company?"),
        words=("Tesla", "Apple", "Nokia", "Shell", "Boeing", "Sony", "Intel", "Siemens", "Toyota", "Nestle"),
    ),
    "count": Kind(("How many?",), numbers=range(1, 60)),
    "cuisine": Kind(
        ("Which cuisine?", "What kind of food?"),
        words=listed("Thai Greek Indian Italian Mexican Chinese Turkish vegan French"),
    ),
    "currency": Kind(
        ("Into which currency?", "Which currency?"),
        words=("dollars", "euros", "pounds", "yen", "francs", "pesos"),
    ),
    "date": Kind(
        ("(For|On) which day?", "Which day?", "When?"),
        words=(
            *_RELATIVE_DAYS,
            *_WEEKDAYS,
            *(f"{month} {day}" for month in _MONTHS for day in (2, 5, 9, 14, 21, 28)),
        ),
        is_date=True,
    ),
    "degrees": Kind(numbers=range(2, 36)),
    "flight": Kind(("Which flight?", "What is the flight number?"), patterns=("AA000",)),
    "hotel": Kind(
        ("Which hotel?", "In which hotel?"),
        words=("Hotel Luna", "Grand Palace", "Sea View", "City Inn", "Old Mill", "Hotel Alba", "Park House"),
    ),
    "language": Kind(
        ("Into which language?", "Which language?"),
        words=listed("Spanish French German Polish Dutch Greek Turkish Hindi Korean"),
    ),
    "lamp_state": Kind(("On or off?",), words=("on", "off")),
    "minutes": Kind(("How many minutes?", "For how long?"), numbers=range(2, 60)),
    "money": Kind(numbers=range(20, 900)),
    "nights": Kind(("How many nights?", "For how many nights?"), numbers=range(2, 9)),
    "outcome": Kind(words=("done", "ok", "saved", "confirmed")),
    "parcel": Kind(("What is the parcel number?", "Which parcel?"), patterns=("P00000",)),
    "people": Kind(("For how many people?", "How many people?"), numbers=range(2, 10)),
    "person": Kind(("Who is it for?", "Which person?", "Whose?"), words=_PEOPLE),
    "phrase": Kind(("(Which|What) text?", "What should it say?"), phrase=noun_phrase),
    "place": Kind(
        ("Which restaurant?", "At which restaurant?"),
        words=("Blue Door", "Casa Mia", "Green Fork", "Red Lantern", "Old Port", "Little Garden", "Saffron"),
    ),
    "road": Kind(words=("the A1", "the coast road", "the ring road", "Main Street", "the old bridge")),
    "room": Kind(
        ("(In which|Which) room?",),
        words=("kitchen", "bedroom", "hall", "office", "garage", "bathroom", "living room"),
    ),
    "sky": Kind(words=("rain", "snow", "sun", "clouds", "fog", "wind", "storms")),
    "state": Kind(words=("ready", "done", "open", "closed", "waiting", "late", "new", "paid")),
    "time": Kind(
        ("At what time?", "(For what|What) time?"),
        words=tuple(f"{hour} {half}" for half in ("am", "pm") for hour in range(1, 13))
        + tuple(f"{hour}:{minute}" for hour in range(6, 23) for minute in (15, 30, 45)),
    ),
    "title": Kind(("What should it be called?", "What is it called?"), phrase=topic),
    "topic": Kind(("About what?", "Which topic?"), phrase=topic),
    "whereabouts": Kind(words=("on its way", "at the depot", "at the border", "with the courier", "delivered")),
    # For pre-training: too many values to know them by heart.
    "any_city": Kind(("Which city?", "For which city?", "In which city?"), phrase=name_like),
    "any_code": Kind(
        ("Which number?", "What is the number?"), patterns=("A-000", "A0000", "AA000", "00-AA", "AAA00", "000")
    ),
    "any_person": Kind(("Who is it for?", "Which person?", "Whose?"), phrase=name_like),
    "any_title": Kind(("What should it be called?", "What is it called?"), phrase=unusual_topic),
    "any_topic": Kind(("About what?", "Which topic?"), phrase=unusual_topic),
}
