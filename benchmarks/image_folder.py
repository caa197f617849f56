"""How long a model waits for pictures that are decoded, cut and flipped anew in each epoch, as a share of its training.

    python benchmarks/image_folder.py FILE [steps] [key=value]…   # FILE is a folder or archive of pictures: imagenet_sample's

The recipe is `image/folder`, whose class is in a file's name (`problem.class_from=name`); 200 steps unless given.
"""

import sys
from pathlib import Path

from measure import prepared, record, waiting


def main(path: str, steps: str = "200", *overrides: str) -> None:
    places = (f"problem.path={Path(path).resolve()}", "problem.class_from=name")
    share, rate = waiting(*prepared("image/folder", *places, *overrides), int(steps))
    text = f"{rate:,.0f} pictures/s; the model waits for the reader {share:.2%} of its time"
    cells = {} if overrides else {"result": text}
    record("image_folder", cells, pictures_a_second=round(rate, 1), waiting=round(share, 4), steps=int(steps))


if __name__ == "__main__":
    main(*sys.argv[1:])
