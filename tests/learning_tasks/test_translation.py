"""Exact match, by hand."""

import torch

from learning_tasks import IGNORED
from learning_tasks.translation import exactly_right

END = 2


def test_a_text_is_right_from_the_first_token_to_the_end_or_wrong():
    references = torch.tensor([[5, 6, END], [5, END, IGNORED], [END, IGNORED, IGNORED], [5, 6, END], [5, END, IGNORED]])
    hypotheses = torch.tensor([[5, 6, END, END], [5, END, 7, 8], [END, 9, 9, 9], [5, 7, END, END], [5, 5, END, END]])
    assert exactly_right(hypotheses, references, END).tolist() == [True, True, True, False, False]


def test_a_text_that_was_cut_before_its_end_is_wrong():
    assert exactly_right(torch.tensor([[5, 6]]), torch.tensor([[5, 6, END]]), END).tolist() == [False]
    assert exactly_right(torch.tensor([[5, 6, 7]]), torch.tensor([[5, 6, END]]), END).tolist() == [False]


def test_a_hypothesis_may_be_shorter_than_the_longest_reference():
    references = torch.tensor([[5, END, IGNORED, IGNORED], [5, 6, 7, END]])
    assert exactly_right(torch.tensor([[5, END], [5, END]]), references, END).tolist() == [True, False]
