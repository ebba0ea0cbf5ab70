# Thin targets; CI calls the same ones.
.PHONY: demo test lint unit e2e bench generate setup

demo: ## the main job in time-lapse, in one process, without a network
	cargo build --workspace --locked
	./target/debug/winback demo

test: setup lint build unit e2e ## what CI runs; installs what is missing

setup:
	./tests/setup.sh

build:
	cargo build --workspace --all-targets --locked

unit: ## no broker needed
	cargo test --workspace --lib --bins --locked

e2e: ## real Kafka, Redis and SMTP, started as child processes
	cargo test --workspace --test '*' --locked -- --test-threads=1

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo deny --offline check bans licenses sources
	./deploy/validate.sh

generate: ## schemas and tables from the types
	WINBACK_GENERATE=1 cargo test --workspace --test contract --locked

bench: setup build ## a figure, never asserted
	./target/debug/winback-bench
