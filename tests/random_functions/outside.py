"""What functions read from outside: things of every kind, in holders of every kind, and how these change.

A holder's declaration, reading and changes name its place by {i}; {a} is the thing that it holds
at first, {b} the other one. What is read is used on an array, by the thing's own use.
"""

# ruff: noqa: E501, an entry of a table stands in one line

from __future__ import annotations

import random
import re
from typing import NamedTuple

# Of each: what may stand for {a} and {b}, and the use of what was read, {h}, on an array, {x}.
HELD = {
    "float": (("1.5", "0.25", "-2.0"), "{x} * {h}"),
    "int": (("2", "3", "5"), "{x} * {h}"),
    "bool": (("True", "False"), "({same} if {h} else -{same})"),
    "None": (("None", "0.5"), "(lambda h: {x} if h is None else {x} * h)({h})"),
    "text": (("'sin'", "'tanh'", "'cos'"), "getattr(np, {h})({x})"),
    "key": (("'one'", "'two'"), "{x} * {{'one': 1.0, 'two': 2.5}}[{h}]"),
    "array": (("np.array([1.0, 2.0, 3.0])", "np.array([0.5, -1.0, 2.0])"), "{x} * np.sum({h} * {v})"),
    "0-d array": (("np.array(1.5)", "np.array(0.5)"), "{x} * {h}"),
    "scalar": (("np.float64(1.5)", "np.float64(0.5)"), "{x} * {h}"),
    "index array": (("np.array([0, 1])", "np.array([2, 2])"), "{x} * np.sum({v}[{h}])"),
    "function": (("double", "shift"), "{h}({x})"),
    "lambda": (("(lambda t: t * 2.0)", "(lambda t: t + 2.0)"), "{h}({x})"),
    "ufunc": (("np.sin", "np.tanh", "np.negative"), "{h}({x})"),
    "partial": (("functools.partial(np.multiply, 0.5)", "functools.partial(np.add, 0.5)"), "{h}({x})"),
    "closure": (("times(2.0)", "times(0.5)"), "{h}({x})"),
    "object": (("Scale(2.0)", "Scale(0.5)"), "{h}({x})"),
    "attribute": (("Scale(2.0)", "Scale(0.5)"), "{x} * {h}.factor"),
    "method": (("Scale(2.0).apply", "Scale(0.5).apply"), "{h}({x})"),
    "enum": (("Mode.A", "Mode.B"), "({same} if {h} is Mode.A else -{same})"),
    "class": (("Scale", "Shift"), "{h}(1.5)({x})"),
    "type": (("float", "int"), "{x} * {h}(1.75)"),
    "tuple": (("(1.0, 2.0)", "(1.0, 2.0, 3.0)"), "{x} * sum({h})"),
    "set": (("{'a'}", "{'b'}", "set()"), "({same} if 'a' in {h} else -{same})"),
    "frozenset": (("frozenset('a')", "frozenset('b')"), "({same} if 'a' in {h} else -{same})"),
    "slice": (("slice(0, 2)", "slice(1, 3)"), "{x} * np.sum({v}[{h}])"),
    "Fraction": (("fractions.Fraction(1, 2)", "fractions.Fraction(3, 2)"), "{x} * float({h})"),
    "dtype": (("np.dtype('float32')", "np.dtype('float64')"), "{x} * {h}.itemsize"),
    "range": (("range(2)", "range(3)"), "{x} * sum(k + 0.5 for k in {h})"),
}  # fmt: skip

