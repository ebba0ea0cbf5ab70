# Thin targets; CI calls the same ones. `make help` lists them.
.PHONY: help demo test lint unit e2e outages fuzz bench generate setup build

# What runs for minutes has a target of its own.
OUTAGES := losses positions outages
E2E := $(filter-out $(OUTAGES),$(basename $(notdir $(wildcard tests/tests/*.rs))) \
	$(patsubst tests/tests/%/main.rs,%,$(wildcard tests/tests/*/main.rs)))

# The system's OpenSSL under librdkafka where it is; built from source elsewhere.
export OPENSSL_NO_VENDOR := $(shell pkg-config --exists openssl 2>/dev/null && echo 1 || echo 0)

help: ## what can be made
	@grep -hE '^[a-z0-9]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: ## the main job in time-lapse, in one process, without a network
	@./tests/announce.sh "building the demo: about four minutes the first time on two cores, half a minute after a change"
	cargo build --workspace --bins --locked
	@./tests/announce.sh "running it: a hundred days fast, then a week in a minute"
	./target/debug/winback demo

test: setup lint build unit e2e ## what CI runs; installs what is missing

setup: ## installs what the tests need
	./tests/setup.sh

build: ## everything, tests and bench included
	@./tests/announce.sh "building services and tests: about eight minutes the first time on two cores"
	cargo build --workspace --lib --bins --tests --locked

unit: ## no broker needed
	cargo test --workspace --lib --bins --locked

# They mostly wait: two at a time, each with servers of its own.
e2e: ## real Kafka, Redis and SMTP, started as child processes
	./tests/e2e.py $(E2E)

outages: setup build ## servers and processes killed, asleep, cut off, full; topics made anew, owners killed sixty times: about 25 minutes
	cargo test --workspace $(addprefix --test ,$(OUTAGES)) --locked -- --test-threads=1 --nocapture

fuzz: ## a million mutated records through ingest's reading: about two minutes
	WINBACK_FUZZ=1000000 cargo test --workspace --lib --locked fuzz:: -- --nocapture

lint: ## format, clippy, licences, deployment files
	@./tests/announce.sh "checking format, lints, licences and deployment files: about five minutes the first time"
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked --quiet
	cargo deny --offline check bans licenses sources
	./deploy/validate.sh

generate: ## schemas and tables from the types
	cargo build --workspace --bins --locked
	WINBACK_GENERATE=1 cargo test --workspace --test contract --test references --locked

bench: setup build ## figures, never asserted: the drain of sessions, and from an order to its stop
	./target/debug/winback-bench
	./target/debug/winback-bench stops
