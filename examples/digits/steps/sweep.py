"""Try several settings for a few epochs each, and pick the best."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input

from steps import IMAGE
from steps.network import accuracy_of, build_network, load_images


@dsl.component(base_image=IMAGE, additional_funcs=[load_images, build_network, accuracy_of])
def try_setting(
    train_set: Input[Dataset],
    validation_set: Input[Dataset],
    setting: dict,
    epochs: int,
    seed: int,
) -> dict:
    """Trains one setting for a few epochs and returns it with its validation accuracy.

    Args:
        train_set: Images to learn from.
        validation_set: Images to score with.
        setting: `width`, `learning_rate` and `dropout`.
        epochs: How often to go through the training images.
        seed: Decides the first weights and the order of the images.
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    images, labels = load_images(train_set.path)
    validation = load_images(validation_set.path)

    # Some engines hand every number of a STRUCT over as a float.
    width = int(setting["width"])
    network = build_network(width, setting["dropout"])
    optimizer = torch.optim.AdamW(network.parameters(), lr=setting["learning_rate"])
    for epoch in range(1, epochs + 1):
        network.train()
        for batch in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(images[batch]), labels[batch])
            loss.backward()
            optimizer.step()
        accuracy = accuracy_of(network, *validation)
        print(f"epoch {epoch}/{epochs}: loss {loss.item():.3f}, accuracy {accuracy:.3f}")
    return {**setting, "width": width, "accuracy": accuracy}


@dsl.component(base_image=IMAGE)
def pick_best(trials: list) -> NamedTuple("Choice", [("best", dict), ("ranking", list)]):
    """Ranks the trials by accuracy; of equal ones the smaller network comes first.

    Args:
        trials: What `try_setting` returned, one entry per setting.

    Returns:
        best: The setting of the best trial.
        ranking: All trials, the best one first.
    """
    ranking = sorted(trials, key=lambda trial: (-trial["accuracy"], trial["width"]))
    for place, trial in enumerate(ranking, start=1):
        print(f"{place}. {trial}")
    best = {name: value for name, value in ranking[0].items() if name != "accuracy"}
    return (best, ranking)
