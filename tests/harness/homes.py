"""Pipelines that fill a home."""

from harness.pipelines import Pipeline, artifact_of


def maker(folder, name="made", size=1000):
    pipeline = Pipeline(name)
    pipeline.task("make", pipeline.make(), {"text": "bytes " * size}, cached=True)
    pipeline.task("read", pipeline.read(), artifacts={"data": artifact_of("make")}, cached=True)
    return pipeline.write(folder / f"{name}.yaml")
