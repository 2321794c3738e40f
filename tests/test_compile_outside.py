"""What a compiled function reads from outside: noticed when it changes, or refused; what cannot be seen."""

import contextlib
import cProfile
import functools
import numbers
import sys
import textwrap
import threading
from collections.abc import Iterable, Sized
from types import SimpleNamespace

import numpy as np
import pytest

from registry import CompileError, Function, grad
from registry import compile as compiled

X = np.array([1.0, 2.0])
HEADER = """
import numpy as np
import builtins, collections, contextvars, dataclasses, enum, functools, itertools, operator, os, random, sys
import time, types, typing, weakref
"""

# name: (what is outside, with f(x), how it changes)
CHANGES = {
    "a number": ("k = 2.0\ndef f(x): return x * k", "k = 3.0"),
    "None": ("k = None\ndef f(x): return x if k is None else x * 3.0", "k = 1"),
    "an entry of an array of objects": (
        "a = np.array([np.sin, None])\ndef f(x): return a[0](x)",
        "a[0] = np.cos",
    ),
    "what a partial function holds": (
        "def g(k, x): return k * x\np = functools.partial(g, 2.0)\ndef f(x): return p(x)",
        "p.__setstate__((g, (3.0,), {}, {}))",
    ),
    "an attribute by a variable that an inner function keeps": (
        "o = types.SimpleNamespace(act=types.SimpleNamespace(f=np.sin))\nL = [o]\n"
        "def f(x):\n    one = L[0]\n    return (lambda t: one.act.f(t))(x)",
        "o.act.f = np.cos",
    ),
    "an attribute by a variable that an inner function could keep": (
        "o = types.SimpleNamespace(act=types.SimpleNamespace(f=np.sin))\nL = [o]\n"
        "def f(x):\n    one = L[0]\n    def never(): return one\n    return one.act.f(x)",
        "o.act.f = np.cos",
    ),
    "a ufunc": ("act = np.sin\ndef f(x): return act(x)", "act = np.cos"),
    "a function": ("def g(x): return x\ndef f(x): return g(x)", "def g(x): return x * 3.0"),
    "a global of a function that is called": (
        "k = 2.0\ndef g(x): return x * k\ndef f(x): return g(x)",
        "k = 3.0",
    ),
    "an enum": (
        "class Mode(enum.Enum):\n    A = 1\n    B = 2\nmode = Mode.A\n"
        "def f(x): return x if mode is Mode.A else x * 3.0",
        "mode = Mode.B",
    ),
    "the value of an enum": (
        "class Mode(enum.Enum):\n    A = 1.0\n    B = 2.0\nmode = Mode.A\ndef f(x): return x * mode.value",
        "mode = Mode.B",
    ),
    "an object": (
        "cfg = types.SimpleNamespace(k=2.0)\ndef f(x): return x * cfg.k",
        "cfg = types.SimpleNamespace(k=3.0)",
    ),
    "an attribute": ("cfg = types.SimpleNamespace(k=2.0)\ndef f(x): return x * cfg.k", "cfg.k = 3.0"),
    "an attribute of an attribute": (
        "a = types.SimpleNamespace(b=types.SimpleNamespace(k=2.0))\ndef f(x): return x * a.b.k",
        "a.b.k = 3.0",
    ),
    "an attribute by a local name": (
        "a = types.SimpleNamespace(b=types.SimpleNamespace(k=2.0))\n"
        "def f(x):\n    c = a.b\n    return x * c.k",
        "a.b.k = 3.0",
    ),
    "a class attribute": ("class C:\n    k = 2.0\ndef f(x): return x * C.k", "C.k = 3.0"),
    "a class attribute by an instance": (
        "class C:\n    k = 2.0\nc = C()\ndef f(x): return x * c.k",
        "C.k = 3.0",
    ),
    "a class attribute of a base": (
        "class B:\n    k = 2.0\nclass C(B): pass\nc = C()\ndef f(x): return x * c.k",
        "B.k = 3.0",
    ),
    "a class attribute before that of the base": (
        "class B:\n    k = 2.0\nclass C(B): pass\nc = C()\ndef f(x): return x * c.k",
        "C.k = 3.0",
    ),
    "an instance attribute before that of the class": (
        "class C:\n    k = 2.0\nc = C()\ndef f(x): return x * c.k",
        "c.k = 3.0",
    ),
    "an attribute that is deleted": (
        "class C:\n    k = 2.0\nc = C()\nc.k = 3.0\ndef f(x): return x * c.k",
        "del c.k",
    ),
    "self": (
        "class C:\n    k = 2.0\n    def __call__(self, x): return x * self.k\nf = C()",
        "f.k = 3.0",
    ),
    "self.training, a default of the class": (
        "class C:\n    training = True\n"
        "    def __call__(self, x): return x * (2.0 if self.training else 3.0)\nf = C()",
        "C.training = False",
    ),
    "a function in an attribute": (
        "class C:\n    act = staticmethod(np.sin)\n    def __call__(self, x): return self.act(x)\nf = C()",
        "f.act = np.cos",
    ),
    "a method": (
        "class C:\n    def g(self, x): return x\nc = C()\ndef f(x): return c.g(x)",
        "C.g = lambda self, x: x * 3.0",
    ),
    "a method that calls a method": (
        "class C:\n    def g(self, x): return self.h(x)\n    def h(self, x): return x\nc = C()\n"
        "def f(x): return c.g(x)",
        "C.h = lambda self, x: x * 3.0",
    ),
    "a method that an attribute of the instance hides": (
        "class C:\n    def g(self, x): return x\nc = C()\ndef f(x): return c.g(x)",
        "c.g = lambda x: x * 3.0",
    ),
    "a method of a base": (
        "class B:\n    def g(self, x): return x\nclass C(B): pass\nc = C()\ndef f(x): return c.g(x)",
        "B.g = lambda self, x: x * 3.0",
    ),
    "super": (
        "class B:\n    def g(self, x): return x\nclass C(B):\n    def g(self, x): return super().g(x) * 2.0\n"
        "c = C()\ndef f(x): return c.g(x)",
        "B.g = lambda self, x: x * 3.0",
    ),
    "super of a data attribute": (
        "class B:\n    k = 2.0\nclass C(B):\n    k = 5.0\n    def g(self, x): return x * super().k\n"
        "c = C()\ndef f(x): return c.g(x)",
        "B.k = 3.0",
    ),
    "super of a class between that gets the method": (
        "class A:\n    def g(self, x): return x\nclass B(A): pass\nclass C(B):\n"
        "    def g(self, x): return super().g(x) * 2.0\nc = C()\ndef f(x): return c.g(x)",
        "B.g = lambda self, x: x * 3.0",
    ),
    "a class method": (
        "class C:\n    k = 2.0\n    @classmethod\n"
        "    def g(cls, x): return x * cls.k\ndef f(x): return C.g(x)",
        "C.k = 3.0",
    ),
    "a class method itself": (
        "class C:\n    @classmethod\n    def g(cls, x): return x\ndef f(x): return C.g(x)",
        "C.g = classmethod(lambda cls, x: x * 3.0)",
    ),
    "a static method": (
        "class C:\n    @staticmethod\n    def g(x): return x\nc = C()\ndef f(x): return c.g(x)",
        "C.g = staticmethod(lambda x: x * 3.0)",
    ),
    "a property": (
        "class C:\n    _k = 2.0\n    @property\n"
        "    def k(self): return self._k\nc = C()\ndef f(x): return x * c.k",
        "c._k = 3.0",
    ),
    "another property": (
        "class C:\n    @property\n    def k(self): return 2.0\nc = C()\ndef f(x): return x * c.k",
        "C.k = property(lambda self: 3.0)",
    ),
    "a cached property": (
        "class C:\n    j = 2.0\n    @functools.cached_property\n    def k(self): return self.j\nc = C()\n"
        "def f(x): return x * c.k",
        "c.j = 3.0; del c.k",
    ),
    "a descriptor": (
        "class D:\n    k = 2.0\n    def __get__(self, one, cls): return self.k\n"
        "class C:\n    d = D()\nc = C()\ndef f(x): return x * c.d",
        "vars(C)['d'].k = 3.0",
    ),
    "another descriptor": (
        "class D:\n    k = 2.0\n    def __get__(self, one, cls): return self.k\n"
        "class C:\n    d = D()\nc = C()\ndef f(x): return x * c.d",
        "C.d = 3.0",
    ),
    "slots": (
        "class C:\n    __slots__ = ('k',)\n"
        "    def __init__(self): self.k = 2.0\nc = C()\ndef f(x): return x * c.k",
        "c.k = 3.0",
    ),
    "another class of an object": (
        "class A:\n    def g(self, x): return x\nclass B:\n    def g(self, x): return x * 3.0\na = A()\n"
        "def f(x): return a.g(x)",
        "a.__class__ = B",
    ),
    "isinstance of an object": (
        "class A: pass\nclass B: pass\na = A()\ndef f(x): return x if isinstance(a, A) else x * 3.0",
        "a.__class__ = B",
    ),
    "a special method": (
        "class C:\n    def __mul__(self, x): return x * 2.0\nc = C()\ndef f(x): return c * x",
        "C.__mul__ = lambda self, x: x * 3.0",
    ),
    "the truth of an object": (
        "class C:\n    k = True\n    def __bool__(self): return self.k\n"
        "c = C()\ndef f(x): return x if c else x * 3.0",
        "c.k = False",
    ),
    "the length of an object": (
        "class C:\n    k = 2\n    def __len__(self): return self.k\nc = C()\n"
        "def f(x): return x * float(len(c))",
        "c.k = 3",
    ),
    "an entry of an object": (
        "class C:\n    k = 2.0\n    def __getitem__(self, i): return self.k\n"
        "c = C()\ndef f(x): return x * c[0]",
        "c.k = 3.0",
    ),
    "equality of objects": (
        "@dataclasses.dataclass\nclass C:\n    k: float = 2.0\na, b = C(), C()\n"
        "def f(x): return x if a == b else x * 3.0",
        "b.k = 3.0",
    ),
    "__getattr__": (
        "class C:\n    def __init__(self): self.d = {'k': 2.0}\n    def __getattr__(self, name):\n"
        "        if name == 'd': raise AttributeError(name)\n        return self.d[name]\nc = C()\n"
        "def f(x): return x * c.k",
        "c.d['k'] = 3.0",
    ),
    "an attribute where __getattr__ answered": (
        "class C:\n    def __getattr__(self, name): return 2.0\nc = C()\ndef f(x): return x * c.k",
        "c.k = 3.0",
    ),
    "__getattribute__": (
        "k = 2.0\nclass C:\n    def __getattribute__(self, name): return k\n"
        "c = C()\ndef f(x): return x * c.j",
        "k = 3.0",
    ),
    "getattr": (
        "cfg = types.SimpleNamespace(k=2.0)\ndef f(x): return x * getattr(cfg, 'k')",
        "cfg.k = 3.0",
    ),
    "getattr with a name that is put together": (
        "cfg = types.SimpleNamespace(k1=2.0)\ndef f(x): return x * getattr(cfg, f'k{1}')",
        "cfg.k1 = 3.0",
    ),
    "getattr with a default": (
        "cfg = types.SimpleNamespace()\ndef f(x): return x * getattr(cfg, 'k', 2.0)",
        "cfg.k = 3.0",
    ),
    "getattr with a default, set in the class": (
        "class C: pass\ncfg = C()\ndef f(x): return x * getattr(cfg, 'k', 2.0)",
        "C.k = 3.0",
    ),
    "getattr of a module, with a name from outside": (
        "name = 'sin'\ndef f(x): return getattr(np, name)(x)",
        "name = 'cos'",
    ),
    "hasattr": (
        "cfg = types.SimpleNamespace()\ndef f(x): return x * 3.0 if hasattr(cfg, 'k') else x",
        "cfg.k = 3.0",
    ),
    "vars": (
        "cfg = types.SimpleNamespace(k=2.0)\ndef f(x): return x * vars(cfg)['k']",
        "cfg.k = 3.0",
    ),
    "__dict__": (
        "cfg = types.SimpleNamespace(k=2.0)\ndef f(x): return x * cfg.__dict__['k']",
        "cfg.k = 3.0",
    ),
    "attrgetter": (
        "cfg = types.SimpleNamespace(k=2.0)\nk = operator.attrgetter('k')\ndef f(x): return x * k(cfg)",
        "cfg.k = 3.0",
    ),
    "attrgetter made inside": (
        "cfg = types.SimpleNamespace(k=2.0)\ndef f(x): return x * operator.attrgetter('k')(cfg)",
        "cfg.k = 3.0",
    ),
    "an attribute of what an object made inside holds": (
        "class C: pass\no = C()\no.k = 2.0\ndef f(x): return x * types.SimpleNamespace(held=o).held.k",
        "o.k = 3.0",
    ),
    "an attribute of what a property gives": (
        "class C: pass\no = C()\no.k = 2.0\nclass P:\n    held = property(lambda self: o)\n"
        "p = P()\ndef f(x): return x * p.held.k",
        "o.k = 3.0",
    ),
    "an attribute of the default of a context variable": (
        "class C: pass\no = C()\no.k = 2.0\nv = contextvars.ContextVar('v', default=o)\n"
        "del o\ndef f(x): return x * v.get().k",
        "v.get().k = 3.0",
    ),
    "a list in a class attribute with a name of the library's, by a computed one": (
        "class C: _count = [2.0]\nkey = ['_co', 'unt']\ndef f(x): return x * getattr(C, ''.join(key))[0]",
        "C._count[0] = 3.0",
    ),
    "a class attribute in the place of __getattr__": (
        "class B: pass\nclass C(B):\n    def __getattr__(self, name): return 2.0\n"
        "c = C()\ndef f(x): return x * c.k",
        "B.k = 3.0",
    ),
    "a class attribute in the place of a metaclass's __getattr__": (
        "class M(type):\n    def __getattr__(self, name): return 2.0\nclass C(metaclass=M): pass\n"
        "def f(x): return x * C.k",
        "C.k = 3.0",
    ),
    "a metaclass's attribute in the place of its __getattr__": (
        "class M(type):\n    def __getattr__(self, name): return 2.0\nclass C(metaclass=M): pass\n"
        "def f(x): return x * C.k",
        "M.k = 3.0",
    ),
    "a module that becomes one with properties": (
        "m = types.ModuleType('m')\nm.k = 2.0\ndef f(x): return x * m.k",
        "m.__class__ = type('M', (types.ModuleType,), {'k': property(lambda self: 3.0)})",
    ),
    "methodcaller": (
        "class C:\n    def g(self): return 2.0\nc = C()\ndef f(x): return x * operator.methodcaller('g')(c)",
        "C.g = lambda self: 3.0",
    ),
    "an attribute that is missing": (
        "cfg = types.SimpleNamespace()\ndef f(x):\n    try:\n"
        "        return x * cfg.k\n    except AttributeError:\n"
        "        return x",
        "cfg.k = 3.0",
    ),
    "an attribute that is missing in a local": (
        "a = [types.SimpleNamespace()]\ndef f(x):\n    for cfg in a:\n"
        "        try:\n            return x * cfg.k\n"
        "        except AttributeError:\n            return x",
        "a[0].k = 3.0",
    ),
    "a global that is missing": (
        "def f(x):\n    try:\n        return x * k\n    except NameError:\n        return x",
        "k = 3.0",
    ),
    "a global that hides a builtin": (
        "def f(x): return abs(x)",
        "abs = lambda x: x * 3.0",
    ),
    "a builtin": (
        "builtins.opregistry_test = 2.0\ndef f(x): return x * opregistry_test",
        "builtins.opregistry_test = 3.0",
    ),
    "a module attribute": (
        "m = types.ModuleType('m'); m.k = 2.0\ndef f(x): return x * m.k",
        "m.k = 3.0",
    ),
    "a module attribute that came by __getattr__": (
        "m = types.ModuleType('m'); m.__getattr__ = lambda name: 2.0\ndef f(x): return x * m.k",
        "m.k = 3.0",
    ),
    "__getattr__ of a module": (
        "m = types.ModuleType('m'); m.__getattr__ = lambda name: 2.0\ndef f(x): return x * m.k",
        "m.__getattr__ = lambda name: 3.0",
    ),
    "a module that is imported inside": (
        "m = sys.modules['opregistry_m'] = types.ModuleType('opregistry_m'); m.k = 2.0\n"
        "def f(x):\n    import opregistry_m\n    return x * opregistry_m.k",
        "sys.modules['opregistry_m'].k = 3.0",
    ),
    "a name that is imported inside": (
        "m = sys.modules['opregistry_m'] = types.ModuleType('opregistry_m'); m.k = 2.0\n"
        "def f(x):\n    from opregistry_m import k\n    return x * k",
        "sys.modules['opregistry_m'].k = 3.0",
    ),
    "another module of the name": (
        "m = sys.modules['opregistry_m'] = types.ModuleType('opregistry_m'); m.k = 2.0\n"
        "def f(x):\n    import opregistry_m\n    return x * opregistry_m.k",
        "m = types.ModuleType('opregistry_m'); m.k = 3.0; sys.modules['opregistry_m'] = m",
    ),
    "a function of NumPy": (
        "np = types.SimpleNamespace(sin=np.sin, cos=np.cos)\ndef f(x): return np.sin(x)",
        "np.sin = np.cos",
    ),
    "a default": ("def g(x, k=2.0): return x * k\ndef f(x): return g(x)", "g.__defaults__ = (3.0,)"),
    "a default of the function": ("def f(x, k=2.0): return x * k", "f.__defaults__ = (3.0,)"),
    "a keyword default": (
        "def g(x, *, k=2.0): return x * k\ndef f(x): return g(x)",
        "g.__kwdefaults__['k'] = 3.0",
    ),
    "other keyword defaults": (
        "def g(x, *, k=2.0): return x * k\ndef f(x): return g(x)",
        "g.__kwdefaults__ = {'k': 3.0}",
    ),
    "a list as a default": ("def f(x, k=[2.0]): return x * k[0]", "f.__defaults__[0][0] = 3.0"),
    "code": (
        "def g(x): return x\ndef h(x): return x * 3.0\ndef f(x): return g(x)",
        "g.__code__ = h.__code__",
    ),
    "an attribute of a function": (
        "def g(x): return x * g.k\ng.k = 2.0\ndef f(x): return g(x)",
        "g.k = 3.0",
    ),
    "a variable of the enclosing function": (
        "def outer():\n    k = 2.0\n    def f(x): return x * k\n    def change():\n        nonlocal k\n"
        "        k = 3.0\n    return f, change\nf, change = outer()",
        "change()",
    ),
    "a variable that an inner function reads": (
        "def outer():\n    k = 2.0\n    def f(x):\n"
        "        def g(y): return (lambda z: z * k)(y)\n        return g(x)\n"
        "    def change():\n        nonlocal k\n        k = 3.0\n    return f, change\nf, change = outer()",
        "change()",
    ),
    "a global in a lambda": ("k = 2.0\ndef f(x): return (lambda y: y * k)(x)", "k = 3.0"),
    "a global in a comprehension": ("k = 2.0\ndef f(x): return sum([x * k for _ in range(2)])", "k = 3.0"),
    "a global in a generator": ("k = 2.0\ndef f(x): return sum(x * k for _ in range(2))", "k = 3.0"),
    "a global in a generator function": (
        "k = 2.0\ndef g(x):\n    yield x * k\ndef f(x): return next(g(x))",
        "k = 3.0",
    ),
    "a global in a decorator": (
        "k = 2.0\ndef scaled(g):\n    @functools.wraps(g)\n"
        "    def call(x): return g(x) * k\n    return call\n"
        "@scaled\ndef f(x): return x",
        "k = 3.0",
    ),
    "a global in a class body": (
        "k = 2.0\ndef f(x):\n    class C:\n        j = k\n    return x * C.j",
        "k = 3.0",
    ),
    "a global in a context manager": (
        "import contextlib\nk = 2.0\n@contextlib.contextmanager\ndef scale():\n    yield k\n"
        "def f(x):\n    with scale() as s:\n        return x * s",
        "k = 3.0",
    ),
    "a function that map calls": (
        "k = 2.0\ndef g(x): return x * k\ndef f(x): return sum(map(g, [x]))",
        "k = 3.0",
    ),
    "a function that reduce calls": (
        "k = 2.0\ndef g(a, b): return a + b * k\ndef f(x): return functools.reduce(g, [x, x])",
        "k = 3.0",
    ),
    "a key of sorted": (
        "k = 1.0\ndef key(i): return i * k\ndef f(x): return x * sorted([2.0, 3.0], key=key)[0]",
        "k = -1.0",
    ),
    "partial": (
        "def g(k, x): return x * k\np = functools.partial(g, 2.0)\ndef f(x): return p(x)",
        "p = functools.partial(g, 3.0)",
    ),
    "what a partial calls": (
        "k = 2.0\ndef g(x): return x * k\nf = functools.partial(g)",
        "k = 3.0",
    ),
    "arguments of a partial": (
        "k = [2.0]\ndef g(k, x): return x * k[0]\nf = functools.partial(g, k)",
        "k[0] = 3.0",
    ),
    "keywords of a partial": (
        "def g(x, k=1.0): return x * k\nf = functools.partial(g, k=2.0)",
        "f.keywords['k'] = 3.0",
    ),
    "a method that is bound": (
        "class C:\n    k = 2.0\n    def g(self, x): return x * self.k\nc = C()\nf = c.g",
        "c.k = 3.0",
    ),
    "singledispatch": (
        "@functools.singledispatch\ndef g(k, x): return x\n@g.register\ndef _(k: float, x): return x * 2.0\n"
        "def f(x): return g(1.0, x)",
        "g.register(float, lambda k, x: x * 3.0)",
    ),
    "a function that code in C keeps": (
        "k = 1.0\ndef g(a, b): return (a - b) * k\nkey = functools.cmp_to_key(g)\n"
        "def f(x): return x * sorted([2.0, 3.0], key=key)[0]",
        "k = -1.0",
    ),
    "what a cache keeps": (
        "k = 2.0\n@functools.lru_cache\ndef g(): return k\ndef f(x): return x * g()",
        "k = 3.0",
    ),
    "an entry of a list": ("a = [2.0]\ndef f(x): return x * a[0]", "a[0] = 3.0"),
    "a longer list": (
        "a = [2.0]\ndef f(x):\n    for k in a:\n        x = x * k\n    return x",
        "a.append(3.0)",
    ),
    "the truth of a list": ("a = []\ndef f(x): return x * 3.0 if a else x", "a.append(1)"),
    "the length of a list": ("a = [1, 2]\ndef f(x): return x * float(len(a))", "a.append(1)"),
    "a list in a list": ("a = [[2.0]]\ndef f(x): return x * a[0][0]", "a[0][0] = 3.0"),
    "an entry far down a list": ("a = [2.0] * 500\ndef f(x): return x * a[400]", "a[400] = 3.0"),
    "another type of an equal entry": (
        "a = [2] * 20\ndef f(x): return x.astype(np.float32) * np.array(a[1]).astype(type(a[1]))",
        "a[1] = 2.0",
    ),
    "a very long list": ("a = [2.0] * 5000\ndef f(x): return x * a[4000]", "a[4000] = 3.0"),
    "a list in a tuple": ("a = ([2.0],)\ndef f(x): return x * a[0][0]", "a[0][0] = 3.0"),
    "an object in a list": (
        "a = [types.SimpleNamespace(k=2.0)]\ndef f(x):\n    for c in a:\n        x = x * c.k\n    return x",
        "a[0].k = 3.0",
    ),
    "an entry of a dict": ("d = {'k': 2.0}\ndef f(x): return x * d['k']", "d['k'] = 3.0"),
    "a new key of a dict": (
        "d = {'a': 2.0}\ndef f(x):\n    for key in d:\n        x = x * d[key]\n    return x",
        "d['b'] = 3.0",
    ),
    "a key that is missing": ("d = {}\ndef f(x): return x * d.get('k', 2.0)", "d['k'] = 3.0"),
    "a KeyError": (
        "d = {}\ndef f(x):\n    try:\n        return x * d['k']\n    except KeyError:\n        return x",
        "d['k'] = 3.0",
    ),
    "a key in a dict": ("d = {}\ndef f(x): return x * 3.0 if 'k' in d else x", "d['k'] = 1"),
    "the order of a dict": (
        "d = {'a': 2.0, 'b': 3.0}\ndef f(x): return x * list(d.values())[0]",
        "d['a'] = d.pop('a')",
    ),
    "an OrderedDict": (
        "d = collections.OrderedDict(a=2.0, b=3.0)\ndef f(x): return x * list(d.values())[0]",
        "d.move_to_end('a')",
    ),
    "a defaultdict": (
        "d = collections.defaultdict(lambda: 2.0)\ndef f(x): return x * d['k']",
        "d['k'] = 3.0",
    ),
    "what a defaultdict makes": (
        "d = collections.defaultdict(lambda: 2.0)\ndef f(x): return x * d[str(len(d))]",
        "d.default_factory = lambda: 3.0",
    ),
    "a ChainMap": (
        "d = {}; c = collections.ChainMap(d, {'k': 2.0})\ndef f(x): return x * c['k']",
        "d['k'] = 3.0",
    ),
    "a Counter": ("c = collections.Counter(a=2)\ndef f(x): return x * float(c['a'])", "c['a'] += 1"),
    "a UserDict": ("d = collections.UserDict(k=2.0)\ndef f(x): return x * d['k']", "d['k'] = 3.0"),
    "a mappingproxy": (
        "d = {'k': 2.0}; p = types.MappingProxyType(d)\ndef f(x): return x * p['k']",
        "d['k'] = 3.0",
    ),
    "a set": ("s = {1}\ndef f(x): return x * 3.0 if 2 in s else x", "s.add(2)"),
    "a frozenset": ("s = frozenset({1})\ndef f(x): return x * 3.0 if 2 in s else x", "s = frozenset({2})"),
    "a deque": ("q = collections.deque([2.0])\ndef f(x): return x * q[0]", "q[0] = 3.0"),
    "a subclass of list": (
        "class L(list): pass\na = L([2.0])\ndef f(x): return x * a[0]",
        "a[0] = 3.0",
    ),
    "an attribute of a subclass of dict": (
        "class D(dict): pass\nd = D()\nd.k = 2.0\ndef f(x): return x * d.k",
        "d.k = 3.0",
    ),
    "a data class": (
        "@dataclasses.dataclass\nclass C:\n    k: float = 2.0\nc = C()\ndef f(x): return x * c.k",
        "c.k = 3.0",
    ),
    "a default of a data class": (
        "@dataclasses.dataclass\nclass C:\n    k: float = 2.0\ndef f(x): return x * C().k",
        "C.__init__.__defaults__ = (3.0,)",
    ),
    "asdict": (
        "@dataclasses.dataclass\nclass C:\n    k: float = 2.0\nc = C()\n"
        "def f(x): return x * dataclasses.asdict(c)['k']",
        "c.k = 3.0",
    ),
    "replace": (
        "@dataclasses.dataclass\nclass C:\n    k: float = 2.0\n    j: float = 1.0\nc = C()\n"
        "def f(x): return x * dataclasses.replace(c, j=2.0).k",
        "c.k = 3.0",
    ),
    "a copy": (
        "import copy\ncfg = types.SimpleNamespace(a=[2.0])\ndef f(x): return x * copy.deepcopy(cfg).a[0]",
        "cfg.a[0] = 3.0",
    ),
    "a NamedTuple": (
        "class P(typing.NamedTuple):\n    k: float\np = P(2.0)\ndef f(x): return x * p.k",
        "p = P(3.0)",
    ),
    "a weak reference": (
        "class C:\n    k = 2.0\nc = C(); r = weakref.ref(c)\ndef f(x): return x * r().k",
        "c.k = 3.0",
    ),
    "a proxy": (
        "class C:\n    k = 2.0\nc = C(); p = weakref.proxy(c)\ndef f(x): return x * p.k",
        "c.k = 3.0",
    ),
    "a ContextVar": (
        "v = contextvars.ContextVar('v', default=2.0)\ndef f(x): return x * v.get()",
        "v.set(3.0)",
    ),
    "threading.local": (
        "import threading\nt = threading.local(); t.k = 2.0\ndef f(x): return x * t.k",
        "t.k = 3.0",
    ),
    "os.environ": (
        "os.environ['OPREGISTRY_TEST_K'] = '2.0'\n"
        "def f(x): return x * float(os.environ['OPREGISTRY_TEST_K'])",
        "os.environ['OPREGISTRY_TEST_K'] = '3.0'",
    ),
    "os.getenv": (
        "os.environ['OPREGISTRY_TEST_K'] = '2.0'\ndef f(x): return x * float(os.getenv('OPREGISTRY_TEST_K'))",
        "os.environ['OPREGISTRY_TEST_K'] = '3.0'",
    ),
    "NumPy's error state": (
        "old = np.seterr(divide='warn')\ndef f(x): return x if np.geterr()['divide'] == 'warn' else x * 3.0",
        "np.seterr(divide='ignore')",
    ),
    "the recursion limit": (
        "old = sys.getrecursionlimit()\ndef f(x): return x * float(sys.getrecursionlimit() - old + 2)",
        "sys.setrecursionlimit(old + 1)",
    ),
    "the arguments of the command": ("def f(x): return x * float(len(sys.argv))", "sys.argv.append('')"),
    "an iterator": (
        "i = itertools.cycle([2.0, 2.0, 2.0, 2.0, 3.0])\ndef f(x): return x * next(i)",
        "next(i)",
    ),
    "a generator": (
        "def g():\n    for k in (2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 5.0):\n"
        "        yield k\ni = g()\ndef f(x): return x * next(i)",
        "",
    ),
    "random numbers of a branch": (
        "random.seed(0)\ndef f(x): return x if random.random() < 1.0 else -x",
        "random.random = lambda: 2.0",
    ),
    "NumPy's random numbers of a branch": ("def f(x): return x if np.random.random() < 2.0 else -x", ""),
    "the second of two normal numbers of a branch": (
        "_ = np.random.normal()\ndef f(x): return x if np.random.normal() < 99.0 else -x",
        "",
    ),
    "a generator of NumPy's of a branch": (
        "rng = np.random.default_rng(0)\ndef f(x): return x if rng.random() < 2.0 else -x",
        "",
    ),
    "a generator without a seed": (
        "def f(x): return x if np.random.default_rng().random() < 2.0 else -x",
        "",
    ),
    "the time": ("def f(x): return x if time.time() > 0 else -x", "time.time = lambda: -1.0"),
    "a file": (
        "import io\nfile = io.StringIO('2.0')\n"
        "def f(x):\n    file.seek(0)\n    return x * float(file.read())",
        "_ = file.seek(0), file.write('3.0')",
    ),
    "globals()": ("k = 2.0\ndef f(x): return x * globals()['k']", "k = 3.0"),
    "eval": ("k = 2.0\ndef f(x): return x * eval('k')", "k = 3.0"),
    "exec": (
        "k = 2.0\ndef f(x):\n    d = {}\n    exec('j = k', globals(), d)\n    return x * d['j']",
        "k = 3.0",
    ),
    "a bytearray": ("b = bytearray([2])\ndef f(x): return x * float(b[0])", "b[0] = 3"),
    "a memoryview": ("b = bytearray([2]); m = memoryview(b)\ndef f(x): return x * float(m[0])", "b[0] = 3"),
    "an array of Python's": (
        "import array\na = array.array('d', [2.0])\ndef f(x): return x * a[0]",
        "a[0] = 3.0",
    ),
    "an array bound anew": ("a = np.array(2.0)\ndef f(x): return x * a", "a = np.array(3.0)"),
    "another operand by a match": (
        "class P:\n    __match_args__ = ('k',)\n    def __init__(self, k): self.k = k\np = P(2.0)\n"
        "def f(x):\n    match p:\n        case P(k): return x * k",
        "p.k = 3.0",
    ),
    "a match by a keyword": (
        "cfg = types.SimpleNamespace(k=2.0)\n"
        "def f(x):\n    match cfg:\n        case types.SimpleNamespace(k=k): return x * k",
        "cfg.k = 3.0",
    ),
    "a partial method": (
        "class C:\n    j = 1.0\n    def g(self, k, x): return x * k * self.j\n"
        "    h = functools.partialmethod(g, 2.0)\nc = C()\ndef f(x): return c.h(x)",
        "c.j = 3.0",
    ),
    "a metaclass": (
        "class M(type):\n    k = 2.0\n    @property\n"
        "    def j(cls): return cls.k\nclass C(metaclass=M): pass\n"
        "def f(x): return x * C.j",
        "M.k = 3.0",
    ),
    "an attribute of a metaclass": (
        "class M(type):\n    k = 2.0\nclass C(metaclass=M): pass\ndef f(x): return x * C.k",
        "M.k = 3.0",
    ),
    "a choice between two objects": (
        "a = types.SimpleNamespace(k=2.0); b = types.SimpleNamespace(k=5.0); way = True\n"
        "def f(x): return x * (a if way else b).k",
        "a.k = 3.0",
    ),
    "the result of a call": (
        "cfg = types.SimpleNamespace(k=2.0)\ndef get(): return cfg\ndef f(x): return x * get().k",
        "cfg.k = 3.0",
    ),
    "an attribute of an object that another one holds": (
        "class A:\n    def __init__(self, b): self.b = b\nclass B:\n    def __init__(self): self.k = 2.0\n"
        "    def scaled(self, x): return x * self.k\na = A(B())\ndef f(x): return a.b.scaled(x)",
        "a.b.k = 3.0",
    ),
    "a cell of another function": (
        "def make():\n    k = 2.0\n    def g(x): return x * k\n    return g\n"
        "g = make()\ndef f(x): return g(x)",
        "g.__closure__[0].cell_contents = 3.0",
    ),
    "a star import": (
        "m = types.ModuleType('m'); m.act = np.sin\nact = m.act\ndef f(x): return act(x)",
        "act = np.cos",
    ),
    "an abstract class that learns another": (
        "import numbers\nclass C: pass\nc = C()\n"
        "def f(x): return x * 3.0 if isinstance(c, numbers.Number) else x",
        "numbers.Number.register(C)",
    ),
    "names in a constant tuple": (
        "class C: u = 1.0; v = 2.0\ndef f(x):\n    for n in ('u', 'v'): x = x * getattr(C, n)\n    return x",
        "C.v = 3.0",
    ),
    "names in a constant tuple, of slots": (
        "class C: __slots__ = ('u', 'v')\nc = C(); c.u = 1.0; c.v = 2.0\n"
        "def f(x):\n    for n in ('u', 'v'): x = x * getattr(c, n)\n    return x",
        "c.v = 3.0",
    ),
    "names in a constant set": (
        "class C: u = 1.0; v = 2.0\n"
        "def f(x): return x * sum(getattr(C, n) for n in 'uvw' if n in {'u', 'v'})",
        "C.v = 3.0",
    ),
    "a computed name of a class": (
        "class C: w0 = 2.0\ndef f(x): return x * getattr(C, f'w{0}')",
        "C.w0 = 3.0",
    ),
    "a computed name of a class by another name of getattr": (
        "class C: w0 = 2.0\nget = getattr\ndef f(x): return x * get(C, 'W0'.lower())",
        "C.w0 = 3.0",
    ),
    "a computed name of a base": (
        "class B: w0 = 2.0\nclass C(B): pass\ndef f(x): return x * getattr(C, 'w ' .split()[0] + '0')",
        "B.w0 = 3.0",
    ),
    "a computed name of a module": (
        "m = types.ModuleType('m'); m.w0 = 2.0\ndef f(x): return x * getattr(m, chr(119) + '0')",
        "m.w0 = 3.0",
    ),
    "a computed name of NumPy's": (
        "np.opregistry_test_w0 = 2.0\ndef f(x): return x * getattr(np, f'opregistry_test_w{0}')",
        "np.opregistry_test_w0 = 3.0",
    ),
    "a computed name of slots": (
        "class C: __slots__ = ('w0',)\nc = C(); c.w0 = 2.0\ndef f(x): return x * getattr(c, f'w{0}')",
        "c.w0 = 3.0",
    ),
    "a computed name of a slot that is set later": (
        "class C: __slots__ = ('w0',)\nc = C()\ndef f(x): return x * getattr(c, f'w{0}', 2.0)",
        "c.w0 = 3.0",
    ),
    "a computed name that is set later": (
        "cfg = types.SimpleNamespace()\ndef f(x): return x * getattr(cfg, f'w{0}', 2.0)",
        "cfg.w0 = 3.0",
    ),
    "a computed name of a class that is set later": (
        "class C: pass\ndef f(x): return x * getattr(C, f'w{0}', 2.0)",
        "C.w0 = 3.0",
    ),
    "a computed name of a class by an instance": (
        "class C: w0 = 2.0\nc = C()\ndef f(x): return x * getattr(c, f'w{0}')",
        "C.w0 = 3.0",
    ),
    "a computed name of a property": (
        "k = 2.0\nclass C:\n    @property\n    def w0(self): return k\n"
        "c = C()\ndef f(x): return x * getattr(c, f'w{0}')",
        "k = 3.0",
    ),
    "a computed name by a method": (
        "class C:\n    w0 = 2.0\n    def g(self, i): return getattr(self, f'w{i}')\n"
        "c = C()\ndef f(x): return x * c.g(0)",
        "C.w0 = 3.0",
    ),
    "a computed name by hasattr": (
        "class C: pass\ndef f(x): return x * 3.0 if hasattr(C, f'w{0}') else x",
        "C.w0 = 1",
    ),
    "a computed name by attrgetter": (
        "class C: w0 = 2.0\ndef f(x): return x * operator.attrgetter(f'w{0}')(C)",
        "C.w0 = 3.0",
    ),
    "a list of a class by a computed name": (
        "class C: w0 = [2.0]\ndef f(x): return x * getattr(C, f'w{0}')[0]",
        "C.w0[0] = 3.0",
    ),
    "a match by a keyword of slots": (
        "class S:\n    __slots__ = ('a',)\ns = S(); s.a = 2.0\n"
        "def f(x):\n    match s:\n        case S(a=k): return x * k",
        "s.a = 3.0",
    ),
    "a match by place of slots": (
        "class S:\n    __slots__ = __match_args__ = ('a', 'b')\ns = S(); s.a = 2.0; s.b = 1.0\n"
        "def f(x):\n    match s:\n        case S(a, b): return x * a * b",
        "s.b = 3.0",
    ),
    "other names of a match by place": (
        "class S:\n    __slots__ = ('a', 'b')\n    __match_args__ = ('a',)\ns = S(); s.a = 2.0; s.b = 3.0\n"
        "def f(x):\n    match s:\n        case S(k): return x * k",
        "S.__match_args__ = ('b',)",
    ),
    "getattr of a class with a default": (
        "class C: pass\ndef f(x): return x * getattr(C, 'zz', 2.0)",
        "C.zz = 3.0",
    ),
    "vars of a class": ("class C: w0 = 2.0\ndef f(x): return x * vars(C)[f'w{0}']", "C.w0 = 3.0"),
    "__dict__ of a class": ("class C: w0 = 2.0\ndef f(x): return x * C.__dict__['w0']", "C.w0 = 3.0"),
    "dir of a class": (
        "class C: pass\ndef f(x): return x * float(len([n for n in dir(C) if n[0] == 'w']))",
        "C.w0 = 3.0",
    ),
    "__dict__ of a module": (
        "m = types.ModuleType('m'); m.w = 2.0\ndef f(x): return x * m.__dict__['w']",
        "m.w = 3.0",
    ),
    "vars of a module": (
        "m = types.ModuleType('m'); m.w0 = 2.0\ndef f(x): return x * vars(m).get(f'w{0}')",
        "m.w0 = 3.0",
    ),
    "__dict__ of a class in a metaclass": (
        "class M(type):\n    @property\n    def j(cls): return cls.__dict__.get('w' + '0')\n"
        "class C(metaclass=M): w0 = 2.0\ndef f(x): return x * C.j",
        "C.w0 = 3.0",
    ),
    "a computed name by a variable called getattr": (
        "class C: w0 = 2.0\ndef outer(getattr=getattr):\n"
        "    def f(x): return x * getattr(C, f'w{0}')\n    return f\nf = outer()",
        "C.w0 = 3.0",
    ),
    "a computed name by __getattribute__": (
        "class C: w0 = 2.0\nc = C()\ndef f(x): return x * c.__getattribute__(f'w{0}')",
        "C.w0 = 3.0",
    ),
    "a computed name by that of object": (
        "class C: w0 = 2.0\nc = C()\ndef f(x): return x * object.__getattribute__(c, f'w{0}')",
        "C.w0 = 3.0",
    ),
    "__dict__ of a base": (
        "class B: w0 = 2.0\nclass C(B): pass\ndef f(x): return x * C.__mro__[1].__dict__['w0']",
        "B.w0 = 3.0",
    ),
    "subclasses": (
        "class C: pass\ndef f(x): return x * (1.0 + len(C.__subclasses__()))",
        "class D(C): pass",
    ),
    "an attribute whose name is a keyword": (
        "cfg = types.SimpleNamespace(**{'class': 2.0})\ndef f(x): return x * getattr(cfg, 'class')",
        "setattr(cfg, 'class', 3.0)",
    ),
    "an attribute whose name is no identifier": (
        "cfg = types.SimpleNamespace(**{'a {0}': 2.0})\ndef f(x): return x * getattr(cfg, 'a {0}')",
        "setattr(cfg, 'a {0}', 3.0)",
    ),
    "an attribute whose name Python would normalise": (
        "cfg = types.SimpleNamespace(**{'\u00b5': 2.0})\ndef f(x): return x * getattr(cfg, '\u00b5')",
        "setattr(cfg, '\u00b5', 3.0)",
    ),
    "an attribute of a class whose name is a keyword": (
        "class C: pass\nsetattr(C, 'class', 2.0)\ndef f(x): return x * getattr(C, 'class')",
        "setattr(C, 'class', 3.0)",
    ),
    "a global whose name is not ASCII": ("\u03bb = 2.0\ndef f(x): return x * \u03bb", "\u03bb = 3.0"),
    "SciPy's draws from NumPy's global generator": (
        "import scipy.stats\ndef f(x): return x if scipy.stats.norm.rvs() < 99.0 else -x",
        "",
    ),
}

