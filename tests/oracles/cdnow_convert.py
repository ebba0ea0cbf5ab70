"""CDNOW purchases to raw records: sorted by time, ids from line numbers, an address, noon UTC.

Usage: cdnow_convert.py TRANSACTIONS > events.jsonl
A line of the input: customer id, date YYYYMMDD, number of CDs, value in US dollars (blank-separated).
"""

import json
import sys


def rows(path):
    with open(path, encoding="ascii") as lines:
        for number, line in enumerate(lines, start=1):
            parts = line.split()
            if len(parts) == 4 and parts[0].isdigit():
                yield number, parts[0], parts[1], int(parts[2]), float(parts[3])


def main(path):
    for number, customer, day, quantity, value in sorted(rows(path), key=lambda row: (row[2], row[0])):
        time = f"{day[:4]}-{day[4:6]}-{day[6:]}T12:00:00Z"
        record = {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"cdnow-{number}",
            "userId": f"c{customer}",
            "timestamp": time,
            "properties": {
                "order_id": f"o{number}",
                "total": value,
                "currency": "USD",
                "email": f"c{customer}@example.com",
                "products": [{"product_id": "cd", "quantity": max(quantity, 1)}],
            },
        }
        sys.stdout.write(json.dumps(record, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
