import json
import subprocess
import sys

import pytest

from compress.benchmarking.positions import positions


@pytest.mark.parametrize(
    ("config", "most"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": None}, 512),
        ({"model_type": "xlm-roberta-xl", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "unknown", "max_position_embeddings": 512}, 512),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512, "position_biased_input": False}, None),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512}, 512),
        ({"model_type": "modernbert", "max_position_embeddings": 8192}, None),
        ({"model_type": "bert", "max_position_embeddings": -1}, None),
        ({"model_type": ["bert"], "max_position_embeddings": 512}, 512),
        ({}, None),
        ([1], None),
        (None, None),
    ],
)
def test_positions_are_what_the_family_can_count_to(tmp_path, config, most):
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert positions(tmp_path) == most


def test_a_folder_without_a_config_says_nothing(tmp_path):
    assert positions(tmp_path) is None


def test_positions_are_known_without_torch():
    code = "import sys, compress.benchmarking.positions; assert not {'torch', 'transformers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
