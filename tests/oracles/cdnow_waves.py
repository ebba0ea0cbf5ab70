"""What the waves of `tests/waves` must do for CDNOW, and what their holdout says, without any of the product's code.

Rule: after 90 days without an order the win-back score decides: from 35 on the first wave goes at the next 10:00 in
Kyiv; else, 14 days later, from 20 on the second, at the next 10:00 too; else the third at 10:00 of the fourteenth day from
there (a wait in whole days before an hour counts days of the calendar). An order ends everything. Whoever is held out
would have got the same. Uplift: of those first written to (or held out) whose 30 days lie before the horizon,
who bought within them.

Usage: cdnow_waves.py TRANSACTIONS PEOPLE JOURNEYS
PEOPLE: a JSON object from the product's customer id to CDNOW's. JOURNEYS: journeys.jsonl, read only for who was held
out. -> JSON {"waves": {step: n}, "written": [people, bought], "held_out": [people, bought], "difference": x, "won": x}
"""

import collections
import datetime
import json
import sys
import zoneinfo

DAY = datetime.timedelta(days=1)
ZONE = zoneinfo.ZoneInfo("Europe/Kyiv")


def next_ten(moment):
    local = moment.astimezone(ZONE)
    ten = local.replace(hour=10, minute=0, second=0, microsecond=0)
    if ten < local:
        ten = (local + DAY).replace(hour=10)
    return ten.astimezone(datetime.timezone.utc)


def score(orders, now):
    """orders: (time, cents), the oldest first. Bounds and weights as in tests/waves/policy.yaml."""
    spent = sum(cents for _, cents in orders) / 100
    count = len(orders)
    silent = now - orders[-1][0]
    recency = 5 - sum(silent > bound * DAY for bound in (30, 90, 180, 365))
    frequency = 1 + sum(count >= bound for bound in (2, 3, 5, 10))
    value = min(spent / 250 * 100, 100)
    years = (orders[-1][0] - orders[0][0]) / (365 * DAY)
    loyalty = min((frequency - 1) * 25 * 0.7 + min(years * 50, 100) * 0.3, 100)
    average = spent / count
    newest = orders[-1][1] / 100
    upsell = min(max(newest / average * 50, 0), 100) if average > 0 else 0
    cost = (recency - 1) * 25
    return 0.35 * value + 0.25 * loyalty + 0.15 * upsell + 0.1 * 0 + 0.15 * cost


def main(path, people_file, journeys):
    orders = collections.defaultdict(list)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            parts = line.split()
            if len(parts) == 4 and parts[0].isdigit():
                day = datetime.datetime.strptime(parts[1], "%Y%m%d")
                when = day.replace(hour=12, tzinfo=datetime.timezone.utc)
                orders[parts[0]].append((when, round(float(parts[3]) * 100)))
    for times in orders.values():
        times.sort(key=lambda order: order[0])
    horizon = max(times[-1][0] for times in orders.values())
    with open(people_file, encoding="utf-8") as file:
        people = json.load(file)
    held_out = set()
    with open(journeys, encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            skipped = record["transition"]
            if isinstance(skipped, dict) and skipped.get("skipped", {}).get("reason") == "holdout":
                held_out.add(people[record["customer"]])
    waves = collections.Counter()
    groups = {True: [0, 0], False: [0, 0]}
    for customer, known in orders.items():
        times = sorted({when for when, _ in known})
        first = None
        for index, order in enumerate(times):
            until = times[index + 1] if index + 1 < len(times) else None
            past = [entry for entry in known if entry[0] <= order]
            at, step = order + 90 * DAY, "first-wave"
            if score(past, at) < 35:
                at, step = at + 14 * DAY, "second-wave"
                if score(past, at) < 20:
                    local = at.astimezone(ZONE) + 14 * DAY
                    at, step = local.replace(hour=10).astimezone(datetime.timezone.utc), "third-wave"
            at = next_ten(at)
            if at > horizon or (until is not None and until <= at):
                continue
            waves[step] += 1
            first = first or at
        if first is not None and first + 30 * DAY <= horizon:
            group = groups[customer in held_out]
            group[0] += 1
            group[1] += any(first < when <= first + 30 * DAY for when in times)
    (written, bought), (kept, anyway) = groups[False], groups[True]
    difference = bought / written - anyway / kept
    json.dump(
        {
            "waves": waves,
            "written": [written, bought],
            "held_out": [kept, anyway],
            "difference": difference,
            "won": difference * written,
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
