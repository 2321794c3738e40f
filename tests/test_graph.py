"""`registry.graph`: the recorded graph as text and as a picture, and Variables in notebooks."""

import os
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import registry
from registry import Function, GraphError, UnsupportedTypeError, Variable, ops
from registry.graph import get_dot_graph, get_mermaid_graph, get_text_graph, plot_dot_graph


def variable(value, name=None):
    return Variable(np.array(value), name=name)


def parsed(dot):
    """Give labels by number, and arrows, of a text in DOT as it is written here."""
    labels = dict(re.findall(r'^(n\d+) \[label="((?:[^"\\]|\\.)*)", ', dot, re.MULTILINE))
    arrows = re.findall(r"^(n\d+) -> (n\d+)$", dot, re.MULTILINE)
    assert len(labels) + len(arrows) + 2 == len(dot.splitlines()), dot
    return labels, sorted((labels[a], labels[b]) for a, b in arrows)


# Names as people may give them, and what of them is shown: characters that cannot be seen, or not be
# written, stand as in Python's literals.
SHOWN = {
    "&lt;b&gt; &amp; &#65;": "&lt;b&gt; &amp; &#65;",
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    '"; \\N \\G \\': '"; \\N \\G \\',
    "two\nlines\r": "two\\nlines\\r",
    "\x00\x1b\x85\u2028\ufffe\ud800": "\\x00\\x1b\\x85\\u2028\\ufffe\\ud800",
    "\u202eback": "\\u202eback",
    "μ∂🙂עב": "μ∂🙂עב",
    "n" * 100_000: "n" * 57 + "...",
}


def drawn_by_graphviz(results, **options):
    """Give the texts in a picture by graphviz, last ones first as in the picture's language."""
    text = get_dot_graph(results, **options)
    done = subprocess.run(["dot", "-Tsvg"], input=text.encode(), capture_output=True, check=True)
    found = ElementTree.fromstring(done.stdout).iter("{http://www.w3.org/2000/svg}text")
    return [element.text for element in found]


@pytest.fixture
def fake_dot(tmp_path, monkeypatch):
    """Put a program `dot` on the path, and nothing else."""

    def install(*lines):
        program = tmp_path / "bin" / "dot"
        program.parent.mkdir(exist_ok=True)
        program.write_text("\n".join([f"#!{sys.executable}", "import sys, time", *lines]))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))

    return install


