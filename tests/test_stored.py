"""What forward stores is a constant, which a second derivative must not use unless that is harmless."""

import collections
import functools
import types
from dataclasses import dataclass

import numpy as np
import pytest

from registry import Function, HigherOrderError, Variable, grad
from registry.helpers import make_helper


class Stores(Function):
    """exp, whose backward reads what forward kept on self."""

    def forward(self, x):
        y = np.exp(x)
        self.keep(y)
        return y

    def keep(self, y):
        self.kept = y

    def backward(self, gy):
        return gy * self.kept


def put(function, y):
    function.kept = y


class StoresDirectly(Stores):
    def forward(self, x):
        self.kept = np.exp(x)
        return self.kept.copy()


class StoresByAssigningTwo(Stores):
    def forward(self, x):
        self.kept, self.shape = np.exp(x), x.shape
        return np.exp(x)


class StoresThroughSuper(StoresDirectly):
    def forward(self, x):
        return super().forward(x)


class StoresThroughAFunction(Stores):
    def forward(self, x):
        put(self, np.exp(x))
        return np.exp(x)


class StoresBySetattr(Stores):
    def forward(self, x):
        setattr(self, "kept", np.exp(x))  # noqa: B010
        return np.exp(x)


class StoresInATuple(Stores):
    def keep(self, y):
        self.kept = (1, y)

    def backward(self, gy):
        return gy * self.kept[1]


class StoresInADict(StoresInATuple):
    def keep(self, y):
        self.kept = {1: [y]}

    def backward(self, gy):
        return gy * self.kept[1][0]


class StoresInADictOfInit(StoresInADict):
    def __init__(self):
        self.kept = {}

    def keep(self, y):
        self.kept[1] = [y]


class StoresAScalar(Stores):
    def keep(self, y):
        self.kept = y.max()


class StoresAFloat(Stores):
    def keep(self, y):
        self.kept = float(y.max())


STORING = [
    Stores, StoresDirectly, StoresByAssigningTwo, StoresThroughSuper, StoresThroughAFunction, StoresBySetattr,
    StoresInATuple, StoresInADict, StoresInADictOfInit, StoresAScalar, StoresAFloat,
]  # fmt: skip


@pytest.mark.parametrize("operator", STORING)
def test_floats_that_forward_stored_serve_the_first_derivative_only(operator):
    x = Variable(np.array([0.5]))
    operator()(x).backward()
    np.testing.assert_allclose(x.grad, np.exp(0.5))
    x.cleargrad()
    with pytest.raises(
        HigherOrderError, match=rf"{operator.__name__}.*reads self\.kept.*constants = \('kept',\)"
    ):
        operator()(x).backward(create_graph=True)
    assert x.grad is None


class Masked(Function):
    """Dropout in small: a mask, its scale and a shape are no functions of x."""

    constants = "scale", "scales"

    def __init__(self, rate):
        self.rate = rate

    def forward(self, x):
        self.mask = np.arange(x.size).reshape(x.shape) % 2 == 0
        self.places = {"all": np.arange(x.size)}
        self.scale = np.full(x.shape, 1 / (1 - self.rate))
        self.scales = {"all": self.scale}
        return x**3 * self.mask * self.scale

    def backward(self, gy):
        assert self.places["all"].dtype.kind == "i"
        return 3 * self.xs[0] ** 2 * self.mask * self.scales["all"] * gy


def test_masks_integers_parameters_and_declared_constants_are_no_error():
    x = Variable(np.array([1.0, 2.0, 3.0]))
    Masked(0.5)(x).backward(create_graph=True)
    first = x.grad
    x.cleargrad()
    first.backward()
    np.testing.assert_allclose(x.grad, [12, 0, 36])


@dataclass
class Held:
    slope: object


def generated(slope):
    yield slope


class Slotted:
    __slots__ = ("slope",)

    def __init__(self, slope):
        self.slope = slope


