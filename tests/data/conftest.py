"""What the tests of reading data share."""

from collections.abc import Callable

import pytest

from einbatch.diagnostics import EinbatchError


@pytest.fixture
def refusal() -> Callable[..., str]:
    """Calls a function that has to end in an EinbatchError, and gives the error's text."""

    def text_of(function: Callable[..., object], *args: object, **options: object) -> str:
        with pytest.raises(EinbatchError) as caught:
            function(*args, **options)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None
        return str(caught.value)

    return text_of