class TestDot:
    def test_names_operators_shapes_and_the_way_of_the_data(self):
        a, b, c = variable(3.0, "a"), variable(2.0, "b"), variable(1.0, "c")
        y = a * b + c
        y.name = "y"
        labels, arrows = parsed(get_dot_graph(y, verbose=False))
        assert sorted(labels.values()) == ["", "a", "add", "b", "c", "multiply", "y"]
        assert arrows == sorted(
            [("a", "multiply"), ("b", "multiply"), ("multiply", ""), ("", "add"), ("c", "add"), ("add", "y")]
        )
        labels, _ = parsed(get_dot_graph(y))
        assert sorted(labels.values())[0] == "a\\nfloat64 ()"

    def test_looks_are_those_of_the_book(self):
        x = variable(1.0, "x")
        text = get_dot_graph(np.exp(x))
        assert text.startswith("digraph g {\n")
        assert re.search(r"x.*color=orange, style=filled\]", text)
        assert re.search(r"exp.*color=lightblue, style=filled, shape=box\]", text)

    def test_a_variable_used_twice_is_one_node(self):
        x = variable([1.0, 2.0], "x")
        labels, arrows = parsed(get_dot_graph(x * x + x, verbose=False))
        assert list(labels.values()).count("x") == 1
        assert arrows.count(("x", "multiply")) == 2
        assert ("x", "add") in arrows

    def test_constants_of_operators_and_inputs(self):
        labels, _ = parsed(get_dot_graph(np.sum(variable([[1.0, 2.0]]) * 2.5, axis=0)))
        assert {"sum\\naxis=0", "multiply\\ninput 1: 2.5"} <= set(labels.values())

    def test_plugins_are_named(self, publish, fresh):
        class Same(Function):
            def forward(self, x):
                return x + 0

            def backward(self, gy):
                return gy

        publish(fresh(), "mine", Same)
        assert "mine.same" in parsed(get_dot_graph(ops.same(variable(1.0))))[0].values()

    def test_several_outputs_and_several_results(self):
        x = variable(np.arange(4.0), "x")
        a, b = np.split(x, 2)
        a.name, b.name = "a", "b"
        c = a * b
        c.name = "c"
        _, arrows = parsed(get_dot_graph([c, np.exp(a)], verbose=False))
        assert [pair for pair in arrows if pair[0] == "split"] == [("split", "a"), ("split", "b")]
        assert ("a", "exp") in arrows
        assert ("a", "multiply") in arrows

    def test_an_output_that_nobody_holds_or_uses_is_left_out(self):
        parts = np.split(variable(np.arange(4.0)), 2)
        kept = np.exp(parts[1])
        del parts
        _, arrows = parsed(get_dot_graph(kept, verbose=False))
        assert len([pair for pair in arrows if pair[0] == "split"]) == 1

    def test_higher_derivatives(self):
        x = variable(1.0, "x")
        y = np.tanh(x)
        y.backward(create_graph=True)
        gx = x.grad
        gx.name = "gx"
        labels, arrows = parsed(get_dot_graph(gx, verbose=False))
        assert ("tanh", "") in arrows
        assert ("x", "tanh") in arrows
        assert "gx" in labels.values()

    def test_a_leaf_a_constant_and_what_no_grad_left(self):
        for x in (variable([1.0], "x"), ops.exp(np.ones(1))):
            labels, arrows = parsed(get_dot_graph(x))
            assert (len(labels), arrows) == (1, [])
        with registry.no_grad():
            y = np.exp(variable(1.0))
        assert parsed(get_dot_graph(y)) == ({"n0": "float64 ()"}, [])

    def test_the_same_program_gives_the_same_text(self):
        def program():
            x = variable([1.0, 2.0], "x")
            return get_dot_graph(np.sum(np.sin(x) * np.exp(x) / (x + 1)))

        assert program() == program()

    def test_no_text_of_users_ends_a_label(self):
        name = 'a"];evil [label="b\\" <b>{|} &lt; \\N end\\'
        x = variable(1.0, name)
        text = get_dot_graph(np.exp(x), verbose=False)
        labels, _ = parsed(text)
        (label,) = [label for label in labels.values() if "evil" in label]
        assert label == name.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')

    @pytest.mark.parametrize(("name", "shown"), SHOWN.items())
    def test_names_are_one_line_that_can_be_read(self, name, shown):
        x = variable(1.0, name)
        y = np.exp(x)
        label = parsed(get_dot_graph(y, verbose=False))[0]["n2"]
        assert unescape(label).replace('\\"', '"').replace("\\\\", "\\") == shown
        assert get_text_graph(y, verbose=False) == f"v1 = exp({shown})"
        if shutil.which("dot"):
            assert drawn_by_graphviz(y, verbose=False) == ["exp", shown]

    def test_constants_are_short_and_without_addresses(self):
        class Called(Function):
            def __init__(self, f):
                self.f = f

            def forward(self, x):
                return x + 0

        x = variable(1.0, "x")
        assert "Called\\nf=<object object>" in get_dot_graph(Called(object())(x))
        label = parsed(get_dot_graph(Called(list(range(1000)))(x)))[0]["n1"]
        assert label == "Called\\nf=(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, ..."

    @pytest.mark.parametrize("wrong", [0, -1, 1.5, "3", None])
    @pytest.mark.parametrize("graph", [get_dot_graph, get_mermaid_graph, get_text_graph])
    def test_a_number_of_nodes_that_is_none(self, graph, wrong):
        with pytest.raises(ValueError, match=r"^max_nodes is .*; pass a whole number from 1 on$"):
            graph(np.exp(variable(1.0)), max_nodes=wrong)
        assert len(graph(np.exp(variable(1.0)), max_nodes=np.int64(1))) > 10

    @pytest.mark.parametrize("wrong", [1.0, np.ones(3), None, "x"])
    def test_what_is_no_variable(self, wrong):
        with pytest.raises(
            UnsupportedTypeError, match=r"the graph of <class .* is asked for; pass Variables"
        ):
            get_dot_graph(wrong)


