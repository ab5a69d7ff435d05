#!/bin/sh
# An instance takes all that it may have of something; another one works meanwhile. It
# prints a line for each case, as the programs of calltest do. With a number of milliseconds
# it also prints how long the work took, before and meanwhile.

# told NAME FIELD is what the kernel tells of an instance.
told() {
	for f in /proc/sys/kern/inst/self /proc/sys/kern/inst/below/*; do
		if grep -q "^name $1\$" "$f"; then sed -n "s/^$2 //p" "$f"; fi
	done
}

# takes CASE KIND ERRNO NAME LIMITED has an instance take all: NAME, whose limit or that of
# LIMITED, one above it, is in the way.
takes() {
	rm -f /tmp/taken
	if [ "$ms" != 0 ]; then instctl exec b /test/exhaust work "$ms" </dev/null | sed "s/^work/before $1/"; fi
	instctl exec "$4" /test/exhaust take "$2" >/tmp/taken 2>&1 &
	for i in $(seq 600); do
		if grep -q '^taken' /tmp/taken; then break; fi
		sleep 0.05
	done
	instctl exec b /test/exhaust work "$ms" </dev/null >/tmp/work 2>&1
	if [ "$ms" != 0 ]; then sed "s/^work/during $1/" /tmp/work; fi
	failed=$(grep -v ' 0 failed' /tmp/work)
	if [ "$(grep -c ' 0 failed' /tmp/work)" != 10 ]; then
		echo "FAIL $1: work beside it: $failed"
	elif ! grep -q "^taken [1-9][0-9]*: errno $3\$" /tmp/taken || grep -q '^then' /tmp/taken; then
		echo "FAIL $1: $(cat /tmp/taken)"
	elif [ "$2" != cpu ] && [ "$(told "${5##*/}" "refused.$2")" = 0 ]; then
		echo "FAIL $1: no refusal is counted"
	else
		echo "ok $1"
	fi
}

ms=${1:-0}
EAGAIN=11 ENOMEM=12 ENFILE=23 ENOSPC=28 ENOSYS=38
instctl start b
while read kind limit errno; do
	instctl start a $limit
	takes "$kind" "$kind" $((errno)) a a
	instctl destroy a
	# The same by the limit of one above.
	instctl start p limit.instances=4 $limit
	instctl start p/a limit.instances=none
	takes "$kind"_above "$kind" $((errno)) p/a p
	instctl destroy p
done <<END
processes limit.processes=12 EAGAIN
threads limit.threads=14 EAGAIN
files limit.files=60 ENFILE
ptys limit.ptys=3 ENOSPC
mounts limit.mounts=24 ENOSPC
content limit.content=64 ENOSPC
inodes limit.inodes=400 ENOSPC
heap limit.heap=2000000 ENOMEM
frames limit.frames=3000 ENOMEM
instances limit.instances=4 EAGAIN
cpu cpu.cap=50 ENOSYS
END
# Without any limit: the kernel's memory is what there is, and some of it is left to b.
instctl start a
takes heap_of_all heap $ENOMEM a inst0
instctl destroy a b
