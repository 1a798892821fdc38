"""Models of the network method."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Union

from . import _files, _native, _options
from ._errors import ModelFileError, OptionError


# What a model is made of.
_SOURCES = (str, os.PathLike, bytes, bytearray, memoryview)
# What of an architecture is no number.
_WORDS = ("kind", "shaping")
_EXPECTED = "a Model, the name of a built-in one, a path or bytes"


class Model:
    """Networks that hide and reveal: a built-in model, or one from a file.

    `Model()` is the default one, `Model("lifting-3")` another built-in one, `Model(path)` or
    `Model(bytes)` a model file as `train` writes it.

    Raises `ModelFileError` for a file that is none, `OptionError` for a name that is neither.
    """

    _native: _native.Model

    def __init__(
        self, source: Union[str, os.PathLike[str], bytes, bytearray, memoryview, None] = None
    ) -> None:
        if source is None or (isinstance(source, str) and source in dict(Model.built_in())):
            self._native = _native.Model.built_in(source)
        elif not isinstance(source, _SOURCES):
            raise _options.other_kind("model", _EXPECTED, source)
        elif isinstance(source, (bytes, bytearray, memoryview)):
            self._native = _native.Model.from_bytes(bytes(source))
        elif isinstance(source, str) and not Path(source).is_file():
            names = ", ".join(dict(Model.built_in()))
            raise OptionError(f"no model {source}: neither a built-in model ({names}) nor a file")
        else:
            try:
                self._native = _native.Model.from_bytes(Path(source).read_bytes())
            except ModelFileError as error:
                raise ModelFileError(f"{source}: {error}") from None

    @staticmethod
    def fresh(architecture: dict[str, Any], *, seed: int = 0) -> Model:
        """A model that has learned nothing yet, as `train` begins with it.

        `architecture` is as the property of the same name has it (docs/format.md, 1.2):
        `{"kind": "lifting", "blocks": 6, "width": 32, "shaping": True}`,
        `{"kind": "2018", "hiding": {"width": 64, "depth": 7}, "reveal": {"width": 64}}` or
        `{"kind": "2017", "width": 50}`. Equal seeds give equal models.

        Raises `OptionError` for an architecture that there is not.
        """
        model = Model.__new__(Model)
        if not isinstance(architecture, dict):
            raise _options.other_kind("architecture", "a dict", architecture)
        whole_seed = _options.whole("seed", seed) or 0
        checked = _numbers("architecture", architecture)
        model._native = _native.Model.fresh(json.dumps(checked), whole_seed)
        return model

    @staticmethod
    def built_in() -> list[tuple[str, str]]:
        """Names of the built-in models and what they are, the default one first."""
        return _native.Model.built_in_names()

    @property
    def id(self) -> str:
        """16 hexadecimal digits, of architecture and parameters; containers name it."""
        return self._native.id

    @property
    def parameters(self) -> int:
        """Parameters of all networks."""
        return self._native.parameters

    @property
    def architecture(self) -> dict[str, Any]:
        """What the networks are built of."""
        architecture: dict[str, Any] = json.loads(self._native.architecture)
        return architecture

    @property
    def training(self) -> dict[str, Any]:
        """How the model came about: settings, seed, steps and quality reached."""
        training: dict[str, Any] = json.loads(self._native.training)
        return training

    def to_bytes(self, *, half: bool = False) -> bytes:
        """The model file (safetensors), with parameters of 32 bits, or with `half` of 16.

        Parameters that 16 bits do not hold are rounded, and the file is of another model with
        another id. Those of `lifting-5`, `lifting-4` and other files of 16 bits stay as they are, and
        so does the id.
        """
        return self._native.to_bytes(half)

    def save(self, path: Union[str, os.PathLike[str]], *, force: bool = False) -> None:
        """Writes the model file. An existing file is not replaced without `force`."""
        path = _options.path("path", path)
        _files.check_output(path, force)
        _files.write(path, self.to_bytes(), force)

    def __repr__(self) -> str:
        return f"<Model {self.id}, {self.architecture['kind']}, {self.parameters} parameters>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> Any:
        return Model, (self.to_bytes(),)


def _numbers(name: str, value: Any) -> Any:
    """An architecture with its numbers checked; the native functions know its words."""
    if isinstance(value, dict):
        return {
            key: field if key in _WORDS else _numbers(f"{name} {key}", field)
            for key, field in value.items()
        }
    if value is None:
        raise _options.other_kind(name, "a whole number from 1 up", value)
    return _options.whole(name, value, 1)


def native_model(model: Any, role: str = "model") -> Any:
    """The native model of a `Model`, or of what makes one."""
    if model is None:
        return None
    if isinstance(model, Model):
        return model._native
    if not isinstance(model, _SOURCES):
        raise _options.other_kind(role, _EXPECTED, model)
    return Model(model)._native
