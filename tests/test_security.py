"""What docs/security.md promises: text that plugins and users give is never run as code."""

import ast
import inspect
import json
import subprocess
import sys
from inspect import Parameter
from pathlib import Path

import numpy as np
import pytest

import ops_builtin
import registry
from registry import Function, OperatorDefinitionError, Variable, stubs
from registry.compiler.writing import Writer
from registry.definition import make_operator
from registry.written_out import namespace

ROOT = Path(registry.__file__).parent
RUN = "registry_test_canary()"  # code that must not run


@pytest.fixture(autouse=True)
def canary(monkeypatch):
    """Notice when the code in `RUN` is run, from wherever."""
    run = []
    monkeypatch.setattr("builtins.registry_test_canary", lambda: run.append(1), raising=False)
    yield run
    assert run == []


def operator(**members):
    """Give a class whose members are odd, with a helper that is named `ok`."""
    plain = {"forward": lambda self, x: x + 1, "backward": lambda self, gy: gy, "name": "ok"}
    return type(members.pop("cls", "Plain"), (Function,), {**plain, **members})


def works(cls):
    """Call the helper twice, as it is first and written out, and differentiate."""
    helper = make_operator(cls, "mine").helper
    for _ in range(2):
        x = Variable(np.array([1.0, 2.0]))
        y = helper(x)
        y.backward(create_graph=True)
        assert (y.data.tolist(), x.grad.data.tolist()) == ([2.0, 3.0], [1.0, 1.0])
    return helper


class Text(str):
    """A text that is another one where it is written."""

    def __str__(self):
        return f"x={RUN}"

    def __format__(self, spec):
        return f"x={RUN}"

    def __repr__(self):
        return RUN


class Shown:
    """A value whose text is code."""

    def __repr__(self):
        return RUN

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return 1


class TestHelpers:
    @pytest.mark.parametrize(
        "name",
        [f"{RUN} or Plain", "Größe", f"X(), {RUN}, X", f"X\n{RUN}", "class", "", "a b", "id", "type",
         "Exception", "_record", "_new", "_Variable", "ok", "x", "ﬁ", Text("Plain")],
    )  # fmt: skip
    def test_the_name_of_a_class_is_a_name_at_most(self, name):
        works(operator(cls=name))

    @pytest.mark.parametrize("attribute", ["__qualname__", "__module__", "__doc__"])
    def test_other_names_and_documentation_are_text(self, attribute):
        cls = operator()
        setattr(cls, attribute, f'>"""\n{RUN}\n"""\\')
        helper = works(cls)
        assert helper.__name__ == "ok"
        if attribute == "__doc__":
            assert RUN in helper.__doc__

    @pytest.mark.parametrize(
        "name", ["ﬁne", f"ok():\n {RUN}\ndef ok", f"ok={RUN}", "a b", "x\n", Text("ok"), 3]
    )
    def test_a_helpers_name_is_an_identifier(self, name):
        with pytest.raises(OperatorDefinitionError, match="cannot have the helper"):
            make_operator(operator(name=name), "mine")

    @pytest.mark.parametrize("of", ["forward", "__init__"])
    @pytest.mark.parametrize("name", [f"x={RUN}", "a b", Text("x"), "x): pass #"])
    def test_a_parameters_name_is_an_identifier(self, of, name):
        class Lying(Parameter):
            def __init__(self):
                super().__init__("x", Parameter.POSITIONAL_OR_KEYWORD)

            @property
            def name(self):
                return name

            def replace(self, **_):
                return self

            def __str__(self):
                return f"x={RUN}"

        def odd(self, x):
            return x + 1

        me = Parameter("self", Parameter.POSITIONAL_OR_KEYWORD)
        odd.__signature__ = inspect.Signature([me]).replace(parameters=[me])
        odd.__signature__._parameters = {"self": me, "x": Lying()}
        with pytest.raises(OperatorDefinitionError, match="cannot be a parameter's name"):
            make_operator(operator(**{of: odd}), "mine")

    @pytest.mark.parametrize("name", ["_record", "_written_out"])
    def test_a_parameter_does_not_hide_what_the_source_uses(self, name):
        made = {}
        exec(f"def forward(self, {name}): return {name}", made)
        with pytest.raises(OperatorDefinitionError, match=f"'{name}' cannot be a parameter's name"):
            make_operator(operator(forward=made["forward"]), "mine")

    @pytest.mark.parametrize(
        "name", [*sorted(set(namespace(operator(), 1)) - {"_record"}), "id", "type", "isinstance",
                 "Exception", "ok", "Plain", "_x0", "_y", "_function", "__import__", "_default_x",
                 "ﬁ", "print"],
    )  # fmt: skip
    def test_a_parameter_may_have_any_other_name(self, name):
        made = {}
        exec(f"def forward(self, {name}): return {name} + 1", made)
        works(operator(forward=made["forward"]))

    def test_defaults_are_objects_and_annotations_are_not_looked_at(self):
        constant = Shown()

        def __init__(self, x0=constant):  # noqa: N807
            self.x0 = x0

        def forward(self, x: RUN) -> RUN:
            return x + 1

        __init__.__annotations__ = {"x0": Shown(), "return": RUN}
        forward.__annotations__["x"] = Shown()
        helper = works(operator(__init__=__init__, forward=forward))
        assert inspect.signature(helper).parameters["x0"].default is constant

    def test_numpy_functions_with_odd_names(self):
        def odd(x):
            raise AssertionError

        odd.__name__ = odd.__qualname__ = f"odd\n{RUN}"
        works(operator(implements=odd))


