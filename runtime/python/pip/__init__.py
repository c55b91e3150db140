"""Stands before the real pip on PYTHONPATH, for `python3 -m pip install` in preambles.

Every other use of pip gets the real one.
"""

import sys

# While `python3 -m pip` looks for pip/__main__.py, sys.argv[0] is "-m". Any other import means the
# real package.
if sys.argv[:1] != ["-m"]:
    import os

    _runtime = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    _path = list(sys.path)
    sys.path[:] = [entry for entry in _path if os.path.abspath(entry) != _runtime]
    del sys.modules["pip"]
    try:
        import pip  # noqa: F401
    finally:
        sys.path[:] = _path
