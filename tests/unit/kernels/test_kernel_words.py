# ruff: noqa: RUF001
"""Words of every script: sentences that say the same are about as long, and near copies are near, in all of them."""

from __future__ import annotations

import itertools
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sage_select
from sage_select import kernels

#: One sentence, the same with another place, one on something else; and the words of the first.
SENTENCES = {
    "English": (
        "I went to the library today to study the history of Paris.",
        "I went to the library today to study the history of London.",
        "Please boil the noodles for eight minutes and add salt.",
        12,
    ),
    "Chinese": ("我今天去图书馆学习巴黎的历史。", "我今天去图书馆学习伦敦的历史。", "请把面条煮八分钟然后加盐。", 9),
    "Japanese": (
        "私は今日、図書館へパリの歴史を勉強しに行きました。",
        "私は今日、図書館へロンドンの歴史を勉強しに行きました。",
        "麺を八分ゆでて、塩を加えてください。",
        15,
    ),
    "Thai": (
        "วันนี้ฉันไปห้องสมุดเพื่อเรียนประวัติศาสตร์ของปารีส",
        "วันนี้ฉันไปห้องสมุดเพื่อเรียนประวัติศาสตร์ของลอนดอน",
        "กรุณาต้มเส้นก๋วยเตี๋ยวแปดนาทีแล้วใส่เกลือ",
        11,
    ),
    "Korean": (
        "저는 오늘 파리의 역사를 공부하러 도서관에 갔어요.",
        "저는 오늘 런던의 역사를 공부하러 도서관에 갔어요.",
        "국수를 팔 분 동안 삶고 소금을 넣어 주세요.",
        7,
    ),
    "Arabic": (
        "ذهبتُ اليوم إلى المكتبة لدراسة تاريخ باريس.",
        "ذهبتُ اليوم إلى المكتبة لدراسة تاريخ لندن.",
        "من فضلك اسلق المعكرونة ثماني دقائق وأضف الملح.",
        7,
    ),
    "Hindi": (
        "मैं आज पेरिस का इतिहास पढ़ने पुस्तकालय गया।",
        "मैं आज लंदन का इतिहास पढ़ने पुस्तकालय गया।",
        "कृपया नूडल्स को आठ मिनट उबालें और नमक डालें।",
        8,
    ),
    "mixed": (
        "请用 GitHub Copilot 写一个 Python 函数，计算 1,000 个数的和。",
        "请用 GitHub Copilot 写一个 Rust 函数，计算 1,000 个数的和。",
        "明天北京天气怎么样？会下雨吗？",
        14,
    ),
}
LANGUAGES = pytest.mark.parametrize("language", SENTENCES)


def counts(*texts: str) -> list[int]:
    return kernels.word_counts(pa.array(texts)).tolist()


@LANGUAGES
def test_a_sentence_has_its_words(language: str) -> None:
    sentence, _, _, words = SENTENCES[language]
    assert counts(sentence) == [words]
    assert kernels.lexical_difficulty(pa.array([sentence]))[0] > 5


@LANGUAGES
def test_near_copies_are_near_and_others_are_not(language: str) -> None:
    vectors, empty_texts = kernels.hashing_encoder(pa.array(SENTENCES[language][:3]))
    assert empty_texts == 0
    assert vectors[0] @ vectors[1] > 0.5
    assert abs(vectors[0] @ vectors[2]) < 0.25


@LANGUAGES
def test_a_budget_in_words_holds_as_many_rows_as_fit(language: str) -> None:
    words = SENTENCES[language][3]
    rows = [{"text": f"{SENTENCES[language][0]} {number}"} for number in range(12)]
    picked = sage_select.select(rows, strategy="random", budget=f"{3 * (words + 1)} tokens", dedup=None)
    assert len(picked) == 3


@LANGUAGES
def test_near_copies_leave(language: str) -> None:
    first, near, other, _ = SENTENCES[language]
    rows = [{"text": first}, {"text": near}, {"text": other}]
    picked = sage_select.select(rows, k=2, strategy="diversity", dedup="near", dedup_threshold=0.5)
    assert sorted(picked.indices.tolist()) == [0, 2]


@LANGUAGES
def test_the_normal_form_does_not_matter(language: str) -> None:
    texts = pa.array([unicodedata.normalize(form, SENTENCES[language][0]) for form in ("NFC", "NFD")])
    assert len(set(kernels.word_counts(texts).tolist())) == 1
    vectors, _ = kernels.hashing_encoder(texts)
    assert np.array_equal(vectors[0], vectors[1])


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.one_of(st.sampled_from([text for texts in SENTENCES.values() for text in texts[:3]]), st.text())),
    st.lists(st.integers(0, 9), max_size=4),
)
def test_threads_and_chunks_change_nothing(texts: list[str], cuts: list[int]) -> None:
    whole = pa.chunked_array([pa.array(texts, pa.string())])
    ends = [0, *sorted(min(cut, len(texts)) for cut in cuts), len(texts)]
    cut = pa.chunked_array([texts[a:b] for a, b in itertools.pairwise(ends)], pa.string())
    assert np.array_equal(kernels.word_counts(whole, threads=1), kernels.word_counts(cut, threads=3))
    assert np.array_equal(kernels.lexical_difficulty(whole, threads=1), kernels.lexical_difficulty(cut, threads=3))
    one, other = kernels.hashing_encoder(whole, threads=1), kernels.hashing_encoder(cut, threads=3)
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a", 1),
        ("...", 0),
        ("😀👩\u200d👧", 0),
        ("\u202e\u200f", 0),
        ("\0\x01\x7f", 0),
        ("\u0301\u0e48", 0),
        ("e\u0301", 1),
        ("\u4e2d", None),
        ("\u6211\u4eec\u53bb\u5b66\u6821", None),
        ("\u0e09\u0e31\u0e19", None),
    ],
)
def test_rows_of_a_megabyte_without_a_space(text: str, words: int | None) -> None:
    # By the square of its length any of these would take hours.
    row = text * (1_000_000 // len(text.encode()))
    [found] = counts(row)
    if words is not None:
        assert found == words
    else:
        assert found > len(row) / 8
    vectors, empty_texts = kernels.hashing_encoder(pa.array([row]), dimensions=8)
    assert empty_texts == (found == 0)
    assert np.isfinite(vectors).all()
    assert np.isfinite(kernels.lexical_difficulty(pa.array([row]))).all()


def test_empty_texts_have_no_words() -> None:
    assert counts("", " ", "\u3000") == [0, 0, 0]