# Of these no guard is made; what the error says of them.
REFUSED = {
    "an entry of an array of objects": "it uses a, an array of objects",
    "another type of an equal entry": "type is asked",
    "a very long list": "a list of 5000 entries",
    "what a defaultdict makes": "it changes an entry of d",
    "a function that code in C keeps": "g is called, .* by a way that is not seen",
    "a proxy": "it uses p, an object of weakref.ProxyType",
    "threading.local": "it uses t, an object of _thread._local",
    "NumPy's error state": "np.geterr is called",
    "the recursion limit": "sys.getrecursionlimit is called",
    "an iterator": "it uses i, an object of itertools.cycle",
    "a generator": "it uses i, an object of builtins.generator",
    "random numbers of a branch": "Random.random is called",
    "NumPy's random numbers of a branch": "draws random numbers from NumPy's global generator",
    "a generator of NumPy's of a branch": "draws random numbers from rng",
    "a generator without a seed": "posix.urandom is called",
    "the time": "time.time is called",
    "a file": "StringIO.seek is called",
    "globals()": "builtins.globals is called",
    "eval": "builtins.eval is called",
    "exec": "builtins.globals is called",
    "a bytearray": "it uses b, an object of builtins.bytearray",
    "a memoryview": "it uses m, an object of builtins.memoryview",
    "an array of Python's": "it uses a, an object of array.array",
    "a computed name of a module": "any attribute of the module m, by a name that is computed",
    "__dict__ of a module": "any attribute of the module m",
    "vars of a module": "any attribute of the module m",
    "the second of two normal numbers of a branch": "draws random numbers from NumPy's global generator",
    "subclasses": r"C.__subclasses__ is called",
    "SciPy's draws from NumPy's global generator": "draws random numbers from NumPy's global generator",
    "__getattribute__": "which has a __getattribute__ of its own",
}


