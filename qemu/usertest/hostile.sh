# A fuzzer runs as root of an instance for $seconds, beginning with $seed, beside another
# instance that looks at its own state again and again.

instctl start victim host=victim limit.instances=1
instctl start hostile limit.instances=2 limit.frames=60000 limit.processes=500
instctl exec victim sh -c '
	instctl start below
	echo content >/tmp/file; ln -s file /tmp/link; mkfifo /tmp/fifo
	echo more >>/etc/passwd; chmod 640 /etc/group
	mkdir /mnt/m; mount -t tmpfs -o size=64k tmpfs /mnt/m; echo mounted >/mnt/m/file
	sleep 1000000 </dev/null >/dev/null 2>&1 &
	cat /tmp/fifo >/dev/null 2>&1 &
	echo $! >/tmp/pid
'
# look tells what the victim is.
look() {
	instctl exec victim sh -c '
		hostname; cat /proc/mounts /proc/sys/kernel/domainname /proc/sys/kernel/random/boot_id
		ls -lR /tmp /etc /dev /mnt; cat /tmp/file /etc/passwd /mnt/m/file; df /tmp /mnt/m | tail -n 1
		for p in 1 $(cat /tmp/pid); do
			grep -v ctxt /proc/$p/status; cat /proc/$p/limits /proc/$p/maps /proc/$p/oom_score_adj; ls -l /proc/$p/fd
		done
		instctl show below | grep "^name\|^state\|^host\|^limit\|^used"; ulimit -a
	' 2>&1
}
look >/tmp/before
look >/tmp/again
cmp /tmp/before /tmp/again || { echo FAIL: it changes by itself; diff /tmp/before /tmp/again; }
instctl exec hostile /fuzz/callfuzz $seconds $seed >/tmp/fuzz 2>&1 &
n=0
while kill -0 $! 2>/dev/null; do
	look >/tmp/after
	cmp -s /tmp/before /tmp/after || { echo FAIL: after $n looks; diff /tmp/before /tmp/after; break; }
	n=$((n + 1))
	sleep 1
done
wait
tail -n 2 /tmp/fuzz | sed 's/^/ok /'
echo "ok looked $n times"
instctl destroy hostile
instctl destroy victim
exit 0
