"""Derivatives of functions, against formulas."""

import asyncio
import gc
import sys
import threading
import tracemalloc
from collections import OrderedDict, defaultdict, namedtuple
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from registry import (
    Function,
    GradientError,
    UnsupportedTypeError,
    Variable,
    checkpoint,
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    no_grad,
    stop_gradient,
    value_and_grad,
    vjp,
)


def cubic(x):
    return x**3 - 2 * x


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrocks_hessian(x):
    n = len(x)
    h = np.zeros((n, n))
    for i in range(n - 1):
        h[i, i] += 1200 * x[i] ** 2 - 400 * x[i + 1] + 2
        h[i + 1, i + 1] += 200
        h[i, i + 1] = h[i + 1, i] = -400 * x[i]
    return h


POINT = np.array([0.5, -1.0, 2.0])


def grown(run):
    """Give how many objects twenty runs leave behind, with the garbage collector off."""
    run()
    gc.collect()
    before = len(gc.get_objects())
    gc.disable()
    try:
        for _ in range(20):
            run()
        return len(gc.get_objects()) - before
    finally:
        gc.enable()


class TestGrad:
    def test_of_a_number_is_a_number(self):
        found = grad(cubic)(2.0)
        assert (type(found), found) == (np.float64, 10.0)

    def test_of_an_array_is_an_array(self):
        found = grad(lambda x: np.sum(cubic(x)))(POINT)
        np.testing.assert_allclose(found, 3 * POINT**2 - 2)
        assert type(found) is np.ndarray
        assert type(grad(cubic)(np.array(2.0))) is np.ndarray

    def test_nests_to_any_depth(self):
        f = lambda x: x**5  # noqa: E731
        for order, expected in enumerate([5 * 16, 20 * 8, 60 * 4, 120 * 2, 120, 0]):
            f = grad(f)
            assert f(2.0) == expected, order

    def test_of_several_arguments(self):
        f = lambda x, y, scale=1.0: scale * x * y**2  # noqa: E731
        assert grad(f, 1)(2.0, 3.0) == 12.0
        assert grad(f, (0, 1))(2.0, 3.0, scale=10.0) == (90.0, 120.0)
        assert grad(f, -1)(2.0, 3.0) == 12.0

    def test_structures_come_back(self):
        Layer = namedtuple("Layer", "w b")

        def loss(layers, x):
            for layer in layers["net"]:
                x = x @ layer.w + layer.b
            return np.sum(x) * layers["scale"]

        layers = {
            "net": [Layer(np.ones((2, 3)), np.zeros(3)), Layer(np.ones((3, 1)), np.zeros(1))],
            "scale": 2.0,
        }
        found = grad(loss)(layers, np.array([[1.0, 2.0]]))
        assert type(found["net"]) is list
        assert type(found["net"][0]) is Layer
        np.testing.assert_allclose(found["net"][0].w, [[2, 2, 2], [4, 4, 4]])
        np.testing.assert_allclose(found["net"][1].b, [2])
        assert found["scale"] == 9.0

    @pytest.mark.parametrize("kind", [OrderedDict, lambda d: defaultdict(lambda: 4.0, d)])
    def test_subclasses_of_dict_stay_what_they_are(self, kind):
        given = kind({"a": 2.0, "b": 3.0})
        found = grad(lambda p: p["a"] * p["b"] + sum(p.values()))(given)
        assert type(found) is type(given)
        assert found == {"a": 4.0, "b": 3.0}
        assert given == {"a": 2.0, "b": 3.0}

    def test_a_gradient_is_an_array_of_its_own(self):
        x, gradient = np.ones(3), np.ones(3)
        ga, gb = grad(lambda a, b: np.sum(a + b), (0, 1))(x, x)
        ga += 1  # a read-only broadcast, where it is not
        np.testing.assert_array_equal(gb, np.ones(3))
        pulled = vjp(lambda a, b: a + b, x, x)[1](gradient)
        pulled[0][:] = 7
        np.testing.assert_array_equal([pulled[1], gradient], np.ones((2, 3)))

    def test_the_same_variable_as_two_arguments(self):
        v = Variable(np.array(3.0))
        found = grad(lambda a, b: a * b**2, (0, 1))(v, v)
        assert [g.item() for g in found] == [9.0, 18.0]

    def test_what_the_result_does_not_depend_on_has_zeros(self):
        found = grad(lambda x, y: np.sum(x), (0, 1))(POINT, np.ones((2, 2)))
        np.testing.assert_array_equal(found[1], np.zeros((2, 2)))
        assert grad(lambda x: 3.0)(1.0) == 0.0

    def test_float32_stays(self):
        x = POINT.astype(np.float32)
        assert grad(lambda x: np.sum(x * x))(x).dtype == np.float32

    def test_whole_numbers_are_differentiated_as_floats(self):
        assert grad(lambda x: 1 / x)(2) == -0.25

    def test_aux_is_passed_through(self):
        f = lambda x: (x**2, {"twice": 2 * x, "name": "f"})  # noqa: E731
        assert grad(f, has_aux=True)(3.0) == (6.0, {"twice": 6.0, "name": "f"})
        assert value_and_grad(f, has_aux=True)(3.0) == ((9.0, {"twice": 6.0, "name": "f"}), 6.0)

    def test_of_a_holomorphic_function_it_is_its_derivative(self):
        z = 1.0 + 2.0j
        np.testing.assert_allclose(grad(lambda z: np.exp(z) * z)(z), np.exp(z) * (1 + z))

    def test_the_descent_of_a_real_function_of_complex_numbers(self):
        f = lambda z: np.abs(z - (3 + 4j)) ** 2  # noqa: E731
        z = 0j
        for _ in range(50):
            z = z - 0.1 * np.conj(grad(f)(z))
        np.testing.assert_allclose(z, 3 + 4j, atol=1e-3)

    def test_what_is_complex_and_real_agrees_with_jax(self):
        # jax.vjp and jax.jvp 0.10 at these points, in double precision
        z, way = np.array([1 + 2j, 0.5 - 0.3j]), np.array([0.3 + 0.1j, -0.2 + 1j])
        cases = [
            (lambda z: np.conj(z), [1 - 0.5j, 2 + 1j], [1 + 0.5j, 2 - 1j], [0.3 - 0.1j, -0.2 - 1j]),
            (lambda z: np.abs(z) ** 2, [1.0, 2.0], [2 - 4j, 2 + 1.2j], [1.0, -0.8]),
            (lambda z: np.real(z) * np.imag(z), [1.0, 2.0], [2 - 1j, -0.6 - 1j], [0.7, 0.56]),
        ]  # fmt: skip
        for f, gradient, pulled, pushed in cases:
            np.testing.assert_allclose(vjp(f, z)[1](np.array(gradient))[0], pulled, atol=1e-12)
            np.testing.assert_allclose(jvp(f, (z,), (way,))[1], pushed, atol=1e-12)
        assert hvp(lambda z: np.abs(z) ** 2)(1 + 2j, 1j) == -2j  # of 2 conj(z)

    def test_signature_and_name_tell_what_it_is(self):
        import inspect

        assert grad(cubic).__name__ == "grad(cubic)"
        assert list(inspect.signature(grad(cubic)).parameters) == ["x"]

    def test_the_gradients_of_variables_in_the_function_stay_as_they_are(self):
        w = Variable(np.array(3.0))
        found = grad(lambda x: w * x**2)(2.0)
        assert isinstance(found, Variable)  # w may be differentiated by, too
        assert (found.item(), w.grad) == (12.0, None)
        found.backward()
        assert w.grad == 4.0


