"""Warm workers of a home."""

from harness.faults import find_processes

# One that imports, and its forks but for one that has become a step.
ALL_OF_A_KIND = 5


def waiting_workers(cresset):
    """Interpreters that wait, and their forks that are no step yet."""
    home = f"{cresset.home}/".encode()
    return find_processes(
        lambda process: (
            any(
                word.startswith(home) and word.endswith(b"cresset_zygote.py")
                for word in process.words
            )
            and any(word.startswith(b"CRESSET_ATTEMPT=no attempt") for word in process.variables)
            and process.leads()
        )
    )
