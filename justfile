# Convenience on top of the scripts: nothing here is needed to build, test or run.

# List the recipes.
default:
    @just --list

# Everything quick that must hold before a push; writes nothing to the tree.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --locked -- -D warnings
    cargo run --quiet --locked -p xtask -- check
    ./scripts/test --rust

# Format the tree.
fmt:
    cargo fmt --all

# All tests, or with `--rust` or `--lab` a half of them.
test *options:
    ./scripts/test {{ options }}

# The demo.
demo *options:
    ./scripts/demo {{ options }}

# One or more parts of the end-to-end tests, e.g. `just e2e tags scale`.
e2e *parts:
    #!/usr/bin/env bash
    source scripts/lib.sh
    build_binaries
    lab e2e {{ parts }}

# Measure.
bench *options:
    ./scripts/bench {{ options }}

# The long runs: `just soak lab 30`, `just soak accounting`, `just soak oracle`, `just soak miri`.
soak *options:
    ./scripts/soak {{ options }}

# Licences, duplicate and banned dependencies (needs cargo-deny).
deny:
    cargo deny check
