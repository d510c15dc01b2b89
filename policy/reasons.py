"""Why a tap was answered as it was: a closed list. One reason is one phrase on the screen, one code in the journal, one test."""

from enum import StrEnum


class Reason(StrEnum):
    """The code of a reason, as it stands in the journal for ever: never rename one, never use one anew."""

    OK = "ok"
    RANDOM_UID = "random_uid"
    UNKNOWN = "unknown"
    CLOSED = "closed"
    LEFT = "left"
    POOL_CARD_NOT_LENT = "pool_card_not_lent"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    NOT_ADMITTED = "not_admitted"
    OUTSIDE_HOURS = "outside_hours"
    OUTSIDE_SLOT = "outside_slot"
    ALREADY_JUST_NOW = "already_just_now"
    ALREADY_TODAY = "already_today"
    QUOTA_UNKNOWN = "quota_unknown"
    CLOCK_UNTRUSTED = "clock_untrusted"
    DATA_STALE = "data_stale"
    DISK_FAILED = "disk_failed"
    NO_CREDIT = "no_credit"


class Flag(StrEnum):
    """What somebody should look at later though the answer stands. Never a reason for a refusal."""

    EXIT_GRANTED = "exit_granted"  # refused by the rule, let out all the same (DOMAIN.md, trap 8)
    SECOND_SERVING = "second_serving"
    SECOND_CHARGED = "second_charged"
    OUTSIDE_SLOT = "outside_slot"  # served, though it was not the turn of the holder's class
    CLOCK_UNSYNCED = "clock_unsynced"
    CLOCK_UNTRUSTED = "clock_untrusted"
    DATA_STALE = "data_stale"
    QUOTA_UNKNOWN = "quota_unknown"  # nobody could be asked whether the day's limit is used up at another till
    NOT_DURABLE = "not_durable"
    CHARGED_OFFLINE = "charged_offline"  # on the host's own allowance: nobody could be asked what the account holds


# The phrases in English, which are the message ids of the catalogues in policy/locale. Short: they are read from three metres.
PHRASES: dict[Reason, str] = {
    Reason.OK: "Welcome",
    Reason.RANDOM_UID: "This card's number keeps changing: use another",
    Reason.UNKNOWN: "Unknown card",
    Reason.CLOSED: "Card closed",
    Reason.LEFT: "Card no longer valid: left the school",
    Reason.POOL_CARD_NOT_LENT: "Substitute card is lent to nobody",
    Reason.NOT_YET_VALID: "Card not valid yet",
    Reason.EXPIRED: "Card expired",
    Reason.NOT_ADMITTED: "Not for this card",
    Reason.OUTSIDE_HOURS: "Closed at this hour",
    Reason.OUTSIDE_SLOT: "Not your class's turn yet or any more",
    Reason.ALREADY_JUST_NOW: "Already served just now",
    Reason.ALREADY_TODAY: "Already served today",
    Reason.QUOTA_UNKNOWN: "Cannot ask the registry: call the staff",
    Reason.CLOCK_UNTRUSTED: "The clock is wrong: call the staff",
    Reason.DATA_STALE: "Card data too old: call the staff",
    Reason.DISK_FAILED: "Storage fault: call the staff",
    Reason.NO_CREDIT: "Not enough money on the account",
}
