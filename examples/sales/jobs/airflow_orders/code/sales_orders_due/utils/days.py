from datetime import date, timedelta

SATURDAY = 5


def next_business_day(day: date) -> date:
    """The first day after `day` that is no Saturday or Sunday."""
    day += timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return day
