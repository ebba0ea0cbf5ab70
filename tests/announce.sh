#!/usr/bin/env bash
# Says with the time of day what begins now and how long it takes, so that nobody stares at a silent screen.
set -euo pipefail
printf '\n[%s] %s\n' "$(date +%H:%M:%S)" "$*"
