"""Losses are offered and accepted where the task of the data has them: where the model itself can be built."""

import pytest
from good_sweep import problems

from learning_tasks import TASKS
from lightning_modules import MODELS
from sweeps.catalogue.entries import ours
from sweeps.spec import check

HAVE_LOSSES = [name for name, entry in ours().models.items() if "loss" in entry.fields]


def sweep(**sections):
    return {"name": "losses", "model": {"name": "mlp"}, "data": {"name": "digits"}, **sections}


def built(model, task, loss):
    """Whether the task of a model can be made with a loss: what the constructor of the model would do."""
    try:
        MODELS[model].criteria[task](loss_name=loss)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("model", HAVE_LOSSES)
def test_a_loss_is_allowed_where_the_task_has_it(model):
    catalogue = ours()
    field = catalogue.models[model].fields["loss"]
    fitting = [name for name in catalogue.datasets if model in catalogue.models_for(name)]
    assert fitting
    for dataset in fitting:
        tasks = set(catalogue.datasets[dataset].asks) & set(MODELS[model].tasks)
        expected = [loss for loss in field.choices if any(built(model, task, loss) for task in tasks)]
        assert list(catalogue.losses_for(model, dataset)) == expected, dataset
        assert list(catalogue.fields_on(model, dataset)["loss"].choices) == expected


def test_a_loss_has_to_fit_every_data_set():
    assert ours().losses_for("mlp", "digits", "diabetes") == ("auto", "squared", "absolute")
    assert ours().losses_for("mlp", "digits", "label_sets") == ("auto", "cross_entropy")
    assert ours().losses_for("perceptron", "moons") == () == ours().losses_for("lenet", "diabetes")


ON_DIABETES = "auto, squared, absolute for mlp on data diabetes, which is regression."


@pytest.mark.parametrize(
    ("raw", "sentences"),
    [
        (
            sweep(model={"name": "mlp", "loss": "hinge"}, data={"name": "diabetes"}),
            [f'model.loss: "hinge" is not allowed; allowed: {ON_DIABETES}'],
        ),
        (
            sweep(
                search={
                    "model.loss": {"values": ["squared", "cross_entropy"]},
                    "data.name": {"values": ["digits", "diabetes"]},
                }
            ),
            [f'search.model.loss: "cross_entropy" is not allowed; allowed: {ON_DIABETES}'],
        ),
        (
            sweep(
                search={
                    "which": {
                        "settings": {
                            "good": {"data.name": "digits", "model.loss": "hinge"},
                            "bad": {"data.name": "diabetes", "model.loss": "hinge"},
                        }
                    }
                }
            ),
            [f'search.which.settings.bad.model.loss: "hinge" is not allowed; allowed: {ON_DIABETES}'],
        ),
        (
            sweep(model={"name": "mlp", "loss": "huber"}, data={"name": "diabetes"}),
            ['model.loss: "huber" is not allowed; allowed: auto, cross_entropy, squared, absolute, hinge.'],
        ),
    ],
)
def test_a_loss_that_the_task_does_not_have_is_refused_before_a_model_is_built(raw, sentences):
    assert list(problems(raw)) == sentences


@pytest.mark.parametrize(
    "raw",
    [
        sweep(model={"name": "mlp", "loss": "hinge"}),
        sweep(model={"name": "mlp", "loss": "absolute"}, data={"name": "diabetes"}),
        sweep(
            model={"name": "mlp", "loss": "hinge"},
            data={"name": "csv_classification", "path": "table.csv", "target": "kind"},
        ),
        sweep(
            data={"name": "moons"},
            search={"model.loss": {"values": ["squared", "hinge"]}, "model.name": {"values": ["mlp", "perceptron"]}},
        ),
    ],
)
def test_a_loss_that_fits_is_no_fault(raw):
    check(raw)


def test_every_task_has_its_losses_in_the_catalogue():
    assert ours().losses == {name: tuple(task.losses) for name, task in TASKS.items()}


@pytest.mark.parametrize(
    ("model", "dataset", "loss", "expected"),
    [
        ("mlp", "digits", "auto", "cross_entropy"),
        ("mlp", "diabetes", "auto", "squared"),
        ("mlp", "digits", "hinge", "hinge"),
        ("mlp", "csv_classification", "auto", "cross_entropy"),
        ("perceptron", "moons", "auto", "wrong_answers"),
        ("gcn", "karate_club", "hinge", "cross_entropy"),
        ("perceptron", "digits", "auto", ""),
        ("a users own", "digits", "auto", ""),
        ("mlp", "a strangers", "auto", ""),
    ],
)
def test_what_a_model_minimises_is_known_from_its_configuration(model, dataset, loss, expected):
    assert ours().loss_of(model, dataset, loss) == expected


def claimed(losses, metric, **sections):
    sides = dict(zip(("better", "than"), ({"model.loss": loss} for loss in losses), strict=True))
    return sweep(
        search={"model.loss": {"values": ["auto", "cross_entropy", "squared"]}},
        claim={"text": "One is lower.", **sides, "metric": metric},
        **sections,
    )


def test_a_claim_does_not_compare_different_losses():
    for metric in ("val/loss", "train_eval/loss"):
        error = metric.replace("loss", "error")
        assert list(problems(claimed(("auto", "squared"), metric))) == [
            f'claim.metric: "{metric}" is not allowed; allowed: {error}, as cross_entropy and squared are different '
            "numbers."
        ]
    check(claimed(("auto", "squared"), "val/error"))
    check(claimed(("auto", "cross_entropy"), "val/loss"))
