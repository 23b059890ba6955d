import json

import pytest

from compress.benchmarking.positions import positions


@pytest.mark.parametrize(
    ("config", "most"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514}, 512),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512}, None),
        ({}, None),
    ],
)
def test_positions_are_what_the_family_can_count_to(tmp_path, config, most):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert positions(tmp_path) == most


def test_a_folder_without_a_config_says_nothing(tmp_path):
    assert positions(tmp_path) is None
