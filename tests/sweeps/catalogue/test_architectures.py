"""The page of the architectures is what the registry says, and no model can be left out of it."""

import re

import pytest

from lightning_modules import MODELS
from lightning_modules.linear import LogisticRegression
from sweeps.catalogue import architectures
from sweeps.catalogue.build import ABOUT, build, summary_and_help
from sweeps.catalogue.entries import Entry, ours
from sweeps.training.recorders import RECORDERS


@pytest.fixture(scope="module")
def built():
    return build(RECORDERS)


def test_the_committed_page_is_up_to_date(built):
    text = architectures.FILE.read_text(encoding="utf-8")
    assert text == architectures.page(built), "run: python -m sweeps catalogue --write"


@pytest.mark.parametrize("name", list(MODELS))
def test_a_model_says_its_paper_what_is_written_out_and_which_tests_check_it(name):
    texts = architectures.about(MODELS[name])
    assert re.search(r"\b(1[89]|20)\d\d\b", texts["Paper"]), "a paper has a year"
    assert "torch" in texts["Written out"], "what is left to torch belongs there"
    files = re.findall(r"tests/[\w/]+\.py", texts["Checked against"])
    assert files and all((architectures.ROOT / file).is_file() for file in files), files


@pytest.mark.parametrize("section", ABOUT)
def test_a_model_that_lacks_a_section_is_refused(section):
    class Net:
        __doc__ = str(LogisticRegression.__doc__).replace(f"{section}:", "Other:")

    with pytest.raises(TypeError, match=f"Net: its docstring has no section '{section}:'"):
        architectures.about(Net)


def test_a_subclass_does_not_pass_with_the_paper_of_its_base():
    class Net(LogisticRegression):
        """A network."""

    with pytest.raises(TypeError, match="Net: its docstring has no section 'Paper:'"):
        architectures.about(Net)


def test_the_sections_are_no_help_of_the_form():
    doc = "It learns.\n\nMuch.\n\nPaper:\n    One (1999).\nWritten out:\n    All."
    assert summary_and_help(doc) == ("It learns.", "Much.")


def test_a_model_is_counted_on_the_first_set_that_fits_and_needs_no_file(built):
    catalogue = ours()
    sets = {name: architectures.first_fitting(model, catalogue.datasets) for name, model in catalogue.models.items()}
    expected = {"linear_regression": "diabetes", "logistic_regression": "breast_cancer", "lenet": "digits"}
    assert expected.items() <= sets.items()
    page = architectures.page(built)
    assert "61,706 on digits" in page, "the count of LeNet-5 by its layers"
    assert f"{64 * 10 + 10} on digits" in page, "softmax regression"
    nothing = Entry("net", "", "", {}, ("multiclass",), takes=("smell",))
    with pytest.raises(LookupError, match="no data set without files fits the model net"):
        architectures.first_fitting(nothing, catalogue.datasets)
