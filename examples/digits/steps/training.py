"""Train the chosen setting with DistributedDataParallel, one process per rank."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output

from steps import IMAGE
from steps.network import accuracy_of, build_network, load_images


def train_rank(job_path):
    """One rank of the training; RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT are set.

    Rank 0 leaves a checkpoint per epoch. If the folder holds checkpoints already, the training
    goes on after the last of them; because every epoch seeds itself, the result is the same as
    without the interruption.
    """
    import datetime
    import json
    import pathlib

    import torch
    import torch.distributed as dist
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel
    from torch.utils.data import DataLoader, TensorDataset
    from torch.utils.data.distributed import DistributedSampler

    job = json.loads(pathlib.Path(job_path).read_text())
    torch.manual_seed(job["seed"])
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    dist.init_process_group("gloo", timeout=datetime.timedelta(minutes=5))
    rank, world_size = dist.get_rank(), dist.get_world_size()

    train_set = TensorDataset(*load_images(job["train_set"]))
    validation = load_images(job["validation_set"])
    sampler = DistributedSampler(train_set, seed=job["seed"])
    loader = DataLoader(train_set, batch_size=64 // world_size, sampler=sampler)

    network = build_network(job["width"], job["dropout"])
    model = DistributedDataParallel(network)
    optimizer = torch.optim.AdamW(model.parameters(), lr=job["learning_rate"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=job["epochs"])
    history = []

    folder = pathlib.Path(job["checkpoints"])
    checkpoints = sorted(folder.glob("epoch-*.pt"))
    if checkpoints:
        state = torch.load(checkpoints[-1], weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        history = state["history"]
        print(f"going on after {checkpoints[-1].name}")

    for epoch in range(len(history) + 1, job["epochs"] + 1):
        torch.manual_seed(job["seed"] + epoch * world_size + rank)
        sampler.set_epoch(epoch)
        model.train()
        total_loss = torch.zeros(())
        for images, labels in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
            optimizer.step()
            total_loss += loss.detach()
        schedule.step()
        dist.all_reduce(total_loss)

        if rank == 0:
            accuracy = accuracy_of(network, *validation)
            mean_loss = total_loss.item() / (len(loader) * world_size)
            history.append({"epoch": epoch, "loss": mean_loss, "accuracy": accuracy})
            print(f"epoch {epoch}/{job['epochs']}: loss {mean_loss:.3f}, accuracy {accuracy:.3f}")
            # Written under another name first, so that a checkpoint is whole or absent.
            unfinished = folder / "unfinished"
            torch.save(
                {
                    "network": network.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "schedule": schedule.state_dict(),
                    "history": history,
                },
                unfinished,
            )
            unfinished.replace(folder / f"epoch-{epoch:03}.pt")
    dist.destroy_process_group()


def run_ranks(script, argument, world_size):
    """Runs one process of this interpreter per rank; raises if any of them fails.

    Each line that a rank prints is passed on with the rank in front. When a rank dies, the others
    would wait for it in vain, so they are killed.
    """
    import collections
    import concurrent.futures
    import os
    import socket
    import subprocess
    import sys

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def start(rank):
        environment = {
            **os.environ,
            "RANK": str(rank),
            "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(world_size),
            "LOCAL_WORLD_SIZE": str(world_size),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "GLOO_SOCKET_IFNAME": "lo",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return subprocess.Popen(
            [sys.executable, script, argument],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def follow(rank, process, last_lines):
        for line in process.stdout:
            last_lines.append(line)
            print(f"[rank {rank}] {line}", end="", flush=True)
        return rank, process.wait()

    processes = [start(rank) for rank in range(world_size)]
    last_lines = [collections.deque(maxlen=20) for _ in processes]
    with concurrent.futures.ThreadPoolExecutor(world_size) as threads:
        followed = [
            threads.submit(follow, rank, process, last_lines[rank])
            for rank, process in enumerate(processes)
        ]
        try:
            for ended in concurrent.futures.as_completed(followed):
                rank, status = ended.result()
                if status != 0:
                    how = f"exit status {status}" if status > 0 else f"signal {-status}"
                    log = "".join(last_lines[rank])
                    raise RuntimeError(f"rank {rank} ended with {how}; its last lines:\n{log}")
        finally:
            for process in processes:
                process.kill()


@dsl.component(
    base_image=IMAGE,
    additional_funcs=[load_images, build_network, accuracy_of, train_rank, run_ranks],
)
def train(
    train_set: Input[Dataset],
    validation_set: Input[Dataset],
    setting: dict,
    epochs: int,
    processes: int,
    seed: int,
    weights: Output[Model],
    checkpoints: Output[Artifact],
    history: Output[Metrics],
):
    """Trains the network on several processes at once (gloo, env://).

    Args:
        train_set: Images to learn from.
        validation_set: Images to score every epoch with.
        setting: `width`, `learning_rate` and `dropout`.
        epochs: How often to go through the training images.
        processes: The number of ranks.
        seed: Decides the first weights and the order of the images.
        weights: The state dictionary after the last epoch; metadata say how to build the network.
        checkpoints: A folder with one file per epoch.
        history: Metrics of the last epoch; the file holds those of every epoch as JSON.
    """
    import inspect
    import json
    import pathlib
    import tempfile

    import torch

    folder = pathlib.Path(checkpoints.path)
    folder.mkdir(parents=True, exist_ok=True)
    architecture = {"width": int(setting["width"]), "dropout": setting["dropout"]}
    job = {
        **architecture,
        "learning_rate": setting["learning_rate"],
        "epochs": epochs,
        "seed": seed,
        "train_set": train_set.path,
        "validation_set": validation_set.path,
        "checkpoints": str(folder),
    }

    # The ranks run a script of their own, made of the functions that they need.
    parts = [inspect.getsource(part) for part in (load_images, build_network, accuracy_of)]
    parts += [inspect.getsource(train_rank), "import sys\n\ntrain_rank(sys.argv[1])\n"]
    with tempfile.TemporaryDirectory() as scratch:
        script = pathlib.Path(scratch, "train_rank.py")
        script.write_text("\n\n".join(parts))
        job_file = pathlib.Path(scratch, "job.json")
        job_file.write_text(json.dumps(job))
        run_ranks(str(script), str(job_file), processes)

    last = torch.load(folder / f"epoch-{epochs:03}.pt", weights_only=True)
    torch.save(last["network"], weights.path)
    weights.metadata["framework"] = "PyTorch"
    weights.metadata["network"] = architecture
    pathlib.Path(history.path).write_text(json.dumps(last["history"], indent=1))
    history.log_metric("epochs", epochs)
    history.log_metric("processes", processes)
    history.log_metric("training_loss", last["history"][-1]["loss"])
    history.log_metric("validation_accuracy", last["history"][-1]["accuracy"])
