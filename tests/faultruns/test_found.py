"""What the fault runs found once, so that it stays found."""

from __future__ import annotations

import pytest

from tests.campus import Counter
from tests.faultruns.desk_scenes import a_reversed_sale, a_reversed_torn_sale

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("make", "healed_fen"), [(a_reversed_sale, 0), (a_reversed_torn_sale, 3_00)])
def test_a_sale_reversed_while_its_card_write_is_unreported_leaves_an_honest_card_honest(make, healed_fen):
    """The desk took the image back that the card had been given, and called the card forged at the next tap."""
    scene = make()
    scene.act()
    (person,) = scene.people

    sale = Counter(9).tap(person, 1_00)

    assert (sale.refusal, sale.reply.healed_fen, sale.reply.claimed_fen) == (None, healed_fen, 3_00)
    assert (person.book_fen, person.card_fen) == (19_00, 19_00)
