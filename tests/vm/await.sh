# SPDX-License-Identifier: GPL-2.0-only
# Wait for an event instead of a time, on the host and in the guest
# shellcheck shell=bash

# How many times slower this machine is than an idle one; see measure_pace
PACE=${PACE:-1}

# await SECONDS COMMAND: run COMMAND, a line of shell, until it succeeds. It cannot use
# the caller's $1, since eval runs it inside await. SECONDS is the deadline on an idle
# machine, and is multiplied by PACE.
await() {
	local end=$((SECONDS + $1 * PACE + 1))
	until eval "$2"; do
		[ "$SECONDS" -lt "$end" ] || {
			echo "not within $(($1 * PACE)) s: $2" >&2
			return 1
		}
		sleep 0.1
	done
}

# measure_pace MILLISECONDS: set PACE, which is at least 1. Starting 100 processes takes
# an idle machine MILLISECONDS, so measure how long it takes this one.
measure_pace() {
	local i start=${EPOCHREALTIME/./} ms
	for ((i = 0; i < 100; i++)); do
		/bin/true
	done
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	PACE=$(((ms + $1 - 1) / $1))
}
