"""What is odd about a callback or an event, as fixed slugs: fields of records, metric labels."""

from typing import Final

# Of the tracking number and the MID: on the update and on each of its events.
CHECK_DIGIT_WRONG: Final = "check_digit_wrong"
NOT_A_BARCODE: Final = "not_a_barcode"
AMBIGUOUS_BARCODE: Final = "ambiguous_barcode"
BARCODE_MID_DIFFERS: Final = "barcode_mid_differs"
MID_UNREADABLE: Final = "mid_unreadable"

# Of one event.
TIME_UNREADABLE: Final = "time_unreadable"
TIME_IN_FUTURE: Final = "time_in_future"
TIME_CONTRADICTION: Final = "time_contradiction"
LOCAL_TIME_LABELLED_UTC: Final = "local_time_labelled_utc"
OFFSET_UNREADABLE: Final = "offset_unreadable"
FIELD_UNREADABLE: Final = "field_unreadable"

# Of the callback.
PAYLOAD_ESCAPED_TWICE: Final = "payload_escaped_twice"

FLAGS: Final = frozenset(
    {
        CHECK_DIGIT_WRONG,
        NOT_A_BARCODE,
        AMBIGUOUS_BARCODE,
        BARCODE_MID_DIFFERS,
        MID_UNREADABLE,
        TIME_UNREADABLE,
        TIME_IN_FUTURE,
        TIME_CONTRADICTION,
        LOCAL_TIME_LABELLED_UTC,
        OFFSET_UNREADABLE,
        FIELD_UNREADABLE,
        PAYLOAD_ESCAPED_TWICE,
    }
)