def world(source):
    """Run a source in a module of its own; give its names."""
    names = {"__name__": "world"}
    exec(HEADER + textwrap.dedent(source), names)
    return names


@pytest.fixture(autouse=True)
def _as_it_was():
    import random
    import time

    kept = random.random, time.time, sys.argv[:], sys.getrecursionlimit(), np.geterr()
    yield
    vars(np).pop("opregistry_test_w0", None)
    random.random, time.time = kept[:2]
    sys.argv[:] = kept[2]
    sys.setrecursionlimit(kept[3])
    np.seterr(**kept[4])


@pytest.mark.parametrize(
    "transform", [lambda f: f, lambda f: grad(lambda x: np.sum(f(x) ** 2))], ids=["f", "grad"]
)
@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_outside_is_noticed_or_refused(name, transform):
    source, change = CHANGES[name]
    names = world(source)
    f = transform(names["f"])
    c = compiled(f)
    refused = name in REFUSED
    with pytest.raises(CompileError, match=REFUSED[name]) if refused else contextlib.nullcontext():
        for _ in range(2):
            np.testing.assert_array_equal(c(X), f(X))
        exec(change, names)
        for _ in range(2):
            np.testing.assert_array_equal(c(X), f(X))


# name: (what is outside, with f(x), how it changes)
UNSEEN = {
    "what code in C keeps": (
        "import decimal\ndef f(x): return x * decimal.getcontext().prec",
        "decimal.getcontext().prec += 1",
    ),
    "an attribute that a text names": (
        "class C: k = 2.0\nc = C()\ndef f(x): return x * float('{0.k}'.format(c))",
        "C.k = 3.0",
    ),
    "what is written into an array": ("a = np.array(2.0)\ndef f(x): return x * a", "a[...] = 3.0"),
    "a special method that a class gets": (
        "class C: pass\nc = C()\ndef f(x): return x if c else x * 3.0",
        "C.__bool__ = lambda self: False",
    ),
    "what the code of NumPy, SciPy and this library reads": (
        "import registry.structures as m\nm.k = 2.0\n"
        "exec('def g(): return k', vars(m))\ndef f(x): return x * m.g()",
        "m.k = 3.0",
    ),
    "what a function under a cache reads, also after it is cleared": (
        "k = 2.0\n@functools.lru_cache\ndef g(): return k\ndef f(x): return x * g()",
        "k = 3.0; g.cache_clear()",
    ),
}


