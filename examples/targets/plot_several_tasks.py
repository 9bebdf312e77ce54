"""
Several tasks: what one says about another
==========================================

Few images are annotated with their digit, and more with something cheaper: whether the digit is odd.  MultiTaskNet
learns both from one table, in which most entries are missing, and couples the tasks by their relatedness: a digit says
whether it is odd, and odd leaves five digits.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from metricnets import MultiTaskNet
from metricnets.displays import RelatednessDisplay

X, digit = load_digits(return_X_y=True)
tasks = pd.DataFrame({"digit": pd.array(digit, dtype="Int64"), "parity": np.where(digit % 2, "odd", "even")})
X, X_test, tasks, tasks_test = train_test_split(X, tasks, test_size=0.5, stratify=digit, random_state=0)

# %%
# Of 400 images the first 60 are annotated with their digit, and all but the first 20 with their parity: 40 in both.

X, tasks = X[:400], tasks[:400].reset_index(drop=True)
tasks.loc[60:, "digit"] = pd.NA
tasks.loc[:19, "parity"] = None
print(tasks.count())

# %%
# A single-task model learns from the samples of its own task.  Relatedness is inferred, also from samples that are
# annotated in one task only, or given: we know which digits are odd.

known = pd.DataFrame({"even": [1, 0] * 5, "odd": [0, 1] * 5}, index=np.arange(10))
single = MultiTaskNet(random_state=0).fit(X[:60], tasks[["digit"]][:60])
models = {
    "uncoupled": MultiTaskNet(coupling=None, random_state=0).fit(X, tasks),
    "inferred": MultiTaskNet(random_state=0).fit(X, tasks),
    "given": MultiTaskNet(relatedness=known, random_state=0).fit(X, tasks),
}
accuracy = {"single task": single.score(X_test, tasks_test[["digit"]])}
accuracy |= {name: model.task_scores(X_test, tasks_test)[0] for name, model in models.items()}
print(pd.Series(accuracy, name="accuracy of the digit").round(3))

# %%
# A row of the relatedness shows what a digit says about its parity.  It is nearer to the frequencies of even and odd
# for digits with few samples.

figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
RelatednessDisplay.from_estimator(models["inferred"], ax=axes[0])
axes[0].set_title("inferred relatedness")
bars = axes[1].barh(list(accuracy), list(accuracy.values()), color="#0072B2")
axes[1].bar_label(bars, fmt="%.2f", padding=3)
axes[1].yaxis.set_inverted(True)
axes[1].set(title="test images", xlabel="accuracy of the digit", xlim=(0, 1))