class TestNesting:
    def test_an_inner_derivative_takes_the_outer_argument_for_a_constant(self):
        # d/dx (x * d/dy (x + y)), which is 1; mixing up the two gives 2.
        assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0) == 1.0
        # d/dx of d/dy (x y) at y = x is d/dx of x.
        assert grad(lambda x: grad(lambda y: x * y)(x))(3.0) == 1.0
        # d/dx (d/dy (x**2 y**2) at y = x) = d/dx (2 x**3).
        assert grad(lambda x: grad(lambda y: x**2 * y**2)(x))(3.0) == 54.0

    def test_through_a_closure_alone(self):
        assert grad(lambda x: grad(lambda y: x**2 * y)(1.0))(3.0) == 6.0

    def test_inside_the_notebooks_way(self):
        x = Variable(np.array(3.0))
        (x * grad(lambda y: x * y**2)(2.0)).backward()  # 4 x**2
        assert x.grad == 24.0

    def test_of_a_variable_it_is_a_variable(self):
        x = Variable(np.array(3.0))
        gx = grad(cubic)(x)
        gx.backward()
        assert (gx.item(), x.grad) == (25.0, 18.0)

    def test_recording_is_on_inside_whatever_is_outside(self):
        with no_grad():
            assert grad(cubic)(2.0) == 10.0
            assert grad(grad(cubic))(2.0) == 12.0

    def test_what_is_not_recorded_inside_is_a_constant(self):
        def f(x):
            with no_grad():
                c = x * 1.0
            return x * c

        assert grad(f)(3.0) == 3.0
        assert grad(lambda x: x * stop_gradient({"c": x})["c"])(3.0) == 3.0

    def test_in_threads(self):
        found = {}
        barrier = threading.Barrier(8)

        def work(k):
            barrier.wait()
            for _ in range(20):
                found[k] = grad(lambda x: k * grad(lambda y: x**2 * y**2)(x))(float(k))

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
        finally:
            sys.setswitchinterval(before)
        assert found == {k: 6.0 * k**3 for k in range(8)}

    def test_an_inner_derivative_in_a_thread_of_its_own(self):
        def f(x):
            made = []
            thread = threading.Thread(target=lambda: made.append(grad(lambda y: x * y**2)(2.0)))
            thread.start()
            thread.join()
            return x * made[0]  # 4 x**2

        assert grad(f)(3.0) == 24.0

    def test_arguments_of_a_function_outside_in_a_pool_of_threads(self):
        def f(x):
            with ThreadPoolExecutor(3) as pool:
                return sum(pool.map(lambda k: grad(lambda y: x * y**k)(2.0), range(1, 4)))

        assert grad(f)(3.0) == 1 + 2 * 2 + 3 * 2**2

    def test_inside_a_backward(self):
        class Squared(Function):
            def forward(self, x):
                return x**2

            def backward(self, gy):
                (x,) = self.xs
                return vjp(lambda t: t**2, x)[1](gy)[0]

        f = lambda x: Squared()(x) * x  # noqa: E731
        for order, expected in enumerate([27.0, 18.0, 6.0]):
            f = grad(f)
            assert f(3.0) == expected, order

    def test_four_transforms_deep(self):
        # d/dx sum over i of [d/dt of x_i**3 t**2 at t = x_i] = 2 x**4, by way of each transform
        x = np.array([0.5, -1.0, 2.0])

        def along(x):
            return jvp(lambda t: x**3 * t**2, (x,), (np.ones(3),))[1]

        diagonal = lambda x: np.diag(jacobian(lambda y: vjp(along, y)[1](np.ones(3))[0])(x))  # noqa: E731
        np.testing.assert_allclose(along(x), 2 * x**4)
        np.testing.assert_allclose(diagonal(x), 24 * x**2)
        np.testing.assert_allclose(hvp(lambda x: np.sum(diagonal(x)))(x, x), 48 * x)
        np.testing.assert_allclose(
            hessian(lambda x: np.sum(checkpoint(diagonal)(x) * stop_gradient(x)))(x), np.diag(48 * x)
        )

    def test_in_tasks(self):
        async def derivative(k):
            await asyncio.sleep(0)
            return grad(lambda x: grad(lambda y: k * x * y)(x) * x)(2.0)

        async def main():
            return await asyncio.gather(*map(derivative, range(5)))

        assert asyncio.run(main()) == [4.0 * k for k in range(5)]

    def test_nothing_is_left_behind(self):
        second = grad(grad(lambda x: np.sum(np.sin(x) ** 3)))
        assert grown(lambda: second(1.0)) < 10
        assert grown(lambda: hessian(rosenbrock)(POINT)) < 10
        assert grown(lambda: jvp(rosenbrock, (POINT,), (POINT,))) < 10

    def test_a_long_loop_takes_no_more_memory_than_a_short_one(self):
        slope = grad(lambda x: np.sum(np.tanh(x) ** 2))

        def peak(steps):
            x = np.ones(10_000)
            tracemalloc.start()
            for _ in range(steps):
                x = x - 0.1 * slope(x)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        gc.disable()
        try:
            assert peak(100) < 1.1 * peak(10)
        finally:
            gc.enable()