def test_what_a_function_among_the_arguments_reads():
    names = world("k = 2.0\ndef g(x): return x * k")
    c = compiled(lambda g, x: g(x))
    for k in (2.0, 3.0, 3.0):
        names["k"] = k
        np.testing.assert_array_equal(c(names["g"], X), X * k)


@pytest.mark.parametrize("name", UNSEEN)
def test_what_the_guide_lists_is_not_noticed(name):
    source, change = UNSEEN[name]
    names = world(source)
    c = compiled(names["f"])
    before = c(X)
    exec(change, names)
    np.testing.assert_array_equal(c(X), before)
    assert not np.array_equal(names["f"](X), before)


def test_type_handed_on_as_a_last_argument_is_not_noticed():
    def asked(x, ask):
        return x * 2.0 if ask(x) is np.ndarray else x * 3.0

    f = lambda x: asked(x, type)  # noqa: E731
    c = compiled(f)
    c(np.zeros(2))
    np.testing.assert_array_equal(c(np.ones(2)), [3.0, 3.0])
    np.testing.assert_array_equal(f(np.ones(2)), [2.0, 2.0])


def traced_with(f, *args):
    """Compile, call twice, compare."""
    c = compiled(f)
    for _ in range(2):
        np.testing.assert_array_equal(c(*args), f(*args))