class TestPlans:
    def test_keys_of_dicts(self):
        class Key(str):
            def __repr__(self):
                return RUN

        assert RUN not in Writer().expression({Key("a"): 1.0})
        f = registry.compile(lambda p: p[Key("a")] * 2)
        for _ in range(2):
            assert f({Key("a"): np.array([1.0])}).tolist() == [2.0]

    def test_names_of_what_is_called(self):
        def odd(x):
            return x * 2

        for name in (f"odd({RUN})", "class", Text("odd"), "a b", "OTHER", "args"):
            odd.__name__ = str.__str__(name) if type(name) is str else "odd"
            f = registry.compile(lambda x: np.apply_along_axis(odd, 0, x))
            for _ in range(2):
                assert f(np.array([1.0])).tolist() == [2.0]

    def test_names_of_files_and_functions(self):
        source = "def f(x):\n    return np.exp(x) if np.sum(x) > 0 else x\n"
        made = {"np": np}
        exec(compile(source, f"a\n    {RUN}\n#", "exec"), made)
        made["f"].__name__ = f"f\n{RUN}"
        f = registry.compile(made["f"])
        for _ in range(2):
            assert f(np.array([0.5])).tolist() == [np.exp(0.5)]
        assert all(
            RUN not in line or "#" in line.partition(RUN)[0] for line in str(f.plan(np.ones(1))).splitlines()
        )

    def test_constants_with_odd_texts(self):
        shown = Shown()
        f = registry.compile(lambda x, k: x + 1 if k is shown else x)
        with pytest.raises(registry.CompileError, match="argument 1 is Shown"):
            f(np.ones(1), shown)


class TestStubs:
    def test_what_plugins_say_stays_text(self, publish, fresh, tmp_path):
        class Default:
            texts = iter(["1", RUN, RUN])

            def __repr__(self):
                return next(self.texts)

        def __init__(self, a=Default(), b=Shown(), c=None):  # noqa: B008, N807
            self.a = a

        __init__.__annotations__ = {"a": RUN, "b": f"int\n{RUN}", "c": "int | None"}
        cls = operator(__init__=__init__, __doc__=f'A "{RUN}" \\\x00\r{RUN}"""\n{RUN}')
        registry_ = fresh(only=frozenset())
        publish(registry_, f"x: int\n{RUN}", cls)
        publish(registry_, "mine", operator(name="other"))
        for path in stubs.write_stubs(tmp_path):
            tree = ast.parse(path.read_text())
            calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
            assert not [call for call in calls if "canary" in call], path


