"""`registry.guard` and OPREGISTRY_GUARD: arrays that are overwritten before their backward."""

import gc

import numpy as np
import pytest

import registry
from registry import Function, OverwrittenError, Variable, guard, ops


def overwritten(y, what):
    """See that backward says of which array it is, and changes no gradient."""
    with pytest.raises(OverwrittenError, match=what) as caught:
        y.backward()
    return str(caught.value)


class TestWhatIsSeen:
    def test_operator_plugin_input_and_line_are_named(self):
        x = Variable(np.array([1.0, 2.0]))
        with guard():
            y = x * x
            x.data[0] = 5.0
            text = overwritten(y, r"^input 0 of operator 'multiply' of plugin ops_builtin \(opregistry ")
        assert "float64 (2,), was overwritten after it was recorded at " in text
        assert text.split("recorded at ")[1].startswith(f"{__file__}:")
        assert x.grad is None

    def test_a_write_into_a_result_that_backward_reads(self):
        x = Variable(np.array([1.0, 2.0]))
        with guard():
            y = np.exp(x)
            y.data[1] = 0.0
            overwritten(y, "^output 0 of operator 'exp'")

    @pytest.mark.parametrize(
        "write",
        [
            lambda base: base.__setitem__((0, 0), 9.0),
            lambda base: base.T.__setitem__((0, 0), 9.0),
            lambda base: np.negative(base, out=base),
            lambda base: base[::2].sort(axis=1),
            lambda base: memoryview(base).cast("B").__setitem__(7, 0),
            lambda base: base.view(np.uint8).__setitem__((0, 0), 1),
            lambda base: np.random.default_rng(0).shuffle(base),
        ],
    )
    def test_a_write_by_whatever_name(self, write):
        base = np.arange(12.0)[::-1].reshape(3, 4).copy()
        x = Variable(base[:, 1:])
        with guard():
            y = np.sum(np.square(x))
            write(base)
            if np.array_equal(base[:, 1:], np.arange(12.0)[::-1].reshape(3, 4)[:, 1:]):
                y.backward()  # it was written beside the view
            else:
                overwritten(y, "^input 0 of operator 'square'")

    def test_a_view_made_before_is_no_way_around(self):
        data = np.array([1.0, 2.0])
        view = data[:1]
        x = Variable(data)
        with guard():
            y = x * x
            view[0] = 7
            overwritten(y, "input 0")

    def test_constants_that_backward_needs(self):
        weights = np.array([1.0, 2.0])
        with guard():
            y = Variable(np.ones(2)) * weights
            weights *= 2
            overwritten(y, "^input 1 of operator 'multiply'")

    def test_what_forward_stored(self):
        class Dropped(Function):
            saves = ()

            def forward(self, x):
                self.mask = x > 0
                return x * self.mask

            def backward(self, gy):
                return gy * self.mask

        with guard():
            y = Dropped()(Variable(np.array([1.0, -1.0])))
            y.creator.mask[1] = True
            overwritten(y, r"^self\.mask of operator .*bool \(2,\)")

    def test_swapped_elements_a_changed_sign_of_zero_and_a_last_bit(self):
        for change in (lambda x: x.sort(), lambda x: np.negative(x, out=x, where=x == 0), _one_bit):
            x = Variable(np.array([3.0, 0.0, 2.0]))
            with guard():
                y = np.sum(x * x)
                change(x.data)
                overwritten(y, "input 0")

    def test_second_derivatives(self):
        x = Variable(np.array([1.0, 2.0]))
        with guard():
            (x * x * x).backward(create_graph=True)
            gx = x.grad
            x.data[:] = 0
            overwritten(gx, "was overwritten")

    def test_numbers(self):
        x = Variable(np.array(2.0))
        with guard():
            y = x * x
            x.data[...] = 3.0
            overwritten(y, r"float64 \(\)")


def _one_bit(x):
    x.view(np.uint64)[2] ^= 1


