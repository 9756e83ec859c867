"""A row as the tokens a model sees, with the mask of what it is trained on.

One rendering serves scoring, training and evaluation, so that a score is the loss the trainer will meet.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from sage_select.errors import DataError, UsageError, Where
from sage_select.io.guards.panics import panics_refused
from sage_select.render.chat import ChatTemplate, TemplateRefused, choose_templates
from sage_select.render.encoded import Encoded, Predicted
from sage_select.render.ends import any_of, ended, special_tokens
from sage_select.render.example import Conversation, Example, Text
from sage_select.render.form import Form, says
from sage_select.render.lost import Part, absent, parts_of, probe_words
from sage_select.render.mask import tokens_within
from sage_select.render.probe import probe, usable
from sage_select.render.seen import Seen
from sage_select.render.sequences import Answer, History, TextSequence, Unprompted, Writer
from sage_select.render.truncate import LONG_ROWS, LongRow, cut_parts, keep_end, keep_start
from sage_select.render.whole_turns import fewest_left_out, shorter_conversations

__all__ = ["IGNORED", "RENDERING_VERSION", "Encoded", "Predicted", "Renderer"]

Message = dict[str, Any]

#: The label of a token that is not trained.
IGNORED: Final = -100
#: Raised when the same row begins to give other tokens or labels.
RENDERING_VERSION: Final = 4


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
    variables
        What else the template is told, such as `enable_thinking`.
    on_long_row
        What becomes of examples with more tokens: `keep_turns` leaves out whole turns, the oldest first
        (`sage_select.render.whole_turns`), and the example where what has to stay is too long; of a plain text, which
        has no turns, it keeps the start. `keep_start` and `keep_end` keep as many tokens, `drop` none; so does `error`,
        and the caller refuses the rows.

    Raises
    ------
    UsageError
        `max_length` is below 2, there is no such policy, the tokenizer has no offsets, or the template cannot write
        anything.

    Notes
    -----
    Conversations train what the assistant says, thinks and calls, with the token that ends the turn; turns of weight 0
    and empty ones are context only. Plain texts train every token, with the end token appended where there is one.
    """

    def __init__(
        self,
        tokenizer: Any,
        *,
        max_length: int,
        chat_template: str | None = None,
        history: History = "split",
        on_long_row: LongRow = "keep_turns",
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        if max_length < 2:
            raise UsageError(f"the maximum length is {max_length} tokens", expected="at least 2")
        if on_long_row not in LONG_ROWS:
            raise UsageError(f"on_long_row is {on_long_row!r}", expected=", ".join(LONG_ROWS))
        if not getattr(tokenizer, "is_fast", False):
            raise UsageError(
                f"the tokenizer ({type(tokenizer).__name__}) cannot tell which characters a token covers",
                expected="a fast tokenizer (a tokenizer.json)",
            )
        self.max_length = max_length
        self.tokenizer = tokenizer
        self.on_long_row: LongRow = on_long_row
        self._history: History = history
        templates = {name: usable(one) for name, one in choose_templates(tokenizer, chat_template, variables).items()}
        self._ends = special_tokens(tokenizer, templates.values())
        self._special = any_of(self._ends)
        self._forms = {name: self._form(one) for name, one in templates.items()}
        self._probed: dict[tuple[Any, ...], _Habits] = {}
        self.seen = Seen()

    def _form(self, template: ChatTemplate) -> Form:
        return Form(template, probe(template, self._special), self.tokenizer.bos_token or "", self._ends)

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
    def special_ids(self) -> set[int]:
        """Ids of the tokens that may end a turn or have another meaning of their own."""
        return set(self.tokenizer.convert_tokens_to_ids(self._ends))

    @property
    def notices(self) -> list[str]:
        """What the user should know of the rows encoded so far, one line each."""
        default = self._forms["default"]
        return self.seen.lines(default.template, default.support, self.tokenizer.eos_token)

    @property
    def fingerprint(self) -> str:
        """Hex digest of everything but the row and the length that decides the tokens."""
        parts = [RENDERING_VERSION, self._history, self.on_long_row, self.chat_template, *self._tokenizer_parts()]
        if variables := self._forms["default"].template.variables:
            parts.append(dict(variables))
        return _digest(parts)

    @property
    def tokenizer_fingerprint(self) -> str:
        """Hex digest of what makes tokens of a text."""
        return _digest(self._tokenizer_parts())

    @property
    def template_fingerprint(self) -> str:
        """Hex digest of the chat template, and of what it is told besides the turns."""
        return _digest([self.chat_template, dict(self._forms["default"].template.variables)])

    def _tokenizer_parts(self) -> list[Any]:
        backend = json.loads(self.tokenizer.backend_tokenizer.to_str())
        for state in ("truncation", "padding"):  # left there by earlier calls, and overridden in each of ours
            backend.pop(state, None)
        return [self._forms["default"].template.special_tokens, backend]

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

        A row with nothing to train comes back with `trained == 0`, and so does an example that is too long and left
        out (`Encoded.left_out`); the caller drops and counts them. Each example of a row is judged alone.

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
        form = self._form_of(example)
        prepared = form.prepared(example)
        writer, changes = form.writer(prepared)
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
        return [self._encoded(form, example, writer, one) for one in sequences]

    def predicted(self, example: Example, where: Where | None = None) -> list[Predicted]:
        """Return each trained turn of the assistant as it is to be generated, in order; none for a text.

        Raises
        ------
        DataError
            The template refuses the conversation, or does not tell where a turn lies.
        """
        if isinstance(example, Text):
            return []
        try:
            form = self._form_of(example)
            answers = list(form.writer(form.prepared(example))[0].answers())
        except TemplateRefused as error:
            raise _refused(error, where) from None
        return [
            Predicted(one.message, ids, one.text, partial(self._prompt_within, example, one.message, ids))
            for one, ids in ((one, self._before(one)) for one in answers)
        ]

    def _before(self, answer: Answer) -> list[int]:
        """Return the tokens of a prompt that the answer does not begin within: its first token is for the model."""
        ids, offsets = self._tokenised(answer.prompt + answer.text)
        reach = len(answer.prompt)
        return ids[: next((place for place, (_, end) in enumerate(offsets) if end > reach), len(ids))]

    def _prompt_within(self, example: Conversation, message: int, prompt: list[int], most: int) -> list[int] | None:
        """Return the tokens from which a message is to be generated, at most so many; None where there are none."""
        if len(prompt) <= most:
            return prompt
        if self.on_long_row == "keep_end":
            return self._begun(prompt, prompt[-most:])
        if self.on_long_row != "keep_turns":
            return None
        form = self._form_of(example)
        shorter = shorter_conversations(example.messages, message)
        found: dict[int, list[int]] = {}

        def fits(kept: list[int]) -> bool:
            try:
                answers = form.writer(form.prepared(example, kept))[0].answers(message)
                ids = next(map(self._before, answers), None)
            except TemplateRefused:
                return False
            if ids is None or len(ids) > most:
                return False
            found[len(kept)] = ids
            return True

        place = fewest_left_out(shorter, fits)
        return found[len(shorter[place])] if place < len(shorter) else None

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
        trained = [bool(text.strip())] * len(ids)
        fits, policy = len(ids) <= self.max_length, self.on_long_row
        if not fits and policy in ("drop", "error"):
            return Encoded.nothing_of(trained)
        kept = keep_end(trained, self.max_length) if policy == "keep_end" else keep_start(len(ids), self.max_length)
        return self._labelled(ids, trained, kept)

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

    def _form_of(self, example: Conversation) -> Form:
        return self._forms.get("tool_use" if example.tools else "default", self._forms["default"])

    def _sequences(self, form: Form, writer: Writer, history: History | None = None) -> list[TextSequence]:
        stop = form.support.end or self.tokenizer.eos_token or ""
        texts = writer.sequences(history or self._history, says)
        return [ended(one, self._special, self._ends, stop) for one in texts]

    def _lost(self, example: Conversation, habits: _Habits, sequences: list[TextSequence]) -> list[Part]:
        parts = list(parts_of(example.messages, example.tools))
        missing = absent(parts, [one.text for one in sequences])
        return missing + [part for part in parts if (part.message, part.kind) in habits.hidden and part not in missing]

    def _habits(self, example: Conversation, form: Form) -> _Habits:
        """Return what the template does to all conversations that are built as this one is."""
        probes, alike = probe_words(example.messages)
        key = (id(form), bool(example.tools), alike)
        if key not in self._probed:
            self._probed[key] = self._habits_by_form(Conversation(probes, example.tools))
        return self._probed[key]

    def _habits_by_form(self, probes: Conversation) -> _Habits:
        form = self._form_of(probes)
        writer = form.writer(form.prepared(probes))[0]
        try:
            texts = [one.text for one in self._sequences(form, writer)]
            unprompted = tuple(writer.unprompted())
        except TemplateRefused:
            return _Habits()
        hidden = absent(list(parts_of(probes.messages, [])), texts)
        return _Habits(frozenset((part.message, part.kind) for part in hidden), unprompted)

    def _encoded(self, form: Form, example: Conversation, writer: Writer, sequence: TextSequence) -> Encoded:
        ids, offsets, trained = self._masked(sequence)
        if len(ids) <= self.max_length:
            return self._labelled(ids, trained, slice(0, len(ids)))
        if self.on_long_row == "keep_turns":
            return self._shortened(form, example, writer, sequence, trained)
        if self.on_long_row in ("drop", "error"):
            return Encoded.nothing_of(trained)
        if self.on_long_row == "keep_start":
            return self._labelled(ids, trained, keep_start(len(ids), self.max_length))
        kept = keep_end(trained, self.max_length)
        cut = cut_parts(sequence.text[: offsets[kept.start][0]], example.messages, example.tools) if kept.start else ()
        return self._labelled(ids, trained, kept, cut)

    def _shortened(
        self, form: Form, example: Conversation, writer: Writer, sequence: TextSequence, trained: list[bool]
    ) -> Encoded:
        """Return an example that is too long as it is written without its oldest turns."""
        wanted = writer.places(sequence.spans)
        shorter = shorter_conversations(example.messages, max((number for number, _ in wanted), default=-1))

        def without(kept: list[int]) -> Writer:
            return form.writer(form.prepared(example, kept))[0]

        def fits(kept: list[int]) -> bool:
            try:
                return len(self._tokenised(without(kept).text())[0]) <= self.max_length
            except TemplateRefused:
                return False

        for kept in shorter[fewest_left_out(shorter, fits) :]:
            writer = without(kept)
            try:
                one = self._sequences(form, writer, "last")[-1]
            except TemplateRefused:
                continue
            places = zip(writer.places(one.spans), one.spans.items(), strict=True)
            ids, _, now = self._masked(TextSequence(one.text, dict(own for place, own in places if place in wanted)))
            if len(ids) <= self.max_length and any(now):
                whole = self._labelled(ids, now, slice(0, len(ids)))
                return replace(whole, cut=len(trained) - len(ids), trained_cut=sum(trained[1:]) - whole.trained)
        return Encoded.nothing_of(trained)

    def _masked(self, sequence: TextSequence) -> tuple[list[int], list[tuple[int, int]], list[bool]]:
        """Return the tokens of a text, their characters, and whether each is trained."""
        ids, offsets = self._tokenised(sequence.text)
        spans = [span for turn in sorted(sequence.spans) for span in sequence.spans[turn]]
        return ids, offsets, tokens_within(offsets, spans)

    def _labelled(self, ids: list[int], trained: list[bool], kept: slice, cut: tuple[str, ...] = ()) -> Encoded:
        inputs = ids[kept]
        labels = [token if train else IGNORED for token, train in zip(inputs, trained[kept], strict=True)]
        labels[:1] = [IGNORED] * len(labels[:1])
        learned = len(labels) - labels.count(IGNORED)
        last = len(trained) - 1 - trained[::-1].index(True) - kept.start if True in trained else None
        return Encoded(
            self._begun(ids, inputs),
            labels,
            learned,
            len(ids) - len(labels),
            sum(trained[1:]) - learned,
            cut,
            last is None or (0 <= last < len(labels) and labels[last] != IGNORED),
        )

    def _begun(self, ids: list[int], kept: list[int]) -> list[int]:
        """Return what is kept of tokens with the token that begins the text, on which models lean."""
        return [ids[0], *kept[1:]] if kept and ids[0] == self.tokenizer.bos_token_id else kept

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


def _digest(parts: list[Any]) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
