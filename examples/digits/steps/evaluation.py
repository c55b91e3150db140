"""Judge the trained model on images that it has never seen."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import ClassificationMetrics, Dataset, Input, Metrics, Model, Output

from steps import IMAGE
from steps.network import build_network, load_images


@dsl.component(base_image=IMAGE, additional_funcs=[load_images, build_network])
def evaluate(
    test_set: Input[Dataset],
    weights: Input[Model],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    predictions: Output[Dataset],
) -> NamedTuple("Evaluation", [("accuracy", float)]):
    """Scores the model on the test images.

    Args:
        test_set: Images to judge with.
        weights: The trained model.
        metrics: Accuracy, mean F1, area under the ROC curve, number of mistakes.
        classification: Confusion matrix, and the ROC curve over all digits against the rest.
        predictions: The probabilities of every test image.

    Returns:
        accuracy: The share of test images that the model names right.
    """
    import pathlib

    import numpy
    import torch
    from sklearn import metrics as scores

    architecture = weights.metadata["network"]
    network = build_network(int(architecture["width"]), architecture["dropout"])
    network.load_state_dict(torch.load(weights.path, weights_only=True))
    network.eval()
    images, labels = load_images(test_set.path)
    with torch.inference_mode():
        probabilities = network(images).softmax(dim=1).numpy()
    labels = labels.numpy()
    predicted = probabilities.argmax(axis=1)

    accuracy = float(scores.accuracy_score(labels, predicted))
    is_digit = numpy.eye(10, dtype=int)[labels].ravel()
    metrics.log_metric("accuracy", accuracy)
    metrics.log_metric("f1", float(scores.f1_score(labels, predicted, average="macro")))
    metrics.log_metric("roc_auc", float(scores.roc_auc_score(is_digit, probabilities.ravel())))
    metrics.log_metric("mistakes", int((labels != predicted).sum()))
    metrics.log_metric("test_images", len(labels))

    matrix = scores.confusion_matrix(labels, predicted, labels=range(10))
    classification.log_confusion_matrix([str(digit) for digit in range(10)], matrix.tolist())
    false_rate, true_rate, thresholds = scores.roc_curve(is_digit, probabilities.ravel())
    # The first threshold stands for "nothing is positive"; it is infinite, which JSON lacks.
    thresholds = numpy.minimum(thresholds, 1.0)
    classification.log_roc_curve(false_rate.tolist(), true_rate.tolist(), thresholds.tolist())

    with pathlib.Path(predictions.path).open("wb") as file:
        numpy.savez(file, images=images.numpy(), labels=labels, probabilities=probabilities)
    print(f"accuracy {accuracy:.4f}: {int(metrics.metadata['mistakes'])} of {len(labels)} wrong")
    return (accuracy,)