class TestPlugins:
    WRITES = "import pathlib\npathlib.Path({!r}).touch()\n"

    @pytest.fixture
    def spy(self, site, tmp_path):
        """Install a plugin whose import leaves a file behind."""
        seen = tmp_path / "imported"
        site.install_operator("spy", "Spy", body="pass")
        module = site.path / "spy.py"
        module.write_text(self.WRITES.format(str(seen)) + module.read_text())
        return seen

    @pytest.mark.parametrize(
        "environment",
        [{"OPREGISTRY_PLUGINS": ""}, {"OPREGISTRY_PLUGINS": "other"}, {"OPREGISTRY_BLOCK": "spy"},
         {"OPREGISTRY_BLOCK": "a, spy", "OPREGISTRY_STRICT": "1"}],
    )  # fmt: skip
    def test_what_is_not_allowed_or_blocked_is_not_imported(self, site, spy, environment):
        site.python(
            "import warnings; warnings.simplefilter('ignore')\n"
            "import registry\n"
            "registry.load_plugins(); dir(registry.ops)\n"
            "from registry import plugins; dir(plugins)\n"
            "try:\n    registry.ops.spy\nexcept registry.RegistryError:\n    pass",
            **environment,
        )
        assert not spy.exists()

    def test_what_is_allowed_is_imported(self, site, spy):
        site.python("import registry; registry.load_plugins()", OPREGISTRY_PLUGINS="spy")
        assert spy.exists()

    def test_nothing_is_imported_before_a_name_is_missed(self, site, spy):
        site.python(
            "import registry, numpy as np\n"
            "from registry import Variable, ops\n"
            "ops.square(Variable(np.ones(2))).backward()\n"
            "np.exp(Variable(np.ones(2)))"
        )
        assert not spy.exists()

    def test_listing_reads_metadata_only(self, site, spy):
        code = (
            "import sys\nsys.argv[1:] = 'plugins', '--no-load', '--json'\n"
            "from registry.__main__ import main\nmain()"
        )
        for environment, status in (
            ({}, "installed"),
            ({"OPREGISTRY_BLOCK": "spy"}, "blocked"),
            ({"OPREGISTRY_PLUGINS": ""}, "not asked for"),
        ):
            plugins = {plugin["name"]: plugin for plugin in json.loads(site.python(code, **environment))}
            assert (plugins["spy"]["status"], plugins["spy"]["version"]) == (status, "1.0")
        assert not spy.exists()


class TestSources:
    FILES = sorted([*ROOT.rglob("*.py"), *Path(ops_builtin.__file__).parent.rglob("*.py")])
    # Where generated source is compiled: helpers and what is written out, plans, and their guards.
    GENERATED = "helpers.py", "writing.py", "guards.py"
    # A check of the kit sees that a helper comes back from a pickle that it made itself.
    PICKLES = "catalogue.py"

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
    def test_nothing_is_unpickled_evaluated_or_given_to_a_shell(self, path):
        tree = ast.parse(path.read_text())
        imported = {
            name.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for name in node.names
        } | {
            (node.module or "").partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
        }
        if path.name != self.PICKLES:
            assert "pickle" not in imported
        assert not imported & {"marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "code"}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = ast.unparse(node.func)
            assert called not in ("eval", "os.system", "os.popen", "__import__"), path
            assert called not in ("exec", "compile") or path.name in self.GENERATED, f"{path}:{node.lineno}"
            odd = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg in ("shell", "allow_pickle")}
            assert set(odd.values()) <= {"False"}, path


def test_generated_source_holds_nothing_but_names_that_were_checked(tmp_path):
    """All values of an operator reach its helper by the namespace, none by the text."""
    code = (
        "import json, linecache, numpy as np, registry\n"
        "from registry import Variable, ops\n"
        "for name in dir(ops):\n    getattr(ops, name)\n"
        "ops.sum(ops.clip(Variable(np.ones(3)), 0.25, 0.75), axis=0).backward()\n"
        "sources = [''.join(v[2]) for k, v in linecache.cache.items() if k.startswith('<opregistry')]\n"
        "print(json.dumps(sources))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    sources = json.loads(done.stdout)
    assert len(sources) > 100
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant):
                assert node.value in (None, 0, 1, 2, -1, "biufc") or isinstance(node.value, int), source
