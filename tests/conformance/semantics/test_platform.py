"""What a pipeline asks of Kubernetes: secrets, config maps, volumes, resources."""

import pytest
from harness.pipelines import STRING, Pipeline, constant, given, output_of, parameter

OPTIONAL = {"parameterType": STRING, "isOptional": True}


def named(name):
    return constant(name) if isinstance(name, str) else name


def secret_env(name, optional=False):
    return {
        "secretAsEnv": [
            {
                "secretNameParameter": named(name),
                "keyToEnv": [{"secretKey": "token", "envVar": "VALUE"}],
                "optional": optional,
            }
        ]
    }


def config_env(name, optional=False):
    return {
        "configMapAsEnv": [
            {
                "configMapNameParameter": named(name),
                "keyToEnv": [{"configMapKey": "token", "envVar": "VALUE"}],
                "optional": optional,
            }
        ]
    }


def secret_volume(name, optional=False):
    return {
        "secretAsVolume": [
            {
                "secretNameParameter": named(name),
                "mountPath": "/cresset-test/keys",
                "optional": optional,
            }
        ]
    }


def config_volume(name, optional=False):
    return {
        "configMapAsVolume": [
            {
                "configMapNameParameter": named(name),
                "mountPath": "/cresset-test/keys",
                "optional": optional,
            }
        ]
    }


READ_ENV = 'printf %s "${VALUE-absent}"'
READ_FILE = "cat /cresset-test/keys/token 2> /dev/null || printf absent"
KINDS = [
    pytest.param("secrets", secret_env, READ_ENV, id="secret-env"),
    pytest.param("configmaps", config_env, READ_ENV, id="configmap-env"),
    pytest.param("secrets", secret_volume, READ_FILE, id="secret-volume"),
    pytest.param("configmaps", config_volume, READ_FILE, id="configmap-volume"),
]


def one_step(tmp_path, script, platform, parameters=None, values=None):
    pipeline = Pipeline(parameters=parameters)
    step = pipeline.shell("step", script, platform=platform, inputs=parameters)
    pipeline.task("step", step, values)
    return pipeline.write(tmp_path / "p.yaml")


def put(cresset, kind, name, text="s3cret"):
    folder = cresset.home / kind / name
    folder.mkdir(parents=True)
    (folder / "token").write_text(text)


@pytest.mark.parametrize("kind, setting, script", KINDS)
def test_present(cresset, tmp_path, kind, setting, script):
    put(cresset, kind, "hub")
    run = cresset.run(one_step(tmp_path, script, setting("hub")))
    assert run.task("step").said == "s3cret"


@pytest.mark.parametrize("kind, setting, script", KINDS)
def test_absent_is_refused_before_the_start(cresset, tmp_path, kind, setting, script):
    file = one_step(tmp_path, script, setting("hub"))
    cresset.refuses("run", file, says=["hub", str(cresset.home / kind)])


@pytest.mark.parametrize("kind, setting, script", KINDS)
def test_absent_and_optional(cresset, tmp_path, kind, setting, script):
    run = cresset.run(one_step(tmp_path, script, setting("hub", optional=True)))
    assert run.task("step").said == "absent"


@pytest.mark.parametrize("kind, setting, script", KINDS)
@pytest.mark.parametrize("value", ["hub", None], ids=["named", "null"])
def test_a_name_from_an_input(cresset, tmp_path, kind, setting, script, value):
    """A name that resolves to null drops the setting."""
    put(cresset, kind, "hub")
    file = one_step(
        tmp_path, script, setting(given("name")), {"name": OPTIONAL}, {"name": given("name")}
    )
    run = cresset.run(file, parameters={"name": value} if value else {})
    assert run.task("step").said == ("s3cret" if value else "absent")


@pytest.mark.parametrize("name", ["../secrets/hub", "", "a/b", ".."])
def test_a_name_that_leaves_its_folder(cresset, tmp_path, name):
    put(cresset, "secrets", "hub")
    file = one_step(
        tmp_path, READ_ENV, secret_env(given("name")), {"name": STRING}, {"name": given("name")}
    )
    run = cresset.run(file, parameters={"name": name}, state="FAILED")
    assert "name" in run.task("step").error["message"]


def test_secrets_are_neither_shown_nor_kept(cresset, tmp_path):
    put(cresset, "secrets", "hub", "very-secret-token")
    run = cresset.run(one_step(tmp_path, "true", secret_env("hub")))
    assert "very-secret-token" not in str(run.view)


def pvc(name, **more):
    return {
        "pvcMount": [{"pvcNameParameter": named(name), "mountPath": "/cresset-test/data", **more}]
    }


def test_a_volume_keeps_what_is_written(cresset, tmp_path):
    volume = cresset.home / "volumes/shared"
    volume.mkdir(parents=True)
    pipeline = Pipeline()
    write = pipeline.shell("write", "echo kept > /cresset-test/data/f", platform=pvc("shared"))
    read = pipeline.shell("read", "cat /cresset-test/data/f", platform=pvc("shared"))
    pipeline.task("write", write)
    pipeline.task("read", read, after=["write"])
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    assert run.task("read").log == "kept\n"
    assert (volume / "f").read_text() == "kept\n"


def test_a_volume_that_is_absent(cresset, tmp_path):
    file = one_step(tmp_path, "true", pvc("shared"))
    cresset.refuses("run", file, says=["shared", str(cresset.home / "volumes")])


