import json

from hypothesis import given
from hypothesis import strategies as st

from zerkalo.kit.text import storable_json, storable_text

ANY_CHARACTER = st.text(alphabet=st.characters(codec=None))


@given(st.binary())
def test_any_bytes_become_valid_utf8(body: bytes) -> None:
    storable_json(body).decode()


@given(st.recursive(ANY_CHARACTER, lambda inner: st.lists(inner) | st.dictionaries(ANY_CHARACTER, inner)))
def test_storable_json_means_the_storable_texts(value: object) -> None:
    def clean(part: object) -> object:
        if isinstance(part, str):
            return storable_text(part)
        if isinstance(part, dict):
            return {storable_text(str(key)): clean(inner) for key, inner in part.items()}
        return [clean(inner) for inner in part] if isinstance(part, list) else part

    text = json.dumps(value)  # escapes lone surrogates, as PHP and JavaScript do
    joined = json.loads(text)  # what neighbours make of a pair of lone halves

    assert json.loads(storable_json(text.encode())) == clean(joined)
