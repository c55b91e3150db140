"""kfp_config.ini of an image with containerised components: which file holds which function."""

from __future__ import annotations

import pathlib

_FILE, _SECTION = "kfp_config.ini", "Components"


class KFPConfig:
    """Reads, extends and writes the file in `config_directory`, the current one by default."""

    def __init__(self, config_directory: pathlib.Path | None = None) -> None:
        from configparser import ConfigParser

        self._path = pathlib.Path(config_directory or ".") / _FILE
        self._parser = ConfigParser(interpolation=None)
        self._parser.optionxform = str  # type: ignore[assignment, method-assign]
        self._parser.read(self._path, encoding="utf-8")
        if not self._parser.has_section(_SECTION):
            self._parser.add_section(_SECTION)

    def add_component(self, function_name: str, path: pathlib.Path) -> None:
        self._parser[_SECTION][function_name] = str(path)

    def save(self) -> None:
        with self._path.open("w", encoding="utf-8") as file:
            self._parser.write(file)

    def get_components(self) -> dict[str, pathlib.Path]:
        return {name: pathlib.Path(path) for name, path in self._parser[_SECTION].items()}