class TestJacobian:
    def test_of_several_results_and_arguments(self):
        def f(x, y):
            return {"sum": x + y[0], "product": np.sum(x * y[0]) * y[1]}

        x, y = np.array([1.0, 2.0]), (np.array([3.0, 4.0]), 2.0)
        found = jacobian(f, (0, 1))(x, y)
        np.testing.assert_array_equal(found["sum"][0], np.eye(2))
        np.testing.assert_array_equal(found["sum"][1][0], np.eye(2))
        np.testing.assert_array_equal(found["sum"][1][1], np.zeros(2))
        np.testing.assert_array_equal(found["product"][0], [6.0, 8.0])
        np.testing.assert_array_equal(found["product"][1][0], [2.0, 4.0])
        assert found["product"][1][1] == 11.0

    def test_shapes_are_the_results_and_then_the_arguments(self):
        a = np.arange(6.0).reshape(2, 3)
        found = jacobian(lambda x: a @ x)(np.ones((3, 4)))
        assert found.shape == (2, 4, 3, 4)
        np.testing.assert_allclose(found, np.einsum("ij,kl->ikjl", a, np.eye(4)))

    def test_of_a_complex_result_by_a_real_argument_it_is_complex(self):
        x = np.array([0.4, 1.2])
        found = jacobian(lambda x: np.exp(1j * x) * x)(x)
        np.testing.assert_allclose(found, np.diag((1 + 1j * x) * np.exp(1j * x)))
        transform = np.fft.fft(np.eye(4), axis=0)
        np.testing.assert_allclose(jacobian(np.fft.fft)(np.arange(4.0)), transform, atol=1e-12)

    def test_of_a_holomorphic_function_and_of_complex_with_real_arguments(self):
        z, t = np.array([1 + 2j, 0.5j]), 0.7
        by_z, by_t = jacobian(lambda z, t: z**3 * t, (0, 1))(z, t)
        np.testing.assert_allclose(by_z, np.diag(3 * z**2 * t))
        np.testing.assert_allclose(by_t, z**3)

    def test_of_nothing(self):
        assert jacobian(lambda x: x[:0])(POINT).shape == (0, 3)

    def test_of_a_number(self):
        np.testing.assert_array_equal(jacobian(lambda t: t * POINT)(2.0), POINT)

    def test_by_finite_differences(self):
        f = lambda x: np.stack([np.sin(x[0] * x[1]), np.exp(x[2]) / x[0], x[1]])  # noqa: E731
        h = 1e-6
        columns = [(f(POINT + h * e) - f(POINT - h * e)) / (2 * h) for e in np.eye(3)]
        np.testing.assert_allclose(jacobian(f)(POINT), np.stack(columns, axis=1), atol=1e-8)