class TestLargeGraphs:
    def test_a_chain_is_folded_into_one_box_with_what_it_needs(self):
        x, c = variable(0.5, "x"), variable(0.1, "c")
        y = x
        for _ in range(1000):
            y = y * 0.9 + c
        y.name = "y"
        assert parsed(get_dot_graph(y, verbose=False)) == (
            {"n0": "y", "n1": "multiply x 1,000\\nadd x 1,000", "n2": "c", "n3": "x"},
            [("c", "multiply x 1,000\\nadd x 1,000"), ("multiply x 1,000\\nadd x 1,000", "y"),
             ("x", "multiply x 1,000\\nadd x 1,000")],
        )  # fmt: skip

    def test_what_people_hold_and_what_is_used_twice_is_not_folded_away(self):
        x = y = variable(0.5, "x")
        for i in range(90):
            y = y + 1
            if i == 29:
                held = y
                held.name = "held"
        y = np.exp(y) * y
        labels, _ = parsed(get_dot_graph(y, verbose=False))
        assert sorted(label for label in labels.values() if label) == [
            "add x 30", "add x 60", "exp", "held", "multiply", x.name
        ]  # fmt: skip

    def test_what_is_too_far_is_counted(self):
        y = variable(0.5)
        for _ in range(100):
            y = y - y * y
        labels, arrows = parsed(get_dot_graph(y, verbose=False, max_nodes=10))
        assert sum(label in ("subtract", "multiply") for label in labels.values()) == 10
        assert "... 190 more functions" in labels.values()
        assert ("... 190 more functions", "subtract") in arrows

    def test_no_more_than_the_nearest_functions_are_looked_at(self):
        y = variable(0.5)
        for _ in range(60_000):
            y = y - y * y
        labels, _ = parsed(get_dot_graph(y, max_nodes=5))
        assert "... over 99,995 more functions" in labels.values()

    def test_a_folded_chain_that_goes_on_where_nobody_looked(self, monkeypatch):
        monkeypatch.setattr("registry.graph.picture.WALKED", 70)
        y = variable(0.5)
        for _ in range(80):
            y = y + 1
        assert get_text_graph(y, verbose=False) == "v1 = add x 70(... more functions)"

    def test_of_many_inputs_some_are_shown(self):
        leaves = [variable([1.0], f"a{i}") for i in range(1234)]
        labels, arrows = parsed(get_dot_graph(np.concatenate(leaves), verbose=False))
        assert [name for name in labels.values() if name.startswith("a")] == [f"a{i}" for i in range(20)]
        assert ("... 1,214 more", "concatenate") in arrows
        total = leaves[0]
        for leaf in leaves[1:]:
            total = total + leaf
        labels, arrows = parsed(get_dot_graph(total, verbose=False))
        assert len(labels) == 23
        assert ("... 1,214 more", "add x 1,233") in arrows

    def test_operators_behind_inputs_that_are_not_shown_lead_to_them(self):
        x = variable([1.0], "x")
        y = np.concatenate([np.exp(x) for _ in range(25)])
        _, arrows = parsed(get_dot_graph(y, verbose=False))
        assert arrows.count(("exp", "... 5 more")) == 5
        assert arrows.count(("exp", "")) == 20
        lines = get_text_graph(y, verbose=False).splitlines()
        assert lines[-1].endswith(
            " = concatenate(" + ", ".join(f"v{i}" for i in range(20, 0, -1)) + ", ... 5 more)"
        )
        assert lines.count("... 5 more = exp(x)") == 5

    def test_of_many_outputs_some_are_shown(self):
        parts = np.split(variable(np.arange(100.0), "x"), 100)
        parts[70].name = "far"
        labels, arrows = parsed(get_dot_graph(np.exp(parts[70]), verbose=False))
        assert ("split", "far") in arrows
        assert ("split", "... 79 more") in arrows
        assert sum(start == "split" for start, _ in arrows) == 22
        labels, _ = parsed(get_dot_graph(parts, verbose=False, max_nodes=30))
        assert len(labels) == 1 + 30 + 20 + 1 + 1

    def test_of_many_constants_some_are_shown(self):
        class Total(Function):
            def forward(self, *xs):
                return sum(xs)

        constants = [np.array(float(i)) for i in range(30)]
        labels, _ = parsed(get_dot_graph(Total()(variable(1.0), *constants)))
        assert labels["n1"].endswith("\\ninput 20: 19.0\\n...")

    def test_a_small_graph_is_not_folded(self):
        y = variable(0.5)
        for _ in range(60):
            y = y + 1
        assert len(parsed(get_dot_graph(y))[0]) == 121


