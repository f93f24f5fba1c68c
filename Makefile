# Plimsoll: the commands that people and CI use.
#   make run    builds Plimsoll and tells its story on this machine (ARGS="--once" ends after it)
#   make test   installs what the tests need where it can, then runs every test
#   make check  everything that can be wrong without running: format, lints, docs, house rules
#   make bench  the figures of docs/performance.md, each beside its baseline
SHELL := /usr/bin/env bash
CARGO ?= cargo
ARGS ?=
# The tests' settings in .config/nextest.toml: `default` stops at the first failure, `ci` runs them all.
PROFILE ?= default

.PHONY: help run test check bench parts

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))

run:
	@scripts/need-rust
	$(CARGO) run --locked --package plimsoll-cli -- demo $(ARGS)

parts:
	@scripts/install-test-parts

test: parts
	$(CARGO) xtask databases
	@if git grep -qE '^ *//[/!] *```' -- 'crates/*.rs'; then set -x; $(CARGO) test --locked --workspace --doc --quiet; fi
	$(CARGO) nextest run --locked --workspace --profile $(PROFILE) $(ARGS)
	@$(CARGO) xtask databases ran $(PROFILE) $(if $(ARGS),some,all)

check:
	@scripts/need-rust rustfmt clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	$(CARGO) xtask check
	@if command -v cargo-deny >/dev/null; then set -ex; \
	$(CARGO) deny --locked check --hide-inclusion-graph bans licenses sources; \
	if $(CARGO) deny --locked fetch db; then $(CARGO) deny --locked check --disable-fetch advisories; \
	else { set +x; } 2>/dev/null; echo "the advisory database cannot be reached from here: advisories were not checked"; fi; \
	else echo "cargo-deny is not installed: licences and advisories were not checked (cargo install cargo-deny --locked)"; fi

bench:
	@scripts/need-rust
	$(CARGO) build --locked --release --package plimsoll-cli
	$(CARGO) build --locked --profile small --package plimsoll-agent
	$(CARGO) bench --locked --package plimsoll-server --bench speed -- $(ARGS)
