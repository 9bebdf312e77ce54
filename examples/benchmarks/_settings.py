"""Settings of published tables: perceptrons from random weights, as in the papers, instead of today's defaults."""

PERCEPTRON = {
    "init": "glorot",
    "n_components": 32,
    "hidden": (256,),
    "activation": "tanh",
    "dropout": 0.0,
    "input_dropout": 0.0,
    "normalize": False,
    "lr": 0.01,
    "max_epochs": 100,
    "weight_decay": 1.0,
}
FIXED_MARGINS = {"margin": 3.0, "gap": 1.0, "sharpness": 1.0, "balanced": False}  # of squared distances, for DDML
FROM_RANDOM = {
    "EmbeddingNet": PERCEPTRON | {"positive_fraction": 1.0},
    "DDML": PERCEPTRON | FIXED_MARGINS | {"positive_fraction": 1.0},
    "HRAML": PERCEPTRON | {"activate_output": True, "normalize": True},
}


def columns(params, n_features):
    """``n_components`` with which each network has the 32 columns of the tables, beside the points with ``skip``."""
    n_points = n_features if params.get("skip") else 0
    return PERCEPTRON["n_components"] * params.get("n_networks", 1) + n_points
