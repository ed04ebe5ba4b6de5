def get_worker_info() -> None:
    """There are no workers: the process itself loads its prompts."""