class TestSecondOrder:
    def test_hessian(self):
        np.testing.assert_allclose(hessian(rosenbrock)(POINT), rosenbrocks_hessian(POINT))

    def test_hessian_of_a_structure(self):
        found = hessian(lambda p: p["a"] ** 2 * p["b"])({"a": 3.0, "b": 5.0})
        assert found == {"a": {"a": 10.0, "b": 6.0}, "b": {"a": 6.0, "b": 0.0}}

    def test_hvp_is_the_hessian_times_a_vector(self):
        v = np.array([1.0, -2.0, 0.5])
        np.testing.assert_allclose(hvp(rosenbrock)(POINT, v), rosenbrocks_hessian(POINT) @ v)

    def test_hvp_in_structures_and_of_one_argument(self):
        f = lambda p, c: c * p["a"] ** 2 * p["b"]  # noqa: E731
        assert hvp(f)({"a": 3.0, "b": 5.0}, 2.0, {"a": 1.0, "b": 0.0}) == {"a": 20.0, "b": 12.0}


class TestProducts:
    def test_vjp_and_jvp_are_the_jacobian_from_either_side(self):
        f = lambda x, t: np.stack([x[0] * x[1] * t, np.sin(x[2])])  # noqa: E731
        jx, jt = jacobian(f, (0, 1))(POINT, 2.0)
        value, pull_back = vjp(f, POINT, 2.0)
        np.testing.assert_array_equal(value, f(POINT, 2.0))
        gy = np.array([1.0, 10.0])
        for _ in range(2):
            gx, gt = pull_back(gy)
            np.testing.assert_allclose(gx, gy @ jx)
            np.testing.assert_allclose(gt, gy @ jt)
        dx = np.array([1.0, 2.0, 3.0])
        value, tangent = jvp(f, (POINT, 2.0), (dx, 0.5))
        np.testing.assert_array_equal(value, f(POINT, 2.0))
        np.testing.assert_allclose(tangent, jx @ dx + jt * 0.5)

    def test_jvp_of_structures(self):
        value, tangent = jvp(
            lambda p: [p["a"] * p["b"], p["a"]], ({"a": 2.0, "b": 3.0},), ({"a": 1.0, "b": 10.0},)
        )
        assert (value, tangent) == ([6.0, 2.0], [23.0, 1.0])

    def test_jvp_where_nothing_depends(self):
        assert jvp(lambda x: 3.0, (1.0,), (1.0,)) == (3.0, 0.0)
        assert jvp(lambda x: None, (1.0,), (1.0,)) == (None, None)

    def test_both_nest(self):
        second = jvp(lambda x: grad(cubic)(x), (2.0,), (1.0,))[1]
        assert second == 12.0
        assert grad(lambda x: jvp(cubic, (x,), (1.0,))[1])(2.0) == 12.0
        assert grad(lambda x: vjp(cubic, x)[1](1.0)[0])(2.0) == 12.0
        assert grad(lambda v: vjp(cubic, 2.0)[1](v)[0])(1.0) == 10.0
        assert grad(lambda v: jvp(cubic, (2.0,), (v,))[1])(1.0) == 10.0

    def test_elementwise(self):
        np.testing.assert_allclose(elementwise_grad(cubic)(POINT), 3 * POINT**2 - 2)
        np.testing.assert_allclose(elementwise_grad(elementwise_grad(cubic))(POINT), 6 * POINT)


