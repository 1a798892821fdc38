"""Hides a folder or bucket of secrets in one of covers, on a machine's cores or a cluster of Ray.

    python examples/ray_folder.py COVERS SECRETS OUT --effort fast
    python examples/ray_folder.py s3://in/covers s3://in/secrets s3://out --address auto --workers 64

Covers and secrets go together by the order of their names; a container is written to OUT under its
cover's name, as the program writes it: the same bytes as of `underdrawing hide COVERS SECRETS -o
OUT`. OUT/figures.parquet has a row for each pair: names, decibels, bytes, seconds, and why a pair
failed. The same command once more goes on where it was stopped, whatever stopped it. Exit code 1
where pairs failed.

OUT/options.json notes what OUT was begun with: places, options, and a salted hash of the password.
Other ones are refused, and so are files that came or went so that covers have other secrets than
those that are hidden already. Files that were only changed are not noticed: what is done stays.

Needs `pip install "underdrawing[ray]"` here and on the cluster. Places are paths, or addresses that
`pyarrow.fs.FileSystem.from_uri` knows, and must be within reach of all machines.
"""

from __future__ import annotations

import argparse
import codecs
import hashlib
import json
import os
import posixpath
import secrets as randomness
import sys
import time
from typing import Any

# Arrow, Ray and underdrawing are imported where they are used: --help needs none of them.

# Files whose names say that they are read.
EXTENSIONS = (
    "png jpg jpeg jpe jfif webp bmp tif tiff gif qoi pnm pbm pgm ppm pam".split()
)
# Files of this name begin so until they are whole.
UNFINISHED = ".underdrawing-"
FIGURES = "figures.parquet"
# Columns of the figures and Arrow's names of their types.
COLUMNS = {
    "cover": "string",
    "secret": "string",
    "container": "string",
    "method": "string",
    "container_psnr_db": "float64",
    "revealed_psnr_db": "float64",
    "bytes": "int64",
    "seconds": "float64",
    "error": "string",
}
OPTIONS = "options.json"
# What is noted there and is no option of hiding.
NOT_OF_HIDING = ("covers", "secrets", "cycle")
# The names of options here that are others in Python.
FLAGS = {"covers": "COVERS", "secrets": "SECRETS", "channel": "--for", "password": "--password-file"}


class Place:
    """A folder, on a disk or in a bucket."""

    def __init__(self, address: str) -> None:
        from pyarrow import fs

        if "://" in address:
            self._files, self._path = fs.FileSystem.from_uri(address)
            self.address = address.rstrip("/")
        else:
            self._files, self._path = fs.LocalFileSystem(), os.path.abspath(address)
            self.address = os.path.realpath(address)

    def is_same(self, other: "Place") -> bool:
        """Whether both are one place."""
        mine, others = os.path.realpath(self._path), os.path.realpath(other._path)
        return self._files.equals(other._files) and mine == others

    def names(self, folder: str = "") -> list[str]:
        """Names of the files there, sorted; none where there is no such folder."""
        from pyarrow import fs

        place = fs.FileSelector(self._at(folder), allow_not_found=True)
        found = self._files.get_file_info(place)
        return sorted(info.base_name for info in found if info.is_file)

    def read(self, name: str) -> bytes:
        with self._files.open_input_stream(self._at(name)) as file:
            return file.read()

    def write(self, name: str, content: bytes) -> None:
        """Writes a file that appears whole: buckets do that by themselves, on disks it takes another
        name."""
        path = self._at(name)
        if self._files.type_name != "local":
            with self._files.open_output_stream(path) as file:
                file.write(content)
            return
        self._files.create_dir(posixpath.dirname(path))
        unfinished = f"{UNFINISHED}{randomness.token_hex(8)}"
        unfinished = posixpath.join(posixpath.dirname(path), unfinished)
        with self._files.open_output_stream(unfinished) as file:
            file.write(content)
        self._files.move(unfinished, path)

    def remove(self, name: str) -> None:
        self._files.delete_file(self._at(name))

    def _at(self, name: str) -> str:
        return posixpath.join(self._path, name) if name else self._path


