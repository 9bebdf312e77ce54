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