class TestErrors:
    @pytest.mark.parametrize(
        ("call", "error", "text"),
        [
            (lambda: grad(cubic)(POINT), GradientError, "of cubic: the result is no single number, but sha"),
            (lambda: grad(lambda x: (x, x))(1.0), GradientError, "number, but [0] shape (), [1] shape ()"),
            (lambda: grad(cubic, 1)(1.0), ValueError, "argnums has 1, but it was called with 1 positional"),
            (lambda: grad(cubic)(x=1.0), ValueError, "argnums has 0, but it was called with 0 positional"),
            (lambda: grad(np.multiply, (0, -2))(1.0, 2.0), ValueError, "(0, -2) names an argument twice"),
            (lambda: grad(cubic, [0])(1.0), TypeError, "argnums has [0]; expected an int, or a tuple"),
            (lambda: grad(cubic, True)(1.0), TypeError, "argnums has True; expected an int, or a tuple"),
            (lambda: grad(cubic)({1.0}), UnsupportedTypeError, "argument 0 is set, by which nothing"),
            (lambda: grad(cubic)(np.ma.ones(2)), UnsupportedTypeError, "argument 0 is MaskedArray float64"),
            (lambda: grad(cubic)(Variable(None)), UnsupportedTypeError, "argument 0 is Variable, by which"),
            (lambda: grad(cubic)("x"), UnsupportedTypeError, "of cubic: argument 0 is str, by which nothing"),
            (lambda: grad(cubic)({"a": [1.0, "b"]}), UnsupportedTypeError, "argument 0['a'][1] is str"),
            (lambda: grad(cubic)(np.array([True])), UnsupportedTypeError, "argument 0 is ndarray bool"),
            (lambda: grad(cubic)(True), UnsupportedTypeError, "argument 0 is bool"),
            (lambda: grad(lambda x: "y")(1.0), UnsupportedTypeError, "<lambda>: the result is str; expected"),
            (lambda: jacobian(lambda x: (x, {x}))(1.0), UnsupportedTypeError, "the result[1] is set; exp"),
            (lambda: grad(lambda x: x * 1j)(1.0), GradientError, "result is complex and an argument real"),
            (lambda: hessian(np.abs)(1j), GradientError, "real function of complex arguments has no complex"),
            (lambda: vjp(np.sin, 1.0)[1](1j), GradientError, "the gradient is of dtype complex128; expected"),
            (lambda: jvp(np.sin, (1.0,), (1j,)), GradientError, "tangents[0] is of dtype complex128; exp"),
            (lambda: vjp(np.sin, 1.0)[1]("a"), GradientError, "the gradient is of dtype <U1; expected"),
            (lambda: jvp(np.sin, 1.0, 1.0), TypeError, "jvp takes args and tangents as tuples, not"),
            (lambda: hvp(cubic)(1.0), TypeError, "hvp(cubic) takes the arguments of the function and then"),
            (lambda: grad(cubic, has_aux=True)(1.0), GradientError, "has_aux = True, but the result is no"),
            (lambda: vjp(cubic, POINT)[1](1.0), GradientError, "gradient has shape (); expected shape (3,)"),
            (lambda: jvp(cubic, (1.0,), ((1.0, 2.0),)), GradientError, "shape (); expected [0] shape ()"),
            (lambda: hvp(rosenbrock)(POINT, 1.0), GradientError, "vector has shape (); expected shape (3,)"),
        ],
    )  # fmt: skip
    def test_name_function_and_argument(self, call, error, text):
        with pytest.raises(error) as raised:
            call()
        assert text in str(raised.value)

    def test_an_error_in_the_function_leaves_nothing_active(self):
        def broken(x):
            raise RuntimeError("no")

        with pytest.raises(RuntimeError, match="no"):
            grad(broken)(1.0)
        assert grad(cubic)(2.0) == 10.0


