"""Fits in two processes, started once for all tests: the same as in one, agreement, and failures."""

import json
import os
import re
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from discovery import tiny_points
from ended_fits import Ending
from one_of_two_processes import net

from metricnets import DDML, losses
from metricnets.deep._training import process_group
from metricnets.deep._training.distributed import Processes

TESTS = Path(__file__).parents[1]
SINGLE = {"smooth_ap": 2e-5, "recall_at_k": 2e-5}  # differences of distances over a temperature of .01, rounded
STOPPED = "as another one that trains with it was killed, raised an error or does not answer"
has_gloo = dist.is_available() and dist.is_gloo_available()
needs_gloo = pytest.mark.skipif(not has_gloo, reason="PyTorch was built without Gloo")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What both processes found."""
    folder = tmp_path_factory.mktemp("processes")
    launched = launch_of(2) | {"OMP_NUM_THREADS": "1"}
    files, running = [folder / f"{rank}.json" for rank in (0, 1)], []
    for rank, file in enumerate(files):
        command = [sys.executable, str(TESTS / "one_of_two_processes.py"), str(file)]
        running.append(subprocess.Popen(command, env=os.environ | launched | {"RANK": str(rank)}, cwd=TESTS))
    try:
        codes = [process.wait(timeout=300) for process in running]
    finally:
        for process in running:
            process.kill()
    assert codes == [0, -9]  # the second one is killed in the end
    return [json.loads(file.read_text()) | {"folder": str(folder)} for file in files]


def launch_of(size):
    """What `torch.distributed.run` tells all processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(size)}


@needs_gloo
def test_the_gradient_of_each_loss_is_that_of_the_whole_batch(found):
    differences = found[0]["losses_of_the_catalogue"]
    assert set(differences) == set(losses.CATALOGUE)
    assert {name: ways for name, ways in differences.items() if ways["whole"] > 1e-6} == {}
    assert {name: ways for name, ways in differences.items() if max(ways.values()) > SINGLE.get(name, 2e-6)} == {}


@needs_gloo
def test_learners_are_those_of_one_process_and_the_same_in_both(found):
    first, second = (each["learners"] for each in found)
    for name, learned in first.items():
        assert max(learned["distances"], learned["losses"]) < 1e-6, name
        assert learned["weights"] == second[name]["weights"], name


@needs_gloo
def test_early_stopping_is_at_the_same_epoch(found):
    (alone, n_epochs, _), second = (each["early_stopping"] for each in found)
    assert alone == n_epochs == second[1] < 40
    assert found[0]["early_stopping"] == second


@needs_gloo
def test_past_batches_are_the_same(found):
    assert found[0]["memory_as_in_one_process"] < 1e-6


@needs_gloo
def test_rows_that_are_read_in_batches_are_shared_too(found):
    assert found[0]["table_read_in_batches"] < 1e-6


@needs_gloo
def test_what_each_process_would_draw_or_start_from_by_itself_is_agreed(found):
    assert found[0]["options_of_a_fit"] == found[1]["options_of_a_fit"]


@needs_gloo
def test_dropout_of_other_rows_is_another_one(found):
    assert found[0]["masks_differ"]


@needs_gloo
def test_all_processes_stop_when_a_callback_stops_one(found):
    first, second = (each["stopping_callback"] for each in found)
    assert first == second
    assert first[0] == 3


@needs_gloo
def test_other_data_or_parameters_are_an_error_in_all_processes(found):
    first, second = (each["other_calls"] for each in found)
    assert first == second
    for said, error in first.items():
        assert error.startswith(f"ValueError: distributed=True: {said.strip()}"), said
        assert re.search(" in process 1( than in process 0)?; give all processes the same data and param", error)


@needs_gloo
def test_an_error_in_one_process_ends_the_fit_in_all(found):
    (first, after), (second, _) = (each["an_error_in_one"] for each in found)
    assert second == "OSError: the disk is full"
    assert first.startswith("RuntimeError: process 0 of 2 stops")
    assert after == 3  # epochs of the next fit


@needs_gloo
def test_an_error_before_training_ends_the_fit_in_all(found):
    (of_device, of_module), others = (each["an_error_before_training"] for each in found)
    assert STOPPED in of_device
    assert STOPPED in of_module
    assert others[0].startswith("ValueError: device='nowhere' is not available")
    assert others[1] == "OSError: no memory"


