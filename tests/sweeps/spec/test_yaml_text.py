"""YAML that people write: what is refused with its line, and what is read without surprises."""

import pytest
import yaml
from good_sweep import GOOD, changed, problems

from sweeps.spec import SpecError, check, parse, to_yaml


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "sweep: it is empty; allowed: keys such as name, model, data and search."),
        ("# nothing\n", "sweep: it is empty; allowed: keys such as name, model, data and search."),
        ("{}", "sweep: it is empty; allowed: keys such as name, model, data and search."),
        ("- name: a\n- name: b", "sweep: a list is not allowed; allowed: keys such as name, model, data and search."),
        ("mlp", 'sweep: the single value "mlp" is not allowed; allowed: keys such as name, model, data and search.'),
        ("name: a\nname: b", 'line 2: the key "name" is written twice; allowed: once.'),
        ("model:\n  name: a\n  name: b", 'line 3: the key "name" is written twice; allowed: once.'),
        ("name: a\nmodel:\n\tname: mlp", "line 3, column 1: a tab is not allowed; allowed: spaces to indent."),
        ("name: &n a\nquestion: *n", "line 2: the alias *n is not allowed; allowed: the value itself."),
        ("? [a, b]\n: 1", 'line 1: ["a", "b"] is not allowed as a key; allowed: text.'),
        ("name: \x00", "sweep: it holds a character that YAML does not know; allowed: plain text."),
        ("a: " + "[" * 3000, "line 1: nested too deeply; allowed: at most 20 levels."),
        ("a: " + "x" * 300_000, "sweep: 300,003 characters are not allowed; allowed: at most 256 KiB."),
        ("seeds: !!int x", "sweep: it holds a value that cannot be read; allowed: text, numbers, lists."),
    ],
)
def test_what_is_no_mapping_in_yaml_is_refused(text, sentence):
    assert problems(text) == [sentence]


@pytest.mark.parametrize(
    "text", ["name: [", "a: b: c", "name: 'a", "name: a\n model: b", "--- a\n--- b", "a: !!python/name:os.system x"]
)
def test_broken_yaml_is_refused_with_its_line(text):
    (sentence,) = problems(text)
    assert sentence.startswith("line ") and "not YAML" in sentence


def test_an_alias_bomb_is_refused_at_once():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert problems("\n".join(lines)) == ["line 2: the alias *a0 is not allowed; allowed: the value itself."]


def test_yaml_has_no_traps():
    text = GOOD.replace("name: optimizers-on-digits", "name: 2026-01-01\nseed: 010")
    spec = parse(text.replace("seeds: 3", "seeds: 1_0"))
    assert (spec.name, spec.seed, spec.seeds) == ("2026-01-01", 10, 10)


def test_wherever_the_text_ends_the_answer_is_a_sweep_or_sentences():
    for end in range(0, len(GOOD), 5):
        try:
            parse(GOOD[:end])
        except SpecError as error:
            assert error.problems


def test_text_that_steers_the_page_is_written_as_escapes_and_read_as_it_was():
    spec = check(changed(question="Which \u202elearning\u200b rate \U000e0041wins, עברית?"))
    text = to_yaml(spec)
    assert not {"\u202e", "\u200b", "\U000e0041"} & set(text) and "עברית" in text
    assert parse(text) == spec and check(yaml.safe_load(text)) == spec
