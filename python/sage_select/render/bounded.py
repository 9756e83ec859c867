"""Chat templates run within limits: they come with models of strangers and are programs.

The environment is that of transformers, a sandbox. It keeps a template from reaching out, not from running for ever
or filling the memory, so the parsed template is given counters: each turn of a loop, each call of a macro and each
value that is made is charged against a budget. What a template may do depends on the template and the row alone,
never on the clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final

__all__ = ["BoundedTemplate", "TemplateTooCostly", "bounded_template"]

Span = tuple[int, int]

#: Loop turns, macro calls and values made in one rendering; the templates of real models take some hundred a turn.
_MAX_STEPS: Final = 4_000_000
#: What a call of a macro counts, which takes as long as so many turns of a loop.
_CALL_STEPS: Final = 16
#: Characters of all texts made in one rendering.
_MAX_CHARACTERS: Final = 1 << 27
#: A number given to a text method or a filter, and the bits of a product or power.
_MAX_NUMBER: Final = 1 << 20
_TICK, _WEIGH = "sage tick", "sage weigh"
_WIDE_FIELD = re.compile(r"\d{6}|\*")


class TemplateTooCostly(Exception):  # noqa: N818 - never leaves the render layer
    """The template does more than it may."""


class _Budget:
    """What one rendering may still do."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.steps = _MAX_STEPS
        self.characters = _MAX_CHARACTERS

    def step(self, count: int = 1) -> int:
        self.steps -= count
        if self.steps < 0:
            raise TemplateTooCostly(f"it takes more than {_MAX_STEPS:,} steps")
        return count

    def write(self, characters: int) -> None:
        self.characters -= characters
        if self.characters < 0:
            raise TemplateTooCostly(f"it makes more than {_MAX_CHARACTERS:,} characters")

    def weigh(self, value: Any) -> Any:
        """Charge a new value, all that it holds included, and return it."""
        if isinstance(value, str):
            self.write(len(value))
        elif isinstance(value, list | tuple | dict):
            self.step(1 + len(value))
            for member in value.values() if isinstance(value, dict) else value:
                if isinstance(member, list | tuple | dict):
                    self.weigh(member)
        return value

    def number(self, *values: Any) -> None:
        if any(isinstance(value, int | float) and abs(value) > _MAX_NUMBER for value in values):
            raise TemplateTooCostly(f"it gives a text a width or a count above {_MAX_NUMBER:,}")


class BoundedTemplate:
    """A compiled chat template.

    Parameters
    ----------
    text
        The Jinja source.
    today
        Writes the date of the day in a format of `strftime`.

    Raises
    ------
    jinja2.TemplateSyntaxError
        It is no template.
    TemplateTooCostly
        It is too long to compile.
    """

    def __init__(self, text: str, today: Callable[[str], str]) -> None:
        from transformers.utils import chat_template_utils as library

        # The uncached compilation: limits are put into an environment that nobody else uses.
        environment = library._cached_compile_jinja_template("").environment
        self._budget = _Budget()
        self._environment = environment
        _limit(environment, self._budget)
        environment.globals["strftime_now"] = today
        self._budget.write(len(text) * 64)
        tree = _counted(environment.parse(text))
        code = environment.compile(tree)
        self._template = environment.template_class.from_code(environment, code, environment.make_globals(None))

    def render(self, **variables: Any) -> tuple[str, list[Span]]:
        """Return the text, and the spans of it that lie in `{% generation %}` blocks.

        Raises
        ------
        TemplateTooCostly
            It took more steps, or made more text, than it may.
        Exception
            Whatever the template raises.
        """
        self._budget.renew()
        blocks: list[str] = []
        spans: list[Span] = []
        with self._environment.activate_tracker(blocks, spans):
            for block in self._template.generate(**variables):
                self._budget.write(len(block))
                blocks.append(block)
        return "".join(blocks), spans


@lru_cache(maxsize=16)
def bounded_template(text: str, today: Callable[[str], str]) -> BoundedTemplate:
    """Return the compiled template, from memory where it was compiled before."""
    return BoundedTemplate(text, today)