class TestCheckpoint:
    @staticmethod
    def block(x):
        return np.sin(np.exp(x) * x)

    def test_values_and_gradients_are_those_without(self):
        plain = lambda x: np.sum(self.block(self.block(x)))  # noqa: E731
        kept_less = lambda x: np.sum(checkpoint(self.block)(checkpoint(self.block)(x)))  # noqa: E731
        x = np.array([0.1, -0.5])
        assert kept_less(x) == plain(x)
        for transform in (grad, hessian, lambda f: grad(lambda x: np.sum(grad(f)(x) ** 2))):
            np.testing.assert_allclose(transform(kept_less)(x), transform(plain)(x), rtol=1e-12)

    def test_in_the_notebooks_way_and_to_second_order(self):
        x = Variable(np.array(0.3))
        checkpoint(lambda x: x**3)(x).backward(create_graph=True)
        gx = x.grad
        x.cleargrad()
        gx.backward()
        assert gx.item() == pytest.approx(3 * 0.3**2)
        assert x.grad == pytest.approx(6 * 0.3)

    def test_variables_from_outside_get_their_gradients(self):
        w = Variable(np.array(2.0))
        inner = w * 3
        x = Variable(np.array(5.0))
        y = checkpoint(lambda x: inner * w * x)(x)  # 3 w**2 x
        y.backward()
        assert (y.item(), x.grad, w.grad) == (60.0, 12.0, 60.0)

    def test_arguments_of_functions_around_it_get_theirs(self):
        assert grad(lambda w: checkpoint(lambda x: w**2 * x)(3.0))(2.0) == 12.0
        assert grad(grad(lambda w: checkpoint(lambda x: w**3 * x)(w)))(2.0) == 48.0  # of w**4

    def test_what_is_inside_reaches_arguments_of_functions_around_it(self):
        # each x**3, x**2 * 2 x or 2 x**2, of which the inner call knows x by its closure alone
        nested = lambda x: checkpoint(lambda y: checkpoint(lambda z: z * x)(y))(x**2)  # noqa: E731
        slope = lambda x: checkpoint(lambda y: y * grad(lambda t: t**2 * x)(1.0))(x)  # noqa: E731
        assert grad(nested)(3.0) == 27.0
        assert grad(grad(nested))(3.0) == 18.0
        assert grad(slope)(3.0) == 12.0
        assert grad(grad(slope))(3.0) == 4.0

    def test_an_argument_may_be_used_from_outside_too(self):
        x = Variable(np.array([1.0, 2.0]))
        np.sum(checkpoint(lambda y: y * x)(x)).backward()
        np.testing.assert_array_equal(x.grad, [2.0, 4.0])
        x.cleargrad()
        twice = x * 2
        np.sum(checkpoint(lambda y: y * twice)(x)).backward()
        np.testing.assert_array_equal(x.grad, [4.0, 8.0])

    def test_structures_keywords_and_several_results(self):
        f = checkpoint(lambda p, *, scale: {"a": p["x"] * scale, "b": [p["x"] ** 2]})
        x = Variable(np.array(3.0))
        out = f({"x": x, "unused": "text"}, scale=2.0)
        (out["a"] + out["b"][0]).backward()
        assert x.grad == 8.0

    def test_what_is_no_variable_comes_back_as_it_is(self):
        f = checkpoint(lambda x: (x**2, np.argmax(x), x > 1.5, "text", None, np.ones(2)))
        x = Variable(np.array([1.0, 2.0]))
        y, place, mask, *rest = f(x)
        assert rest[:2] == ["text", None]
        assert [type(place), type(mask), type(rest[2])] == [np.int64, np.ndarray, np.ndarray]
        y[place].backward()
        np.testing.assert_array_equal(x.grad, [0.0, 4.0])

    @pytest.mark.parametrize("change", ["random", "argument", "count"])
    def test_another_result_the_second_time_is_an_error(self, change):
        rng, scale, calls = np.random.default_rng(0), np.ones(3), []

        def f(x, scale):
            calls.append(None)
            noise = rng.normal(size=3) if change == "random" else 1.0
            return (x * scale * noise,) * (2 if change == "count" and len(calls) > 1 else 1)

        x = Variable(np.ones(3))
        (y,) = checkpoint(f)(x, scale)
        if change == "argument":
            scale += 1
        with pytest.raises(GradientError, match="checkpoint of f: called again in the backward pass"):
            np.sum(y).backward()
        assert x.grad is None

    def test_an_error_the_second_time_tells_where(self):
        calls = []

        def once(x):
            calls.append(None)
            if len(calls) > 1:
                raise RuntimeError("no more")
            return x * 2

        with pytest.raises(RuntimeError, match="no more") as raised:
            grad(checkpoint(once))(1.0)
        assert raised.value.__notes__ == ["in backward of checkpoint of once"]
        assert grad(cubic)(2.0) == 10.0

    def test_a_chain_with_a_recorded_pass_leaves_nothing_behind(self):
        block = checkpoint(lambda x: np.sin(x) * x)

        def run():
            x = Variable(np.ones(3))
            np.sum(block(block(x))).backward(create_graph=True)

        assert grown(run) < 10

    def test_without_recording_it_only_calls(self):
        calls = []
        f = checkpoint(lambda x: calls.append(x) or x * 2)
        with no_grad():
            f(Variable(np.array(1.0)))
        assert len(calls) == 1
        assert type(f(np.array(2.0))) is np.float64

    def test_a_whole_gradient_needs_less_memory_at_its_peak(self):
        def deep(x):
            for _ in range(50):
                x = np.sin(x)
            return x

        def peak(f):
            x = np.ones(50_000)
            tracemalloc.start()
            grad(lambda x: np.sum(f(f(f(f(x))))))(x)
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return most

        assert peak(checkpoint(deep)) < peak(deep) / 2.5  # one block at a time of four

    def test_inner_arrays_are_not_kept(self):
        def deep(x):
            for _ in range(50):
                x = np.sin(x)
            return x

        def peak(f):
            x = Variable(np.ones(100_000))
            tracemalloc.start()
            for _ in range(4):
                x = f(x)
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            return held

        assert peak(checkpoint(deep)) < peak(deep) / 10


