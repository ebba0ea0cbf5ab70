#!/usr/bin/env bash
# Installs what the tests need and this machine lacks: redis-server, Kafka's Java packages. Safe to run again.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/winback
missing=()

need() { # command, Debian package
  command -v "$1" >/dev/null 2>&1 || missing+=("$2")
}
need redis-server redis-server
need java openjdk-17-jdk-headless
need mvn maven
need python3 python3
need make make
need pkg-config pkg-config
# Built from source otherwise, which takes minutes.
[ -e /usr/include/openssl/ssl.h ] || missing+=(libssl-dev)

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
  else
    echo "missing, and this user may not install: apt-get install ${missing[*]}" >&2
    exit 3
  fi
fi

jars=${WINBACK_KAFKA_JARS:-$cache/kafka-4.3.1}
if [ ! -e "$jars/done" ]; then
  echo "fetching Kafka 4.3.1 with Maven"
  mkdir -p "$jars"
  mvn -q -B -f "$here/../crates/testkit/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$jars"
  touch "$jars/done"
fi

if ! cargo deny --version >/dev/null 2>&1; then
  echo "compiling cargo-deny once, about two minutes"
  # Not optimised: it runs for a second, and a release build of it takes longer than winback's own lints.
  CARGO_PROFILE_DEV_DEBUG=false cargo install cargo-deny --locked --version 0.20.2 --quiet --debug
fi
