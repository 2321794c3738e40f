"""Optimisers beside PyTorch's: the same weights after the same training."""

import numpy as np
import pytest
from opregistry_neural import SGD, Adam, BatchNorm, Linear, Sequential, clip_grads

torch = pytest.importorskip("torch")


def pair():
    """Give two equal networks of float64."""
    ours = Sequential(
        Linear(3, 8, rng=0, dtype=np.float64), np.tanh,
        BatchNorm(8, dtype=np.float64), Linear(8, 2, rng=1, dtype=np.float64),
    )  # fmt: skip
    parts = [torch.nn.Linear(3, 8), torch.nn.Tanh(), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2)]
    theirs = torch.nn.Sequential(*parts).double()
    for a, p in zip(arrays_in_order(ours), theirs.parameters(), strict=True):
        p.data = torch.tensor(a.copy())
    return ours, theirs


def arrays_in_order(network):
    """Give the arrays as PyTorch orders and transposes them."""
    return [p.data.T if p.ndim == 2 else p.data for p in network.parameters()]


@pytest.mark.parametrize(
    ("rule", "theirs"),
    [
        (lambda p: SGD(p, 0.1), lambda p: torch.optim.SGD(p, 0.1)),
        (lambda p: SGD(p, 0.05, 0.9), lambda p: torch.optim.SGD(p, 0.05, 0.9)),
        (lambda p: Adam(p, 0.02), lambda p: torch.optim.Adam(p, 0.02)),
        (
            lambda p: Adam(p, 0.02, (0.8, 0.99), 1e-3, weight_decay=0.1),
            lambda p: torch.optim.AdamW(p, 0.02, (0.8, 0.99), 1e-3, weight_decay=0.1),
        ),
    ],
    ids=["SGD", "momentum", "Adam", "AdamW"],
)
def test_twenty_steps_lead_to_the_same_weights(rule, theirs):
    rng = np.random.default_rng(0)
    network, torch_network = pair()
    optimizer, torch_optimizer = rule(network.parameters()), theirs(torch_network.parameters())
    for _ in range(20):
        x, t = rng.standard_normal((16, 3)), rng.standard_normal((16, 2))
        optimizer.cleargrads()
        np.mean((network(x) - t) ** 2).backward()
        norm = clip_grads(network.parameters(), np.inf)
        optimizer.step()
        torch_optimizer.zero_grad()
        ((torch_network(torch.tensor(x)) - torch.tensor(t)) ** 2).mean().backward()
        torch_norm = torch.nn.utils.clip_grad_norm_(torch_network.parameters(), np.inf)
        torch_optimizer.step()
        assert norm == pytest.approx(torch_norm.item(), rel=1e-9)
    for a, p in zip(arrays_in_order(network), torch_network.parameters(), strict=True):
        np.testing.assert_allclose(a, p.detach().numpy(), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(network[2].running_mean, torch_network[2].running_mean.numpy(), rtol=1e-8)
    np.testing.assert_allclose(network[2].running_var, torch_network[2].running_var.numpy(), rtol=1e-8)
    network.eval(), torch_network.eval()
    np.testing.assert_allclose(network(x).data, torch_network(torch.tensor(x)).detach().numpy(), rtol=1e-8)
