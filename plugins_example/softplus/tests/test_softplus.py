import numpy as np

from registry import Variable
from registry.ops import softplus


def test_value_and_two_derivatives_are_log_two_a_half_and_a_quarter_at_zero():
    x = Variable(np.array(0.0))
    y = softplus(x)
    y.backward(create_graph=True)
    gx = x.grad
    x.cleargrad()
    gx.backward()
    np.testing.assert_allclose([y.item(), gx.item(), x.grad], [np.log(2), 0.5, 0.25])