# Of each: its declaration, how it is read, and its changes.
HOLDERS = {
    "global": ("G{i} = {a}", "G{i}", ("G{i} = {b}", "del G{i}", "globals()['G{i}'] = {b}")),
    "globals()": ("G{i} = {a}", "globals()['G{i}']", ("G{i} = {b}",)),
    "cell": ("get{i}, put{i} = cell({a})", "get{i}()", ("put{i}({b})", "get{i} = lambda: {b}")),
    "enclosing": ("", "k{i}", ("SET['k{i}']({b})",)),
    "namespace": ("O{i} = types.SimpleNamespace(k={a})", "O{i}.k", ("O{i}.k = {b}", "O{i} = types.SimpleNamespace(k={b})", "del O{i}.k")),
    "instance": ("O{i} = Slotless({a})", "O{i}.k", ("O{i}.k = {b}", "O{i} = Slotless({b})", "Slotless.k = property(lambda self: {b})")),
    "nested": ("O{i} = Slotless(Slotless({a}))", "O{i}.k.k", ("O{i}.k.k = {b}", "O{i}.k = Slotless({b})", "O{i}.k.__dict__ = dict(k={b})")),
    "class of it": ("class C{i}:\n    k = {a}", "C{i}.k", ("C{i}.k = {b}", "type.__setattr__(C{i}, 'k', {b})")),
    "its class": ("class C{i}:\n    k = [{a}]\nO{i} = C{i}()", "O{i}.k[0]", ("C{i}.k = [{b}]", "O{i}.k = [{b}]", "C{i}.k[0] = {b}")),
    "its base class": ("class B{i}:\n    k = ({a},)\nclass C{i}(B{i}):\n    pass\nO{i} = C{i}()", "O{i}.k[0]", ("B{i}.k = ({b},)", "C{i}.k = ({b},)", "O{i}.k = ({b},)", "class D{i}(B{i}):\n    k = ({b},)\nO{i}.__class__ = D{i}")),
    "metaclass": ("class M{i}(type):\n    k = ({a},)\nclass C{i}(metaclass=M{i}):\n    pass", "C{i}.k[0]", ("M{i}.k = ({b},)", "C{i}.k = ({b},)")),
    "slot": ("O{i} = Slotted({a})", "O{i}.k", ("O{i}.k = {b}", "O{i} = Slotted({b})")),
    "property": ("O{i} = Hidden({a})", "O{i}.k", ("O{i}.inner = {b}", "Hidden.k = property(lambda self: {b})")),
    "__getattr__": ("O{i} = Dynamic({a})", "O{i}.k", ("O{i}.table['k'] = {b}", "O{i}.k = {b}")),
    "__getitem__": ("O{i} = Dynamic({a})", "O{i}['k']", ("O{i}.table['k'] = {b}", "Dynamic.__getitem__ = lambda self, name: {b}")),
    "dataclass": ("O{i} = Held({a})", "O{i}.k", ("O{i}.k = {b}", "O{i} = dataclasses.replace(O{i}, k={b})")),
    "named tuple": ("O{i} = Pair({a}, 1)", "O{i}.k", ("O{i} = O{i}._replace(k={b})",)),
    "getattr": ("O{i} = Slotless({a})", "getattr(O{i}, 'k')", ("O{i}.k = {b}",)),
    "attrgetter": ("O{i} = Slotless({a})", "operator.attrgetter('k')(O{i})", ("O{i}.k = {b}",)),
    "vars": ("O{i} = Slotless({a})", "vars(O{i})['k']", ("O{i}.k = {b}",)),
    "list": ("L{i} = [{a}, 0]", "L{i}[0]", ("L{i}[0] = {b}", "L{i}.insert(0, {b})", "L{i} = [{b}]", "L{i}[:] = [{b}]")),
    "end of a list": ("L{i} = [{a}]", "L{i}[-1]", ("L{i}.append({b})", "L{i} += [{b}]", "L{i}[-1] = {b}")),
    "long list": ("L{i} = [{a}] * 40", "L{i}[37]", ("L{i}[37] = {b}", "L{i}[:] = [{b}] * 40")),
    "next of a list": ("L{i} = [{a}]", "next(iter(L{i}))", ("L{i}[0] = {b}", "L{i}.insert(0, {b})")),
    "itemgetter": ("L{i} = [{a}]", "operator.itemgetter(0)(L{i})", ("L{i}[0] = {b}",)),
    "unpacked list": ("L{i} = [{a}, {a}]", "(lambda first, *rest: first if len(rest) == 1 else rest[-1])(*L{i})", ("L{i}[0] = {b}", "L{i}.append({b})")),
    "reversed list": ("L{i} = [{a}]", "[*reversed(L{i})][0]", ("L{i}.append({b})",)),
    "comprehension": ("L{i} = [{a}]", "[h for h in L{i}][-1]", ("L{i}.append({b})", "L{i} = [{b}]")),
    "filter": ("L{i} = [({a}, 1)]", "next(h for h, n in L{i} if n)", ("L{i}.insert(0, ({b}, 1))", "L{i} = [({b}, 1)]")),
    "nested list": ("L{i} = [[{a}]]", "L{i}[0][0]", ("L{i}[0][0] = {b}", "L{i}[0] = [{b}]")),
    "tuple": ("L{i} = ({a}, 0)", "L{i}[0]", ("L{i} = ({b}, 0)",)),
    "list in a tuple": ("L{i} = ([{a}],)", "L{i}[0][0]", ("L{i}[0][0] = {b}", "L{i}[0].insert(0, {b})")),
    "dict": ("D{i} = dict(k={a})", "D{i}['k']", ("D{i}['k'] = {b}", "D{i}.update(k={b})", "D{i} = dict(k={b})", "del D{i}['k']")),
    "new key": ("D{i} = dict(k={a})", "D{i}.get('other', D{i}['k'])", ("D{i}['other'] = {b}", "D{i}['k'] = {b}")),
    "values": ("D{i} = dict(k={a})", "list(D{i}.values())[-1]", ("D{i}['other'] = {b}", "D{i} = dict(other={b})")),
    "contains": ("D{i} = dict(k={a})", "(D{i}['other'] if 'other' in D{i} else D{i}['k'])", ("D{i}['other'] = {b}",)),
    "try": ("D{i} = {{}}", "tried(D{i}, {a})", ("D{i}['k'] = {b}",)),
    "hasattr": ("O{i} = Slotless({a})", "(O{i}.other if hasattr(O{i}, 'other') else O{i}.k)", ("O{i}.other = {b}", "O{i}.k = {b}")),
    "items": ("D{i} = dict(k={a})", "[h for name, h in D{i}.items()][-1]", ("D{i}['other'] = {b}", "D{i}['k'] = {b}")),
    "keywords": ("D{i} = dict(k={a})", "(lambda k, other=None: k if other is None else other)(**D{i})", ("D{i}['k'] = {b}", "D{i}['other'] = {b}")),
    "length": ("L{i} = [1]", "({a} if len(L{i}) == 1 else {b})", ("L{i}.append(1)",)),
    "truth": ("L{i} = []", "({b} if L{i} else {a})", ("L{i}.append(1)",)),
    "set": ("S{i} = set()", "({b} if 'a' in S{i} else {a})", ("S{i}.add('a')", "S{i} = {{'a'}}")),
    "size of a set": ("S{i} = set()", "[{a}, {b}][len(S{i})]", ("S{i}.add('a')",)),
    "deque": ("Q{i} = collections.deque([{a}])", "Q{i}[0]", ("Q{i}.appendleft({b})", "Q{i}[0] = {b}")),
    "default dict": ("D{i} = collections.defaultdict(lambda: {a})", "D{i}['k']", ("D{i}['k'] = {b}",)),
    "ordered dict": ("D{i} = collections.OrderedDict(k={a})", "D{i}['k']", ("D{i}['k'] = {b}",)),
    "chain map": ("D{i} = collections.ChainMap({{}}, dict(k={a}))", "D{i}['k']", ("D{i}['k'] = {b}", "D{i}.maps[1]['k'] = {b}")),
    "user dict": ("D{i} = collections.UserDict(k={a})", "D{i}['k']", ("D{i}['k'] = {b}",)),
    "proxy": ("d{i} = dict(k={a})\nD{i} = types.MappingProxyType(d{i})", "D{i}['k']", ("d{i}['k'] = {b}",)),
    "subclass of list": ("class L{i}(list):\n    pass\nl{i} = L{i}([{a}])", "l{i}[0]", ("l{i}[0] = {b}",)),
    "context": ("V{i} = contextvars.ContextVar('V{i}', default={a})", "V{i}.get()", ("V{i}.set({b})", "V{i} = contextvars.ContextVar('V{i}', default={b})")),
    "environ": ("os.environ['OPFUZZ{i}'] = ''", "({b} if os.environ['OPFUZZ{i}'] else {a})", ("os.environ['OPFUZZ{i}'] = 'set'",)),
    "getenv": ("os.environ['OPFUZZ{i}'] = ''", "({b} if os.getenv('OPFUZZ{i}') else {a})", ("os.environ['OPFUZZ{i}'] = 'set'",)),
    "module": ("M{i} = types.ModuleType('M{i}')\nM{i}.k = {a}", "M{i}.k", ("M{i}.k = {b}", "M{i} = types.SimpleNamespace(k={b})")),
    "sys.modules": ("sys.modules['opfuzz{i}'] = types.SimpleNamespace(k={a})", "sys.modules['opfuzz{i}'].k", ("sys.modules['opfuzz{i}'].k = {b}",)),
    "import": ("sys.modules['opfuzz{i}'] = types.SimpleNamespace(k={a})", "__import__('opfuzz{i}').k", ("sys.modules['opfuzz{i}'].k = {b}",)),
    "thread local": ("T{i} = threading.local()\nT{i}.k = {a}", "T{i}.k", ("T{i}.k = {b}",)),
    "weak reference": ("O{i} = Slotless({a})\nW{i} = weakref.ref(O{i})", "W{i}().k", ("O{i}.k = {b}", "W{i} = lambda: types.SimpleNamespace(k={b})")),
    "function's attribute": ("def t{i}():\n    return t{i}.k\nt{i}.k = {a}", "t{i}()", ("t{i}.k = {b}",)),
    "default": ("def d{i}(k={a}):\n    return k", "d{i}()", ("d{i}.__defaults__ = ({b},)", "def d{i}(k={b}):\n    return k")),
    "keyword default": ("def d{i}(*, k={a}):\n    return k", "d{i}()", ("d{i}.__kwdefaults__ = dict(k={b})",)),
    "function's code": ("def d{i}():\n    return {a}\ndef e{i}():\n    return {b}", "d{i}()", ("d{i}.__code__ = e{i}.__code__", "d{i} = e{i}")),
    "called function's global": ("G{i} = {a}\ndef g{i}():\n    return G{i}", "g{i}()", ("G{i} = {b}", "def g{i}():\n    return {b}")),
    "decorated": ("G{i} = {a}\n@functools.wraps(double)\ndef g{i}():\n    return G{i}", "g{i}()", ("G{i} = {b}",)),
    "partial": ("p{i} = functools.partial(returned, {a})", "p{i}()", ("p{i} = functools.partial(returned, {b})", "p{i}.keywords['k'] = {b}", "p{i}.__setstate__((returned, ({b},), {{}}, {{}}))")),
    "method": ("class C{i}:\n    def get(self):\n        return {a}\nO{i} = C{i}()", "O{i}.get()", ("C{i}.get = lambda self: {b}", "O{i}.get = lambda: {b}")),
    "super": ("class B{i}:\n    def get(self):\n        return {a}\nclass C{i}(B{i}):\n    def get(self):\n        return super().get()\nO{i} = C{i}()", "O{i}.get()", ("B{i}.get = lambda self: {b}", "C{i}.get = lambda self: {b}")),
    "self": ("class C{i}:\n    def __init__(self):\n        self.k = {a}\n    def get(self):\n        return self.k\nO{i} = C{i}()", "O{i}.get()", ("O{i}.k = {b}", "O{i}.__dict__['k'] = {b}", "O{i}.__dict__.update(k={b})")),
    "bound method": ("O{i} = Slotless({a})\nm{i} = O{i}.get", "m{i}()", ("O{i}.k = {b}", "m{i} = Slotless({b}).get", "Slotless.get = lambda self: {b}")),
    "static method": ("class C{i}:\n    @staticmethod\n    def get():\n        return {a}", "C{i}.get()", ("C{i}.get = staticmethod(lambda: {b})",)),
    "class method": ("class C{i}:\n    k = ({a},)\n    @classmethod\n    def get(cls):\n        return cls.k[0]", "C{i}.get()", ("C{i}.k = ({b},)",)),
    "cached property": ("class C{i}:\n    @functools.cached_property\n    def k(self):\n        return {a}\nO{i} = C{i}()", "O{i}.k", ("O{i}.k = {b}", "O{i}.__dict__['k'] = {b}")),
    "__call__": ("class C{i}:\n    def __call__(self):\n        return {a}\nO{i} = C{i}()", "O{i}()", ("C{i}.__call__ = lambda self: {b}", "O{i} = lambda: {b}")),
    "descriptor": ("class R{i}:\n    value = {a}\n    def __get__(self, owner, cls=None):\n        return type(self).value\nclass C{i}:\n    k = R{i}()\nO{i} = C{i}()", "O{i}.k", ("R{i}.value = {b}", "C{i}.k = property(lambda self: {b})")),
    "object array": ("A{i} = np.empty(1, object)\nA{i}[0] = {a}", "A{i}[0]", ("A{i}[0] = {b}", "A{i} = [{b}]")),
    "shadowed builtin": ("", "(len('ab') and {a} if len('ab') == 2 else {b})", ("def len(text):\n    return 3",)),
    "replaced module": ("", "(np.float64(2.0) == 2.0 and {a} or {b})", ("np = types.SimpleNamespace(**{{**vars(np), 'float64': lambda t: 3.0}})",)),
    "argument": ("", "arg.k", ("ARG.k = {b}",)),
    "callable argument": ("", "call()", ("CALLED[0] = {b}",)),
}  # fmt: skip

