"""Turn the weights into files that run without this pipeline's code."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output

from steps import IMAGE
from steps.network import build_network, load_images


def find_toolchain():
    """Returns the C++ compiler that AOTInductor can use, or None and what is missing."""
    import os
    import pathlib
    import shutil
    import sysconfig

    candidates = [os.environ.get("CXX"), "g++", "clang++"]
    compiler = next((found for name in candidates if name and (found := shutil.which(name))), None)
    if compiler is None:
        return None, "no C++ compiler on PATH"
    if not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists():
        return None, "no Python headers"
    return compiler, ""


@dsl.component(base_image=IMAGE, additional_funcs=[load_images, build_network, find_toolchain])
def export(
    weights: Input[Model],
    test_set: Input[Dataset],
    accuracy: float,
    model: Output[Model],
):
    """Exports the model, loads the export again and checks that it predicts the same.

    Args:
        weights: The trained model.
        test_set: Images to compare the predictions on.
        accuracy: What the model reached, for the metadata.
        model: A folder with `program.pt2` (torch.export), and `compiled.pt2` (AOTInductor) where
            a C++ compiler is found.
    """
    import os
    import pathlib

    import torch

    torch.set_num_threads(1)
    folder = pathlib.Path(model.path)
    folder.mkdir(parents=True, exist_ok=True)
    architecture = weights.metadata["network"]
    network = build_network(int(architecture["width"]), architecture["dropout"])
    network.load_state_dict(torch.load(weights.path, weights_only=True))
    network.eval()
    images, _ = load_images(test_set.path)

    def check(loaded, name):
        with torch.inference_mode():
            torch.testing.assert_close(loaded(images), network(images), rtol=1e-3, atol=1e-3)
            same = (loaded(images).argmax(dim=1) == network(images).argmax(dim=1)).all()
            single = loaded(images[:1]).argmax(dim=1) == network(images[:1]).argmax(dim=1)
        if not (same and single.all()):
            raise RuntimeError(f"{name} does not predict what the trained network predicts")
        print(f"{name}: {len(images)} predictions equal those of the trained network")

    batch = torch.export.Dim("batch", min=1, max=1024)
    program = torch.export.export(network, (images[:2],), dynamic_shapes=({0: batch},))
    torch.export.save(program, folder / "program.pt2")
    check(torch.export.load(folder / "program.pt2").module(), "program.pt2")
    files = {"program.pt2": "torch.export program"}

    compiler, missing = find_toolchain()
    if compiler:
        os.environ["CXX"] = compiler
        from torch import _inductor as inductor

        inductor.aoti_compile_and_package(
            program,
            package_path=str(folder / "compiled.pt2"),
            # One thread per call: a server runs several calls side by side.
            inductor_configs={"cpp.threads": 1},
        )
        check(inductor.aoti_load_package(str(folder / "compiled.pt2")), "compiled.pt2")
        files["compiled.pt2"] = "AOTInductor package for this type of CPU"

    model.metadata.update(
        {
            "framework": "PyTorch",
            "torch_version": torch.__version__,
            "accuracy": accuracy,
            "input": {"name": "images", "dtype": "float32", "shape": ["batch", 1, 8, 8]},
            "output": {"name": "scores", "dtype": "float32", "shape": ["batch", 10]},
            "max_batch": 1024,
            "classes": [str(digit) for digit in range(10)],
            "files": files,
            "aotinductor": f"compiled with {compiler}" if compiler else f"left out: {missing}",
        }
    )
