"""Every check, in the order they are run."""

from . import retries, batches, errors, doors, changes, paging, access, identifiers, limits, always  # noqa: F401
