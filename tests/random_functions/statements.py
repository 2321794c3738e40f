"""Statements of bodies: control flow, other names, views, copies, and writes in place.

{new} is a new name of the shape of {old}, an array that has a name already; {t} is what is written into.
"""

# ruff: noqa: E501, an entry of a table stands in one line

CONTROL = {
    "expression": "{new} = {x}",
    "for": "{new} = {x}\nfor i in range(3):\n    {new} = np.tanh({new}) + i * {x}",
    "while": "{new} = {x}\nsteps = 0\nwhile steps < 2:\n    {new} = {new} * {x}\n    steps += 1",
    "if on data": "if np.sum({old}) > 0.2:\n    {new} = {x}\nelse:\n    {new} = {x}",
    "conditional on data": "{new} = {x} if np.max({old}) > 0.3 else {x}",
    "nested function": "def inner{i}(t, u=2.0):\n    return np.sin(t) * u + {x}\n{new} = inner{i}({x}, u=0.5)",
    "default argument": "def held{i}(t, k={old}):\n    return t * k\n{new} = held{i}({x})",
    "lambda": "{new} = (lambda t: t * {x})({old})",
    "nonlocal": "{new} = {x}\ndef bind{i}():\n    nonlocal {new}\n    {new} = {new} * {x}\nbind{i}()",
    "comprehension": "{new} = sum([{x} * k for k in (0.5, 1.5)])",
    "generator": "{new} = sum(t * t for t in ({x}, {x}))",
    "yield": "def each{i}():\n    yield {x}\n    yield {x}\n{new} = functools.reduce(np.multiply, each{i}())",
    "recursion": "def down{i}(t, n):\n    return t if n == 0 else np.sin(down{i}(t, n - 1))\n{new} = down{i}({x}, 2)",
    "unpacking": "{new}, *rest = [{x}, {x}]\n{new} = {new} + rest[0]",
    "rows": "{new} = {x} * sum(np.sum(np.sin(row)) for row in {m})",
    "zip": "{new} = {x} + sum(a * b for a, b in zip({v}, {v}))",
    "try": "try:\n    {new} = {x} / {{}}['key']\nexcept KeyError:\n    {new} = {x}\nfinally:\n    pass",
    "try of shapes": "try:\n    {new} = {old} + np.ones(7)\nexcept ValueError:\n    {new} = {x}",
    "list": "box = [{x}]\nbox.append({x})\n{new} = box[0] * box[-1]",
    "dict": "box = dict(a={x}, b={x})\nbox['a'] = box['a'] + box['b']\n{new} = sum(box.values())",
    "namespace": "box = types.SimpleNamespace(k={x})\nbox.k = box.k * {x}\n{new} = box.k",
    "local class": "class Box{i}:\n    def __init__(self, k):\n        self.k = k\n    def __call__(self, t):\n        return self.k * t\n{new} = Box{i}({x})({x})",
    "partial": "{new} = functools.partial(np.multiply, {x})({x})",
    "set": "{new} = {x}\nif id({new}) in {{id({old})}}:\n    {new} = {new} * 3.0",
    "identity": "{new} = {old}\nif {new} is {old}:\n    {new} = {new} * 3.0",
    "walrus": "{new} = (part := {x}) * part",
    "match": "match np.shape({old}):\n    case ():\n        {new} = {x}\n    case (n, *_):\n        {new} = n * {x}",
    "own array": "own = np.zeros(np.shape({old}))\nown += 1.5\nown[...] *= 0.5\n{new} = own * {x}",
    "own integers": "own = np.arange(3)\nown += 1\nown[0] *= 5\n{new} = {x} * np.sum(own * {v})",
    "own float32": "own = np.ones(3, np.float32)\nown *= 2\n{new} = {x} * np.sum(own * {v})",
    "sum that grows": "{new} = 0.0\nfor t in ({x}, {x}):\n    {new} += t",
    "result in place": "{new} = {x} * 1.0 + {x}\n{new} *= {x}\n{new} -= 0.5",
    "entry grows": "box = {{'k': 0.0}}\nfor t in ({x}, {x}):\n    box['k'] += t\n{new} = box['k']",
    "attribute grows": "box = types.SimpleNamespace(k=1.0)\nbox.k *= {x}\nbox.k += {x}\n{new} = box.k",
}  # fmt: skip

