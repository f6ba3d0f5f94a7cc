"""The encoder-decoder against torch's own GRUs, against itself with more padding, and greedy search on it."""

import pytest
import torch
from torch import nn

from learning_tasks.language import Pair, Tokens
from lightning_modules.decoding import Decoder, greedy
from lightning_modules.seq2seq import Seq2Seq

SOURCES, TARGETS, BEGIN, END = 9, 7, 1, 2
B, S, T = 5, 6, 4


def tokens(ids, mask):
    return Tokens(ids.where(mask, 0), mask, torch.zeros_like(ids))


def texts(vocabulary, length, seed=0, padding=0):
    """Texts (B, length + padding) of different lengths, one of them without any token."""
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, vocabulary, (B, length + padding), generator=random)
    lengths = torch.tensor([length, 1, 0, 3, 2])
    return tokens(ids, torch.arange(length + padding) < lengths[:, None])


def whole(text):
    """The same tokens without padding."""
    return Tokens(text.ids.clamp(min=3), torch.ones_like(text.mask), text.segments)


def alone(text, row):
    """One text of a batch, cut to its length; one place is left of an empty text."""
    length = max(int(text.mask[row].sum()), 1)
    return Tokens(*(leaf[row : row + 1, :length] for leaf in text))


def model(seed=0, **fields):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        sizes = {"embedding_size": 5, "hidden_size": 8, "num_layers": 2, **fields}
        return Seq2Seq(source_vocab_size=SOURCES, target_vocab_size=TARGETS, task="translation", **sizes).eval()


class Torchs(nn.Module):
    """The same network of torch's own layers."""

    def __init__(self, ours):
        super().__init__()
        self.ours = ours
        self.encoder, self.decoder = (nn.GRU(5, 8, 2, batch_first=True) for _ in range(2))
        for theirs, gru in ((self.encoder, ours.encoder), (self.decoder, ours.decoder)):
            with torch.no_grad():
                for parameter, value in zip(theirs.parameters(), gru.parameters(), strict=True):
                    parameter.copy_(value)

    def forward(self, pair):
        _, memory = self.encoder(self.ours.source_embedding(pair.source.ids))
        outputs, _ = self.decoder(self.ours.target_embedding(pair.decoded.ids), memory)
        return self.ours.output(outputs)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
def test_it_equals_torchs_grus(dtype, close):
    ours = model().to(dtype)
    pair = Pair(whole(texts(SOURCES, S)), whole(texts(TARGETS, T, seed=1)))
    torch.testing.assert_close(ours(pair), Torchs(ours).to(dtype)(pair), rtol=0, atol=close)


def test_a_padded_batch_equals_its_pairs_one_by_one():
    ours, source, decoded = model().double(), texts(SOURCES, S), texts(TARGETS, T, seed=1)
    logits = ours(Pair(source, decoded))
    assert logits.shape == (B, T, TARGETS)
    for row in range(B):
        s, t = int(source.mask[row].sum()), int(decoded.mask[row].sum())
        alone = Pair(
            *(Tokens(*(leaf[row : row + 1, : max(n, 1)] for leaf in x)) for x, n in ((source, s), (decoded, t)))
        )
        torch.testing.assert_close(logits[row, :t], ours(alone)[0, :t], rtol=1e-12, atol=1e-14)


def test_more_padding_and_what_stands_there_change_nothing():
    ours, source, decoded = model().double(), texts(SOURCES, S), texts(TARGETS, T, seed=1)
    logits = ours(Pair(source, decoded))

    def padded(text, other):
        front, behind = torch.full((B, 2), other), torch.full((B, 3), other)
        no = torch.zeros(B, 1, dtype=torch.bool)
        ids = torch.cat([front, text.ids.where(text.mask, other), behind], dim=1)
        mask = torch.cat([no.expand(B, 2), text.mask, no.expand(B, 3)], dim=1)
        return Tokens(ids, mask, torch.zeros_like(ids))

    more = ours(Pair(padded(source, 8), padded(decoded, 6)))
    torch.testing.assert_close(more[:, 2:-3][decoded.mask], logits[decoded.mask], rtol=1e-12, atol=1e-14)


def test_decoding_step_by_step_gives_the_logits_of_one_pass():
    ours, source, decoded = model().double(), texts(SOURCES, S), whole(texts(TARGETS, T, seed=1))
    memory = ours.encode(source)
    state, steps = ours.start(memory), []
    for t in range(T):
        logits, state = ours.step(state, decoded.ids[:, t])
        steps.append(logits)
    torch.testing.assert_close(torch.stack(steps, dim=1), ours.decode(memory, decoded), rtol=1e-12, atol=1e-14)