ONLY = {
    "a closure": (lambda s: lambda g: g * s, lambda kept: kept(1.0)),
    "a default": (lambda s: lambda g, s=s: g * s, lambda kept: kept(1.0)),
    "a partial": (lambda s: functools.partial(np.multiply, s), lambda kept: kept(1.0)),
    "a method": (lambda s: s.__mul__, lambda kept: kept(1.0)),
    "a ufunc": (lambda s: np.frompyfunc(lambda g: g * float(s), 1, 1), lambda kept: float(kept(1.0))),
    "a namespace": (lambda s: types.SimpleNamespace(s=s), lambda kept: kept.s),
    "a module": (lambda s: vars(module := types.ModuleType("m")).update(s=s) or module, lambda kept: kept.s),
    "a class": (lambda s: type("Class", (), {"s": s}), lambda kept: kept.s),
    "a dataclass": (Held, lambda kept: kept.slope),
    "slots": (Slotted, lambda kept: kept.slope),
    "a deque": (lambda s: collections.deque([s]), lambda kept: kept[0]),
    "a mapping": (lambda s: types.MappingProxyType({"s": s}), lambda kept: kept["s"]),
    "keys": (lambda s: {float(s): 1}, lambda kept: next(iter(kept))),
    "a named tuple": (collections.namedtuple("Named", "s"), lambda kept: kept.s),
    "a set": (lambda s: {float(s)}, lambda kept: next(iter(kept))),
    "a frozen set": (lambda s: frozenset([float(s)]), lambda kept: next(iter(kept))),
    "a slice": (slice, lambda kept: kept.stop),
    "a generator": (generated, next),
    "objects": (lambda s: np.array([s, None], object), lambda kept: kept[0]),
    "bytes": (lambda s: np.array(s).tobytes(), lambda kept: np.frombuffer(kept)[0]),
    "bytes in memory": (lambda s: memoryview(np.array(s)), lambda kept: np.asarray(kept)),
    "fields": (lambda s: np.array((s,), [("s", float)]), lambda kept: kept["s"]),
    "a subclass": (lambda s: np.ma.array(s), lambda kept: np.asarray(kept)),
    "half precision": (lambda s: np.asarray(s, np.float16), lambda kept: kept),
    "a complex number": (lambda s: complex(s), lambda kept: kept.real),
}  # fmt: skip


def is_refused_twice(operator):
    """Say that x ** 3 at 2 has its first derivative, 12, and no second one, however it is called."""
    for call in (lambda x: operator()(x), make_helper(operator, "helper")):
        assert grad(call)(2.0) == 12
        with pytest.raises(HigherOrderError, match=rf"{operator.__name__}'.* reads .*constants = "):
            grad(grad(call))(2.0)
    return True


@pytest.mark.parametrize("keep", ONLY)
def test_what_forward_hides_in_an_object_serves_the_first_derivative_only(keep):
    into, out_of = ONLY[keep]

    class Hides(Function):
        def forward(self, x):
            self.kept = into(3 * x**2)
            return x**3

        def backward(self, gy):
            return gy * out_of(self.kept)

    assert is_refused_twice(Hides)


class Cube(Function):
    """x ** 3, whose backward reads the slope where one of the classes below left it."""

    def __init__(self):
        self.kept = np.zeros(())

    def backward(self, gy):
        return gy * self.kept


class FillsByIndex(Cube):
    def forward(self, x):
        self.kept[...] = 3 * x**2
        return x**3


class FillsAsOut(Cube):
    def forward(self, x):
        np.multiply(x, 3 * x, out=self.kept)
        return x**3


class FillsAsThirdArgument(Cube):
    def forward(self, x):
        np.multiply(x, 3 * x, self.kept)
        return x**3


class FillsInPlace(Cube):
    def forward(self, x):
        kept = self.kept
        kept *= 0
        kept += 3 * x**2
        return x**3


class FillsOnOneOfTwoWays(Cube):
    """On the other way, what it fills is its own."""

    def forward(self, x):
        slope = self.kept if x.size else 0 * x
        slope += 3 * x**2
        return x**3


class FillsByAMethod(Cube):
    def forward(self, x):
        self.kept.fill(3 * x**2)
        return x**3


def fill(array, value):
    array[...] = value


class FillsThroughAFunction(Cube):
    def forward(self, x):
        fill(self.kept, 3 * x**2)
        return x**3


class FillsThroughTheUnknown(Cube):
    def forward(self, x):
        getattr(self.kept, "fill")(3 * x**2)  # noqa: B009
        return x**3


class FillsUnderAnotherName(Cube):
    def __init__(self):
        self.kept = self.buffer = np.zeros(())

    def forward(self, x):
        self.buffer[...] = 3 * x**2
        return x**3