def test_gradients_are_arrays_of_the_callers_own_without_a_copy_where_nobody_else_has_them():
    made = []

    class Doubled(Function):
        def forward(self, x):
            return 2 * x

        def backward(self, gy):
            gx = 2 * gy
            made.append(gx.__array_interface__["data"])
            return gx

    x = np.ones(1000)
    gradient = grad(lambda x: np.sum(Doubled()(x)))(x)
    assert gradient.__array_interface__["data"] == made[0]
    both = grad(lambda x, y: np.sum(x + y), (0, 1))(x, x)
    assert both[0] is not both[1]
    both[0][0] = 7.0
    assert (both[1] == 1).all()
    kept = np.full(3, 5.0)

    class Keeps(Doubled):
        def backward(self, gy):
            return kept

    grad(lambda x: np.sum(Keeps()(x)))(np.ones(3))[0] = 7.0
    assert (kept == 5).all()


class TestNamesAndArguments:
    def test_what_a_transform_gives_is_named_for_both(self):
        def f(x):
            """Say what f is."""
            return x * x

        for transform in (grad, value_and_grad, jacobian, hessian):
            made = transform(f)
            assert "f" in made.__name__
            assert made.__wrapped__ is f

    @pytest.mark.parametrize(("args", "tangents"), [(1.0, (1.0,)), ((1.0,), 1.0), (1.0, 1.0)])
    def test_jvp_takes_tuples(self, args, tangents):
        with pytest.raises(TypeError, match="jvp takes args and tangents as tuples"):
            jvp(np.sin, args, tangents)


class TestCheckpointsThatDiffer:
    """A checkpoint is called again: what comes out must be the same, bit for bit."""

    @staticmethod
    def derivative(change, first=np.ones(3) * 10):  # noqa: B008
        calls = []

        def f(x):
            calls.append(None)
            return x * 2 if len(calls) == 1 else change(x * 2)

        return grad(lambda x: np.sum(checkpoint(f)(x)))(first)

    @pytest.mark.parametrize("change", [lambda y: y * 1, lambda y: np.exp(np.log(y)), lambda y: 2 * (y / 2)])
    def test_equal_results_of_other_operators_are_refused(self, change):
        with pytest.raises(GradientError, match=r"came to the same result another way, .* with a seed, and"):
            self.derivative(change, np.array([np.nan, 0.5, 0.5]))

    @pytest.mark.parametrize(
        "change",
        [lambda y: y + 1e-5, lambda y: y * (1 + 2**-52), lambda y: y[:2], lambda y: np.concatenate([y, y]),
         lambda y: y.astype(np.float32), lambda y: y.astype(complex), lambda y: (y, y)],
    )  # fmt: skip
    def test_everything_else_is_refused(self, change):
        with pytest.raises(GradientError, match="called again in the backward pass, it gave another result"):
            self.derivative(change)