def same_at_zero_and_one(f, zero):
    """Compile where both ways give the same, so that only the way taken tells, and compare at one."""
    c = compiled(f)
    for x in (zero, zero + 1):
        np.testing.assert_array_equal(c(x), f(x))


class TestAskingForTypes:
    """What stands in for an array, or for a number, is one to all that asks by `isinstance`."""

    @pytest.mark.parametrize(
        "f",
        [
            lambda x: x * 0 if isinstance(x, np.ndarray) else x,
            lambda x: x * 0 if x.__class__ is np.ndarray else x,
            lambda x: np.sum(x) * 0 if isinstance(np.sum(x), np.floating) else x,
            lambda x: np.sum(x) * 0 if isinstance(np.sum(x), float) else x,
            lambda x: np.sum(x) * 0 if np.isscalar(np.sum(x)) else x,
            lambda x: np.sum(x) * 0 if isinstance(np.sum(x), numbers.Number) else x,
            lambda x: x * 0 if hasattr(x, "__len__") else x,
            lambda x: np.sum(x) if hasattr(np.sum(x), "__len__") else x * 0,
            lambda x: np.sum(x) if hasattr(np.sum(x), "__iter__") else x * 0,
            lambda x: np.sum(x) if np.iterable(np.sum(x)) else x * 0,
            lambda x: x * 0 if isinstance(x, Iterable) else x,
            lambda x: np.sum(x) if isinstance(np.sum(x), Iterable | Sized) else x * 0,
        ],
    )
    def test_of_arrays_and_their_sums(self, f):
        same_at_zero_and_one(f, np.zeros(2))
        same_at_zero_and_one(grad(lambda x: np.sum(f(x) * x)), np.zeros(2))

    @pytest.mark.parametrize(
        "f",
        [
            lambda x: x * 0 if isinstance(x, float) else x,
            lambda x: x if hasattr(x, "shape") else x * 0,
            lambda x: x if hasattr(x, "__len__") else x * 0,
            lambda x: x * 0 if isinstance(x, numbers.Real) else x,
        ],
    )
    def test_of_pythons_numbers(self, f):
        same_at_zero_and_one(f, 0.0)

    def test_by_match_and_singledispatch(self):
        @functools.singledispatch
        def kind(x):
            return x

        @kind.register
        def _(x: np.ndarray):
            return x * 0

        def matched(x):
            match x:
                case np.ndarray():
                    return x * 0
            return x

        same_at_zero_and_one(kind, np.zeros(2))
        same_at_zero_and_one(matched, np.zeros(2))

    @pytest.mark.parametrize(
        "f",
        [
            lambda x: x * 0 if type(x) is np.ndarray else x,
            lambda x: x * 0 if type(x * 2) is np.ndarray else x,
            lambda x: (lambda: x * 0 if type(x) is np.ndarray else x)(),
            lambda x: x * 0 if next(map(type, [x])) is np.ndarray else x,
            lambda x: x * 0 if x.base is None else x,
            lambda x: x * 0 if hasattr(x, "__array_interface__") else x,
            lambda x: x * 0 if hasattr(np.sum(x), "__array_struct__") else x,
            lambda x: x * 0 if hasattr(x, "__dlpack__") else x,
        ],
    )
    def test_what_no_stand_in_can_answer_is_refused_with_the_line(self, f):
        """At zero, where both ways give the same."""
        with pytest.raises(CompileError, match=r"(?s)(type is asked|'\.base'|array is made).*lambda x"):
            compiled(f)(np.zeros(2))

    @pytest.mark.parametrize("text", [str, repr, "{}".format, "{:}".format, lambda x: f"{x}", print])
    def test_a_text_of_a_stand_in_is_refused_with_the_line(self, text):
        def f(x):
            text(x)
            return x

        for transform in (lambda f: f, lambda f: grad(lambda x: np.sum(f(x)))):
            with pytest.raises(CompileError, match=r"a text is made of it.*test_compile_outside"):
                compiled(transform(f))(np.zeros(2))

    def test_of_what_is_no_stand_in(self):
        """Objects from outside, and classes that are made."""
        model = SimpleNamespace(k=2.0)

        def named(one):
            return type(one).__name__

        def f(x):
            made = type("Made", (), {"k": 3.0})
            return x * made.k if named(model) == "SimpleNamespace" else x

        traced_with(f, np.ones(2))