# What lies between the code and what it reads: a name, {o}, and what is done to that, {rest}.
WAYS = {
    "a lambda": "(lambda: {o}{rest})()",
    "a local of the function": "[kept{i} := {o}, (lambda: kept{i}{rest})()][1]",
    "a local": "(lambda o: (lambda: o{rest})())({o})",
    "a local of a local": "(lambda o: (lambda: (lambda: o{rest})())())({o})",
    "a default": "(lambda o={o}: o{rest})()",
    "a local list": "[{o}][0]{rest}",
    "a loop": "next(o{rest} for o in [{o}])",
    "map": "[*map(lambda o: o{rest}, [{o}])][0]",
    "a partial": "functools.partial(lambda o: o{rest}, {o})()",
    "a local object": "types.SimpleNamespace(o={o}).o{rest}",
}

# What all programs share, and what each makes for itself, since changes reach it.
COMMON = """\
import collections, contextlib, contextvars, copy, dataclasses, enum, fractions, functools, itertools, math, operator, os, pickle, random, sys, threading, time, types, weakref
import numpy as np

def double(t):
    return t * 2.0

def shift(t):
    return t + 0.75

def times(factor):
    return lambda t: t * factor

def returned(first, k=None):
    return first if k is None else k

def tried(table, other):
    try:
        return table['k']
    except KeyError:
        return other

def cell(k):
    def get():
        return k

    def put(other):
        nonlocal k
        k = other

    return get, put

class Scale:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, t):
        return t * self.factor

    def apply(self, t):
        return t * self.factor

class Shift(Scale):
    def __call__(self, t):
        return t + self.factor

class Slotted:
    __slots__ = ("k",)

    def __init__(self, k):
        self.k = k

@dataclasses.dataclass
class Held:
    k: object = None

Pair = collections.namedtuple('Pair', 'k n')
Mode = enum.Enum('Mode', 'A B')

def total(parts):
    return sum((i + 1) * 0.5 * np.sum(np.sin(part)) for i, part in enumerate(parts))
"""
OWN = """\
SET = {}

class Slotless:
    def __init__(self, k):
        self.k = k

    def get(self):
        return self.k

class Hidden:
    def __init__(self, k):
        self.inner = k

    @property
    def k(self):
        return self.inner

class Dynamic:
    def __init__(self, k):
        self.table = dict(k=k)

    def __getattr__(self, name):
        return self.__dict__['table'][name]

    def __getitem__(self, name):
        return self.table[name]
"""


