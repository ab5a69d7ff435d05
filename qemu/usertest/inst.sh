#!/bin/sh
# Instances as those who manage them see them. It prints a line for each case, as the
# programs of calltest do.

# same NAME WANT GOT
same() {
	if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAIL $1: '$3', want '$2'"; fi
}
# value NAME FIELD is what show tells.
value() { instctl show "$1" | sed -n "s/^$2  *//p"; }
# error COMMAND... is what it prints on standard error, and its status.
error() {
	text=$("$@" 2>&1 >/dev/null)
	echo "$text; $?"
}

same none "" "$(instctl list | tail -n +2)"
same none_json "[]" "$(instctl list --json)"
instctl start web host=www limit.instances=1
same running running "$(value web state)"
same pid1 instinit "$(instctl exec web cat /proc/1/comm)"
same status 7 "$(instctl exec web sh -c 'exit 7'; echo $?)"
same signal 137 "$(instctl exec web sh -c 'kill -9 $$'; echo $?)"
same streams "OUT err" "$(echo out | instctl exec web sh -c 'tr a-z A-Z; echo err >&2' 2>/tmp/err | tr '\n' ' ')$(cat /tmp/err)"
same slow 100000 "$(instctl exec web dd if=/dev/zero bs=1000 count=100 2>/dev/null | (sleep 2; wc -c))"
same dashes www "$(instctl exec web -- hostname)"
same no_program "instctl: instance web: there is no nothing in /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; 1" "$(error instctl exec web nothing)"
same half_line 7 "$(printf 'exit 7' | instctl console web >/dev/null; echo $?)"
same large 1000000 "$(instctl exec web dd if=/dev/zero bs=1000 count=1000 2>/dev/null | wc -c)"
same started "instctl: instance web is there already: it is running; use another name, or destroy it first; 1" "$(error instctl start web)"
same missing 'instctl: there is no instance "db"; 1' "$(error instctl stop db)"
same setting "instctl: hots: there is no such setting; 1" "$(error instctl start db hots=x)"
printf '# of db\nhost data\nlimit.frames lots\n' >/etc/inst/db.conf
same file "instctl: /etc/inst/db.conf:3: limit.frames: \"lots\" is neither a number nor none; 1" "$(error instctl start db)"
same no_file "instctl: open /etc/inst/none: no such file or directory; 2" "$(error instctl start -f /etc/inst/none db)"
printf '# of db\nhost data\nlimit.processes 12\n' >/etc/inst/db.conf
instctl start db

# What one has, the others don't.
same host "www data mult" "$(instctl exec web hostname) $(instctl exec db hostname) $(hostname)"
instctl exec web sh -c 'echo web >/tmp/file; echo web >/etc/file; mkdir /mnt/dir; mount -t tmpfs tmpfs /mnt/dir; hostname new'
same files "web web" "$(instctl exec web cat /tmp/file /etc/file | tr '\n' ' ' | sed 's/ $//')"
same other_files "0 0" "$(instctl exec db ls /tmp /etc | grep -c '^file$') $(ls /tmp /etc | grep -c '^file$')"
same mounts "1 0 0" "$(instctl exec web grep -c /mnt/dir /proc/mounts) $(instctl exec db grep -c /mnt/dir /proc/mounts) $(grep -c /mnt/dir /proc/mounts)"
same hosts "new data mult" "$(instctl exec web hostname) $(instctl exec db hostname) $(hostname)"
same processes "instinit ps" "$(instctl exec db ps -o comm | tail -n +2 | tr '\n' ' ' | sed 's/ $//')"
sleep 1000 &
instctl exec db kill -9 $! 2>/dev/null
same kill alive "$(kill -0 $! && echo alive)"
kill $!
same descriptors "0 1 2 3" "$(instctl exec db ls /proc/self/fd | tr '\n' ' ' | sed 's/ $//')"
same escape "data" "$(instctl exec db chroot /proc/1/root/../.. hostname)"
same proc_root "/" "$(instctl exec db readlink /proc/1/root)"

