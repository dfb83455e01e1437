from hypothesis import given
from hypothesis import strategies as st

from zerkalo.kit.phone import keys_alike, normalise_phone, phone_key, same_phone

PHONE_LIKE = st.text(alphabet="0123456789+()- .,/дмab\u00a0\u2011", max_size=30)


@given(PHONE_LIKE | st.text(max_size=80) | st.integers())
def test_normalising_twice_is_normalising_once(typed: str | int) -> None:
    e164, last10 = normalise_phone(typed)

    if e164 is not None:
        assert normalise_phone(e164) == (e164, last10)
    if last10 is not None:
        assert len(last10) == 10
        assert last10.isdecimal()


@given(st.integers(min_value=10**9, max_value=10**10 - 1))
def test_every_writing_of_a_russian_phone_has_the_same_last_ten_digits(subscriber: int) -> None:
    ten = str(subscriber)
    writings = [f"+7{ten}", f"7{ten}", f"8{ten}", ten, f"8 ({ten[:3]}) {ten[3:6]}-{ten[6:8]}-{ten[8:]}"]

    assert {normalise_phone(writing)[1] for writing in writings} == {ten}


KEYS = st.sampled_from(
    ["+79161234567", "9161234567", "+919161234567", "+376123456", "+370123456", "+79161234568", "9161234568"]
)


@given(KEYS, KEYS)
def test_the_keys_that_an_index_is_asked_for_are_those_of_the_same_phone(one: str, other: str) -> None:
    assert same_phone(one, other) == same_phone(other, one)
    if one.startswith("+"):
        assert (other in keys_alike(one)) == same_phone(one, other)


@given(PHONE_LIKE)
def test_a_key_is_the_key_of_itself(typed: str) -> None:
    key = phone_key(typed)

    if key is not None:
        assert same_phone(key, key)
        assert key.startswith("+") == (phone_key(key) == key and normalise_phone(typed)[0] is not None)
