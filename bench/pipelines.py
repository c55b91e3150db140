"""The pipelines that are measured, as KFP compiles them."""

import json


def fan_out_pipeline(components, tasks):
    return {
        "pipelineInfo": {"name": "fan-out"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "deploymentSpec": {
            "executors": {"exec-true": {"container": {"image": "none", "command": ["true"]}}}
        },
        "components": {"comp-true": {"executorLabel": "exec-true"}, **components},
        "root": {"dag": {"tasks": tasks}},
    }


def fan_out_of_tasks(count):
    """A pipeline of `count` tasks that do nothing and depend on nothing."""
    tasks = {
        f"task-{index:05}": {
            "taskInfo": {"name": f"task-{index:05}"},
            "componentRef": {"name": "comp-true"},
        }
        for index in range(count)
    }
    return fan_out_pipeline({}, tasks)


def fan_out_of_a_loop(count):
    """The same as one ParallelFor over `count` numbers."""
    items = {"parameters": {"item": {"parameterType": "NUMBER_INTEGER"}}}
    body = {"task": {"taskInfo": {"name": "task"}, "componentRef": {"name": "comp-true"}}}
    loop = {
        "taskInfo": {"name": "loop"},
        "componentRef": {"name": "comp-loop"},
        "parameterIterator": {
            "items": {"raw": json.dumps(list(range(count)))},
            "itemInput": "item",
        },
    }
    components = {"comp-loop": {"inputDefinitions": items, "dag": {"tasks": body}}}
    return fan_out_pipeline(components, {"loop": loop})


def chain_of_tasks(count):
    """`count` tasks that do nothing, each after the one before it."""
    pipeline = fan_out_of_tasks(count)
    names = list(pipeline["root"]["dag"]["tasks"])
    for before, name in zip(names, names[1:], strict=False):
        pipeline["root"]["dag"]["tasks"][name]["dependentTasks"] = [before]
    return pipeline


def cacheable_layers(count, width):
    """`count` tasks in layers of `width`, each after one of the layer above, with its own input."""
    tasks = {}
    for index in range(count):
        name = f"task-{index:06}"
        tasks[name] = {
            "taskInfo": {"name": name},
            "componentRef": {"name": "comp-true"},
            "cachingOptions": {"enableCache": True},
            "inputs": {"parameters": {"n": {"runtimeValue": {"constant": index}}}},
        }
        if index >= width:
            tasks[name]["dependentTasks"] = [f"task-{index - width:06}"]
    pipeline = fan_out_pipeline({}, tasks)
    number = {"parameterType": "NUMBER_INTEGER"}
    pipeline["components"]["comp-true"]["inputDefinitions"] = {"parameters": {"n": number}}
    return pipeline


def of_one_command(command):
    """A pipeline of one task that runs this command."""
    pipeline = fan_out_of_tasks(1)
    pipeline["deploymentSpec"]["executors"]["exec-true"]["container"]["command"] = command
    return pipeline


def compile_components(folder, count, *, install_kfp):
    """`count` lightweight components, one after the other, compiled by kfp; returns the file."""
    from kfp import compiler, dsl

    @dsl.component(install_kfp_package=install_kfp)
    def fib(n: int) -> int:
        a, b = 0, 1
        for _ in range(n):
            a, b = b, a + b
        return a

    @dsl.pipeline(name="fibs")
    def fibs():
        before = None
        for _ in range(count):
            step = fib(n=10).set_caching_options(False)
            if before is not None:
                step.after(before)
            before = step

    file = folder / f"fibs-{count}-{'default' if install_kfp else 'fair'}.yaml"
    compiler.Compiler().compile(fibs, str(file))
    return file


def compile_torch(folder):
    """A component that imports torch and does little with it; returns the file."""
    from kfp import compiler, dsl

    @dsl.component(install_kfp_package=False)
    def little() -> int:
        import torch

        return int(torch.ones(2).sum())

    @dsl.pipeline(name="torch")
    def with_torch():
        little().set_caching_options(False)

    file = folder / "torch.yaml"
    compiler.Compiler().compile(with_torch, str(file))
    return file
