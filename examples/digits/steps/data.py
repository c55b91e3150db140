"""Load the digits and split them."""

from kfp import dsl
from kfp.dsl import Dataset, Output

from steps import IMAGE


@dsl.component(base_image=IMAGE)
def load_and_split(
    seed: int,
    train_set: Output[Dataset],
    validation_set: Output[Dataset],
    test_set: Output[Dataset],
):
    """Splits scikit-learn's 1,797 digits into 60 % training, 20 % validation and 20 % test.

    Args:
        seed: Decides which image goes where.
        train_set: Images to learn from.
        validation_set: Images to choose a setting with.
        test_set: Images to judge the final model with; no other step sees them before.
    """
    import pathlib

    import numpy
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = (digits.images / 16.0).astype("float32")[:, None, :, :]
    labels = digits.target.astype("int64")

    # Stratified: every digit has the same share in each part.
    rest, test = train_test_split(
        numpy.arange(len(labels)), test_size=0.2, random_state=seed, stratify=labels
    )
    train, validation = train_test_split(
        rest, test_size=0.25, random_state=seed, stratify=labels[rest]
    )
    for part, chosen in [(train_set, train), (validation_set, validation), (test_set, test)]:
        with pathlib.Path(part.path).open("wb") as file:
            numpy.savez(file, images=images[chosen], labels=labels[chosen])
        part.metadata["images"] = len(chosen)
        part.metadata["format"] = "npz: images float32 [n, 1, 8, 8], labels int64 [n]"
        print(f"{part.name}: {len(chosen)} images")
