# SPDX-License-Identifier: GPL-2.0-only
# For the host and for the guest: wait for an event, not for a time.
# shellcheck shell=bash

# How many times as long as an idle machine this one takes; see measure_pace
PACE=${PACE:-1}

# await SECONDS COMMAND: run the COMMAND, a line of shell, until it succeeds. $1
# in it is await's own.
# SECONDS is a deadline for an idle machine, and is multiplied by PACE.
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

# measure_pace MILLISECONDS: start 100 processes, which takes an idle machine
# MILLISECONDS. Sets PACE, at least to 1.
measure_pace() {
	local i start=${EPOCHREALTIME/./} ms
	for ((i = 0; i < 100; i++)); do
		/bin/true
	done
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
	PACE=$(((ms + $1 - 1) / $1))
}
