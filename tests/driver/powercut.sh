# SPDX-License-Identifier: GPL-2.0-only
# The power is cut (QEMU is killed) while all kinds of namespaces are written to and their
# labels change. Then another machine has to find all that was acknowledged.
# tests/RESULTS.md says what this models, and what it does not.
# shellcheck shell=bash

# The writers, in the order of their numbers in tests/helpers/powercut
writers=("ext4, new file" "ext4, msync" "xfs, new file" "xfs, O_DSYNC"
	"sector, O_DIRECT" "raw, fsync" "devdax, CPU" "SQLite, ext4, WAL"
	"SQLite, xfs, TRUNCATE" "fio jobs of 8 writes" "label updates")

# noted FIELD: print the writers' notes: 1 is the number that is begun, 2 the one that is
# acknowledged
noted() {
	od -An -v -w64 -tu8 -N $((64 * ${#writers[@]})) "$DIR/notes.bar" | awk -v f="$1" '{ print $f }'
}

# inside WORD...: run tests/helpers/powercut in the guest
inside() {
	run "/host/powercut $1 ${F[victim]} ${F[notes]} ${*:2}"
}

# up: mark the log of the new machine, and copy the guest's part into it
up() {
	guest "echo iopmem-case: $CASE_NUMBER >/dev/kmsg; echo 8 >/proc/sys/kernel/printk"
	cp "$top/tests/helpers/powercut" "$VM/share/"
	echo "$namespaces" >"$VM/share/namespaces"
}

# between LOW HIGH: set chance to a random number, which comes from the seed
between() {
	chance=$(($1 + (RANDOM * 32768 + RANDOM) % ($2 - $1 + 1)))
}

# new_card: make a blank card, with a namespace of each kind
new_card() {
	namespaces=
	up
	blank victim notes
	load
	attach victim
	create victim fsdax -s 64M -n ext4
	create victim fsdax -s 320M -n xfs
	create victim sector -s 32M -n sector
	create victim raw -s 32M -n raw
	create victim devdax -s 32M -n devdax
	inside prepare
	namespaces=$OUT
	is "namespaces" 5 "$(wc -l <<<"$namespaces")"
}

# at_work: succeeds if each writer has got something acknowledged since the last cut
at_work() {
	local i now
	mapfile -t now < <(noted 2)
	for i in "${!writers[@]}"; do
		[ "${now[i]}" -gt "${acked[i]}" ] || return
	done
}

# cut_power MILLISECONDS: cut the power so long after all writers have got something done. If
# one of them does not get its turn in time, the power is cut all the same.
cut_power() {
	local out
	await 20 at_work
	sleep "$(($1 / 1000)).$(printf %03d $(($1 % 1000)))"
	vm_kill
	out=$(complaints) && bad "$where, kernel log before it" "no complaint" "$out"
	[ ! -s "$VM/share/complaints" ] ||
		bad "$where, complaints of the writers before it" "none" "$(cat "$VM/share/complaints")"
}

# power_up: boot another machine with the same card, and check the card. OUT has the findings.
power_up() {
	local ext4 xfs
	mapfile -t acked < <(noted 2)
	vm_boot torture "$work" || bad "$where, boot" "the machine" "none"
	up
	between 0 3
	[ $((chance & 1)) = 0 ] && ext4=always || ext4=never
	[ $((chance & 2)) = 0 ] && xfs=always || xfs=never
	inside check "$ext4" "$xfs" "${acked[7]}" "${acked[8]}" "${acked[9]}"
}

# cuts N: cut the power N times
cuts() {
	local n=$1 cut i labels first acked begun under_way=() chance where namespaces phases=()
	RANDOM=${SEED:=$(date +%s)}
	saw "$n cuts, SEED=$SEED"
	trap used_up EXIT
	new_card
	mapfile -t acked < <(noted 2)
	first=("${acked[@]}")
	for ((cut = 1; cut <= n; cut++)); do
		where="cut $cut of SEED=$SEED"
		mapfile -t acked < <(noted 2)
		# Every third time the writer of labels has real-time priority. Then the cut
		# can hit each of its instructions, and not only places where it waits.
		[ $((RANDOM % 3)) = 0 ] && labels="'chrt -f 1'" || labels="nice"
		inside work "${acked[9]}" "$labels"
		between 0 2000
		cut_power "$chance"
		mapfile -t begun < <(noted 1)
		power_up
		for i in "${!writers[@]}"; do
			[ "${begun[i]}" -le "${acked[i]}" ] || : $((under_way[i]++))
		done
		phases+=("$(head -n 1 <<<"$OUT")")
		[ $((cut % 10)) != 0 ] || saw "$cut cuts"
	done

	figure "power cuts" "$n" "SEED=$SEED"
	for i in "${!writers[@]}"; do
		figure "acknowledged, ${writers[i]}" "$((acked[i] - first[i]))" \
			"none lost, ${under_way[i]:-0} under way when cut"
	done
	while read -r i where; do
		figure "label area, when cut: $where" "$i" "the old or the new namespace"
	done < <(printf '%s\n' "${phases[@]}" | sort | uniq -c)
	for i in "${!writers[@]}"; do
		[ "${acked[i]}" -gt "${first[i]}" ] || bad "acknowledged, ${writers[i]}" "some" "none"
	done
}

runs_in torture

test_few() {
	shows "three power cuts while each kind of namespace is written to and labels change: nothing that was acknowledged is lost"
	cuts "${CUTS:-3}"
}

runs_in torture torture

test_many() {
	shows "the same many times"
	cuts "${CUTS:-200}"
}

# over NUMBER TEXT: overwrite the middle of the block that the writer has last got
# acknowledged with TEXT
over() {
	local at
	for at in $(found "cut $1:${acked[$1]} " "$DIR/victim.bar" | sed -n '32~64p'); do
		printf '%s' "$2" | dd of="$DIR/victim.bar" bs=1 seek="$at" conv=notrunc status=none
	done
}

# ahead NUMBER N: change the notes as if N more writes had been acknowledged
ahead() {
	local bytes n=$((acked[$1] + $2)) i
	for ((i = 0; i < 8; i++)); do
		bytes+=$(printf '\\x%02x' $((n >> 8 * i & 255)))
	done
	printf %b "$bytes$bytes" | dd of="$DIR/notes.bar" bs=64 seek="$1" conv=notrunc status=none
}

runs_in torture slow

test_noticed() {
	local acked chance where="the cut" namespaces at said
	shows "the check of each kind notices writes that are lost, torn, damaged or older than acknowledged"
	trap used_up EXIT
	new_card
	tail -c 128K "$DIR/victim.bar" >"$work/labels"
	mapfile -t acked < <(noted 2)
	inside work 0 nice none
	cut_power 2000
	mapfile -t acked < <(noted 2)
	ahead 0 3
	over 1 "cut 1:${acked[1]} damaged"
	over 2 "cut 2:${acked[2]} damaged"
	ahead 3 3
	over 4 "cut 4:1 "
	over 6 "cut 6:${acked[6]} damaged"
	for at in $(found "$(printf %0200d $((acked[7] * 7919)))" "$DIR/victim.bar"); do
		printf 1 | dd of="$DIR/victim.bar" bs=1 seek="$at" conv=notrunc status=none
	done
	ahead 8 100
	ahead 9 2
	# In the older labels the namespace does not exist, which is right after each 8th
	# update. Then ask for more.
	[ $((acked[10] % 8)) -lt 6 ] || ahead 10 2
	dd if="$work/labels" of="$DIR/victim.bar" bs=128K seek=8191 conv=notrunc status=none
	namespaces+=$'\nsixth raw 33554432 6c7574d0-0000-4000-8000-000000000006'
	OUT=$(power_up 2>&1) && bad "power_up" "findings" "$OUT"
	for said in "/mnt/a/create: block [0-9]+: write [0-9]+ was acknowledged, (found: [0-9]+|cannot be read)$" \
		"/mnt/a/blocks: .* found: ${acked[1]}, damaged" \
		"/mnt/b/create: .* found: ${acked[2]}, damaged" \
		"/mnt/b/blocks: .* was acknowledged, found: [0-9]+" \
		"pmem0[.0-9]*s: .* torn: ${acked[4]} and 1 in one block" \
		"pmem0[.0-9]*: .* was acknowledged, found: [0-9]+" \
		"dax[.0-9]*: .* found: ${acked[6]}, damaged" \
		"wal: ${acked[7]} transactions acknowledged, state says" \
		"truncate: $((acked[8] + 100)) transactions acknowledged, state says" \
		"fio: jobs to $((acked[9] + 2)): " \
		"namespaces are not what they were" \
		"labels: found '', acknowledged 'cut-"; do
		like "says" "$said" "$OUT"
	done
}
