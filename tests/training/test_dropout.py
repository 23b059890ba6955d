import torch
from torch import nn

from compress.training.dropout import without_dropout


def test_nothing_is_dropped_inside_and_the_rates_are_back_afterwards():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.1))).train()
    x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        with without_dropout(model):
            assert torch.equal(model(x), model[0](x))
        assert not torch.equal(model(x), model[0](x))
    assert (model[1].p, model[2][0].p) == (0.5, 0.1)