class FillsADict(Cube):
    def __init__(self):
        self.kept = {}

    def forward(self, x):
        self.kept["slope"] = 3 * x**2
        return x**3

    def backward(self, gy):
        return gy * self.kept["slope"]


class FillsAnObject(FillsADict):
    def __init__(self):
        self.kept = types.SimpleNamespace()

    def forward(self, x):
        self.kept.slope = 3 * x**2
        return x**3

    def backward(self, gy):
        return gy * self.kept.slope


class FillsAClosure(FillsADict):
    def __init__(self):
        box = []
        self.store, self.kept = box.append, lambda: box[-1]

    def forward(self, x):
        self.store(3 * x**2)
        return x**3

    def backward(self, gy):
        return gy * self.kept()


class BindsAnewByName(Cube):
    def __init__(self):
        self.kept = 0.0

    def forward(self, x):
        vars(self)["kept"] = float(3 * x**2)
        return x**3


class BindsAnewThroughAFunction(BindsAnewByName):
    def forward(self, x):
        put(self, float(3 * x**2))
        return x**3


class BindsAnewUnderAnotherName(BindsAnewByName):
    def forward(self, x):
        me = self
        me.kept = float(3 * x**2)
        return x**3


def remembering(forward):
    @functools.wraps(forward)
    def call(self, x):
        self.kept = 3 * x**2
        return forward(self, x)

    return call


class BindsAnewInADecorator(BindsAnewByName):
    @remembering
    def forward(self, x):
        return x**3


class HasADefault(Function):
    kept = 3.0

    def forward(self, x):
        self.kept = 3 * x**2
        return x**3

    backward = Cube.backward


class HasAProperty(BindsAnewByName):
    def __init__(self):
        self.own = 0.0

    @property
    def kept(self):
        return self.own

    @kept.setter
    def kept(self, value):
        self.own = value

    def forward(self, x):
        self.kept = float(3 * x**2)
        return x**3


class HasSlots(Function):
    __slots__ = ("kept", "unset")

    forward, backward = FillsByIndex.forward, Cube.backward

    def __init__(self):
        self.kept = np.zeros(())


class HasOneSlot(HasADefault):
    __slots__ = "other"

    def forward(self, x):
        self.other = 3 * x**2
        return x**3

    def backward(self, gy):
        return gy * self.other


class HasAPrivateSlot(Function):
    __slots__ = ("__kept",)

    def forward(self, x):
        self.__kept = 3 * x**2
        return x**3

    def backward(self, gy):
        return gy * self.__kept


class HasASlotOfABase(HasAPrivateSlot):
    __slots__ = ("__dict__",)

    def forward(self, x):
        self.other = 1
        return super().forward(x)


FILLED = [
    FillsByIndex, FillsAsOut, FillsAsThirdArgument, FillsInPlace, FillsOnOneOfTwoWays, FillsByAMethod,
    FillsThroughAFunction, FillsThroughTheUnknown, FillsUnderAnotherName, FillsADict, FillsAnObject,
    FillsAClosure, BindsAnewByName, BindsAnewThroughAFunction, BindsAnewUnderAnotherName,
    BindsAnewInADecorator, HasADefault, HasAProperty, HasSlots, HasOneSlot, HasAPrivateSlot, HasASlotOfABase,
]  # fmt: skip


@pytest.mark.parametrize("operator", FILLED, ids=lambda operator: operator.__name__)
def test_what_init_made_and_forward_fills_or_binds_anew_serves_the_first_derivative_only(operator):
    assert is_refused_twice(operator)


CACHE, LATEST = {}, None


class CachesInADict(Cube):
    __init__ = object.__init__

    def forward(self, x):
        CACHE["slope"] = 3 * x**2
        return x**3

    def backward(self, gy):
        return gy * CACHE["slope"]


class CachesInADefault(CachesInADict):
    def read(self, cache=CACHE):
        return cache["slope"]

    def backward(self, gy):
        return gy * self.read()


class CachesInAGlobal(CachesInADict):
    def forward(self, x):
        global LATEST
        LATEST = 3 * x**2
        return x**3

    def backward(self, gy):
        return gy * LATEST


class CachesOnTheClass(CachesInADict):
    kept = None

    def forward(self, x):
        type(self).kept = 3 * x**2
        return x**3

    backward = Cube.backward


