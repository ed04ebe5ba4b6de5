"""How many files, and so connections, this process may have open: as many as the system lets it."""

from contextlib import suppress


def allow_open_files() -> None:
    """Raise the soft limit of file descriptors to the hard one, for this process and those that it starts."""
    try:
        import resource  # not on Windows
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS says unlimited, and does not take that
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
