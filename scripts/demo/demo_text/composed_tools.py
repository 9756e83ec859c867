"""Tools for pre-training, composed of a verb and a noun: many, and none of them one of the demo's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from random import Random
from typing import Final

from .catalog import FollowUp, Parameter, Tool, parameters
from .grammar import choose, listed
from .kinds import KINDS
from .words import invented, vocabulary

__all__ = ["composed_tools"]

# `{n}` is one thing, `{ns}` several; names and descriptions offer alternatives; the family is the verb.
_VERBS: Final = (
    Tool(
        name="(list|view|show)",
        family="list",
        description="(All {ns}.|Show the {ns}.|List {ns}.)",
        parameters=(),
        requests=(
            "(show|give) me (all|the) {ns}",
            "list (all|the|my) {ns}",
            "(let me see|read me) the {ns}",
            "which {ns} (are there|do we have)?",
            "do I have any {ns}?",
        ),
        rare=("are there {ns} that I should see?",),
        vague=(),
        result={"found": "title"},
        answers=("The first one is {found}.", "There is {found}."),
    ),
    Tool(
        name="(find|search|lookup)",
        family="find",
        description="(Find {ns}.|Search the {ns}.|Look for a {n}.)",
        parameters=parameters("topic"),
        requests=(
            "(find|get) (me |)a {n} (about|on) {topic}",
            "(look for|search for|look up) {ns} (about|on) {topic}",
            "is there a {n} about {topic}?",
        ),
        rare=("where is the {n} about {topic}?",),
        vague=("(find|look for|search for) a {n}",),
        result={"found": "code"},
        answers=("I found {found}.", "Number {found} is about {topic}."),
        follow_ups=(
            FollowUp("delete", "(delete|remove|drop) it", {"id": "found"}),
            FollowUp("assign", "(give|hand|pass) it to {person}", {"id": "found"}),
        ),
    ),
    Tool(
        name="(create|add|new)",
        family="create",
        description="(Make a {n}.|Add a new {n}.|Create {ns}.)",
        parameters=parameters("title"),
        requests=(
            "(make|create|add|set up) a (new |){n} (called|named) {title}",
            "(start|add) the {n} {title}",
            "can we have a {n} called {title}?",
        ),
        rare=("a {n} called {title} would be good.",),
        vague=("(make|create|add) a (new |){n}",),
        result={"id": "code"},
        answers=("The {n} {title} is there.", "I made {title}."),
        follow_ups=(FollowUp("assign", "(give|hand|pass|assign) it to {person}", {"id": "id"}),),
    ),
    Tool(
        name="(delete|remove)",
        family="delete",
        description="(Remove a {n}.|Delete {ns}.)",
        parameters=parameters("id:code"),
        requests=("(delete|remove|erase) (the |){n} {id}", "(drop|get rid of|throw away) {n} {id}"),
        rare=("we are done with {n} {id}.", "can {n} {id} go away?"),
        vague=("(delete|remove|drop) (a|the) {n}",),
        result={"status": "outcome"},
        answers=("{id} is gone.", "I removed {n} {id}."),
    ),
    Tool(
        name="(status|check)",
        family="status",
        description="(State of a {n}.|Check a {n}.)",
        parameters=parameters("id:code"),
        requests=(
            "(check|look at|inspect) {n} {id}",
            "(tell me|find out) (how|where) {n} {id} is",
            "(how|where) is {n} {id}?",
            "is {n} {id} (ready|done|open)?",
        ),
        rare=("when will {n} {id} be ready?",),
        vague=("(check|look at) (a|the) {n}", "(how|where) is the {n}?"),
        result={"state": "state"},
        answers=("{id} is {state}.", "The {n} is {state}."),
    ),
    Tool(
        name="(rename|label)",
        family="rename",
        description="(Give a {n} a name.|Rename {ns}.)",
        parameters=parameters("id:code title"),
        requests=("(rename|label) {n} {id} (as|to) {title}", "call {n} {id} {title} (from now on|)"),
        rare=("can {n} {id} be called {title}?",),
        vague=("(rename|label) {n} {id}",),
        result={"status": "outcome"},
        answers=("{id} is now {title}.",),
    ),
    Tool(
        name="(assign|give)",
        family="assign",
        description="(Hand a {n} to someone.|Give {ns} to a person.)",
        parameters=parameters("id:code person"),
        requests=("(give|hand|pass|assign) {n} {id} to {person}", "let {person} (have|take) {n} {id}"),
        rare=("can {person} (have|take) {n} {id}?",),
        vague=("(give|hand|pass|assign) {n} {id} to someone", "(give|hand|pass|assign) a {n} to {person}"),
        result={"status": "outcome"},
        answers=("{person} has {n} {id}.", "{id} is with {person} now."),
    ),
    Tool(
        name="(schedule|plan)",
        family="schedule",
        description="(Set a day for a {n}.|Plan {ns}.)",
        parameters=parameters("date time"),
        requests=("(plan|schedule|set up) a {n} {date} at {time}", "(arrange|fix) the {n} {date} at {time}"),
        rare=("can we have the {n} {date} at {time}?",),
        vague=("(plan|schedule|arrange) a {n} {date}", "(plan|schedule|arrange) the {n} at {time}"),
        result={"status": "outcome"},
        answers=("The {n} is at {time}.", "It is planned."),
    ),
    Tool(
        name="(order|buy|get)",
        family="order",
        description="(Buy {ns}.|Order a number of {ns}.)",
        parameters=parameters("count city?"),
        requests=("(buy|order|get) (me |){count} {ns}(| in {city})", "I need {count} {ns}(| from {city})."),
        rare=("can I (have|buy) {count} {ns}?",),
        vague=("(buy|order|get) (some |){ns}", "(buy|order|get) {ns} in {city}"),
        result={"price": "money"},
        answers=("{count} {ns} cost {price}.", "That makes {price}."),
    ),
    Tool(
        name="(send|share)",
        family="send",
        description="(Send a {n} to someone.|Share {ns}.)",
        parameters=parameters("person topic"),
        requests=(
            "(send|mail|show) {person} the {n} (about|on) {topic}",
            "share the {n} (about|on) {topic} with {person}",
        ),
        rare=("can {person} see the {n} about {topic}?",),
        vague=("(send|mail|show) {person} (a|the) {n}", "(send|share) the {n} (about|on) {topic}"),
        result={"status": "outcome"},
        answers=("{person} has the {n}.", "I sent it to {person}."),
    ),
    Tool(
        name="(count|total)",
        family="count",
        description="(Number of {ns}.|Count the {ns}.)",
        parameters=parameters("city"),
        requests=(
            "(count|add up) the {ns} in {city}",
            "tell me how many {ns} there are in {city}",
            "how many {ns} (are there|do we have) in {city}?",
        ),
        rare=("what does {city} have in {ns}?",),
        vague=("count the {ns}", "how many {ns} (are there|do we have)?"),
        result={"total": "count"},
        answers=("There are {total} in {city}.", "{total} {ns}."),
    ),
    Tool(
        name="(set|change)",
        family="set",
        description="(Change a {n}.|Set the color of {ns}.)",
        parameters=parameters("color room?"),
        requests=(
            "(turn|switch|change|set) the {n} (|in the {room} )to {color}",
            "make the {n} (|in the {room} ){color}",
        ),
        rare=("can the {n} be {color}?",),
        vague=("(change|set) the color of the {n}", "(change|set) the {n} in the {room}"),
        result={"status": "outcome"},
        answers=("The {n} is {color}.", "Now it is {color}."),
    ),
    Tool(
        name="(rate|review)",
        family="rate",
        description="(Say how good a {n} is.|Points for {ns}.)",
        parameters=parameters("id:code count"),
        requests=("(rate|review) {n} {id} with {count} points", "give {count} points to {n} {id}"),
        rare=("is {n} {id} worth {count} points?",),
        vague=("(rate|review) {n} {id}", "give {count} points to a {n}"),
        result={"status": "outcome"},
        answers=("{id} has {count} points.", "{count} points for {n} {id}."),
    ),
    Tool(
        name="(transfer|move)",
        family="transfer",
        description="(Move a {n} between cities.|Bring {ns} elsewhere.)",
        parameters=parameters("source:city target:city"),
        requests=(
            "(move|bring|ship|transfer) (the |){ns} from {source} to {target}",
            "take the {n} from {source} to {target}",
        ),
        rare=("can the {n} go from {source} to {target}?",),
        vague=("(move|bring|ship|transfer) the {n} to {target}", "take the {n} from {source}"),
        result={"minutes": "minutes"},
        answers=("It goes to {target}.", "The {n} leaves {source} in {minutes} minutes."),
    ),
    Tool(
        name="(price|cost)",
        family="price",
        description="(Price of {ns}.|What a {n} costs.)",
        parameters=parameters("color"),
        requests=(
            "(check|look up|find out) the price of a {color} {n}",
            "tell me what a {color} {n} costs",
            "how much is a {color} {n}?",
        ),
        rare=("is a {color} {n} expensive?",),
        vague=("(check|look up) the price of a {n}", "how much is a {n}?"),
        result={"price": "money"},
        answers=("It costs {price}.", "A {color} {n} is {price}."),
    ),
)

# A second word is another way to say the first; tools keep the first in their names.
_NOUNS: Final = listed(
    """
    invoice=bill recipe photo=picture contact document file backup refund review=opinion workout=training plant
    printer server=machine build report warehouse member course=class lesson exam=test novel movie game quiz poem
    survey=poll budget loan salary contract=deal claim permit patient vaccine garden dog=puppy horse bike=bicycle
    tyre battery sensor camera door heater window fridge oven box label folder password account profile badge
    job interview project sprint bug=issue branch release dataset chart=diagram donation vote receipt
    coupon=voucher podcast article=text comment letter poster logo shirt boot=shoe book pen desk chair cup=mug
    tool engine tractor farm field cow goat apple melon pill ship=boat truck=lorry crane bridge tunnel
    house=building flat=apartment key lock wall roof tile pipe wire robot drone phone screen=monitor cable
    ladder hammer bucket rope tent canoe helmet jacket scarf ring diamond statue museum theatre temple castle
    doctor nurse lawyer farmer baker singer dancer painter