def test_a_later_token_changes_no_earlier_logits_and_the_source_changes_all():
    ours, source, decoded = model(), whole(texts(SOURCES, S)), whole(texts(TARGETS, T, seed=1))
    logits = ours(Pair(source, decoded))
    later = decoded.ids.clone()
    later[:, 2] = (later[:, 2] + 1) % TARGETS
    changed = ours(Pair(source, decoded._replace(ids=later)))
    assert torch.equal(changed[:, :2], logits[:, :2]) and (changed[:, 2:] != logits[:, 2:]).any(dim=-1).all()
    first = source.ids.clone()
    first[:, 0] = (first[:, 0] + 1) % SOURCES
    assert (ours(Pair(source._replace(ids=first), decoded)) != logits).any(dim=-1).all()


def test_dropout_acts_at_its_three_places_and_only_in_training():
    ours, pair = model(dropout=0.5), Pair(whole(texts(SOURCES, S)), whole(texts(TARGETS, T, seed=1)))
    assert torch.equal(ours(pair), ours(pair))
    places = ["source_dropout", "target_dropout", "output_dropout", "encoder.dropouts.0", "decoder.dropouts.0"]
    for name in places:
        ours.eval()
        ours.get_submodule(name).train()
        assert not torch.equal(ours(pair), ours(pair)), name


@pytest.mark.parametrize("name", ["embedding_size", "hidden_size", "num_layers"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}: 0 is not allowed; allowed: 1 or more"):
        model(**{name: 0})


# Greedy search


class Given:
    """A decoder that writes what it is told to: the source of each row, token by token."""

    def __init__(self):
        self.steps = 0

    def encode(self, source):
        return source.ids

    def decode(self, memory, decoded):
        raise NotImplementedError

    def start(self, memory):
        return memory

    def step(self, state, ids):
        assert torch.is_inference_mode_enabled()
        self.steps += 1
        return nn.functional.one_hot(state[:, 0], 10).float(), state.roll(-1, dims=1)


def to_be_written(rows):
    ids = torch.tensor(rows)
    return tokens(ids, torch.ones_like(ids, dtype=torch.bool))


def test_it_ends_when_every_row_has_written_the_end_and_fills_up_with_it():
    decoder = Given()
    ids = greedy(decoder, to_be_written([[5, 4, END, 6, 6], [END, 5, 5, 5, 5], [4, END, 7, 7, 7]]), BEGIN, END, 5)
    assert ids.tolist() == [[5, 4, END], [END, END, END], [4, END, END]]
    assert decoder.steps == 3 and ids.dtype == torch.int64


def test_a_text_that_never_ends_is_cut():
    rows = [[5, 4, 6, 6, 6], [END, 5, 5, 5, 5]]
    assert greedy(Given(), to_be_written(rows), BEGIN, END, 4).tolist() == [[5, 4, 6, 6], [END] * 4]
    with pytest.raises(ValueError, match="max_length: 0 is not allowed; allowed: 1 or more"):
        greedy(Given(), to_be_written(rows), BEGIN, END, 0)


def test_each_token_is_the_most_probable_one_after_those_before_it():
    ours, source = model(seed=3).double(), texts(SOURCES, S)
    assert isinstance(ours, Decoder) and not isinstance(nn.Linear(1, 1), Decoder)
    ids = greedy(ours, source, BEGIN, END, 12)
    given = torch.cat([torch.full((B, 1), BEGIN), ids[:, :-1]], dim=1)
    best = ours(Pair(source, tokens(given, torch.ones_like(given, dtype=torch.bool)))).argmax(dim=-1)
    for row, (hypothesis, expected) in enumerate(zip(ids.tolist(), best.tolist(), strict=True)):
        length = hypothesis.index(END) + 1 if END in hypothesis else len(hypothesis)
        assert hypothesis[:length] == expected[:length], row


@pytest.mark.parametrize("seed", range(5))
def test_a_batch_is_decoded_as_its_sources_one_by_one(seed):
    ours, source = model(seed=seed, hidden_size=32).double(), texts(SOURCES, S, seed=seed)
    with torch.no_grad():
        ours.output.weight *= 20  # otherwise it writes the same token throughout
    together = greedy(ours, source, BEGIN, END, 12).tolist()
    assert len(set(map(tuple, together))) > 1
    for row, expected in enumerate(together):
        one = greedy(ours, alone(source, row), BEGIN, END, 12)[0].tolist()
        assert one + [END] * (len(expected) - len(one)) == expected
