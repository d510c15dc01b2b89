"""The addresses of the office's own pages, each behind the site's login."""

from collections.abc import Callable

from django.http import HttpResponseBase
from django.urls import URLPattern, path

from registry.office import (
    audit_page,
    calendar_pages,
    card_deeds,
    card_pages,
    class_days,
    desk,
    find,
    host_pages,
    lending,
    live,
    more,
    new_pages,
    person_pages,
    rollover_pages,
    roster_pages,
    rules_pages,
    tap_pages,
)
from registry.office.site import office


def _page(address: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
    return path(address, office.admin_view(view), name=name)


PAGES = [
    _page("", find.find, "find"),
    _page("more/", more.more, "more"),
    _page("backup/", more.backup, "backup"),
    _page("people/add/", person_pages.person_add, "person_add"),
    _page("people/<int:person_id>/", card_pages.person, "person"),
    _page("people/<int:person_id>/edit/", person_pages.person_edit, "person_edit"),
    _page("stays/<int:stay_id>/", person_pages.stay, "stay"),
    _page("people/<int:person_id>/lend/", lending.lend_to, "lend_to"),
    _page("people/<int:person_id>/card/", new_pages.card_add, "card_add"),
    _page("cards/<int:card_id>/", card_pages.card, "card"),
    _page("cards/<int:card_id>/lend/", lending.lend_card, "lend_card"),
    _page("cards/<int:card_id>/tap/", tap_pages.card_tap, "card_tap"),
    _page("cards/<int:card_id>/<slug:name>/", card_deeds.card_deed, "card_deed"),
    _page("substitutes/", lending.substitutes, "substitutes"),
    _page("substitutes/add/", new_pages.substitute_add, "substitute_add"),
    _page("loans/<int:loan_id>/paid/", lending.loan_paid, "loan_paid"),
    _page("tap/", tap_pages.tap, "tap"),
    _page("tap/unknown/", tap_pages.tap_unknown, "tap_unknown"),
    _page("desk/", desk.ask, "desk_ask"),
    _page("desk/<int:request_id>/", desk.poll, "desk_poll"),
    _page("live/", live.live, "live"),
    _page("live/<slug:code>/rows/", live.live_rows, "live_rows"),
    _page("import/", roster_pages.roster, "roster"),
    _page("import/<int:roster_id>/", roster_pages.roster_diff, "roster_diff"),
    _page("leavings/", roster_pages.leavings, "leavings"),
    _page("leavings/<int:proposal_id>/", roster_pages.leaving, "leaving"),
    _page("rollover/", rollover_pages.rollover, "rollover"),
    _page("rollover/<int:rollover_id>/", rollover_pages.rollover_plan, "rollover_plan"),
    _page("class-days/", class_days.class_days, "class_days"),
    _page("class-days/<int:day_id>/remove/", class_days.class_day_remove, "class_day_remove"),
    _page("rules/", rules_pages.rules, "rules"),
    _page("rules/<int:service_id>/", rules_pages.rule_edit, "rule_edit"),
    _page("rules/draft/<int:version_id>/", rules_pages.rule_preview, "rule_preview"),
    _page("calendar/", calendar_pages.calendar, "calendar"),
    _page("calendar/draft/<int:version_id>/", calendar_pages.calendar_preview, "calendar_preview"),
    _page("hosts/", host_pages.hosts, "hosts"),
    _page("hosts/<int:host_id>/", host_pages.host, "host"),
    _page("hosts/<int:host_id>/code/", host_pages.host_code, "host_code"),
    _page("hosts/<int:host_id>/revoke/", host_pages.host_revoke, "host_revoke"),
    _page("hosts/<int:host_id>/desk/", host_pages.host_desk, "host_desk"),
    _page("audit/", audit_page.audit, "audit"),
]