class CachesByAClassMethod(CachesOnTheClass):
    @classmethod
    def remember(cls, slope):
        cls.kept = slope

    def forward(self, x):
        self.remember(3 * x**2)
        return x**3


class CachesInAListOfTheClass(CachesInADict):
    kept = []

    def forward(self, x):
        self.kept.append(3 * x**2)
        return x**3

    def backward(self, gy):
        return gy * self.kept[-1]


def with_a_closure():
    box = [None]

    class CachesInAClosure(Function):
        def forward(self, x):
            box[0] = 3 * x**2
            return x**3

        def backward(self, gy):
            return gy * box[0]

    return CachesInAClosure


CACHING = [
    CachesInADict, CachesInADefault, CachesInAGlobal, CachesOnTheClass, CachesByAClassMethod,
    CachesInAListOfTheClass, with_a_closure(),
]  # fmt: skip


@pytest.mark.parametrize("operator", CACHING, ids=lambda operator: operator.__name__)
def test_what_forward_writes_outside_of_self_serves_the_first_derivative_only(operator):
    assert is_refused_twice(operator)


def test_what_forward_hides_where_no_name_leads_is_not_found():
    class Finds(Function):
        def forward(self, x):
            types.hidden = 3 * x**2
            return x**3

        def backward(self, gy):
            return gy * vars(types)["hidden"]

    assert grad(grad(lambda x: Finds()(x)))(2.0) == 0  # and not 12: the limit of what is promised
    del types.hidden


class Weighted(Cube):
    """x ** 3, by parameters in arrays that forward reads."""

    def __init__(self):
        self.three, self.weights, self.power = 3.0, np.array([1.0, 2.0]), [3]

    def forward(self, x):
        with np.errstate(invalid="ignore"):
            total = np.sum(self.weights * self.weights.copy(), 0) / 5
        return np.where(x > 0, self.scaled(x, total), 0 if x.ndim else x**3)

    def scaled(self, x, total):
        y = x**2
        y = y * x
        y *= total
        return y * min([w for w in self.weights if w > 0])

    def backward(self, gy):
        return gy * self.three * self.weights[0] * self.xs[0] ** (self.power[0] - 1)


class WeightedByFixed(Weighted):
    """The same, by arrays into which nobody can write; forward calls what nobody knows."""

    def __init__(self):
        super().__init__()
        self.weights.flags.writeable = False

    def forward(self, x):
        return Held(x**3).slope


class WeightedByDeclared(Weighted):
    constants = ("weights",)

    def forward(self, x):
        return Held(x**3).slope


class WeightedInSlots(Function):
    __slots__ = ("places", "power", "unset")

    def forward(self, x):
        self.power, self.places = 3, np.arange(3)
        return x**self.power

    def backward(self, gy):
        return gy * 3 * self.xs[0] ** self.places[2]


class Named(Function):
    """Types, functions of modules, and all that has no derivative."""

    def forward(self, x):
        self.power, self.dtype, self.kind = 3, x.dtype, type(x)
        self.index = (Ellipsis, slice(None, 2), None, frozenset((1, "a")))
        self.masks = {"all": [np.ones(3, bool), np.int64(3), range(3)]}
        self.functions = (np.sin, np.where, fill, np.linalg.norm, Held, len)
        return x**3

    def backward(self, gy):
        assert (self.kind, self.functions[2], self.index[0]) == (np.ndarray, fill, ...)
        return gy * self.masks["all"][1] * self.xs[0].astype(self.dtype) ** (self.power - 1)


@pytest.mark.parametrize("operator", [Weighted, WeightedByFixed, WeightedByDeclared, WeightedInSlots, Named])
def test_what_is_no_function_of_the_inputs_is_read_in_a_recorded_backward(operator):
    for call in (lambda x: operator()(x), make_helper(operator, "helper")):
        assert (grad(call)(2.0), grad(grad(call))(2.0), grad(grad(grad(call)))(2.0)) == (12, 12, 6)


def test_the_message_keeps_what_is_declared_already():
    class Declared(Stores):
        constants = ("mask",)

    with pytest.raises(HigherOrderError, match=r"declare constants = \('mask', 'kept'\)"):
        Declared()(Variable(np.array(1.0))).backward(create_graph=True)
