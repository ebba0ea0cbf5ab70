"""What `lost-customer` must send for CDNOW, counted without any of the product's code.

Rule: after N days without an order, the next 10:00 in the zone: a first mail. Seven days later at 10:00 the second,
unless an order came before. The data has no clicks, and an order ends everything. The horizon is the last order.

Usage: cdnow_lost.py TRANSACTIONS DAYS ZONE  ->  JSON {"first": n, "second": n, "stopped": n}
"stopped": silences that lasted N days and that an order ended before the second mail.
"""

import collections
import datetime
import json
import sys
import zoneinfo


def next_ten(moment, zone):
    local = moment.astimezone(zone)
    ten = local.replace(hour=10, minute=0, second=0, microsecond=0)
    if ten < local:
        ten = (local + datetime.timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0)
    return ten.astimezone(datetime.timezone.utc)


def main(path, days, zone_name):
    zone = zoneinfo.ZoneInfo(zone_name)
    orders = collections.defaultdict(list)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            parts = line.split()
            if len(parts) == 4 and parts[0].isdigit():
                day = datetime.datetime.strptime(parts[1], "%Y%m%d")
                orders[parts[0]].append(day.replace(hour=12, tzinfo=datetime.timezone.utc))
    horizon = max(max(times) for times in orders.values())
    first = second = stopped = 0
    for times in orders.values():
        times = sorted(set(times))
        for index, order in enumerate(times):
            until = times[index + 1] if index + 1 < len(times) else None
            begin = order + datetime.timedelta(days=days)
            mail = next_ten(begin, zone)
            if until is not None and begin <= until <= mail:
                # Silent long enough, and back before the hour of the mail.
                stopped += 1
            if mail > horizon or (until is not None and until <= mail):
                continue
            first += 1
            # Seven calendar days after the first, at ten.
            local = mail.astimezone(zone)
            again = (local + datetime.timedelta(days=7)).replace(hour=10).astimezone(datetime.timezone.utc)
            if until is not None and until <= again:
                stopped += 1
            elif again <= horizon:
                second += 1
    json.dump({"first": first, "second": second, "stopped": stopped}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