def test_a_sub_path_of_a_volume(cresset, tmp_path):
    (cresset.home / "volumes/shared/part").mkdir(parents=True)
    (cresset.home / "volumes/shared/part/f").write_text("part")
    file = one_step(tmp_path, "cat /cresset-test/data/f", pvc("shared", subPath="part"))
    assert cresset.run(file).task("step").said == "part"


def test_volumes_made_and_deleted_by_the_pipeline(cresset, tmp_path):
    pipeline = Pipeline()
    create = pipeline.add_executor(
        "createpvc",
        {"container": {"image": "argostub/createpvc"}},
        {
            "parameters": {
                "pvc_name_suffix": {"parameterType": STRING},
                "access_modes": {"parameterType": "LIST"},
                "size": {"parameterType": STRING},
            }
        },
        {"parameters": {"name": {"parameterType": STRING}}},
    )
    delete = pipeline.add_executor(
        "deletepvc",
        {"container": {"image": "argostub/deletepvc"}},
        {"parameters": {"pvc_name": {"parameterType": STRING}}},
        None,
    )
    values = {"pvc_name_suffix": "-scratch", "access_modes": ["ReadWriteOnce"], "size": "1Gi"}
    pipeline.task("create", create, values)
    write = pipeline.shell(
        "write",
        "echo kept > /cresset-test/data/f",
        inputs={"volume": STRING},
        platform=pvc(given("volume")),
    )
    pipeline.task("write", write, {"volume": output_of("create", "name")})
    pipeline.task("delete", delete, {"pvc_name": output_of("create", "name")}, after=["write"])
    run = cresset.run(pipeline.write(tmp_path / "p.yaml"))
    name = run.task("create").parameters["name"]
    assert name.endswith("-scratch")
    assert name.startswith("small-")
    assert not (cresset.home / "volumes" / name).exists()


def test_scratch_volumes_and_fields(cresset, tmp_path):
    platform = {
        "emptyDirMounts": [{"volumeName": "tmp", "mountPath": "/cresset-test/tmp"}],
        "fieldPathAsEnv": [{"name": "POD", "fieldPath": "metadata.name"}],
    }
    script = 'echo x > /cresset-test/tmp/f; ls /cresset-test/tmp; echo "$POD"'
    log = cresset.run(one_step(tmp_path, script, platform)).task("step").log
    listed, pod = log.splitlines()
    assert listed == "f"
    assert pod.startswith("small-")


def test_settings_without_effect_here_are_said_once(cresset, tmp_path):
    pipeline = Pipeline()
    platform = {"tolerations": [{"key": "gpu", "operator": "Exists"}]}
    step = pipeline.shell("step", "true", platform=platform)
    for name in ("one", "two"):
        pipeline.task(name, step)
    outcome = cresset("run", pipeline.write(tmp_path / "p.yaml"))
    assert (outcome.stdout + outcome.stderr).count("tolerations") == 1


@pytest.mark.parametrize("what", ["initContainers", "noSuchField"])
def test_settings_that_cannot_be_honoured_are_refused(cresset, tmp_path, what):
    file = one_step(tmp_path, "true", {what: [{"name": "x", "image": "y"}]})
    outcome = cresset.refuses("run", file, says=what)
    line = 1 + next(n for n, text in enumerate(file.read_text().splitlines()) if what in text)
    assert f"p.yaml:{line}:" in outcome.stderr


def test_resources_from_inputs_and_upstream(cresset, tmp_path):
    pipeline = Pipeline(parameters={"cpu": STRING})
    pipeline.task("memory", pipeline.give(), {"value": "64Mi"})
    step = pipeline.shell(
        "step",
        "true",
        inputs={"cpu_limit": STRING, "memory_limit": STRING},
        resources={
            "resourceCpuLimit": parameter("cpu_limit"),
            "resourceMemoryLimit": parameter("memory_limit"),
        },
    )
    values = {"cpu_limit": given("cpu"), "memory_limit": output_of("memory")}
    pipeline.task("step", step, values)
    file = pipeline.write(tmp_path / "p.yaml")
    assert cresset.run(file, parameters={"cpu": "250m"}).task("step").state == "SUCCEEDED"
    run = cresset.run(file, parameters={"cpu": "a lot"}, state="FAILED")
    assert "a lot" in run.task("step").error["message"]


def test_a_request_beyond_the_machine_is_clamped_with_a_notice(cresset, tmp_path):
    pipeline = Pipeline()
    resources = {"resourceCpuLimit": "4000", "resourceMemoryLimit": "900Ti"}
    pipeline.task("step", pipeline.shell("step", "echo ran", resources=resources))
    outcome = cresset("run", pipeline.write(tmp_path / "p.yaml"))
    said = outcome.stdout + outcome.stderr
    assert "CPU" in said
    assert "memory" in said.lower()


def test_cpu_requests_are_slots(cresset, tmp_path):
    """Two steps of one CPU each never overlap under -j 1."""
    pipeline = Pipeline()
    busy = tmp_path / "busy"
    step = pipeline.shell("step", 'mkdir "$1"; sleep 0.1; rmdir "$1"', str(busy))
    for number in range(4):
        pipeline.task(f"step-{number}", step)
    cresset.run(pipeline.write(tmp_path / "p.yaml"), "-j", "1")
