"""Small pipelines as KFP IR, put together in tests."""

import json

import yaml

STRING, INTEGER, DOUBLE = "STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE"
BOOLEAN, LIST, STRUCT = "BOOLEAN", "LIST", "STRUCT"


class Source(dict):
    """Where a task's input comes from; a plain value stands for a constant."""


def constant(value):
    return Source(runtimeValue={"constant": value})


def given(name, selector=None):
    source = Source(componentInputParameter=name)
    if selector:
        source["parameterExpressionSelector"] = selector
    return source


def field(name, key):
    return given(name, f'parseJson(string_value)["{key}"]')


def output_of(task, key="out"):
    return Source(taskOutputParameter={"producerTask": task, "outputParameterKey": key})


def final_status(task):
    return Source(taskFinalStatus={"producerTask": task})


def given_artifact(name):
    return Source(componentInputArtifact=name)


def artifact_of(task, key="data"):
    return Source(taskOutputArtifact={"producerTask": task, "outputArtifactKey": key})


def parameter(name):
    return f"{{{{$.inputs.parameters['{name}']}}}}"


def output_file(name="out"):
    return f"{{{{$.outputs.parameters['{name}'].output_file}}}}"


def artifact(name, part="path"):
    return f"{{{{$.inputs.artifacts['{name}'].{part}}}}}"


def output_artifact(name="data", part="path"):
    return f"{{{{$.outputs.artifacts['{name}'].{part}}}}}"


def parameter_definitions(definitions):
    return {
        name: {"parameterType": what} if isinstance(what, str) else what
        for name, what in (definitions or {}).items()
    }


def artifact_definitions(definitions):
    out = {}
    for name, what in (definitions or {}).items():
        if isinstance(what, str):
            what = {"artifactType": {"schemaTitle": what, "schemaVersion": "0.0.1"}}
        out[name] = what
    return out


def list_of(title):
    return {
        "artifactType": {"schemaTitle": title, "schemaVersion": "0.0.1"},
        "isArtifactList": True,
    }


def definitions(parameters, artifacts):
    out = {}
    if parameters:
        out["parameters"] = parameter_definitions(parameters)
    if artifacts:
        out["artifacts"] = artifact_definitions(artifacts)
    return out


class Dag:
    def __init__(self, pipeline, parameters=None, artifacts=None):
        self.pipeline = pipeline
        self.inputs = definitions(parameters, artifacts)
        self.outputs = {}
        self.output_definitions = {}
        self.tasks = {}

    def task(
        self,
        name,
        component,
        parameters=None,
        artifacts=None,
        after=(),
        condition=None,
        always=False,
        items=None,
        items_of=None,
        artifact_items_of=None,
        item="item",
        parallelism=None,
        cached=False,
        **fields,
    ):
        """One task of `component`, a component's name or a Dag. `items` loop over a list,
        `items_of` over an input, `artifact_items_of` over an input artifact list."""
        if isinstance(component, Dag):
            component = self.pipeline.add_component(name, component.component())
        spec = {"taskInfo": {"name": name}, "componentRef": {"name": component}}
        inputs = {}
        if parameters:
            inputs["parameters"] = {
                key: value if isinstance(value, Source) else constant(value)
                for key, value in parameters.items()
            }
        if artifacts:
            inputs["artifacts"] = artifacts
        if inputs:
            spec["inputs"] = inputs
        if after:
            spec["dependentTasks"] = list(after)
        trigger = {}
        if condition is not None:
            trigger["condition"] = condition
        if always:
            trigger["strategy"] = "ALL_UPSTREAM_TASKS_COMPLETED"
        if trigger:
            spec["triggerPolicy"] = trigger
        if items is not None:
            spec["parameterIterator"] = {"itemInput": item, "items": {"raw": json.dumps(items)}}
        if items_of:
            spec["parameterIterator"] = {"itemInput": item, "items": {"inputParameter": items_of}}
        if artifact_items_of:
            spec["artifactIterator"] = {
                "itemInput": item,
                "items": {"inputArtifact": artifact_items_of},
            }
        if parallelism:
            spec["iteratorPolicy"] = {"parallelismLimit": parallelism}
        if cached:
            spec["cachingOptions"] = {"enableCache": True}
        spec.update(fields)
        self.tasks[name] = spec
        return name

    def gives(self, name, kind, *producers, oneof=False):
        """An output parameter from (task, key); several are the branches of a OneOf."""
        selectors = [
            {"producerSubtask": task, "outputParameterKey": key} for task, key in producers
        ]
        value = (
            {"valueFromParameter": selectors[0]}
            if len(selectors) == 1 and not oneof
            else {"valueFromOneof": {"parameterSelectors": selectors}}
        )
        self.outputs.setdefault("parameters", {})[name] = value
        self.output_definitions.setdefault("parameters", {}).update(
            parameter_definitions({name: kind})
        )

    def gives_artifact(self, name, kind, *producers):
        selectors = [{"producerSubtask": task, "outputArtifactKey": key} for task, key in producers]
        self.outputs.setdefault("artifacts", {})[name] = {"artifactSelectors": selectors}
        self.output_definitions.setdefault("artifacts", {}).update(
            artifact_definitions({name: kind})
        )

    def component(self):
        dag = {"tasks": self.tasks}
        if self.outputs:
            dag["outputs"] = self.outputs
        out = {"dag": dag}
        if self.inputs:
            out["inputDefinitions"] = self.inputs
        if self.output_definitions:
            out["outputDefinitions"] = self.output_definitions
        return out