@needs_gloo
def test_a_fit_that_one_process_ended_goes_on_in_all_to_the_same_bits(found):
    first, second = (each["recorded"] for each in found)
    for name, (error, n_epochs, again, whole, masks, has_files) in first.items():
        other_error, _, *others, other_masks, has_others = second[name]
        assert STOPPED in error
        assert other_error == "Ended: "
        assert n_epochs[0] == n_epochs[1] > 0, name
        assert [again, whole] == others == [whole, again], name
        assert (masks[0], other_masks[0]) == (masks[1], other_masks[1]), name
        assert (masks[0] == other_masks[0]) == (name != "a module")  # each process draws and remembers its own
        assert (has_files, has_others) == (True, False)


@needs_gloo
def test_an_interrupt_of_one_process_ends_the_fit_in_all(found):
    assert STOPPED in found[0]["one_process_stops"]
    assert found[1]["one_process_stops"] == "KeyboardInterrupt: "


@needs_gloo
def test_a_killed_process_ends_the_fit_with_a_message(found):
    assert STOPPED in found[0]["killed"]


@pytest.fixture
def launched(monkeypatch):
    """A function that makes this process the first one of a group of this size, until the test ends."""

    def launch(size):
        for name, value in launch_of(size).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("RANK", "0")

    yield launch
    process_group._leave()


@needs_gloo
def test_another_number_of_processes_goes_on_with_a_warning(found, launched):
    launched(1)
    rest, options = Ending(), {"folder": found[0]["folder"] + "/killed", "minutes": 0}
    with pytest.warns(UserWarning, match=r"checkpoint .*/EmbeddingNet-.* is of 2 processes, and these are 1: training"):
        fitted = net(checkpoint=options, callbacks=[rest]).fit(*tiny_points())
    assert rest.n_begun == 1
    assert not os.listdir(options["folder"])
    alone = net(distributed=False).fit(*tiny_points())
    losses = [[epoch["train_loss"] for epoch in each.history_] for each in (fitted, alone)]
    np.testing.assert_allclose(*losses, rtol=1e-6)  # there is no dropout


@needs_gloo
def test_a_process_that_waits_for_others_says_so_and_ends(launched, monkeypatch, capfd):
    launched(2)
    monkeypatch.setattr(process_group, "TIMEOUT", timedelta(seconds=0.3))
    monkeypatch.setattr(process_group, "PATIENCE", 0)
    with pytest.raises(RuntimeError, match=r"0 of 2 found no others to train with within 0:00:00.3.*each of them has"):
        net().fit(*tiny_points())
    assert "process 0 of 2 waits for the others to call fit, at most 0:00:00.3" in capfd.readouterr().err


@needs_gloo
def test_the_timeout_is_that_of_the_group_that_was_joined(launched):
    launched(1)
    dist.init_process_group("gloo", timeout=timedelta(seconds=77))
    assert process_group._timeout() == timedelta(seconds=77)


@needs_gloo
def test_the_first_process_alone_shows_progress(found):
    assert found[0]["progress"] > 0 == found[1]["progress"]


def test_without_a_group_the_error_says_how_to_start_one(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    learner = DDML(distributed=True)
    with pytest.raises(ValueError, match="start the script by 'python -m torch.distributed.run --nproc_per_node 2"):
        learner.fit(*tiny_points())
    assert not hasattr(learner, "module_")


class InMemory(Processes):
    """One of several processes, whose outputs are at hand."""

    def __init__(self, rank, size, outputs=None):
        self.rank, self.size, self.outputs = rank, size, outputs

    def _do(self, collective, every, own):
        for received, output in zip(every, self.outputs):
            received.copy_(output)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("n_rows", [1, 2, 5, 14])
def test_shares_of_any_number_of_processes_are_put_together(size, n_rows):
    x = torch.arange(3.0 * n_rows).reshape(n_rows, 3)
    shares = [InMemory(rank, size).own(x) for rank in range(size)]
    assert len({share.shape for share in shares}) == 1
    outputs = [torch.cat([share, -share]) for share in shares]  # two blocks, as of two views
    process = InMemory(size - 1, size, outputs)
    process.own(x)
    z = outputs[size - 1].requires_grad_()
    whole = process.whole(z)
    assert torch.equal(whole, torch.cat([x, -x]))
    whole.sum().backward()  # rows that fill up a share have no gradient
    assert z.grad.sum() == size * 3 * np.array([row.any() for row in z.grad]).sum()


def test_all_processes_have_anchors_of_their_own():
    for n, size in [(5, 5), (20, 3), (1000, 300)]:
        shares = [InMemory(rank, size).anchors(n) for rank in range(size)]
        assert [row for share in shares for row in share] == list(range(n))
        assert {len(share) for share in shares} <= {n // size, n // size + 1}