def by_except(x):
    try:
        return x * float(x[0])
    except Exception:
        return x


def by_bare_except(x):
    try:
        return x * float(x[0])
    except:  # noqa: E722
        return x


def by_suppress(x):
    with contextlib.suppress(CompileError):
        return x * float(x[0])
    return x


def by_finally(x):
    for _ in range(1):
        try:
            float(x[0])
        finally:
            break  # noqa: B012
    return x


class TestRefusalsThatAreCaught:
    """A refusal inside the function's own `try` is raised at the end, whatever caught it."""

    @pytest.mark.parametrize("f", [by_except, by_bare_except, by_suppress, by_finally])
    def test_at_values_where_both_ways_agree(self, f):
        with pytest.raises(CompileError, match="a Python number is made"):
            compiled(f)(np.array([1.0, 2.0]))

    def test_inside_an_operator_it_is_run_whole(self, fresh):
        class Scaled(Function):
            def forward(self, x):
                try:
                    self.first = float(x[0])
                except Exception:
                    self.first = 1.0
                return x * self.first

            def backward(self, gy):
                return gy * self.first

        fresh()
        f = grad(lambda x: np.sum(Scaled()(x)))
        c = compiled(f)
        for x in (np.array([1.0, 2.0]), np.array([3.0, 2.0])):
            np.testing.assert_array_equal(c(x), f(x))