class Pipeline(Dag):
    """The root dag, and all components and executors of the file."""

    def __init__(self, name="small", parameters=None, artifacts=None):
        super().__init__(self, parameters, artifacts)
        self.name = name
        self.components = {}
        self.executors = {}
        self.platform_executors = {}
        self.config = {}

    def dag(self, parameters=None, artifacts=None):
        return Dag(self, parameters, artifacts)

    def guarded(self, step, exit_step):
        """What dsl.ExitHandler compiles to: `step` in a group, `exit_step` after it in any case."""
        body = self.dag()
        body.task("step", step)
        self.task("exit-handler-1", body)
        self.task("exit", exit_step, after=["exit-handler-1"], always=True)
        return body

    def add_component(self, name, component):
        key = f"comp-{name}"
        while key in self.components:
            key += "-2"
        self.components[key] = component
        return key

    def add_executor(self, name, executor, inputs, outputs, platform=None):
        component = {}
        if inputs:
            component["inputDefinitions"] = inputs
        if outputs:
            component["outputDefinitions"] = outputs
        key = self.add_component(name, component)
        label = key.replace("comp-", "exec-", 1)
        component["executorLabel"] = label
        self.executors[label] = executor
        if platform:
            self.platform_executors[label] = platform
        return key

    def container(
        self,
        name,
        command,
        arguments=(),
        inputs=None,
        artifacts=None,
        outputs=None,
        made=None,
        platform=None,
        **container,
    ):
        container = {"image": "alpine", "command": list(command), **container}
        if arguments:
            container["args"] = list(arguments)
        return self.add_executor(
            name,
            {"container": container},
            definitions(inputs, artifacts),
            definitions(outputs, made),
            platform,
        )

    def shell(self, name, script, *arguments, **options):
        """A container that runs `script` in sh with `arguments` as $1 …"""
        return self.container(name, ["sh", "-ec", script, "sh", *arguments], **options)

    def python(self, name, source, function):
        """A lightweight component, in the form that the SDK compiles to."""
        script = (
            'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > '
            '"$program_path/ephemeral_component.py"\n'
            "_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "
            '"$program_path/ephemeral_component.py" "$@"\n'
        )
        arguments = ["--executor_input", "{{$}}", "--function_to_execute", function]
        return self.container(name, ["sh", "-ec", script, source], arguments)

    def echo(self, kind=STRING):
        """Prints its input `text`."""
        return self.shell("echo", 'printf %s "$1"', parameter("text"), inputs={"text": kind})

    def give(self, kind=STRING, name="give"):
        """Writes its input `value` to its output `out`."""
        return self.shell(
            name,
            'printf %s "$1" > "$2"',
            parameter("value"),
            output_file(),
            inputs={"value": kind},
            outputs={"out": kind},
        )

    def make(self, title="system.Dataset", name="make"):
        """Writes its input `text` to the artifact `data`."""
        return self.shell(
            name,
            'printf %s "$1" > "$2"',
            parameter("text"),
            output_artifact(),
            inputs={"text": STRING},
            made={"data": title},
        )

    def read(self, title="system.Dataset", name="read"):
        """Prints its artifact `data`."""
        return self.shell(name, 'cat "$1"', artifact("data"), artifacts={"data": title})

    def importer(self, name, uri, title="system.Dataset", metadata=None, inputs=None, **fields):
        importer = {
            "artifactUri": uri if isinstance(uri, dict) else {"constant": uri},
            "typeSchema": {"schemaTitle": title, "schemaVersion": "0.0.1"},
            **fields,
        }
        if metadata is not None:
            importer["metadata"] = metadata
        return self.add_executor(
            name,
            {"importer": importer},
            definitions({"uri": STRING, **(inputs or {})}, None),
            definitions(None, {"artifact": title}),
        )

    def documents(self):
        out = [
            {
                "pipelineInfo": {"name": self.name},
                "schemaVersion": "2.1.0",
                "sdkVersion": "kfp-2.17.0",
                "root": self.component(),
                "components": self.components,
                "deploymentSpec": {"executors": self.executors},
            }
        ]
        platform = dict(self.config and {"pipelineConfig": self.config})
        if self.platform_executors:
            platform["deploymentSpec"] = {"executors": self.platform_executors}
        if platform:
            out.append({"platforms": {"kubernetes": platform}})
        # Plain values, none of them shared: YAML would write what is shared as an alias.
        return json.loads(json.dumps(out))

    def write(self, path):
        documents = self.documents()
        if path.suffix == ".json":
            (only,) = documents
            path.write_text(json.dumps(only))
        else:
            path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        return path
