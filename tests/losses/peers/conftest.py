import pytest
import torch


@pytest.fixture(autouse=True, params=range(3), ids="seed {}".format)
def _several_seeds(request: pytest.FixtureRequest) -> None:
    """Every comparison with a peer is made with several random inputs."""
    torch.manual_seed(request.param)
