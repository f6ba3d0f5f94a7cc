"""Parts of texts of different lengths."""

import torch

from data.text.parts import MOST_AT_ONCE, PER_PLACE, TokensPart
from learning_tasks import IGNORED

TEXTS = [[5, 6, 7, 8], [9], [3, 4], [1, 2, 3]]


def test_a_batch_is_cut_to_the_longest_of_its_texts_and_says_which_places_are_padded():
    part = TokensPart.of(TEXTS, [0, 1, 1, 0])
    inputs, targets = part.batch(torch.tensor([2, 1]))
    assert inputs.ids.tolist() == [[3, 4], [9, 0]]
    assert inputs.mask.tolist() == [[True, True], [True, False]]
    assert inputs.segments.tolist() == [[0, 0], [0, 0]]
    assert targets.tolist() == [1, 1]
    for indices in (slice(None), slice(1, 3), torch.tensor([3, 0, 1])):
        inputs, _ = part.batch(indices)
        read = [ids[mask].tolist() for ids, mask in zip(inputs.ids, inputs.mask, strict=True)]
        numbers = torch.arange(4)[indices].tolist()
        assert read == [TEXTS[number] for number in numbers]
        assert inputs.ids.shape[1] == max(len(TEXTS[number]) for number in numbers)


def test_targets_of_each_token_are_cut_with_them_and_ignored_where_padded():
    part = TokensPart.of(TEXTS, [[token + 10 for token in text] for text in TEXTS])
    inputs, targets = part.batch(torch.tensor([3, 1]))
    assert targets.tolist() == [[11, 12, 13], [19, IGNORED, IGNORED]]
    assert torch.equal(targets[inputs.mask], inputs.ids[inputs.mask] + 10)
    assert (targets[~inputs.mask] == IGNORED).all()


def test_first_is_the_beginning_of_the_part():
    part = TokensPart.of(TEXTS, [0, 1, 1, 0], outputs=9)
    few = part.first(2)
    assert len(few) == 2 and few.outputs == 9
    assert [tensor.tolist() for tensor in few.tensors()] == [tensor[:2].tolist() for tensor in part.tensors()]


def test_a_measured_batch_never_counts_with_more_numbers_than_allowed():
    for length, outputs in ((3, 1), (1000, 70), (64, 10_000), (10_000, 10_000)):
        part = TokensPart.of([[0] * length], [0], outputs)
        values = part.at_once * length * max(outputs, PER_PLACE)
        assert values <= MOST_AT_ONCE or part.at_once == 1
        assert values > MOST_AT_ONCE // 2 or part.at_once == 1
