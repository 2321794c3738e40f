"""Operators as authors may write them: what forward keeps on the instance, and what backward does with it."""

# ruff: noqa: E501, an entry of a table stands in one line

from __future__ import annotations

import random

# Of each: the value, and its derivative, by x and by y, which is the value.
FORMULAS = (
    ("x**3", "3 * x**2"), ("np.sin(x)", "np.cos(x)"), ("np.tanh(x)", "1 - np.tanh(x) ** 2"), ("np.exp(x)", "np.exp(x)"),
    ("x * np.sin(x)", "np.sin(x) + x * np.cos(x)"), ("1 / (1 + x * x)", "-2 * x / (1 + x * x) ** 2"),
)  # fmt: skip

# How forward keeps the derivative s, and how backward finds it again; what else the class says.
KEPT = {
    "nothing": ("pass", "{d}", ""),
    "attribute": ("self.kept = s", "self.kept", ""),
    "list": ("self.kept = [s]", "self.kept[0]", ""),
    "tuple": ("self.kept = (s, 1)", "self.kept[0]", ""),
    "dict": ("self.kept = dict(s=s)", "self.kept['s']", ""),
    "nested": ("self.kept = [dict(s=(s,))]", "self.kept[0]['s'][0]", ""),
    "closure": ("self.kept = lambda g: g * s", "self.kept(1.0)", ""),
    "default": ("self.kept = lambda g, s=s: g * s", "self.kept(1.0)", ""),
    "local function": ("def back(g):\n    return g * s\nself.kept = back", "self.kept(1.0)", ""),
    "partial": ("self.kept = functools.partial(np.multiply, s)", "self.kept(1.0)", ""),
    "bound method": ("self.kept = s.__mul__", "self.kept(1.0)", ""),
    "method of another": ("self.kept = Scale(s).apply", "self.kept(1.0)", ""),
    "object": ("self.kept = Slotless(s)", "self.kept.k", ""),
    "slotted object": ("self.kept = Slotted(s)", "self.kept.k", ""),
    "namespace": ("self.kept = types.SimpleNamespace(s=s)", "self.kept.s", ""),
    "dataclass": ("self.kept = Held(s)", "self.kept.k", ""),
    "named tuple": ("self.kept = Pair(s, 1)", "self.kept.k", ""),
    "deque": ("self.kept = collections.deque([s])", "self.kept[0]", ""),
    "object array": ("self.kept = np.empty(1, object)\nself.kept[0] = s", "self.kept[0]", ""),
    "iterator": ("self.kept = itertools.repeat(s)", "next(self.kept)", ""),
    "generator": ("self.kept = (s for _ in range(9))", "next(self.kept)", ""),
    "weak reference": ("self.strong = s\nself.kept = weakref.ref(s)", "self.kept()", ""),
    "class": ("self.kept = type('Kept', (), dict(s=s))", "self.kept.s", ""),
    "module": ("self.kept = types.ModuleType('kept')\nself.kept.s = s", "self.kept.s", ""),
    "mapping proxy": ("self.kept = types.MappingProxyType(dict(s=s))", "self.kept['s']", ""),
    "user list": ("self.kept = collections.UserList([s])", "self.kept[0]", ""),
    "subclass of list": ("self.kept = type('L', (list,), {{}})([s])", "self.kept[0]", ""),
    "bytes": ("self.kept = s.tobytes()", "np.frombuffer(self.kept).reshape(np.shape(self.xs[0]))", ""),
    "memoryview": ("self.kept = memoryview(np.ascontiguousarray(s))", "np.asarray(self.kept)", ""),
    "float32": ("self.kept = s.astype(np.float32)", "np.float64(1) * self.kept", ""),
    "record array": ("self.kept = np.zeros(1, [('s', float, np.shape(s))])\nself.kept['s'] = s", "self.kept['s'][0]", ""),
    "set of numbers": ("self.kept = {{float(np.sum(s))}}", "({d} + 0 * sum(self.kept))", ""),
    "numbers": ("self.kept = [float(t) for t in np.ravel(s)]", "np.reshape(np.array(self.kept), np.shape(self.xs[0]))", ""),
    "numbers in a frozenset": ("self.kept = frozenset([(i, float(t)) for i, t in enumerate(np.ravel(s))])", "np.reshape(np.array([t for _, t in sorted(self.kept)]), np.shape(self.xs[0]))", ""),
    "Fraction": ("self.kept = [fractions.Fraction(float(t)) for t in np.ravel(s)]", "np.reshape(np.array([float(t) for t in self.kept]), np.shape(self.xs[0]))", ""),
    "sum as a number": ("self.kept = float(np.sum(x))", "{d} + (np.sum(x) - self.kept)", ""),
    "__dict__": ("self.__dict__['kept'] = s", "self.kept", ""),
    "setattr": ("setattr(self, 'kept', s)", "self.kept", ""),
    "vars": ("vars(self).update(kept=s)", "self.kept", ""),
    "by a method": ("self.keep(s)", "self.kept", "def keep(self, s):\n    self.kept = s"),
    "by a function": ("keep(self, s)", "self.kept", ""),
    "by a property": ("self.kept = s", "self.kept", "@property\ndef kept(self):\n    return self.inner[0]\n@kept.setter\ndef kept(self, s):\n    self.inner = (s,)"),
    "slots": ("self.kept = s", "self.kept", "__slots__ = ('kept',)"),
    "object in slots": ("self.kept = Held(s)", "self.kept.k", "__slots__ = ('kept',)"),
    "cached": ("self.value = x * 1", "self.kept", "@functools.cached_property\ndef kept(self):\n    x = self.value\n    return {d}"),
    "filled": ("self.kept[...] = s", "self.kept", "def __init__(self):\n    self.kept = np.empty({shape})"),
    "filled by out=": ("np.multiply(s, 1.0, out=self.kept)", "self.kept", "def __init__(self):\n    self.kept = np.empty({shape})"),
    "filled by copyto": ("np.copyto(self.kept, s)", "self.kept", "def __init__(self):\n    self.kept = np.zeros({shape})"),
    "filled by +=": ("self.kept += s", "self.kept", "def __init__(self):\n    self.kept = np.zeros({shape})"),
    "filled by another name": ("kept = self.kept\nkept[...] = s", "self.kept", "def __init__(self):\n    self.kept = np.zeros({shape})"),
    "filled by a view": ("self.view[...] = s", "self.kept", "def __init__(self):\n    self.kept = np.zeros({shape})\n    self.view = self.kept[...]"),
    "filled list": ("self.kept.append(s)", "self.kept[-1]", "def __init__(self):\n    self.kept = []"),
    "filled list in a tuple": ("self.kept[0].append(s)", "self.kept[0][-1]", "def __init__(self):\n    self.kept = ([],)"),
    "filled dict": ("self.kept['s'] = s", "self.kept['s']", "def __init__(self):\n    self.kept = {{}}"),
    "filled deque": ("self.kept.append(s)", "self.kept[-1]", "def __init__(self):\n    self.kept = collections.deque()"),
    "filled namespace": ("self.kept.k = s", "self.kept.k", "def __init__(self):\n    self.kept = Held()"),
    "filled object array": ("self.kept[0] = s", "self.kept[0]", "def __init__(self):\n    self.kept = np.empty(1, object)"),
    "filled by a closure": ("self.put(s)", "self.get()", "def __init__(self):\n    self.get, self.put = cell(None)"),
    "filled by a generator": ("self.kept.send(s)", "next(self.kept)", "def __init__(self):\n    def keeper():\n        s = None\n        while True:\n            got = yield s\n            s = s if got is None else got\n    self.kept = keeper()\n    next(self.kept)"),
    "mask": ("self.kept = x > 0.2", "{d} * np.where(self.kept, 1.0, 1.0)", ""),
    "integers": ("self.kept = np.argsort(np.ravel(x))", "{d} * (1.0 + 0 * np.sum(self.kept))", ""),
    "shape": ("self.kept = np.shape(x)", "np.reshape(np.ravel({d}), self.kept)", ""),
    "parameter": ("pass", "{d} * self.kept * 0.5", "def __init__(self):\n    self.kept = 2.0"),
    "array parameter": ("pass", "{d} * self.kept", "def __init__(self):\n    self.kept = np.array(1.0)"),
    "declared": ("self.kept = np.ones(1)[0]", "{d} * self.kept", "constants = ('kept',)"),
    "dtype": ("self.kept = x.dtype", "{d} * np.ones((), self.kept)", ""),
    "module's function": ("self.kept = np.multiply", "self.kept({d}, 1.0)", ""),
    "once": ("self.kept = s", "self.kept", "once_differentiable = True"),
}  # fmt: skip

