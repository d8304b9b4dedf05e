# Shared by the scripts of this folder; sourced, never run.
# shellcheck shell=bash
#
# What the scripts promise: a bare Debian 12 with the Rust toolchain is enough; what is missing is
# installed once; a second run downloads nothing.

set -euo pipefail

SLUICE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SLUICE_TARGET=${CARGO_TARGET_DIR:-$SLUICE_ROOT/target}
export PATH="$SLUICE_TARGET/tools/bin:$PATH"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$SLUICE_ROOT/scripts"

# The system's Python has the system's packages; another one earlier in PATH need not.
PYTHON=/usr/bin/python3

NEXTEST_VERSION=0.9.143

# To build and to run: DPDK and its headers, a C compiler, libclang for the bindings.
BUILD_PACKAGES=(libdpdk-dev pkg-config gcc libc6-dev clang libclang-dev)
# The lab: namespaces, ping, and the Python of its driver.
LAB_PACKAGES=(iproute2 iputils-ping python3)
# The judges of the end-to-end tests.
JUDGE_PACKAGES=(tshark python3-scapy)
# Foreign peers for the overlay. The lab starts their programs itself, in namespaces of its own.
PEER_PACKAGES=(openvswitch-switch frr iputils-arping)

note() { printf '%s\n' "$*" >&2; }
die() {
    note "error: $*"
    exit 1
}

# Prints the packages of the list that are not installed, one a line.
missing_packages() {
    local package
    for package in "$@"; do
        if [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) != installed ]]; then
            printf '%s\n' "$package"
        fi
    done
}

# Installs Debian packages, but only those that are missing; touches the network only for them.
need_packages() {
    if ! command -v dpkg-query >/dev/null; then
        note "note: this is not Debian; assuming that the equivalents of these are installed: $*"
        return
    fi
    local missing
    mapfile -t missing < <(missing_packages "$@")
    if ((${#missing[@]} == 0)); then
        return
    fi
    if ((EUID != 0)); then
        die "missing packages. As root, run: apt-get install --no-install-recommends ${missing[*]}"
    fi
    note "installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    without_services apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# Runs a command that installs packages; what they bring for the system to run is not started.
without_services() (
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    "$@"
)

need_cargo() {
    command -v cargo >/dev/null || [[ ! -x $HOME/.cargo/bin/cargo ]] || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null ||
        die "cargo is missing: install the Rust toolchain that rust-toolchain.toml names (https://rustup.rs)"
}

# nextest runs every test in a process of its own, which DPDK needs: one EAL per process.
need_nextest() {
    if cargo nextest --version >/dev/null 2>&1; then
        return
    fi
    note "building cargo-nextest $NEXTEST_VERSION once, into ${SLUICE_TARGET#"$SLUICE_ROOT"/}/tools"
    # Unoptimised and without its self-update: a runner that waits needs neither, and it builds in
    # a fraction of the time.
    CARGO_TARGET_DIR="$SLUICE_TARGET/tools/build" cargo install --locked --quiet --debug \
        --no-default-features --features default-no-update \
        --root "$SLUICE_TARGET/tools" "cargo-nextest@$NEXTEST_VERSION"
    rm -rf "$SLUICE_TARGET/tools/build"
}

# Where the lab finds the binaries.
export SLUICED=${SLUICED:-$SLUICE_TARGET/demo/sluiced} SLUICE=${SLUICE:-$SLUICE_TARGET/demo/sluice}

# Builds the daemon and the CLI, optimised.
build_binaries() {
    cargo build --quiet --locked --profile demo --manifest-path "$SLUICE_ROOT/Cargo.toml" \
        -p daemon -p cli
}

# Runs a module of the lab in a place where it may make network namespaces: as root right here,
# otherwise in a user namespace of its own, where nobody else sees it and nothing outlives it.
lab() {
    if ((EUID == 0)); then
        "$PYTHON" -m "lab.$1" "${@:2}"
        return
    fi
    unshare --user --map-root-user --mount --net true 2>/dev/null ||
        die "the lab needs network namespaces, and this user may not make any: run this as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
    # A private /run holds the namespaces' names and DPDK's run-time files.
    export PYTHON
    # shellcheck disable=SC2016
    unshare --user --map-root-user --mount --net --kill-child bash -c \
        'mount -t tmpfs run /run && mkdir -p /run/netns && exec "$PYTHON" -m "lab.$0" "$@"' "$@"
}
