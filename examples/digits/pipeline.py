"""Trains and checks a small network that reads handwritten digits.

    python pipeline.py          compiles this file to pipeline.yaml beside it

The README says what each step does and how to run it.
"""

import pathlib
from typing import NamedTuple

from kfp import compiler, dsl
from kfp.dsl import HTML, Markdown, Metrics
from steps.data import load_and_split
from steps.evaluation import evaluate
from steps.export import export
from steps.report import write_report
from steps.sweep import pick_best, try_setting
from steps.training import train

SETTINGS = [
    {"width": 8, "learning_rate": 0.003, "dropout": 0.1},
    {"width": 8, "learning_rate": 0.01, "dropout": 0.3},
    {"width": 16, "learning_rate": 0.003, "dropout": 0.3},
    {"width": 16, "learning_rate": 0.01, "dropout": 0.1},
]


class Outputs(NamedTuple):
    """What a run gives as a whole."""

    accuracy: float
    best: dict
    metrics: Metrics
    report: HTML
    summary: Markdown


@dsl.pipeline(name="digits")
def digits(
    settings: list = SETTINGS,
    sweep_epochs: int = 4,
    epochs: int = 15,
    processes: int = 2,
    threshold: float = 0.95,
    seed: int = 7,
) -> Outputs:
    """Trains and checks a small network that reads handwritten digits.

    Args:
        settings: What the sweep tries: width, learning_rate and dropout of each trial.
        sweep_epochs: Epochs of each trial.
        epochs: Epochs of the final training.
        processes: Ranks of the final training.
        threshold: The model is exported only if its test accuracy is above this.
        seed: Decides the split, the first weights and the order of the images.
    """
    data = load_and_split(seed=seed).set_display_name("Load and split")
    data.set_cpu_limit("1").set_memory_limit("1G")
    parts = data.outputs

    with dsl.ParallelFor(items=settings, parallelism=2, name="sweep") as setting:
        trial = try_setting(
            train_set=parts["train_set"],
            validation_set=parts["validation_set"],
            setting=setting,
            epochs=sweep_epochs,
            seed=seed,
        ).set_display_name("Try a setting")
        trial.set_cpu_limit("1").set_memory_limit("1G")
    choice = pick_best(trials=dsl.Collected(trial.output)).set_display_name("Pick the best")

    training = train(
        train_set=parts["train_set"],
        validation_set=parts["validation_set"],
        setting=choice.outputs["best"],
        epochs=epochs,
        processes=processes,
        seed=seed,
    ).set_display_name("Train on several processes")
    training.set_cpu_limit("2").set_memory_limit("2G")
    # The port that the ranks meet at is free when it is chosen, and could be taken just after.
    training.set_retry(num_retries=1, backoff_duration="1s")

    judged = evaluate(test_set=parts["test_set"], weights=training.outputs["weights"])
    judged.set_display_name("Evaluate").set_cpu_limit("1").set_memory_limit("1G")

    drawn = write_report(
        ranking=choice.outputs["ranking"],
        history=training.outputs["history"],
        metrics=judged.outputs["metrics"],
        classification=judged.outputs["classification"],
        predictions=judged.outputs["predictions"],
    ).set_display_name("Write the report")

    with dsl.If(judged.outputs["accuracy"] > threshold, name="good enough"):
        exported = export(
            weights=training.outputs["weights"],
            test_set=parts["test_set"],
            accuracy=judged.outputs["accuracy"],
        ).set_display_name("Export")
        exported.set_cpu_limit("2").set_memory_limit("3G")

    return Outputs(
        accuracy=judged.outputs["accuracy"],
        best=choice.outputs["best"],
        metrics=judged.outputs["metrics"],
        report=drawn.outputs["report"],
        summary=drawn.outputs["summary"],
    )


if __name__ == "__main__":
    compiler.Compiler().compile(digits, str(pathlib.Path(__file__).with_suffix(".yaml")))
