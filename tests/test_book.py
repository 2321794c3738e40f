"""The page for readers of the book: each name that it gives for one of the book's is there."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import registry
import registry.testing
from registry import Function, Variable, ops

PAGE = Path(__file__).parent.parent / "docs" / "recipes" / "book.md"
ROWS = re.findall(r"^\| (`.*?) \| (.*?) ?\| (.*?) ?\|$", PAGE.read_text(), flags=re.M)
CALLED = r"\b(?:np|nn|neural|ops|registry|Variable)\.[\w.]+"
NAMES = sorted({name for _, *cells in ROWS for cell in cells for name in re.findall(CALLED, cell)})

CHAPTERS = """
    sin cos tanh exp log reshape transpose get_item expand_dims flatten sum sum_to broadcast_to average
    matmul linear sigmoid relu softmax log_softmax leaky_relu max min clip accuracy dropout
    batch_nrom embed_id mean_squared_error softmax_cross_entropy sigmoid_cross_entropy binary_cross_entropy
    conv2d deconv2d pooling average_pooling im2col col2im
    Linear Conv2d Deconv2d RNN LSTM EmbedID BatchNorm MLP SGD MomentumSGD AdaGrad AdaDelta Adam
    DataLoader SeqDataLoader no_grad test_mode plot_dot_graph
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_stands_for_one_of_the_books_is_there(name):
    nn = pytest.importorskip("opregistry_neural")
    names = {"np": np, "nn": nn, "neural": registry.plugins.neural, "ops": ops, "registry": registry}
    found = eval(name, names | {"Variable": Variable})
    assert callable(found)


def test_the_tables_are_read():
    assert len(ROWS) > 30
    assert len(NAMES) > 60


def test_a_row_without_a_name_says_what_to_do():
    for book, here, differs in ROWS:
        assert here or differs, book


@pytest.mark.parametrize("name", CHAPTERS.split())
def test_a_name_of_the_book_is_in_the_tables(name):
    assert any(f"`{name}`" in book for book, *_ in ROWS)


def test_numpys_functions_on_the_page_record_what_they_do():
    x = Variable(np.array([[0.5, 0.25], [0.75, 0.5]]))
    unary = {name for name in NAMES if name.startswith("np.") and "testing" not in name}
    arguments = {
        "np.reshape": (4,),
        "np.expand_dims": (0,),
        "np.broadcast_to": ((1, 2, 2),),
        "np.matmul": (x,),
    }
    arguments["np.clip"] = (0.3, 0.6)
    for name in unary - {"np.argmax"}:
        y = getattr(np, name[3:])(x, *arguments.get(name, ()))
        assert isinstance(y.creator, Function), name


def test_what_the_page_says_of_differences_holds():
    pytest.importorskip("opregistry_neural")
    neural, x = registry.plugins.neural, Variable(np.array([[1.0, 1.0], [0.0, -1.0]]))
    assert neural.leaky_relu(x).data[1, 1] == -0.01
    np.testing.assert_allclose(np.sum(neural.softmax(x), axis=-1).data, 1)
    np.max(x).backward()
    np.testing.assert_array_equal(x.grad, [[0.5, 0.5], [0, 0]])
    assert ops.flatten(x).shape == (4,)
    image = np.ones((1, 1, 4, 4))
    assert neural.pooling(image, 2).shape == (1, 1, 3, 3)
    assert neural.max_pool(image, 2).shape == (1, 1, 2, 2)


def test_the_pages_recurrent_layers_follow_the_formulas():
    pytest.importorskip("opregistry_neural")
    page = {}
    for example in doctest.DocTestParser().get_examples(PAGE.read_text()):
        if example.source.startswith(("class", "from", "import")):
            exec(example.source, page)
    rnn, lstm = page["RNN"](2, 3, rng=0), page["LSTM"](2, 3, rng=1)
    h = state = c = np.zeros((4, 3))
    for x in np.random.default_rng(0).standard_normal((5, 4, 2)):
        h = np.tanh(x @ rnn.x2h.W.data + rnn.x2h.b.data + h @ rnn.h2h.W.data)
        np.testing.assert_allclose(rnn(x).data, h, rtol=1e-5, atol=1e-6)
        gates = x @ lstm.x2h.W.data + lstm.x2h.b.data + state @ lstm.h2h.W.data
        forget, let_in, out = (1 / (1 + np.exp(-gate)) for gate in np.split(gates, 4, axis=1)[:3])
        c = forget * c + let_in * np.tanh(gates[:, 9:])
        state = out * np.tanh(c)
        np.testing.assert_allclose(lstm(x).data, state, rtol=1e-5, atol=1e-6)
