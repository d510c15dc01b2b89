"""How many of each class were served on a day, over all tills, for their pages: persons, each once, whatever was tapped or marked."""

from collections import Counter
from datetime import date

from registry.models import Enrolment, Event, Fact, School
from registry.people.enrolments import current
from sync.wire.day_counts import MAX_CLASSES, DayCounts


def day_counts(school: School, service: str, day: date) -> DayCounts:
    """Count servings as a shared quota does: what was granted or marked by hand and not undone; going out is no serving."""
    undone = Fact.objects.filter(is_in_force=False).values("event")
    servings = Event.objects.filter(school=school, service=service, service_day=day, person__isnull=False)
    served = set(
        servings.exclude(holder="").exclude(direction="out").exclude(pk__in=undone).values_list("person", flat=True)
    )
    stays = Enrolment.objects.filter(current(school, day)).exclude(class_name="")
    class_of = dict(stays.order_by("valid_from", "pk").values_list("person", "class_name"))
    counted = Counter(class_of[person] for person in served if person in class_of)
    told = dict(counted.most_common(MAX_CLASSES))
    return DayCounts(service, day, told, sum(1 for person in served if person not in class_of))