class Figures:
    """The figures of what is done: one file, and parts of batches that are not in it yet."""

    def __init__(self, out: Place) -> None:
        self._out = out

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Notes a batch. The same batch has the same file, should it be done twice."""
        names = "\n".join(row["cover"] for row in rows).encode()
        part = f"figures/{hashlib.sha256(names).hexdigest()[:16]}.parquet"
        self._write(part, rows)

    def gather(self) -> dict[str, dict[str, Any]]:
        """All rows by cover; they are in one file afterwards."""
        parts = [f"figures/{name}" for name in self._out.names("figures")]
        parts = [part for part in parts if part.endswith(".parquet")]
        whole = [FIGURES] if FIGURES in self._out.names() else []
        rows = {row["cover"]: row for file in whole + parts for row in self._read(file)}
        if parts:
            self._write(FIGURES, [rows[cover] for cover in sorted(rows)])
            for part in parts:
                self._out.remove(part)
        return rows

    def _read(self, file: str) -> list[dict[str, Any]]:
        import pyarrow
        from pyarrow import parquet

        buffer = pyarrow.BufferReader(self._out.read(file))
        return parquet.read_table(buffer, schema=self._schema()).to_pylist()

    def _write(self, file: str, rows: list[dict[str, Any]]) -> None:
        import pyarrow
        from pyarrow import parquet

        sink = pyarrow.BufferOutputStream()
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema=self._schema()), sink)
        self._out.write(file, sink.getvalue().to_pybytes())

    @staticmethod
    def _schema() -> Any:
        import pyarrow

        return pyarrow.schema(
            [(name, pyarrow.type_for_alias(kind)) for name, kind in COLUMNS.items()]
        )


class HideAndStore:
    """What an actor does with a batch: reads, hides, writes containers, then the figures. A batch
    whose figures are there is done; any other is done again, and gives the same bytes."""

    def __init__(self, covers: str, secrets: str, out: str, options: dict[str, Any]) -> None:
        import underdrawing.ray

        self._covers, self._secrets, self._out = Place(covers), Place(secrets), Place(out)
        self._figures = Figures(self._out)
        self._hide = underdrawing.ray.Hide(format="png", **options)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = [self._pair(*names) for names in zip(batch["cover"], batch["secret"])]
        self._figures.add(rows)
        return {"error": [row["error"] for row in rows]}

    def _pair(self, cover: str, secret: str) -> dict[str, Any]:
        row = {"cover": str(cover), "secret": str(secret), "container": container_of(cover)}
        try:
            files = {"cover": [self._covers.read(cover)], "secret": [self._secrets.read(secret)]}
        except OSError as error:
            return {**row, "method": "", "bytes": 0, "error": f"{type(error).__name__}: {error}"}
        hidden = {name: column[0] for name, column in self._hide(files).items()}
        del hidden["cover"], hidden["secret"]
        file = hidden.pop("container")
        if not hidden["error"]:
            self._out.write(row["container"], file)
        return {**hidden, **row, "bytes": len(file)}


def container_of(cover: str) -> str:
    return f"{posixpath.splitext(cover)[0]}.png"


def pictures(place: Place, what: str) -> list[str]:
    """Pictures by their names, as the program takes them."""
    found = [
        name
        for name in place.names()
        if not name.startswith(".") and name.rpartition(".")[2].lower() in EXTENSIONS
    ]
    if not found:
        sys.exit(f"error: {what} holds no pictures")
    return found


def paired(covers: list[str], secrets: list[str], cycle: bool) -> list[dict[str, str]]:
    """Covers and secrets by position; a cover is used once."""
    if len(secrets) > len(covers) or (len(secrets) < len(covers) and not cycle):
        sys.exit(
            f"error: {len(covers)} covers and {len(secrets)} secrets: expected as many of both, or "
            "fewer secrets and --cycle"
        )
    taken: dict[str, str] = {}
    for cover in covers:
        other = taken.setdefault(container_of(cover), cover)
        if other != cover:
            sys.exit(f"error: {other} and {cover} would both be written to {container_of(cover)}")
    return [
        {"cover": cover, "secret": secrets[index % len(secrets)]}
        for index, cover in enumerate(covers)
    ]


def fingerprint(password: bytes, salt: bytes) -> str:
    """What tells passwords apart, and costs a guess the memory that opening a container takes."""
    hashed = hashlib.scrypt(password, salt=salt, n=2**17, r=8, p=1, maxmem=2**28, dklen=32)
    return f"{salt.hex()} {hashed.hex()}"


def check_options(out: Place, options: dict[str, Any]) -> None:
    """Notes what OUT is begun with, and refuses to go on with anything else."""
    now = dict(options)
    password = now.pop("password", None)
    if OPTIONS not in out.names():
        check_together(options)
        if password is not None:
            now["password"] = fingerprint(password, randomness.token_bytes(16))
        text = json.dumps(now, indent=1, sort_keys=True)
        out.write(OPTIONS, text.encode())
        return
    try:
        before = dict(json.loads(out.read(OPTIONS)))
    except ValueError:
        sys.exit(f"error: {OPTIONS} in OUT is damaged: expected another OUT")
    noted = before.get("password")
    if password is not None:
        same = noted and noted == fingerprint(password, bytes.fromhex(noted.split()[0]))
        now["password"] = noted if same else "another"
    changes = [
        change(name, before.get(name), now.get(name))
        for name in sorted({**before, **now})
        if before.get(name) != now.get(name)
    ]
    if changes:
        sys.exit(
            f"error: OUT was begun with other options: {'; '.join(changes)}; expected the same "
            "ones, or another OUT"
        )


def change(name: str, before: Any, now: Any) -> str:
    """What is another option now, in words."""
    flag = FLAGS.get(name, "--" + name.replace("_", "-"))
    if name == "password" and before and now:
        return f"{flag} has another password"
    if name == "password":
        return f"{flag} was {'' if before else 'not '}given, and is {'' if now else 'not '}now"

    def word(value: Any) -> str:
        return "not given" if value is None or value is False else "given" if value is True else str(value)

    return f"{flag} was {word(before)}, and is {word(now)} now"


def check_together(options: dict[str, Any]) -> None:
    """Refuses options that make no sense before OUT notes them."""
    import numpy as np

    import underdrawing.ray

    picture = np.full((64, 64, 3), 128, np.uint8)
    hiding = {name: value for name, value in options.items() if name not in NOT_OF_HIDING}
    try:
        underdrawing.ray.Hide(**hiding)({"cover": [picture], "secret": [picture[:8, :8]]})
    except (underdrawing.OptionError, underdrawing.ModelFileError) as error:
        sys.exit(f"error: {error}")


def check_pairs(pairs: list[dict[str, str]], rows: dict[str, dict[str, Any]]) -> None:
    """Refuses to go on where a cover has another secret than the one that is hidden in it."""
    for pair in pairs:
        cover, secret = pair["cover"], pair["secret"]
        before = rows.get(cover, pair)["secret"]
        if before != secret:
            sys.exit(
                f"error: {cover} went with {before} when OUT was begun, and goes with {secret} now: "
                "files came or went. Expected the same files, or another OUT"
            )


def run(pairs: list[dict[str, str]], args: argparse.Namespace, options: dict[str, Any]) -> None:
    """Hides all pairs."""
    import ray

    # Figures are ours; Ray's own lines would drown them.
    ray.init(address=args.address, include_dashboard=False if args.address is None else None)
    cores = int(ray.cluster_resources().get("CPU", 1))
    workers = args.workers or cores
    if args.address is None and workers > cores:
        sys.exit(f"error: {workers} workers: expected at most {cores}, the cores of this machine")
    ray.data.DataContext.get_current().enable_progress_bars = False
    dataset = ray.data.from_items(pairs, override_num_blocks=-(-len(pairs) // args.batch))
    dataset = dataset.map_batches(
        HideAndStore,
        fn_constructor_args=(args.covers, args.secrets, args.out, options),
        batch_size=None,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )
    began, done = None, 0
    try:
        for batch in dataset.iter_batches(batch_size=None, batch_format="numpy"):
            now = time.monotonic()
            if began is None:
                # Before the first batch, actors were starting.
                began, first = now, len(batch["error"])
            done += len(batch["error"])
            rate = (done - first) / max(now - began, 1e-9)
            print(f"{done} of {len(pairs)} pairs, {rate:.2f} a second", file=sys.stderr, flush=True)
    except ray.exceptions.RayTaskError as error:
        sys.exit(f"error: {error.cause}")
    finally:
        ray.shutdown()


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, found {text}")
    return int(text)


def balance(text: str) -> Any:
    return int(text) if text.lstrip("-").isdecimal() else text


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("covers", metavar="COVERS")
    parser.add_argument("secrets", metavar="SECRETS")
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--cycle", action="store_true", help="use the secrets again when they run out")
    parser.add_argument("--retry", action="store_true", help="try again what failed")
    parser.add_argument("--workers", type=at_least_one, help="actors, by default one for each core")
    parser.add_argument(
        "--batch", type=at_least_one, default=16, help="pairs that are done or done again, by default 16"
    )
    parser.add_argument("--address", help="a cluster of Ray; without one, this machine")
    hiding = parser.add_argument_group("options of `underdrawing hide`")
    hiding.add_argument("--method", choices=["coded", "robust", "network"])
    hiding.add_argument("--effort", choices=["fast", "normal", "best"])
    hiding.add_argument("--survive", type=int)
    hiding.add_argument("--survive-crop", type=int)
    hiding.add_argument("--for", dest="channel")
    hiding.add_argument("--balance", type=balance)
    hiding.add_argument("--container-db", type=float)
    hiding.add_argument("--revealed-db", type=float)
    hiding.add_argument("--model", help="a built-in model, or a file within reach of all machines")
    hiding.add_argument("--password-file", help="without its last line break the password")
    return parser.parse_args()


def password_of(path: str) -> bytes:
    """A file's password, as the program reads it."""
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16").encode()
    content = content.removeprefix(codecs.BOM_UTF8)
    return content.removesuffix(b"\n").removesuffix(b"\r") if content.endswith(b"\n") else content


