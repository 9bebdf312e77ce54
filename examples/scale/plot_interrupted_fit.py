"""
A fit that was interrupted goes on
==================================

With ``checkpoint`` a deep learner writes its state to a folder from time to time.  After a crash the same call goes on
from there, and ends as if nothing had happened.
"""

import contextlib
import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from skorch.callbacks import Callback

from metricnets import DDML

X, y = load_digits(return_X_y=True)

# %%
# A callback plays the crash, and notes the losses of the epochs that it has seen.


class Crash(Callback):
    """Ends a fit after an epoch."""

    def __init__(self, epoch, seen):
        self.epoch, self.seen = epoch, seen

    def on_epoch_end(self, net, **kwargs):
        """Note the loss, and crash."""
        epoch = len(net.history)
        self.seen[epoch] = net.history[-1, "train_loss"]
        if epoch == self.epoch:
            raise RuntimeError("power cut")


# %%
# A state is written after each fifth epoch; the default is each half minute.  The first fit crashes after epoch 12, so
# that the second one goes on with epoch 11.

folder = tempfile.TemporaryDirectory()
often, first, second = {"folder": folder.name, "minutes": 0, "epochs": 5}, {}, {}
with contextlib.suppress(RuntimeError):
    DDML(checkpoint=often, callbacks=[Crash(12, first)], max_epochs=30, random_state=0).fit(X, y)
resumed = DDML(checkpoint=often, callbacks=[Crash(None, second)], max_epochs=30, random_state=0).fit(X, y)
undisturbed = DDML(max_epochs=30, random_state=0).fit(X, y)

# %%
# Losses and embeddings are those of a fit that was not interrupted, to the last bit.

equal = np.array_equal(resumed.transform(X), undisturbed.transform(X))
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.plot(range(1, 31), [epoch["train_loss"] for epoch in undisturbed.history_], "0.75", lw=6, label="not interrupted")
axes.plot([*first], [*first.values()], "o-", color="#D55E00", label="until the crash")
axes.plot([*second], [*second.values()], "s-", color="#0072B2", ms=4, label="the same call again")
axes.set(xlabel="epoch", ylabel="training loss", title=f"The embeddings are equal: {equal}")
axes.legend()
folder.cleanup()