before=$(cut -d. -f1 /proc/uptime)
instctl start late
up=$(instctl exec late cut -d. -f1 /proc/uptime)
same uptime yes "$(echo "$before $up $(cut -d. -f1 /proc/uptime)" | awk '{ print ($2 <= $3 - $1 + 1) ? "yes" : $0 }')"
instctl destroy late

# Limits, which can be changed at any time.
same limit "can't fork" "$(instctl exec db sh -c 'for i in $(seq 20); do sleep 100 & done' 2>&1 | grep -o "can't fork" | head -n 1)"
instctl set db limit.processes=none
same no_limit "" "$(instctl exec db sh -c 'for i in $(seq 20); do sleep 100 & done' 2>&1)"

# What there is, as the usual programs see it: for one, for another, and for inst0.
instctl start small limit.frames=8192 limit.content=256 limit.inodes=1000 limit.threads=40 cpu.cap=60
here=$(free -k | awk '/^Mem/ { print $2 }')
each() { echo "$(instctl exec small sh -c "$1") $(instctl exec db sh -c "$1") $(sh -c "$1")"; }
same free "32768 $here $here" "$(each "free -k | awk '/^Mem/ { print \$2 }'")"
same nproc "1 $(nproc) $(nproc)" "$(each nproc)"
same df "1024 no no" "$(each "df -k /tmp | awk 'NR == 2 { print (\$2 > 1024) ? \"no\" : \$2 }'")"
same df_inodes "bound no no" "$(each "df -i /tmp | awk 'NR == 2 { print (\$4 > 0 && \$4 <= 1000) ? \"bound\" : \"no\" }'")"
same ulimit "40 $(ulimit -u) $(ulimit -u)" "$(each 'ulimit -u')"
same uptime_of "0 min" "$(instctl exec small uptime | sed 's/.*up *\([0-9]* min\).*/\1/')"
instctl set small limit.frames=16384 cpu.cap=none
same free_more "65536 $here $here" "$(each "free -k | awk '/^Mem/ { print \$2 }'")"
same nproc_all "$(nproc) $(nproc) $(nproc)" "$(each nproc)"
instctl destroy small

# Names that would make the terminal of who looks do something.
bad=$(printf 'a\033]0;x\007\302\233b')
instctl start bad
instctl exec bad hostname "$bad"
instctl exec bad sh -c "printf '#!/bin/sh\\nsleep 100\\n' >'/tmp/$bad'; chmod +x '/tmp/$bad'; '/tmp/$bad' >/dev/null 2>&1 </dev/null &"
until instps bad | grep -q sleep; do sleep 0.1; done
raw() { "$@" | tr -cd '\033\007\302' | wc -c; }
same plain "0 0 0 0" "$(raw instctl list) $(raw instctl show bad) $(raw instctl show --json bad) $(raw instps)"
same escaped 'a\x1b]0;x\a\u009bb a\x1b]0;x\a\u009bb' "$(value bad 'host name') $(instps bad | awk '$NF ~ /x1b/ { print $NF }')"
instctl destroy bad

# One below another.
instctl exec web instctl start test
same below "test" "$(instctl exec web instctl list | awk 'NR > 1 { print $2 }')"
same tree "inst0 |-- web | \`-- test \`-- db" "$(instinfo --tree | sed 's/ *(.*//; s/^ *//; s/   */ /' | tr '\n' ' ' | sed 's/ $//')"
same below_limit "instctl: instance more: the limit of instances below web is reached; raise it, or destroy one; 1" "$(error instctl exec web instctl start more)"
same debug "4 0" "$(instinfo -d | awk '/^instances/ { printf "%s%s", s, $2; s = " " }')"
same debug_inside "instinfo: the state of the machine is told to inst0 alone, when it asks for no other instance; 1" "$(error instctl exec web instinfo -d)"
same path "new" "$(instctl set web/test host=new; instctl exec web/test hostname)"
same no_view 'instctl: there is no instance "db"; 1' "$(error instctl exec web instctl stop db)"
same ps "3" "$(instps | awk '$NF == "instinit"' | wc -l)"

