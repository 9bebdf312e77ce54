"""Networks: their NumPy twins, their activations, their first weights."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from metricnets import DDML, networks
from metricnets.deep._training.numpy_networks import TorchEmbedding, as_numpy
from metricnets.networks import ACTIVATIONS, Dropout, NonSaturatingSigmoid, UnitNorm, mlp, small_conv

X = np.random.default_rng(0).normal(size=(7, 5)) * 3


def seeded(build, *args, **kwargs):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(*args, **kwargs)


def assert_twin(module, x=X, rtol=1e-12):
    module = module.double().eval()
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    twin = as_numpy(module)
    assert not isinstance(twin, TorchEmbedding)
    np.testing.assert_allclose(twin(x), expected, rtol=rtol, atol=rtol)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(twin))(x), twin(x))


# ------------------------------------------------------------------------------------------------
# NumPy twins.


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("activate_output", [False, True])
def test_twin_of_a_perceptron_is_equal(activation, normalize, activate_output):
    top = {"normalize": normalize, "activate_output": activate_output}
    network = seeded(mlp, 5, 3, hidden=(6, 4), activation=activation, dropout=0.5, **top)
    for layer in (m for m in network.modules() if isinstance(m, nn.Linear)):
        nn.init.constant_(layer.bias, 0.1)  # or a lost bias would go unseen
    assert_twin(network)


SHARED = nn.Tanh()
TWINNED = {
    "a linear map": nn.Linear(5, 2, bias=False),
    "no hidden layer": mlp(5, 2, hidden=()),
    "an activation used twice": nn.Sequential(nn.Linear(5, 5), SHARED, nn.Linear(5, 5), SHARED),
    "nested": nn.Sequential(nn.Sequential(nn.Linear(5, 4), nn.ReLU()), nn.Sequential(nn.Linear(4, 2), UnitNorm())),
}


@pytest.mark.parametrize("module", TWINNED.values(), ids=TWINNED)
def test_twin_of_a_chain_of_layers_is_equal(module):
    assert_twin(module)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(5, 5)

    def forward(self, x):
        return x + self.linear(x)


class Doubled(nn.Sequential):
    def forward(self, x):
        return 2 * super().forward(x)


UNTWINNED = {
    "its own forward": Residual(),
    "a part with its own forward": nn.Sequential(Residual(), nn.Linear(5, 2)),
    "a subclass of Sequential": Doubled(nn.Linear(5, 2)),
    "another layer": nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4)),
    "another form of GELU": nn.Sequential(nn.Linear(5, 4), nn.GELU(approximate="tanh")),
    "weights of its own making": nn.utils.parametrizations.weight_norm(nn.Linear(5, 4)),
    "batch norm": nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)),
}


@pytest.mark.parametrize("module", UNTWINNED.values(), ids=UNTWINNED)
def test_any_other_network_is_copied_as_it_is(module):
    frozen = as_numpy(module.train())
    assert isinstance(frozen, TorchEmbedding)
    assert module.training
    with torch.no_grad():
        expected = module.eval()(torch.tensor(X, dtype=torch.float32)).numpy()
        np.testing.assert_array_equal(frozen(X), expected)
        for parameter in module.parameters():
            parameter.zero_()
    np.testing.assert_array_equal(frozen(X), expected)
    assert isinstance(frozen(X), np.ndarray)


def test_a_copied_network_can_be_pickled():
    frozen = as_numpy(seeded(small_conv, (1, 4, 4), 2))
    images = np.random.default_rng(0).normal(size=(3, 1, 4, 4))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(frozen))(images), frozen(images))


# ------------------------------------------------------------------------------------------------
# Layers.


def test_nonsaturating_sigmoid_inverts_a_cubic():
    z = torch.linspace(-50, 50, 201, dtype=torch.float64, requires_grad=True)
    s = NonSaturatingSigmoid()(z)
    torch.testing.assert_close(s**3 / 3 + s, z)
    (slope,) = torch.autograd.grad(s.sum(), z)
    torch.testing.assert_close(slope, 1 / (s.detach() ** 2 + 1))


def test_unit_norm_has_unit_norm_and_survives_zero():
    z = torch.tensor([[3.0, 4.0], [0.0, 0.0], [-1e-3, 0.0]], requires_grad=True)
    torch.testing.assert_close(UnitNorm()(z), torch.tensor([[0.6, 0.8], [0.0, 0.0], [-1.0, 0.0]]))
    UnitNorm()(z).sum().backward()
    assert z.grad.isfinite().all()


def test_layers_are_the_outputs_of_the_blocks():
    network = seeded(mlp, 5, 2, hidden=(4, 3), normalize=True)
    x = torch.from_numpy(X).float()
    outputs = network.layers(x)
    assert [h.shape[1] for h in outputs] == [4, 3, 2]
    torch.testing.assert_close(outputs[-1], network(x))
    torch.testing.assert_close(outputs[1], network[1](torch.tanh(network[0][0](x))))


def test_dropout_is_after_hidden_layers_alone():
    assert [[type(part) for part in block] for block in mlp(5, 2, hidden=(4, 3), dropout=0.5)] == [
        [nn.Linear, nn.Tanh, Dropout],
        [nn.Linear, nn.Tanh, Dropout],
        [nn.Linear],
    ]


def test_dropout_is_that_of_pytorch_with_a_generator_of_its_own():
    x, before = torch.ones(200, 50), torch.get_rng_state()
    torch.manual_seed(3)
    expected = nn.Dropout(0.3)(x)
    torch.set_rng_state(before)
    dropout = Dropout(0.3, torch.Generator().manual_seed(3))
    torch.testing.assert_close(dropout(x), expected, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(dropout.eval()(x), x)


def test_copies_of_dropout_have_no_generator():
    dropout = Dropout(0.3, torch.Generator())
    for copied in (copy.deepcopy(dropout), pickle.loads(pickle.dumps(dropout))):
        assert copied.generator is None
        assert copied.p == 0.3
    assert dropout.generator is not None


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_dropout_of_a_fitted_network_can_be_scripted_and_shows_its_share(points):
    module = DDML(dropout=0.3, max_epochs=1, random_state=0).fit(*points).module_
    x = torch.from_numpy(points[0])
    torch.testing.assert_close(torch.jit.script(module)(x.float()), module(x.float()))
    assert "Dropout(p=0.3)" in repr(module)


# ------------------------------------------------------------------------------------------------
# First weights: variance of a uniform distribution on [-a, a] is a² / 3.


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("init", ["glorot", "uniform"])
def test_first_weights_fill_their_interval_and_biases_are_zero(activation, init):
    for block in seeded(mlp, 60, 70, hidden=(80,), activation=activation, init=init):
        weight, n_out, n_in = block[0].weight.detach(), *block[0].weight.shape
        limit = 0.2 if init == "uniform" else np.sqrt(6 / (n_in + n_out))
        if init == "glorot" and activation in ("relu", "gelu"):
            limit = np.sqrt(6 / n_in)  # He's
        assert 0.98 * limit < weight.abs().max() <= limit
        assert weight.var().item() == pytest.approx(limit**2 / 3, rel=0.05)
        assert abs(weight.mean()) < 0.05 * limit
        assert not block[0].bias.any()


# ------------------------------------------------------------------------------------------------
# Convolutions.


@pytest.mark.parametrize(("shape", "channels"), [((1, 8, 8), (3, 4)), ((3, 9, 5), (2,)), ((2, 8, 11), (2, 3, 4))])
@pytest.mark.parametrize("normalize", [False, True])
def test_small_conv_embeds_images(shape, channels, normalize):
    network = seeded(small_conv, shape, n_components=5, channels=channels, normalize=normalize)
    z = network(torch.ones(2, *shape))
    assert z.shape == (2, 5)
    if normalize:
        torch.testing.assert_close(z.norm(dim=1), torch.ones(2))
    assert [m.out_channels for m in network if isinstance(m, nn.Conv2d)] == list(channels)


def test_small_conv_says_that_images_are_too_small():
    with pytest.raises(ValueError, match="8 x 3 pixels are too small for 2 stages"):
        small_conv((1, 8, 3))


def test_the_public_names_exist():
    assert all(hasattr(networks, name) for name in networks.__all__)