class TestMermaid:
    def test_nodes_arrows_and_shapes(self):
        a, b = variable(3.0, "a"), variable([2.0, 1.0], "b")
        assert get_mermaid_graph(a * b).splitlines() == [
            "flowchart TD",
            '    n0(["float64 (2,)"])',
            '    n1["multiply"]',
            '    n2(["a<br>float64 ()"])',
            '    n3(["b<br>float64 (2,)"])',
            "    n1 --> n0",
            "    n2 --> n1",
            "    n3 --> n1",
        ]

    def test_no_text_of_users_means_anything(self):
        text = get_mermaid_graph(variable(1.0, '"]) --> x; <script>`&#{}|end\n'), verbose=False)
        (label,) = re.findall(r'^    n0\(\["(.*)"\]\)$', text, re.MULTILINE)
        assert not set(label.replace(";", "").replace("#", "")) & set('"<>`&{}|\n')
        assert "#34;])" in label
        assert "#60;script#62;#96;#38;#35;" in label

    def test_an_empty_label_is_a_blank(self):
        assert '(["' + " " + '"])' in get_mermaid_graph(np.exp(variable(1.0)), verbose=False)


class TestText:
    def test_lines_in_the_order_of_the_computation(self):
        x = variable([1.0, 2.0], "x")
        y = np.sum(np.exp(x) * x)
        y.name = "y"
        assert get_text_graph(y).splitlines() == [
            "v1: float64 (2,) = exp(x: float64 (2,))",
            "v2: float64 (2,) = multiply(v1, x)",
            "y: float64 () = sum(v2)",
        ]
        assert get_text_graph(y, verbose=False).splitlines() == [
            "v1 = exp(x)",
            "v2 = multiply(v1, x)",
            "y = sum(v2)",
        ]

    def test_numbers_keep_clear_of_names(self):
        x, value = variable(1.0, "v1"), variable(1.0, "value")
        assert get_text_graph(np.exp(x) * value, verbose=False).splitlines() == [
            "v2 = exp(v1)",
            "v3 = multiply(v2, value)",
        ]

    def test_a_name_without_data_and_one_that_is_no_text(self):
        assert get_text_graph(Variable(None, name="x")) == "x"
        assert get_text_graph(variable(1.0, 3)) == "3: float64 ()"

    def test_leaves_several_outputs_and_what_is_left_out(self):
        assert get_text_graph(variable(1.0, "x")) == "x: float64 ()"
        x = variable(np.arange(4.0), "x")
        a, b = np.split(x, 2)
        assert get_text_graph(a * b, verbose=False).splitlines() == [
            "v1, v2 = split(x)",
            "v3 = multiply(v1, v2)",
        ]
        y = variable(0.5)
        for _ in range(30):
            y = y - y * y
        assert get_text_graph(y, verbose=False, max_nodes=1) == "v1 = subtract(... 59 more functions)"