# What backward does beside; {k} is the derivative.
BACKWARD = {
    "plain": "return gy * {k}",
    "swapped": "return {k} * gy",
    "gy *=": "gy *= {k}\nreturn gy",
    "gy *= number": "gy *= 2\nreturn 0.5 * gy * {k}",
    "gy += 0": "gy += 0.0\nreturn gy * {k}",
    "gy[...] =": "gy[...] = gy * {k}\nreturn gy",
    "gy out=": "return np.multiply(gy, {k}, out=gy)",
    "gy imul": "return operator.imul(gy, {k})",
    "gy by another name": "g = gy\ng *= {k}\nreturn g",
    "gy by a view": "g = gy[...]\ng *= {k}\nreturn g",
    "gy by reshape": "g = np.reshape(gy, np.shape(gy))\ng *= {k}\nreturn g",
    "gy fill": "g = gy * {k}\ngy.fill(0.0)\nreturn g",
    "own array": "g = gy * {k}\ng *= 2.0\ng /= 2.0\nreturn g",
    "own sum": "g = 0.0\nfor weight in (0.25, 0.75):\n    g += weight * gy * {k}\nreturn g",
    "own copy": "g = gy.copy()\ng *= {k}\nreturn g",
    "own np.copy": "g = np.copy(gy)\ng *= {k}\nreturn g",
    "x *=": "(x,) = self.xs\ng = gy * {k}\nx *= 2\nreturn g",
    "y *=": "(y,) = self.ys\ng = gy * {k}\ny *= 2\nreturn g",
    "copy of gy": "return copy.copy(gy) * {k}",
    "deepcopy of gy": "return copy.deepcopy(gy) * {k}",
    "plain of gy": "return plain(gy) * {k}",
    "plain of x": "x = plain(self.xs[0])\nreturn gy * ({d})",
    "copy of x": "x = copy.copy(self.xs[0])\nreturn gy * ({d})",
    "deepcopy of x": "x = copy.deepcopy(self.xs[0])\nreturn gy * ({d})",
    "deepcopy of xs": "(x,) = copy.deepcopy(self.xs)\nreturn gy * ({d})",
    "pickle of x": "x = pickle.loads(pickle.dumps(self.xs[0]))\nreturn gy * ({d})",
    "list of x": "x = np.array(self.xs[0].tolist())\nreturn gy * ({d})",
    "array of x": "x = np.asarray(self.xs[0])\nreturn gy * ({d})",
    "item of x": "x = self.xs[0]\nreturn gy * ({d}) + np.ravel(x)[0] - x.item(0)",
    "float of x": "x = self.xs[0]\nreturn gy * ({d}) + float(np.sum(x)) - np.sum(x)",
    "data of x": "x = getattr(self.xs[0], 'data', 1) if type(self.xs[0]) is not np.ndarray else self.xs[0]\nreturn gy * ({d})",
    "branch": "x = self.xs[0]\nif np.sum(x) > 0:\n    return gy * {k}\nreturn {k} * gy",
    "returns None": "gy * {k}",
    "returns None at times": "if np.sum(self.xs[0]) > 0:\n    return gy * {k}",
    "keeps": "self.later = gy * {k}\nreturn self.later",
    "tuple": "return (gy * {k},)",
    "list": "return [gy * {k}]",
}  # fmt: skip


def indented(text: str, by: int = 1) -> str:
    """Give a text some levels further in."""
    return "".join("    " * by + line + "\n" for line in text.split("\n"))


def operator_text(rng: random.Random, shape: tuple[int, ...]) -> tuple[str, tuple[str, ...]]:
    """Draw a class named FuzzedOperator of one input; give its text and its features."""
    value, slope = rng.choice(FORMULAS)
    kept, back = rng.choice(list(KEPT)), "plain"
    if rng.random() < 0.5:
        kept, back = "nothing", rng.choice(list(BACKWARD))
    keeping, read, body = KEPT[kept]
    read = read.format(d=f"({slope})")
    backward = "x = self.xs[0]\n" + BACKWARD[back].format(k=f"({read})", d=slope)
    text = "def keep(owner, s):\n    owner.kept = s\n\nclass FuzzedOperator(Function):\n"
    if body:
        text += indented(body.format(d=slope, shape=shape))
    text += indented("def forward(self, x):") + indented(
        f"s = {slope}\n{keeping.format()}\nreturn {value}", 2
    )
    text += indented("def backward(self, gy):") + indented(backward, 2)
    return text, (f"kept: {kept}", f"backward: {back}")
