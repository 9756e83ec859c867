"""Text of others as it may be shown: on one line, without control characters, without credentials.

What comes from a spec, a file name, a column or a URL passes one of these on its way to a terminal, a log or a
manifest.
"""

from __future__ import annotations

import re

__all__ = ["counted", "displayed", "is_url", "one_line", "without_secrets"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]+(::|://)")
#: A URL, or a chain of them, in running text; one slash where a path library has taken the other.
_URL_IN_TEXT = re.compile(r"(?<![A-Za-z0-9+.\-])[A-Za-z][A-Za-z0-9+.\-]{1,40}:(?::|/)\S+")
#: What ends the sentence or the quotation around a URL, not the URL.
_CLOSING = "'\")]},;:."


def counted(count: int, noun: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row"), counted(0, "group")
    ('1 row', '1,200 rows', '0 groups')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def one_line(text: object) -> str:
    r"""Return text on one line: what is not printable, line breaks included, is escaped as Python does.

    Examples
    --------
    >>> one_line("a\x1b[2J\nerror: b")
    'a\\x1b[2J\\nerror: b'
    """
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in str(text))


def displayed(text: object) -> str:
    """Return running text on one line, any URL in it without its credentials.

    Examples
    --------
    >>> displayed("cannot read 'https://me:pass@host/a.jsonl?sig=1'")
    "cannot read 'https://host/a.jsonl'"
    """
    return one_line(_URL_IN_TEXT.sub(_bare, str(text)))


def _bare(match: re.Match[str]) -> str:
    url = match.group()
    bare = url.rstrip(_CLOSING)
    return without_secrets(bare) + url[len(bare) :]


def is_url(source: str) -> bool:
    """Tell whether `source` names a file system by a scheme.

    Examples
    --------
    >>> is_url("hf://datasets/a/b/train.parquet"), is_url("data/train.parquet")
    (True, False)
    """
    return _URL.match(source) is not None


def without_secrets(url: str) -> str:
    """Return a URL, or a chain of them, as it may be shown: no user, password, query or fragment.

    Where it cannot be told whether something is a password, it goes.

    Examples
    --------
    >>> without_secrets("s3://key:sec/ret@bucket/rows.jsonl?token=abc")
    's3://bucket/rows.jsonl'
    >>> without_secrets("zip://a.csv::ftp://me:pass@host/all.zip")
    'zip://a.csv::ftp://host/all.zip'
    >>> without_secrets("hf://datasets/a/b@main/train.parquet")
    'hf://datasets/a/b@main/train.parquet'
    """
    links = url.split("::")
    for index, link in enumerate(links):
        if _cut_password(link):
            # A password with `::` in it looks like two links of a chain.
            return "::".join([*map(_link, links[:index]), _link("::".join(links[index:]))])
    return "::".join(map(_link, links))


def _parts(link: str) -> tuple[str, str]:
    match = re.match(r"[A-Za-z][A-Za-z0-9+.\-]+:/{1,2}", link)
    scheme = match.group() if match else ""
    return scheme, link[len(scheme) :]


def _cut_password(link: str) -> bool:
    """Tell whether a link has `user:something` for its host, and no `@` behind it."""
    scheme, rest = _parts(link)
    host = re.split(r"[/?#]", rest, maxsplit=1)[0]
    port = host.rpartition(":")[2] if ":" in host else ""
    return bool(scheme) and "@" not in rest and bool(port) and not port.isdecimal() and not host.startswith("[")


def _link(link: str) -> str:
    scheme, rest = _parts(link)
    head = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = head.partition("/")
    if "@" in host:
        return scheme + host.rpartition("@")[2] + slash + path
    if "@" in head:
        before, _, after = head.rpartition("@")
        # Keys of S3 have slashes. `@` along a path, as before the revision of a Hugging Face repository, is no secret.
        return scheme + (after if ":" in before else head)
    if "@" in rest and ":" in host and not host.rpartition(":")[2].isdecimal():
        # The password has a `?` or `#` in it.
        after = rest.rpartition("@")[2]
        return scheme + re.split(r"[?#]", after, maxsplit=1)[0]
    return scheme + ("" if _cut_password(link) else head)