class TestNotRefused:
    """What is no read, or changes nothing."""

    def test_effects_that_nothing_reads(self):
        log, seen = [], set()

        def f(x):
            log.append(1)
            seen.add("f")
            print(end="")
            return x * 2

        traced_with(f, np.ones(2))

    def test_random_numbers_of_a_seed_made_inside(self):
        traced_with(lambda x: x * np.random.default_rng(0).normal(size=2), np.ones(2))

    def test_a_lock(self):
        for lock in (threading.Lock(), threading.RLock()):

            def f(x, lock=lock):
                with lock:
                    return x * 2

            traced_with(f, np.ones(2))

    def test_draws_of_others(self):
        """From NumPy's global generator, while a function is traced that has no use for it."""
        done = threading.Event()

        def draw():
            while not done.is_set():
                np.random.random()

        def f(x):
            for _ in range(20_000):  # in which the other thread has its turn
                x = x
            return np.exp(x)

        thread = threading.Thread(target=draw)
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        thread.start()
        try:
            traced_with(f, np.ones(2))
        finally:
            done.set()
            thread.join()
            sys.setswitchinterval(interval)

    def test_a_profiler_goes_on(self):
        profiler = cProfile.Profile()
        profiler.enable()
        try:
            compiled(lambda x: np.exp(x))(np.ones(2))
            assert sys.getprofile() is profiler or sys.version_info >= (3, 12)
        finally:
            profiler.disable()

    def test_a_line_tracer_of_calls_goes_on(self):
        def watch(frame, event, what):
            pass

        sys.setprofile(watch)
        try:
            compiled(lambda x: np.exp(x))(np.ones(2))
            assert sys.getprofile() is watch
        finally:
            sys.setprofile(None)