class Reading(NamedTuple):
    """One thing that is read from outside: its declarations, its use as a template, and its changes."""

    holder: str
    features: tuple[str, ...]
    declared: str
    enclosing: str
    use: str
    changes: tuple[str, ...]


def reading(rng: random.Random, i: int, holder: str | None = None) -> Reading:
    """Draw a thing and its holder."""
    holder = holder or rng.choice(list(HOLDERS))
    held = rng.choice(list(HELD))
    things, use = HELD[held]
    a, b = rng.sample(things, 2)
    declaration, read, changes = HOLDERS[holder]

    def text(template: str) -> str:
        return template.format(i=i, a=a, b=b)

    declared, enclosing = text(declaration), ""
    if holder == "enclosing":
        enclosing = text(
            "k{i} = {a}\ndef set{i}(other):\n    nonlocal k{i}\n    k{i} = other\nSET['k{i}'] = set{i}"
        )
    if holder == "argument":
        declared = text("ARG = Slotless({a})")
    if holder == "callable argument":
        declared = text("CALLED = [{a}]\ndef CALL():\n    return CALLED[0]")
    way, through = rng.choice([*WAYS.items(), *[("the name", "{o}{rest}")] * len(WAYS)])
    first, rest = re.fullmatch(r"(\w*)(.*)", text(read)).groups()
    if not first or rest.startswith(" "):
        way, through, first, rest = "the name", "{o}", text(read), ""
    # What is read stands in a template once more, where braces would be places.
    escaped = through.format(o=first, rest=rest, i=i).replace("{", "{{").replace("}", "}}")
    return Reading(
        holder,
        (f"outside: {holder}", f"held: {held}", f"through: {way}"),
        declared,
        enclosing,
        use.replace("{h}", escaped),
        tuple(map(text, changes)),
    )
