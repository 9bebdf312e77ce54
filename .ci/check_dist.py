"""Compare ``check_dist.py TREE WHEEL``, an unpacked sdist and the wheel, with the files that git knows."""

import subprocess
import sys
import zipfile
from pathlib import Path


def main(tree, wheel):
    """Print the differences, and return whether there are any."""
    tracked = set(subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True).stdout.splitlines())
    unpacked = {path.relative_to(tree).as_posix() for path in Path(tree).rglob("*") if path.is_file()}
    package = {name for name in tracked if name.startswith("metricnets/")}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    differences = {
        "missing in the sdist": tracked - unpacked,
        "missing in the wheel": package - packed,
        "in the wheel, and not of the package": packed - package,
    }
    for title, names in differences.items():
        for name in sorted(names):
            print(f"{title}: {name}")
    return any(differences.values())


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