# Each gives {new} from {old}: itself, under another name; its memory, or what may be its memory; a copy.
NAMES = {
    "alias": "{old}", "list entry": "[{old}][0]", "conditional": "({old} if True else 1.0)",
    "function": "(lambda t: t)({old})", "default": "(lambda t={old}: t)()",
    "replace": "dataclasses.replace(Held(k=0.0), k={old}).k", "copy of list": "[{old}].copy()[0]",
    "copy of dict": "copy.copy({{'k': {old}}})['k']",
    "copy of namespace": "copy.copy(types.SimpleNamespace(k={old})).k",
    "checkpoint": "checkpoint(lambda t: t)({old})",
}  # fmt: skip
VIEWS = {
    "[...]": "{old}[...]", "[:]": "{old}[:]", "reshape": "{old}.reshape({old}.shape)",
    "np.reshape": "np.reshape({old}, np.shape({old}))", "ravel": "np.ravel({old}).reshape({old}.shape)",
    "T.T": "{old}.T.T", "np.transpose": "np.transpose(np.transpose({old}))", "squeeze": "np.squeeze({old})",
    "expand_dims": "np.expand_dims({old}, 0)[0]", "newaxis": "{old}[None][0]", "real": "{old}.real",
    "np.real": "np.real({old})", "asarray": "np.asarray({old})", "atleast_1d": "np.atleast_1d({old})",
    "moveaxis": "np.moveaxis({old}, 0, 0)", "swapaxes": "np.swapaxes({old}, 0, 0)",
    "flip": "np.flip(np.flip({old}))", "[::-1]": "{old}[::-1][::-1]", "split": "np.split({old}, [0])[1]",
    "array_split": "np.array_split({old}, 1)[0]", "broadcast_arrays": "np.broadcast_arrays({old}, {old})[0]",
    "view": "{old}.view()", "ravel method": "{old}.ravel().reshape({old}.shape)",
    "of a result": "({old} * 1.0)[...]", "nan_to_num": "np.nan_to_num({old}, copy=False)",
    "rot90": "np.rot90({old}, 0)", "astype": "{old}.astype({old}.dtype, copy=False)",
    "rollaxis": "np.rollaxis({old}, 0)", "vsplit": "np.vstack(np.vsplit({old}, 1))",
    "unstack": "list({old}[None])[0]", "as_contiguous": "np.ascontiguousarray({old})",
    "matrix_transpose": "np.matrix_transpose(np.matrix_transpose({old}))",
    "where index": "{old}[np.arange(len({old}))]",
    "checkpoint of a view": "checkpoint(lambda t: t[...])({old})",
}  # fmt: skip
COPIES = {
    "copy": "{old}.copy()", "np.copy": "np.copy({old})", "copy.copy": "copy.copy({old})",
    "deepcopy": "copy.deepcopy({old})", "deepcopy of list": "copy.deepcopy([{old}, 1])[0]",
    "deepcopy of dict": "copy.deepcopy({{'k': {old}}})['k']",
    "deepcopy of namespace": "copy.deepcopy(types.SimpleNamespace(k={old})).k", "times 1": "{old} * 1",
    "np.array": "np.array({old})", "plus": "+{old}", "pickle": "pickle.loads(pickle.dumps({old}))",
    "deepcopy of a result": "copy.deepcopy({old} * 2.0)", "copy.copy of a result": "copy.copy({old} * 2.0)",
    "deepcopy of partial": "copy.deepcopy(functools.partial(np.multiply, {old}))(1.0)",
    "deepcopy of dataclass": "copy.deepcopy(Held(k={old})).k",
    "flatten": "{old}.flatten().reshape({old}.shape)", "asdict": "dataclasses.asdict(Held(k={old}))['k']",
    "deepcopy twice": "copy.deepcopy(copy.deepcopy({old} + 1.0))", "__copy__": "{old}.__copy__()",
    "__deepcopy__": "{old}.__deepcopy__({{}})", "float": "({old} * 0 + float(np.sum({old})))",
}  # fmt: skip
IN_PLACE = {
    "+=": "{t} += {x}", "-=": "{t} -= {x}", "*=": "{t} *= 1.5", "/=": "{t} /= 2.0", "**=": "{t} **= 2",
    "//=": "{t} //= 0.25", "%=": "{t} %= 0.5", "@=": "{t} @= np.eye(3)", "[...] =": "{t}[...] = {x}",
    "[0] +=": "{t}[0] += 1.0", "[0] =": "{t}[0] = 0.25", "[:2] *=": "{t}[:2] *= 2.0",
    "out=": "np.add({t}, {x}, out={t})", "out": "np.multiply({t}, 2.0, {t})",
    "imul": "operator.imul({t}, 1.5)", "__iadd__": "{t}.__iadd__(1.0)", "fill": "{t}.fill(0.5)",
    "sort": "{t}.sort()", "copyto": "np.copyto({t}, {x})", "put": "np.put({t}, 0, 5.0)",
    "add.at": "np.add.at({t}, 0, 1.0)", "rows": "for row in {t}:\n    row *= 2.0",
    "flat": "{t}.flat[0] = 1.0", "clip out": "np.clip({t}, -0.2, 0.2, out={t})",
    "ndarray": "np.ndarray.__imul__({t}, 2.0)", "shuffle": "np.random.RandomState(0).shuffle({t})", "int *=": "{t} *= 2",
    "array +=": "{t} += np.array(0.5)", "vector +=": "{t} += np.array([0.5, 0.25, 1.0])",
    "unpacked": "first, *rest = {t}\nfirst *= 2.0", "place": "np.place({t}, {t} > 0, [0.5])",
    "partition": "{t}.partition(0)", "sum out": "np.sum([{t}], axis=0, out={t})",
    "iadd": "operator.iadd({t}, {x})", "ixor": "{t} ^= 1", "walrus": "(lambda t: operator.imul(t, 2.0))({t})",
    "in a function": "def scale{i}(t):\n    t *= 2.0\nscale{i}({t})",
    "by nonlocal": "def write{i}():\n    nonlocal {t}\n    {t} *= 2.0\nwrite{i}()",
    "in a loop": "for step in (1.0, 2.0):\n    {t} += step",
    "in try": "try:\n    {t} += 1.0\nexcept KeyError:\n    pass", "setitem": "operator.setitem({t}, 0, 2.0)",
    "putmask": "np.putmask({t}, {t} > 0, 1.0)", "none": "pass",
}  # fmt: skip
BY_SECOND_NAMES = {"imul", "iadd", "__iadd__", "in a function", "walrus"}
# Where the array lies that is written into: its place is set up from {source}, and read after that.
TARGETS = {
    "name": ("{new} = {source}", "{new}"),
    "list entry": ("box = [{source}, 1.0]", "box[0]"),
    "dict entry": ("box = {{'k': {source}}}", "box['k']"),
    "attribute": ("box = types.SimpleNamespace(k={source})", "box.k"),
    "slot": ("box = Slotted({source})", "box.k"),
    "dataclass": ("box = Held({source})", "box.k"),
}
# What only arrays can do, or what asks for their type: a plan may not depend on that.
REFUSABLE = {
    "float": "float(np.sum({old}))", "item": "{old}.item(0)", "mask": "np.sum({old}[{old} > 0])",
    "len of mask": "len({old}[{old} > 0])", "unique": "len(np.unique({old}))",
    "tolist": "np.sum({old}.tolist())", "asarray": "np.sum(np.asarray({old}))", "int": "int(np.max({old}))",
    "isinstance": "(2.0 if isinstance({old}, np.ndarray) else 3.0)",
    "type": "(2.0 if type({old}) is np.ndarray else 3.0)",
    "class": "(2.0 if {old}.__class__ is np.ndarray else 3.0)",
    "not isinstance": "(3.0 if not isinstance({old}, (np.ndarray, float)) else 2.0)",
    "hasattr": "(2.0 if hasattr({old}, 'tobytes') else 3.0)",
    "flags": "(2.0 if {old}.flags.writeable else 3.0)", "bool": "(2.0 if bool(np.all({old} > 0)) else 3.0)",
    "text": "len(str({old}))", "format": "float(f'{{np.sum({old})}}')", "math": "math.sin(np.sum({old}))",
    "any": "(2.0 if any(t > 1 for t in np.ravel({old})) else 3.0)", "argmax": "int(np.argmax({old}))",
    "hash": "(2.0 if hash(np.sum({old}).tobytes()) else 3.0)",
    "equal": "(2.0 if np.array_equal({old}, {old} * 1.0) else 3.0)", "nonzero": "len(np.nonzero({old})[0])",
    "sorted": "sorted(np.ravel({old}))[0]", "range": "len(range(int(np.size({old}))))",
    "data": "len(bytes({old}.data))", "isscalar": "(2.0 if np.isscalar({old}) else 3.0)",
    "match": "{{np.ndarray: 2.0}}.get(type({old}), 3.0)",
}  # fmt: skip
AROUND = (
    "{new} = {x} * %s", "try:\n    {new} = {x} * %s\nexcept Exception:\n    {new} = {x}",
    "{new} = {x}\nwith contextlib.suppress(Exception):\n    {new} = {new} * %s", "try:\n    {new} = {x} * %s\nexcept TypeError:\n    {new} = {x}",
    "try:\n    {new} = {x} * %s\nexcept:\n    {new} = {x}",
)  # fmt: skip
RANDOM = {
    "np.random": "np.random.random({shape})", "generator": "RNG.random({shape})",
    "attribute": "NOISE.rng.random({shape})", "entry": "TABLE['rng'].random({shape})",
    "list": "TABLE['list'][0].random({shape})", "closure": "draw({shape})", "partial": "PARTIAL({shape})",
    "method": "BOUND({shape})", "RandomState": "OLD.random_sample({shape})", "default": "by_default({shape})",
    "callable": "NOISE({shape})", "own seed": "np.random.default_rng(7).random({shape})",
    "random": "(random.random() + np.zeros({shape}))", "Random": "(PYTHON.random() + np.zeros({shape}))",
    "argument": "rng.random({shape})", "uniform": "np.random.uniform(0, 1, {shape})",
    "integers": "(RNG.integers(0, 2, {shape}) * 0.8)",
    "permutation": "RNG.permutation(np.linspace(0.1, 0.9, 3))[:1] + np.zeros({shape})",
    "bit_generator": "(RNG.bit_generator.random_raw() % 97 / 97 + np.zeros({shape}))",
    "spawn": "RNG.spawn(1)[0].random({shape})", "class": "Noise.shared.random({shape})",
    "slots": "SLOTTED.k.random({shape})", "property": "NOISE.own.random({shape})",
    "shuffle": "shuffled({shape})", "deque": "QUEUE[0].random({shape})",
    "context": "CONTEXT.get().random({shape})", "object array": "OBJECTS[0].random({shape})",
    "module": "MODULE.rng.random({shape})",
}  # fmt: skip
# What changes by itself, of which only another value tells.
UNSTEADY = {
    "counter": "(next(COUNT) * 0.125 + np.zeros({shape}))",
    "iterator": "(next(ITERATOR) + np.zeros({shape}))",
}  # fmt: skip
GENERATORS = """\
class Noise:
    shared = np.random.default_rng(20)

    def __init__(self):
        self.rng = np.random.default_rng(21)

    @property
    def own(self):
        return self.rng

    def __call__(self, shape):
        return self.rng.random(shape)

def drawing(rng):
    return lambda shape: rng.random(shape)

def by_default(shape, rng=np.random.default_rng(22)):
    return rng.random(shape)

def shuffled(shape):
    values = [0.2, 0.9, 0.7]
    PYTHON.shuffle(values)
    return values[0] + np.zeros(shape)

RNG, NOISE = np.random.default_rng(23), Noise()
TABLE = {"rng": np.random.default_rng(24), "list": [np.random.default_rng(25)]}
draw, PARTIAL, BOUND = drawing(np.random.default_rng(26)), functools.partial(RNG.random), RNG.random
OLD, PYTHON, SLOTTED = np.random.RandomState(27), random.Random(28), Slotted(np.random.default_rng(29))
QUEUE, CONTEXT = collections.deque([np.random.default_rng(30)]), contextvars.ContextVar("CONTEXT", default=np.random.default_rng(31))
OBJECTS, MODULE = np.array([np.random.default_rng(32), None]), types.ModuleType("MODULE")
MODULE.rng = np.random.default_rng(33)
COUNT, ITERATOR = itertools.count(1), iter(np.linspace(0.1, 0.9, 40))
NEXT = lambda: [np.random.random(), random.random(), PYTHON.random(), OLD.random_sample()] + [
    rng.random() for rng in (RNG, NOISE.rng, Noise.shared, *TABLE["list"], TABLE["rng"], SLOTTED.k, MODULE.rng)
]
"""
