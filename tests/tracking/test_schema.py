"""Every outcome and state has a status of MLflow's; secrets are masked, sizes are not."""

from __future__ import annotations

import pytest

from tracking import schema
from tracking.schema import MASK, Outcome, State, mask


def test_every_outcome_and_state_has_a_status() -> None:
    from mlflow.entities import RunStatus

    assert set(schema.OUTCOME_TO_STATUS) == set(Outcome) and set(schema.STATE_TO_STATUS) == set(State)
    for status in (*schema.OUTCOME_TO_STATUS.values(), *schema.STATE_TO_STATUS.values()):
        assert RunStatus.from_string(status)
    for outcome in Outcome:
        assert RunStatus.is_terminated(RunStatus.from_string(schema.OUTCOME_TO_STATUS[outcome]))


def test_names_are_mlflows() -> None:
    from mlflow.utils import mlflow_tags

    assert schema.PARENT == mlflow_tags.MLFLOW_PARENT_RUN_ID and schema.RUN_NAME == mlflow_tags.MLFLOW_RUN_NAME
    assert schema.NOTE == mlflow_tags.MLFLOW_RUN_NOTE and schema.COMMIT == mlflow_tags.MLFLOW_GIT_COMMIT


def test_names_do_not_collide() -> None:
    values = [value for name, value in vars(schema).items() if name.isupper() and isinstance(value, str)]
    metrics = [value for value in values if "/" in value and "." not in value]
    assert len(metrics) == len(set(metrics)) > 10


@pytest.mark.parametrize(
    "key",
    [
        "token", "hf_token", "HFToken", "auth.token", "access_token", "accessToken", "authtoken", "backend_token",
        "a.b.password", "passwords", "x.dbPassword", "dbpassword", "db_pwd", "passphrase", "pass_phrase", "credentials",
        "API_KEY", "apiKey", "wandb_api_keys", "aws_access_key_id", "private_key", "SECRET_KEY", "clientSecret",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["abc", "123", ""])
def test_secrets_are_masked(key: str, value: str) -> None:
    assert mask(key, value) == MASK


@pytest.mark.parametrize(
    "key",
    [
        "tokenizer", "tokenizer.name", "bos_token", "model.eos_token", "eosToken", "EOSToken", "padtoken", "unk_token",
        "cls_token", "sep_token", "mask_token", "decoder_start_token", "additional_special_tokens", "pad_token_id",
        "token_dim", "token_count", "num_tokens", "max_tokens", "key_dim", "num_keys", "keyboard", "private_keypoints",
        "monkey", "secretary", "warmup_wd", "optimizer.lr", "password.lr", "keep", "seed", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("value", ["<text>", "512"])
def test_others_are_not(key: str, value: str) -> None:
    assert mask(key, value) == value


def test_a_plural_is_a_secret_unless_it_counts() -> None:
    assert mask("auth.tokens", "abc,def") == MASK
    assert mask("auth.tokens", "1e3") == "1e3"
