"""Pages that need not be drawn again: a page carries a digest of everything that it was made from."""

from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path

from neuronsim.atomic_write import sha256_file, sha256_of

_MARK = '<meta name="made-from" content="{}">'
_HEAD = 4096  # bytes of a page within which its digest stands


def digest_of(inputs: Iterable[str]) -> str:
    """Digest of the inputs of a page (their digests, names, numbers as text, in order) and of the code that draws it."""
    return sha256_of("\n".join([_code(), *inputs]))


def is_made_from(page: Path, digest: str) -> bool:
    """True when the file ``page`` says that it was made from what ``digest`` stands for."""
    try:
        with page.open("rb") as stream:
            return _MARK.format(digest).encode() in stream.read(_HEAD)
    except OSError:
        return False


@cache
def _code() -> str:
    """Digest of the package's sources: another version of it may draw another page."""
    sources = (p for p in Path(str(resources.files("neuronsim"))).rglob("*") if p.suffix in (".py", ".html", ".css"))
    return sha256_of("".join(sha256_file(path) for path in sorted(sources)))
