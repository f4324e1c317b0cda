"""How learning rates fall over the epochs."""


def learning_rate_factor(epoch: int, constant_epochs: int, decay_epochs: int) -> float:
    """Return the factor of the learning rate in ``epoch``, counted from 0: 1, then linearly down.

    After ``constant_epochs`` of 1 come ``decay_epochs`` in which it falls by 1 / (decay_epochs + 1) each, so that it
    is not yet 0 in the last. It stays there should the training go on.
    """
    decayed = min(max(0, epoch + 1 - constant_epochs), decay_epochs)
    return 1.0 - decayed / (decay_epochs + 1)