"""
)


_KNOWN_NOUNS: Final = 40
_INVENTED_NOUNS: Final = 30
_SYNONYM_SHARE: Final = 0.3
_ODD_NAME_SHARE: Final = 0.4
_UNUSUAL_SHARE: Final = 0.6

_ODD_WORDS: Final = vocabulary()

# Other names of the parameters, so that a name has to be read in the list of tools.
_ALIASES: Final = {
    "city": ("city", "town", "place", "location"),
    "color": ("color", "paint", "shade"),
    "count": ("count", "quantity", "number", "points"),
    "date": ("date", "day", "on", "when"),
    "id": ("id", "code", "ref", "key", "item"),
    "person": ("person", "name", "owner", "user", "who"),
    "room": ("room", "area", "part"),
    "source": ("source", "start", "from", "origin"),
    "target": ("target", "end", "to", "goal"),
    "time": ("time", "hour", "at", "clock"),
    "title": ("title", "label", "name", "text"),
    "topic": ("topic", "subject", "about", "query"),
}


def composed_tools(rng: Random, avoid: Collection[str]) -> tuple[Tool, ...]:
    """Return one tool for each verb and each of some nouns, about 1,000; many nouns are invented words.

    Drawn anew for every few hundred dialogues, there are too many tools to learn by heart: to call one, its name
    and parameters have to be read from the list, and to choose one, the words of the request to be found there.
    No tool bears a name in `avoid`.
    """
    nouns = rng.sample(_NOUNS, _KNOWN_NOUNS)
    while len(nouns) < _KNOWN_NOUNS + _INVENTED_NOUNS:
        word = invented(rng)
        nouns.append(f"{word}={invented(rng)}" if rng.random() < _SYNONYM_SHARE else word)
    tools: dict[str, Tool] = {}
    taken = set(avoid)
    for noun in nouns:
        family = {tool.name: tool for tool in _tools_of(noun, rng)}
        if len(family) == len(_VERBS) and taken.isdisjoint(family):
            tools |= family
            taken |= family.keys()
    return tuple(tools.values())


def _tools_of(noun: str, rng: Random) -> list[Tool]:
    """Return the tools that deal with one noun, in its own naming style."""
    word, _, synonym = noun.partition("=")
    verb_first = rng.random() < 0.5
    names = {}
    for verb in _VERBS:
        parts = [choose(verb.name, rng), rng.choice((word, _plural(word)))]
        if rng.random() < _ODD_NAME_SHARE:
            parts[rng.randrange(2)] = rng.choice(_ODD_WORDS)
        names[verb.family] = "_".join(parts if verb_first else reversed(parts))
    aliases = {name: rng.choice(others) for name, others in _ALIASES.items()}
    if len(set(aliases.values())) < len(aliases):
        aliases = {}

    def filled(templates: tuple[str, ...]) -> tuple[str, ...]:
        words = (word, synonym) if synonym else (word,)
        return tuple(_renamed(_with_noun(template, each), aliases) for template in templates for each in words)

    return [
        replace(
            verb,
            name=names[verb.family],
            family=rng.choice((word, verb.family)),
            description=_with_noun(choose(verb.description, rng), rng.choice((word, synonym or word))),
            parameters=tuple(
                Parameter(aliases.get(each.name, each.name), _unusual(each.kind_name, rng), each.required)
                for each in verb.parameters
            ),
            requests=filled(verb.requests),
            rare=filled(verb.rare),
            vague=filled(verb.vague),
            result={name: _unusual(kind, rng) for name, kind in verb.result.items()},
            answers=filled(verb.answers),
            follow_ups=tuple(
                FollowUp(
                    names[each.tool],
                    _renamed(each.clause, aliases),
                    {aliases.get(name, name): result for name, result in each.carry.items()},
                )
                for each in verb.follow_ups
            ),
        )
        for verb in _VERBS
    ]


def _unusual(kind: str, rng: Random) -> str:
    """Return a kind whose values cannot be known by heart in place of `kind`, more often than not."""
    unusual = f"any_{kind}"
    return unusual if unusual in KINDS and rng.random() < _UNUSUAL_SHARE else kind


def _renamed(template: str, aliases: Mapping[str, str]) -> str:
    """Return `template` with its holes named after the aliased parameters."""
    for name, alias in aliases.items():
        template = template.replace("{" + name + "}", "{" + alias + ".}")
    return template.replace(".}", "}")


def _with_noun(template: str, noun: str) -> str:
    if noun[0] in "aeiou":
        template = template.replace("a {n}", "an {n}")
    return template.replace("{n}", noun).replace("{ns}", _plural(noun))


def _plural(noun: str) -> str:
    """Return the regular plural.

    Examples
    --------
    >>> _plural("battery"), _plural("box"), _plural("key")
    ('batteries', 'boxes', 'keys')
    """
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun.removesuffix("y") + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "z", "sh", "ch")) else "s")
