"""When a list that shifts while it is read has been read to its end."""

from itertools import pairwise

import pytest

from zerkalo.runs.lists.rules import PAGES_PER_LIST_MAX, RECENT_IDS_MAX, IncompleteRead, ListWatch


def read(watch: ListWatch, pages: list[tuple[list[int | None], int | None]]) -> ListWatch:
    for ids, total in pages:
        watch.take(ids, total=total)
    return watch


def test_only_an_empty_page_ends_a_list():
    watch = read(ListWatch(keep_ids=True), [([1, 2], 5), ([3], 5)])

    assert not watch.ended
    assert read(watch, [([4, 5], 5), ([], 5)]).ended
    assert watch.ids == {1, 2, 3, 4, 5}
    assert watch.held_still()


def test_list_that_repeats_its_last_page_for_ever_ends():
    watch = read(ListWatch(keep_ids=True), [([1, 2], 2), ([1, 2], 2), ([1, 2], 2)])

    assert watch.ended
    assert not watch.ended_empty


def test_list_that_repeats_itself_before_all_was_shown_is_incomplete():
    watch = read(ListWatch(keep_ids=False), [([1, 2], 400), ([1, 2], 400)])

    with pytest.raises(IncompleteRead):
        read(watch, [([2, 1], 400)])


def test_list_without_an_end_is_incomplete():
    watch = ListWatch(keep_ids=False)

    endless: list[tuple[list[int | None], int | None]] = [([n], None) for n in range(PAGES_PER_LIST_MAX)]

    with pytest.raises(IncompleteRead):
        read(watch, endless)


@pytest.mark.parametrize(
    "pages",
    [
        [([1, 2], 4), ([4], 3), ([], 3)],  # one left the list before its page was read
        [([1, 2], 4), ([2, 3], 4), ([], 4)],  # one came in, one was pushed out of sight
    ],
)
def test_list_that_moved_while_it_was_read_is_noticed(pages: list[tuple[list[int | None], int | None]]):
    watch = read(ListWatch(keep_ids=True), pages)

    assert watch.ended
    assert not watch.held_still()


def test_unreadable_records_without_an_id_count_as_shown():
    assert read(ListWatch(keep_ids=True), [([None, None, 1], 3), ([], 3)]).held_still()


def test_list_of_changes_is_watched_in_bounded_memory():
    watch = ListWatch(keep_ids=False)
    for first, after in pairwise(range(0, 100_000, 200)):
        watch.take(range(first, after), total=None)

    assert watch.shown == 99_800
    assert len(watch.ids) <= RECENT_IDS_MAX
