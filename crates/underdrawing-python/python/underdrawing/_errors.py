"""What goes wrong, by what can be done about it. The messages are the program's."""


class UnderdrawingError(Exception):
    """Anything that this package refuses or cannot do; all others below are of this class."""


class NothingFoundError(UnderdrawingError):
    """Nothing is hidden there that opens without a password."""


class WrongPasswordError(UnderdrawingError):
    """Nothing is hidden there that opens with this password, or without."""


class DamagedError(UnderdrawingError):
    """A container that was changed since it was written; `salvage=True` may reveal a part."""


class NewerError(UnderdrawingError):
    """A container of a newer underdrawing."""


class UnknownModelError(UnderdrawingError):
    """A container of a model that is neither built in nor given."""


class TooSmallError(UnderdrawingError, ValueError):
    """A picture that is too small for what was asked of it."""


class OptionError(UnderdrawingError, ValueError):
    """An option outside its range, or one that does not go with the others."""


class LimitError(UnderdrawingError, ValueError):
    """A picture over the limits, or of no pixels at all."""


class PictureError(UnderdrawingError, ValueError):
    """A picture that is not read or written here: its file is damaged, unknown or of a kind that
    would change pixels, its array has other numbers than 8-bit samples, or it is no picture."""


class ModelFileError(UnderdrawingError, ValueError):
    """A model file that is damaged, newer, or none."""


class TrainingError(UnderdrawingError):
    """A training run that cannot start or go on."""
