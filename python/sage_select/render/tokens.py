"""A row as the tokens a model sees, with the mask of what it is trained on.

One rendering serves scoring, training and evaluation, so that a score is the loss the trainer will meet.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from sage_select.errors import DataError, UsageError, Where
from sage_select.io.guards.panics import panics_refused
from sage_select.render.adapt import adapt, spelled_once, split_thought
from sage_select.render.chat import INDEX, VERBATIM, ChatTemplate, TemplateRefused, choose_templates
from sage_select.render.example import Conversation, Example, Text, is_answer
from sage_select.render.lost import Part, absent, parts_of, probe_words
from sage_select.render.mask import tokens_within
from sage_select.render.messages import THOUGHTS, thought_of
from sage_select.render.probe import Support, probe, usable
from sage_select.render.seen import Seen
from sage_select.render.sequences import History, TextSequence, Unprompted, Writer, ended
from sage_select.render.truncate import cut_parts, keep_end, keep_start

__all__ = ["IGNORED", "Encoded", "Predicted", "Renderer"]

Message = dict[str, Any]

#: The label of a token that is not trained.
IGNORED: Final = -100
_RENDERING_VERSION: Final = 3


@dataclass(frozen=True)
class Encoded:
    """One training example as tokens.

    Parameters
    ----------
    input_ids
        Token ids, at most `max_length`.
    labels
        The same ids where a token is trained, -100 elsewhere and for the first token, which nothing predicts.
    trained
        Labels that are not -100.
    cut
        Tokens removed because the row was too long.
    cut_parts
        What was cut that a reader would miss: `system turn`, `tools`.
    """

    input_ids: list[int]
    labels: list[int]
    trained: int
    cut: int
    cut_parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Predicted:
    """One turn of the assistant as it is to be generated.

    Parameters
    ----------
    message
        Number of the message in the row, from 0.
    prompt
        Token ids from which it is generated; its history is as the template writes it at that point.
    text
        What the template writes for the turn, with the token that ends it.
    """

    message: int
    prompt: list[int]
    text: str


@dataclass(frozen=True)
class _Form:
    """A template and what it can write."""

    template: ChatTemplate
    support: Support


@dataclass(frozen=True)
class _Habits:
    """What a template does to all conversations that are built alike.

    Parameters
    ----------
    hidden
        (message, kind) of what it leaves out.
    unprompted
        Trained messages that begin otherwise than they are asked for.
    """

    hidden: frozenset[tuple[int, str]] = frozenset()
    unprompted: tuple[Unprompted, ...] = ()


class Renderer:
    """Renders examples for one tokenizer.

    Parameters
    ----------
    tokenizer
        A fast tokenizer of transformers.
    max_length
        The most tokens a training example may have.
    chat_template
        A Jinja template in place of the tokenizer's own. With `{% generation %}` markers it says itself what is
        trained; without, that is found by rendering prefixes.
    history
        What becomes of turns that the template writes differently once others follow: `split` trains each in an
        example of its own, `last` trains only the turns that one text holds as they were.

    Raises
    ------
    UsageError
        `max_length` is below 2, the tokenizer has no offsets, or the template cannot write anything.

    Notes
    -----
    Conversations train what the assistant says, thinks and calls, with the token that ends the turn; turns of weight 0
    and empty ones are context only. Plain texts train every token, with the end token appended where there is one.
    """

    def __init__(
        self, tokenizer: Any, *, max_length: int, chat_template: str | None = None, history: History = "split"
    ) -> None:
        if max_length < 2:
            raise UsageError(f"the maximum length is {max_length} tokens", expected="at least 2")
        if not getattr(tokenizer, "is_fast", False):
            raise UsageError(
                f"the tokenizer ({type(tokenizer).__name__}) cannot tell which characters a token covers",
                expected="a fast tokenizer (a tokenizer.json)",
            )
        self.max_length = max_length
        self.tokenizer = tokenizer
        self._history: History = history
        special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
        special.update(tokenizer.all_special_tokens)
        self._ends = sorted(special, key=lambda text: (-len(text), text))
        self._special = re.compile("|".join(map(re.escape, self._ends)) or r"(?!)")
        self._forms = {name: self._form(one) for name, one in choose_templates(tokenizer, chat_template).items()}
        self._probed: dict[tuple[Any, ...], _Habits] = {}
        self.seen = Seen()

    def _form(self, template: ChatTemplate) -> _Form:
        template = usable(template)
        return _Form(template, probe(template, self._special))

    @property
    def chat_template(self) -> str | dict[str, str]:
        """The template in use, or the named ones; save it with a trained model, so that it is used as trained."""
        texts = {name: form.template.text for name, form in self._forms.items()}
        return texts if len(texts) > 1 else texts["default"]

    @property
    def stop_tokens(self) -> list[str]:
        """Texts of the tokens that end a turn of the rows encoded so far, the usual one first, and the end token."""
        return self.seen.stops(self.tokenizer.eos_token)

    @property
    def notices(self) -> list[str]:
        """What the user should know of the rows encoded so far, one line each."""
        default = self._forms["default"]
        return self.seen.lines(default.template, default.support, self.tokenizer.eos_token)

    @property
    def fingerprint(self) -> str:
        """Hex digest of everything but the row and the length that decides the tokens."""
        backend = json.loads(self.tokenizer.backend_tokenizer.to_str())
        for state in ("truncation", "padding"):  # left there by earlier calls, and overridden in each of ours
            backend.pop(state, None)
        special = self._forms["default"].template.special_tokens
        parts = [_RENDERING_VERSION, self._history, self.chat_template, special, backend]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def encode(self, example: Example, where: Where | None = None) -> Encoded:
        """Return the tokens and labels of a row that makes one training example; it raises as `encode_all` does.

        Raises
        ------
        DataError
            The row makes several.
        """
        encoded = self.encode_all(example, where)
        if len(encoded) != 1:
            raise DataError(f"the row makes {len(encoded)} training examples", where=where)
        return encoded[0]

    def encode_all(self, example: Example, where: Where | None = None) -> list[Encoded]:
        """Return the training examples of one row, at least one.

        A row with nothing to train comes back with `trained == 0`; the caller drops and counts it.

        Raises
        ------
        DataError
            The template refuses the conversation, or does not tell where a turn lies.
        UsageError
            The template takes more time or memory than a template may.
        """
        if isinstance(example, Text):
            return [self._encode_text(example.text)]
        if not example.messages:
            return [Encoded([], [], 0, 0)]
        form, prepared = self._prepared(example)
        writer, changes = self._writer(form, prepared)
        if [turn["content"] for turn in prepared.messages] != [turn["content"] for turn in example.messages]:
            changes.insert(0, "spelled")
        try:
            sequences = self._sequences(form, writer)
        except TemplateRefused as error:
            raise _refused(error, where) from None
        self.seen.conversation(
            changes,
            special=self._special_in(*(message["content"] for message in example.messages)),
            examples=len(sequences),
            untrained=writer.untrained(sequences),
        )
        habits = self._habits(prepared, form)
        lost = self._lost(prepared, habits, sequences)
        if lost:
            self.seen.lost.add("a row" if where is None else f"row {where.row}", lost)
        self.seen.unprompted(habits.unprompted)
        for one in sequences:
            self.seen.ends(one, self._special, self._ends)
        return [self._encoded(one, example) for one in sequences]

    def predicted(self, example: Example, where: Where | None = None, *, room: int = 0) -> list[Predicted]:
        """Return each trained turn of the assistant as it is to be generated, in order; none for a text.

        Where a prompt is more than `max_length - room` tokens, the last ones are kept, as in training.

        Raises
        ------
        DataError
            The template refuses the conversation, or does not tell where a turn lies.
        """
        if isinstance(example, Text):
            return []
        try:
            answers = list(self._writer(*self._prepared(example))[0].answers())
        except TemplateRefused as error:
            raise _refused(error, where) from None
        room = max(1, self.max_length - room)
        return [Predicted(one.message, self._tokenised(one.prompt)[0][-room:], one.text) for one in answers]

    def prompt(self, example: Example, where: Where | None = None, *, room: int = 0) -> list[int]:
        """Return the tokens from which the last trained assistant turn is to be generated; see `predicted`.

        Raises
        ------
        DataError
            The example has no assistant turn that is trained.
        """
        predicted = self.predicted(example, where, room=room)
        if not predicted:
            raise DataError("the row has no assistant turn to generate", where=where)
        return predicted[-1].prompt

    def _encode_text(self, text: str) -> Encoded:
        if not text:
            return Encoded([], [], 0, 0)
        self.seen.text(self._special_in(text))
        begin, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        if end is not None and text.rstrip().endswith(self.tokenizer.eos_token):
            text = text.rstrip()
        ids = list(self._encoding(text)["input_ids"])
        while begin is not None and ids[:2] == [begin, begin]:  # the row spells what the tokenizer adds
            del ids[0]
        while end is not None and ids[-1:] == [end]:
            del ids[-1]
        if end is not None:
            ids.append(end)
        return self._labelled(ids, [bool(text.strip())] * len(ids), keep_start(len(ids), self.max_length))

    def _encoding(self, text: str, **options: bool) -> Any:
        def gave_up(said: str) -> DataError:
            return DataError(
                f"the tokenizer gave up on the text that begins {text[:40]!r}",
                where=str(self.tokenizer.name_or_path),
                got=said,
                hint="the pattern in its tokenizer.json fails there: fetch the model again, or leave the row out",
            )

        with panics_refused(gave_up):
            return self.tokenizer(text, verbose=False, **options)

    def _prepared(self, example: Conversation) -> tuple[_Form, Conversation]:
        """Return the template for a row, and the row with turns that are numbered and spell nothing twice."""
        form = self._forms.get("tool_use" if example.tools else "default", self._forms["default"])
        turns = spelled_once(_numbered(example.messages), form.support, self.tokenizer.bos_token or "")
        return form, Conversation(turns, example.tools)

    def _writer(self, form: _Form, example: Conversation) -> tuple[Writer, list[str]]:
        turns, tools, changes = adapt(example.messages, example.tools, form.support)
        return Writer(form.template, turns, tools, self._ends), changes

    def _sequences(self, form: _Form, writer: Writer) -> list[TextSequence]:
        stop = form.support.end or self.tokenizer.eos_token or ""
        return [ended(one, self._special, self._ends, stop) for one in writer.sequences(self._history, _says)]

    def _lost(self, example: Conversation, habits: _Habits, sequences: list[TextSequence]) -> list[Part]:
        parts = list(parts_of(example.messages, example.tools))
        missing = absent(parts, [one.text for one in sequences])
        return missing + [part for part in parts if (part.message, part.kind) in habits.hidden and part not in missing]

    def _habits(self, example: Conversation, form: _Form) -> _Habits:
        """Return what the template does to all conversations that are built as this one is."""
        probes, alike = probe_words(example.messages)
        key = (id(form), bool(example.tools), alike)
        if key not in self._probed:
            self._probed[key] = self._habits_by_form(Conversation(probes, example.tools))
        return self._probed[key]

    def _habits_by_form(self, probes: Conversation) -> _Habits:
        form, prepared = self._prepared(probes)
        writer = self._writer(form, prepared)[0]
        try:
            texts = [one.text for one in self._sequences(form, writer)]
            unprompted = tuple(writer.unprompted())
        except TemplateRefused:
            return _Habits()
        hidden = absent(list(parts_of(probes.messages, [])), texts)
        return _Habits(frozenset((part.message, part.kind) for part in hidden), unprompted)

    def _encoded(self, sequence: TextSequence, example: Conversation) -> Encoded:
        ids, offsets = self._tokenised(sequence.text)
        spans = [span for turn in sorted(sequence.spans) for span in sequence.spans[turn]]
        trained = tokens_within(offsets, spans)
        kept = keep_end(trained, self.max_length)
        cut = cut_parts(sequence.text[: offsets[kept.start][0]], example.messages, example.tools) if kept.start else ()
        return self._labelled(ids, trained, kept, cut)

    def _labelled(self, ids: list[int], trained: list[bool], kept: slice, cut: tuple[str, ...] = ()) -> Encoded:
        inputs = ids[kept]
        labels = [token if train else IGNORED for token, train in zip(inputs, trained[kept], strict=True)]
        if kept.start and ids[0] == self.tokenizer.bos_token_id:
            inputs[0] = ids[0]  # models lean on the token that begins every text
        labels[:1] = [IGNORED] * len(labels[:1])
        return Encoded(inputs, labels, len(labels) - labels.count(IGNORED), len(ids) - len(labels), cut)

    def _tokenised(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        encoding = self._encoding(text, add_special_tokens=False, return_offsets_mapping=True)
        return list(encoding["input_ids"]), encoding["offset_mapping"]

    def _special_in(self, *texts: str) -> str:
        return next((match.group() for text in texts if (match := self._special.search(text))), "")


def _refused(error: TemplateRefused, where: Where | None) -> DataError:
    return DataError(
        f"the chat template refuses the conversation: {error}",
        where=where,
        hint="mend the row, or name another template with --chat-template",
    )


def _numbered(messages: list[Message]) -> list[Message]:
    """Return the turns with their numbers, thoughts by one name, and weight 0 for empty answers."""
    prepared = []
    for index, message in enumerate(messages):
        turn = {**message, INDEX: index}
        if turn["role"] == "assistant":
            thought = thought_of(turn)
            turn = {key: value for key, value in turn.items() if key not in THOUGHTS}
            if thought:
                turn["reasoning_content"] = thought
            if not is_answer(turn):
                turn["weight"] = 0
        prepared.append(turn)
    return prepared


def _says(turn: Message, text: str) -> bool:
    """Return whether a text holds what was thought before a turn."""
    thought = thought_of(turn).strip() or split_thought(turn.get(VERBATIM) or turn["content"])[0]
    return not thought or thought in text or not absent([Part(0, "thoughts", (thought,))], [text])