def options_of(args: argparse.Namespace) -> dict[str, Any]:
    """Those of hiding, as Python has them."""
    names = "method effort survive survive_crop channel balance container_db revealed_db model"
    options = {name: getattr(args, name) for name in names.split() if getattr(args, name) is not None}
    if args.password_file is not None:
        options["password"] = password_of(args.password_file)
    return options


def main() -> int:
    args = arguments()
    try:
        import ray.data  # noqa: F401

        import underdrawing.ray  # noqa: F401
    except ImportError as error:
        sys.exit(f'error: {error}: expected pip install "underdrawing[ray]"')
    try:
        options = options_of(args)
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"error: failed to read the password file: {error}")
    out = Place(args.out)
    places = {"covers": Place(args.covers), "secrets": Place(args.secrets)}
    if any(place.is_same(out) for place in places.values()):
        sys.exit(f"error: {args.out}: expected a folder of its own for the containers")
    covers = pictures(places["covers"], args.covers)
    pairs = paired(covers, pictures(places["secrets"], args.secrets), args.cycle)
    begun_with = {name: place.address for name, place in places.items()}
    check_options(out, {**begun_with, "cycle": args.cycle, **options})
    for name in out.names():
        if name.startswith(UNFINISHED):
            out.remove(name)
    figures = Figures(out)
    before = figures.gather()
    check_pairs(pairs, before)
    done = {cover for cover, row in before.items() if not (args.retry and row["error"])}
    left = [pair for pair in pairs if pair["cover"] not in done]
    if left:
        run(left, args, options)
    rows = figures.gather()
    failed = [row for row in rows.values() if row["error"]]
    for row in failed:
        print(f"{row['cover']}, {row['secret']}: {row['error']}", file=sys.stderr)
    print(
        f"{len(rows) - len(failed)} hidden, {len(failed)} failed, "
        f"{len(pairs) - len(left)} of them before"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    code = main()
    # All is written. Threads of Ray's and Arrow's libraries were seen to abort the process (SIGABRT)
    # while the interpreter ended.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