class TestPictures:
    def test_graphviz_gets_the_text_and_its_picture_is_kept(self, fake_dot, tmp_path):
        fake_dot("sys.stdout.write(f'{sys.argv[1:]} {sys.stdin.read()}')")
        y = np.exp(variable(1.0, "x"))
        path = plot_dot_graph(y, to_file=tmp_path / "y.svg")
        assert path.read_text() == f"['-Tsvg'] {get_dot_graph(y)}"
        assert plot_dot_graph(y, False, tmp_path / "y.PNG").read_text().startswith("['-Tpng']")

    def test_a_suffix_that_is_no_format(self, tmp_path):
        for name in ("graph", "graph.txt", "graph.svg;rm"):
            with pytest.raises(ValueError, match=r"names no format; its suffix must be one of png, svg, pdf"):
                plot_dot_graph(variable(1.0), to_file=tmp_path / name)

    def test_no_graphviz(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(GraphError, match=r"'dot' is not installed; get it by 'apt install graphviz'"):
            plot_dot_graph(variable(1.0), to_file=tmp_path / "x.png")
        assert not os.listdir(tmp_path)

    def test_graphviz_fails(self, fake_dot, tmp_path):
        fake_dot("sys.exit('cannot\\n')")
        with pytest.raises(GraphError, match=r"'dot' failed: cannot$"):
            plot_dot_graph(variable(1.0), to_file=tmp_path / "x.png")
        assert not (tmp_path / "x.png").exists()

    def test_what_is_called_dot_is_no_program(self, fake_dot, tmp_path):
        fake_dot()
        (tmp_path / "bin" / "dot").write_text("no program")
        with pytest.raises(GraphError, match=r"'dot' failed: .*Exec format error"):
            plot_dot_graph(variable(1.0), to_file=tmp_path / "x.png")

    def test_graphviz_hangs(self, fake_dot, tmp_path, monkeypatch):
        monkeypatch.setattr("registry.graph.dot._SECONDS", 0.2)
        fake_dot("time.sleep(30)")
        with pytest.raises(GraphError, match=r"drew for 0\.2 s; ask for a smaller graph by max_nodes"):
            plot_dot_graph(variable(1.0), to_file=tmp_path / "x.png")


class _Checker(HTMLParser):
    """Sees that tags are closed in order, and collects the text."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], ""

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def text_of(html):
    checker = _Checker()
    checker.feed(html)
    assert checker.open == []
    return checker.text


class TestNotebooks:
    def test_value_gradient_and_graph(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        x = variable([1.0, 2.0], "x")
        y = np.sum(x * x)
        y.backward(retain_grad=True)
        assert text_of(x._repr_html_()) == "x = variable([1. 2.])\ngrad = [2. 4.]"
        assert text_of(y._repr_html_()) == (
            "variable(5.0)\ngrad = 1.0graph"
            "v1: float64 (2,) = multiply(x: float64 (2,), x)\nv2: float64 () = sum(v1)"
        )

    def test_a_picture_where_graphviz_is_installed(self, fake_dot):
        fake_dot("sys.stdout.write('<?xml version=\"1.0\"?>\\n<svg>picture</svg>')")
        html = np.exp(variable(1.0))._repr_html_()
        assert "<svg>picture</svg></div></details>" in html
        assert "<?xml" not in html

    def test_the_text_where_graphviz_fails(self, fake_dot):
        for lines in ("sys.exit(1)", "print('Hello')", "sys.stdout.buffer.write(bytes([255]))"):
            fake_dot(lines)
            assert "= exp(" in text_of(np.exp(variable(1.0))._repr_html_())

    def test_names_are_escaped_and_large_arrays_are_short(self, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        x = Variable(np.zeros(10**6), name="<script>alert(1)</script>")
        html = np.exp(x)._repr_html_() + x._repr_html_()
        assert "<script" not in html
        assert len(html) < 2000

    def test_a_recorded_gradient_and_no_data(self):
        x = variable(2.0)
        (x * x).backward(create_graph=True)
        assert "grad = variable(4.0)" in text_of(x._repr_html_())
        assert text_of(Variable(None)._repr_html_()) == "variable(None)"


def test_it_is_imported_when_it_is_asked_for():
    code = (
        "import sys, registry\n"
        "assert 'registry.graph' not in sys.modules\n"
        "assert registry.graph.get_dot_graph\n"
        "import registry.graph as graph\n"
        "assert graph is registry.graph\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_pictures_in_the_guide_are_what_its_examples_print():
    page = (Path(__file__).parents[1] / "docs/guide/graph.md").read_text()
    blocks = re.findall(r"^```mermaid\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        assert f"\n{block}\n```" in page.replace(f"```mermaid\n{block}", "")