class TestWhatIsNoHarm:
    def test_untouched_arrays_pass(self):
        x = Variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
        with guard():
            np.sum(np.exp(x.T) @ np.ones(2) * np.zeros((0, 2))).backward()
            np.square(x).backward()
        np.testing.assert_array_equal(x.grad, 2 * x.data)

    def test_nan_is_equal_to_itself(self):
        x = Variable(np.array([np.nan, 1.0]))
        with guard():
            (x * x).backward()
        assert x.grad[1] == 2

    def test_what_backward_does_not_read_may_be_written_into(self):
        x = Variable(np.array([1.0, 2.0]))
        with guard():
            y = x + 1
            x.data[0] = 7.0
            y.backward()
        assert x.grad.tolist() == [1.0, 1.0]

    def test_the_same_numbers_written_again_pass(self):
        x = Variable(np.array([1.0, 2.0]))
        with guard():
            y = x * x
            x.data[:] = [1.0, 2.0]
            y.backward()
        assert x.grad.tolist() == [2.0, 4.0]

    def test_updates_after_backward(self):
        w = Variable(np.array([1.0, -1.0]))
        with guard():
            for _ in range(5):
                loss = np.sum(w * w)
                loss.backward()
                w.data -= 0.1 * w.grad
                w.cleargrad()
        np.testing.assert_allclose(w.data, [0.8**5, -(0.8**5)])

    def test_transforms_checkpoints_and_compiled_functions(self):
        with guard():
            assert registry.grad(registry.grad(lambda x: x**4))(2.0) == 48
            assert registry.grad(lambda x: np.sum(registry.checkpoint(np.square)(x)))(
                np.ones(2)
            ).tolist() == [2, 2]
            f = registry.compile(registry.grad(lambda x: np.sum(x * x * x)))
            assert [f(np.array([2.0])).item(), f(np.array([3.0])).item()] == [12, 27]

    def test_nothing_is_kept_alive(self):
        gc.collect()
        x = Variable(np.ones(1000))
        with guard():
            for _ in range(3):
                np.sum(x * x).backward()
            gc.disable()
            try:
                before = len(gc.get_objects())
                for _ in range(50):
                    np.sum(x * x).backward()
                assert len(gc.get_objects()) - before < 50
            finally:
                gc.enable()


class TestWhere:
    def test_what_was_recorded_before_is_not_known(self):
        x = Variable(np.array([1.0]))
        y = x * x
        x.data[0] = 5.0
        with guard():
            y.backward()
        assert x.grad.tolist() == [10.0]

    def test_nothing_is_compared_after_the_block(self):
        x = Variable(np.array([1.0]))
        with guard():
            y = x * x
        x.data[0] = 5.0
        y.backward()
        assert x.grad.tolist() == [10.0]
        assert registry.default_registry().observers is None

    def test_blocks_nest(self):
        x = Variable(np.array([1.0]))
        with guard():
            with guard():
                y = x * x
            x.data[0] = 5.0
            overwritten(y, "input 0")

    def test_a_whole_process(self, site):
        code = (
            "import numpy as np, registry\n"
            "x = registry.Variable(np.array([1.0]))\n"
            "y = x * x\n"
            "x.data[0] = 5\n"
            "try:\n    y.backward()\n    print(x.grad)\n"
            "except registry.OverwrittenError as error:\n    print('seen')"
        )
        assert site.python(code, OPREGISTRY_GUARD="1") == "seen"
        assert site.python(code, OPREGISTRY_GUARD="0") == "[10.]"

    def test_a_registry_of_its_own(self, fresh):
        fresh(guard=True)
        x = Variable(np.array([1.0]))
        y = ops.square(x)
        x.data[0] = 5.0
        overwritten(y, "input 0 of operator 'square'")


def test_ctrl_c_while_a_block_ends_takes_the_observer_away(monkeypatch):
    known = registry.default_registry()
    relay, interrupts = known._relay, iter([KeyboardInterrupt()])

    def interrupted(watchers):
        for error in interrupts:
            raise error
        return relay(watchers)

    with pytest.raises(KeyboardInterrupt), guard():
        monkeypatch.setattr(known, "_relay", interrupted)
    assert (known.observers, known._watchers) == (None, ())
