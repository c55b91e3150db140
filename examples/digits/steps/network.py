"""What several steps share: reading a data set, the network, and scoring it."""


def load_images(path):
    """Reads a data set: images as a float tensor [n, 1, 8, 8] from 0 to 1, labels as integers."""
    import numpy
    import torch

    with numpy.load(path) as data:
        return torch.from_numpy(data["images"]), torch.from_numpy(data["labels"])


def build_network(width, dropout):
    """Builds the small convolutional network: [n, 1, 8, 8] images in, [n, 10] scores out."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * width * 4 * 4, 64),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(64, 10),
    )


def accuracy_of(network, images, labels):
    """Returns the share of images whose best score is at their label."""
    import torch

    network.eval()
    with torch.inference_mode():
        return (network(images).argmax(dim=1) == labels).double().mean().item()
