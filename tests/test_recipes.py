"""Recipes: their pictures stand beside them, and what they claim is printed by what they run.

pytest runs the pages themselves, and their conftest looks whether each makes its picture.
"""

import doctest
import struct
from pathlib import Path

import pytest

RECIPES = Path(__file__).parent.parent / "docs" / "recipes"
CONTENTS = RECIPES / "README.md"
PAGES = sorted(set(RECIPES.glob("*.md")) - {CONTENTS, RECIPES / "book.md"})
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@pages
def test_a_page_is_in_the_contents_and_shows_the_picture_that_it_makes(page):
    picture = f"{page.stem}.png"
    assert f"[{page.name}]({page.name})" in CONTENTS.read_text()
    assert f"]({picture})" in page.read_text()
    assert f'savefig("{picture}")' in page.read_text()


@pages
def test_a_picture_is_small_and_wide_enough_to_be_read(page):
    data = page.with_suffix(".png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert 600 <= width <= 1000
    assert 250 <= height <= 600
    assert len(data) < 80_000


def test_no_picture_is_left_without_its_page():
    assert {picture.stem for picture in RECIPES.glob("*.png")} == {page.stem for page in PAGES}


def printed(page):
    """Give what a page's examples print."""
    return "".join(example.want for example in doctest.DocTestParser().get_examples(page.read_text()))


@pytest.mark.parametrize(
    ("page", "claim"),
    [
        ("digits", "at least 98.5 %: True"),
        ("characters", "below 0.6: True"),
        ("gaussian_process", "at least 9 of 10 within 2 deviations: True"),
        ("gamma", "shape 0.8929, scale 47.778\nTrue"),
    ],
)
def test_a_page_prints_how_good_its_result_is(page, claim):
    assert claim in printed(RECIPES / f"{page}.md")


@pages
def test_a_page_leaves_nothing_to_chance(page):
    source = page.read_text()
    assert "default_rng()" not in source
    assert "np.random.seed" not in source
    assert source.count("rng=") == source.count("rng=rng")
