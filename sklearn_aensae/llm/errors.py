"""Why a model could not be loaded: its name, the account or the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def explained(name: str, revision: str | None) -> Iterator[None]:
    """Replace the hub's errors inside the block by one that says what is at fault."""
    try:
        yield
    except (OSError, ValueError) as error:
        explanation = _explanation(error, name, revision)
        if explanation is None:
            raise
        raise explanation from error


def _explanation(error: BaseException, name: str, revision: str | None) -> Exception | None:
    """Return the error to raise instead, or None when the original says it best."""
    from huggingface_hub import errors as hub

    causes = tuple(_chain(error))

    def caused_by(*kinds: type[BaseException]) -> bool:
        return any(isinstance(cause, kinds) for cause in causes)

    # A gated repository is also a "not found" one for the hub: ask for it first.
    if caused_by(hub.GatedRepoError):
        return PermissionError(
            f"Model {name!r} is gated: accept its terms on its page and log in "
            "(`hf auth login`, or the environment variable HF_TOKEN)."
        )
    if caused_by(hub.RevisionNotFoundError):
        return ValueError(f"Model {name!r} has no revision={revision!r}.")
    if caused_by(hub.RepositoryNotFoundError):
        return ValueError(
            f"The name is at fault: the hub answered, and has no model {name!r} that this "
            "account may see (a private one needs `hf auth login` or HF_TOKEN)."
        )
    if caused_by(hub.HFValidationError):
        return ValueError(f"{name!r} is neither an existing folder nor a well-formed hub name.")
    if caused_by(hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, ConnectionError):
        return ConnectionError(
            f"The network is at fault: the hub could not be reached, and {name!r} is neither a "
            "folder nor in the local cache. Whether the name exists is not known."
        )
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error, then what caused it, back to the first."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