instctl exec web/test kill 1
while instctl show web/test >/dev/null 2>&1; do sleep 0.1; done
same log "1 0 1" "$(instctl exec web dmesg | grep -c '\] test: ended by itself') $(instctl exec db dmesg | grep -c .) $(dmesg | grep -c '\] web/test: ended by itself')"
same boot_id "2" "$( (instctl exec web cat /proc/sys/kernel/random/boot_id; cat /proc/sys/kernel/random/boot_id) | sort -u | wc -l)"
# Its clocks are those by which its programs sleep.
same clocks "posix_timers:" "$(instctl exec web /test/time 2>/dev/null | awk '$1 == "FAIL" { print $2 }')"  # there are none

# Suspended, it uses no processor.
instctl exec db sh -c 'while :; do :; done &'
instctl suspend db
same suspended suspended "$(value db state)"
was=$(value db 'CPU time'); sleep 1
same no_time "$was" "$(value db 'CPU time')"
instctl resume db
sleep 1
if [ "$was" != "$(value db 'CPU time')" ]; then echo ok resumed; else echo "FAIL resumed: $was"; fi

# It starts again as it was, or as its file says.
instctl set db cpu.weight=7 limit.files=500
printf 'host data\nlimit.files 400\n' >/etc/inst/db.conf
instctl restart -g 100ms db
same kept "data 7 500 no" "$(value db 'host name') $(value db 'CPU weight') $(value db files | sed 's/.* of \([0-9]*\),.*/\1/') $(value db processes | cut -d' ' -f2)"
instctl restart -g 100ms -f /etc/inst/db.conf db
same anew "100 400" "$(value db 'CPU weight') $(value db files | sed 's/.* of \([0-9]*\),.*/\1/')"

# Many from one file, and those that start by themselves.
printf 'name i\ncount 30\nhost many\n' >/tmp/many
instctl start -f /tmp/many
same many 30 "$(instctl list | grep -c 'running.*many')"
instctl suspend -f /tmp/many
same many_suspended 30 "$(instctl list | grep -c suspended)"
instctl destroy -f /tmp/many
printf 'name i\ncount 3\ncuont 7\n' >/tmp/many
same none_of_many "instctl: /tmp/many:3: cuont: there is no such setting; 1 0" "$(error instctl start -f /tmp/many) $(instctl list | grep -c ' i[0-9]')"
mkdir /etc/inst/auto
printf 'autostart yes\nlimit.instances 1\n' >/etc/inst/auto.conf
printf 'autostart yes\n' >/etc/inst/auto/test.conf
printf 'autostart\n' >/etc/inst/bad.conf
same auto_bad "instctl: /etc/inst/bad.conf:1: autostart: there is no value; 2" "$(error instctl start --all)"
same auto "auto auto/test running running" "$(instctl list | awk '$2 ~ /^auto/ { printf "%s ", $2; s = s " " $3 } END { print s }' | tr -s ' ')"
rm /etc/inst/bad.conf
same auto_again "; 0" "$(error instctl start --all)"
same auto_inside "; 0" "$(error instctl exec auto instctl start --all)"
same no_recursion 1 "$(instctl exec auto instctl list | grep -c running)"

# The end.
instctl exec web sh -c 'trap "" TERM; while :; do sleep 1; done &'
instctl stop -g 500ms web
same stopped 'instctl: there is no instance "web"; 1' "$(error instctl show web)"
(instctl wait db; echo $? >/tmp/wait) &
until ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q '\[instance]'; do sleep 0.1; done
instctl destroy db
wait
same wait 137 "$(cat /tmp/wait)"
instctl stop --all
same end "" "$(instctl list | tail -n +2)"