def _counted(tree: Any) -> Any:
    """Return a parsed template with counters in its loops and around the values it makes."""
    from jinja2 import nodes
    from jinja2.visitor import NodeTransformer

    def charged(node: Any, name: str) -> Any:
        return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)

    def tick(node: Any, steps: int) -> Any:
        return charged(nodes.Const(steps, lineno=node.lineno), _TICK)

    class Counters(NodeTransformer):
        def visit_For(self, node: Any) -> Any:  # noqa: N802 - names of the library
            if node.test is not None:
                node.test = nodes.And(tick(node, 1), node.test, lineno=node.lineno)
            return self._block(node, 1)

        def _block(self, node: Any, steps: int) -> Any:
            node = self.generic_visit(node)
            node.body.insert(0, nodes.ExprStmt(tick(node, steps), lineno=node.lineno))
            return node

        def visit_Macro(self, node: Any) -> Any:  # noqa: N802
            return self._block(node, _CALL_STEPS)

        visit_CallBlock = visit_Macro  # noqa: N815

        def visit_Output(self, node: Any) -> Any:  # noqa: N802
            node = self.generic_visit(node)
            node.nodes = [
                part if isinstance(part, nodes.TemplateData | nodes.Const) else charged(part, _WEIGH)
                for part in node.nodes
            ]
            return node

        def _value(self, node: Any) -> Any:
            node = self.generic_visit(node)
            return node if getattr(node, "ctx", "load") != "load" else charged(node, _WEIGH)

        visit_Concat = visit_List = visit_Tuple = visit_Dict = _value  # noqa: N815

    return Counters().visit(tree)


def _limit(environment: Any, budget: _Budget) -> None:
    """Put the budget into an environment: operators, calls, filters and the counters."""
    from jinja2 import pass_context

    # A filter that takes the context is never computed ahead, while the template is compiled.
    environment.filters = {name: _filter(function, budget) for name, function in environment.filters.items()}
    environment.filters[_TICK] = pass_context(lambda _context, steps: budget.step(steps))
    environment.filters[_WEIGH] = pass_context(lambda _context, value: budget.weigh(value))
    environment.globals.pop("lipsum", None)
    operators = dict(environment.binop_table)
    environment.intercepted_binops = frozenset(("*", "**", "%", "+"))
    environment.binop_table = {
        **operators,
        "*": lambda left, right: _product(left, right, budget) and budget.weigh(left * right),
        "**": lambda left, right: _power(left, right) and left**right,
        "%": lambda left, right: _format(left) and budget.weigh(left % right),
        "+": lambda left, right: budget.weigh(left + right),
    }
    call = environment.call

    def bounded_call(context: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(function, "__self__", None)
        if isinstance(owner, str):
            _text_method(owner, function.__name__, args, kwargs, budget)
        result = call(context, function, *args, **kwargs)
        # What a method of a container returns was there before.
        return result if isinstance(owner, dict | list) else budget.weigh(result)

    environment.call = bounded_call


def _product(left: Any, right: Any, budget: _Budget) -> bool:
    for many, times in ((left, right), (right, left)):
        if isinstance(many, str | list | tuple) and isinstance(times, int):
            budget.write(len(many) * max(times, 0))
    return _power(left, 1) and _power(right, 1)


def _power(base: Any, exponent: Any) -> bool:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * exponent > _MAX_NUMBER:
        raise TemplateTooCostly("it computes a number that is too large")
    return True


def _format(text: Any) -> bool:
    if isinstance(text, str) and _WIDE_FIELD.search(text):
        raise TemplateTooCostly("it writes a field that is too wide")
    return True


def _text_method(text: str, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], budget: _Budget) -> None:
    """Charge what a method of a text is about to make."""
    values = (*args, *kwargs.values())
    budget.number(*values)
    if name == "replace" and len(args) > 1 and isinstance(args[0], str) and isinstance(args[1], str):
        budget.write(text.count(args[0]) * len(args[1]))
    elif name == "join" and args and isinstance(args[0], list | tuple):
        budget.write(len(text) * len(args[0]))
    elif name in ("format", "format_map"):
        _format(text)


def _filter(function: Callable[..., Any], budget: _Budget) -> Callable[..., Any]:
    """Return a filter that charges what it is about to make, and then what it made."""

    @wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        values = (*args, *kwargs.values())
        budget.number(*values)
        for value in values:
            if isinstance(value, range | list | tuple | dict):
                budget.step(len(value) if isinstance(value, range) else len(value) // 8)
        texts = [len(value) for value in values if isinstance(value, str)]
        if len(texts) > 1:  # one text put into another: no more often than that has characters
            budget.write(min(max(texts) * min(texts), _MAX_CHARACTERS + 1) // 64)
        return budget.weigh(function(*args, **kwargs))

    return bounded
