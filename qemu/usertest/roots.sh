#!/bin/sh
# Instances with roots of their own. It prints a line for each case, as the programs of
# calltest do.

# same NAME WANT GOT
same() {
	if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAIL $1: '$3', want '$2'"; fi
}
# value NAME FIELD is what show tells.
value() { instctl show "$1" | sed -n "s/^$2  *//p"; }
# conf NAME... is what /etc/conf has in instances.
conf() { for i; do instctl exec "$i" cat /etc/conf; done | tr '\n' ' '; }
# tree is all below the root of who runs it, but for what is mounted.
tree='cd / && find . -xdev ! -type d -exec stat -c "%n %f %u:%g %s %h %t:%T %Y" {} + | sort; find . -xdev -type f -exec md5sum {} + | sort'

# A directory of the image.
rm /srv/web/etc/gone
instctl start a root=/srv/web limit.instances=1
instctl start b root=/srv/web
same image "image image " "$(conf a b)"
same told /srv/web "$(value a root)"
same outside 0 "$(instctl exec a sh -c 'ls -d /test /srv /../test /proc/1/root/../test /etc/gone 2>/dev/null | wc -l')"
same cheap yes "$([ $(instctl show a --json | tr -d ' \n' | sed 's/.*"inodes":{"used":\([0-9]*\).*/\1/') -lt 100 ] && echo yes)"
instctl exec a sh -c 'echo a >/etc/conf; mv /dir /moved; rm /etc/other'
same change "a image " "$(conf a b)"
same moved "file moved" "$(ls /srv/web/dir) $(instctl exec a ls / | grep moved)"
same kept "2 image" "$(ls /srv/web/etc | wc -l) $(cat /srv/web/etc/conf)"
same df "overlay" "$(instctl exec a df -T / | awk 'END { print $2 }')"

# Below it.
instctl start a/kid
same below "a " "$(conf a/kid)"
same below_told parent "$(value a/kid root)"
same below_outside 0 "$(instctl exec a/kid sh -c 'ls -d /test /srv /etc/gone 2>/dev/null | wc -l')"

# The directory goes, and they run on.
rm -r /srv/web
same gone "a image a " "$(conf a b a/kid)"
same runs /bin/busybox "$(instctl exec b readlink -f /bin/ls)"
same restart "instctl: instance b: root /srv/web: there is no such directory; make it, or name another one" "$(instctl restart b 2>&1)"
instctl destroy a

# One that was put together just now, with a copy by tar.
mkdir -p /tmp/r/bin /tmp/r/sbin /tmp/r/etc /tmp/t
cp -a /bin/busybox /tmp/r/bin
for i in sh cat ls find stat sort md5sum sed; do ln -s busybox /tmp/r/bin/$i; done
cp -a /sbin/instinit /tmp/r/sbin
echo new >/tmp/r/etc/conf
ln /tmp/r/etc/conf /tmp/r/etc/hard
mkfifo -m 640 /tmp/r/etc/fifo
mknod /tmp/r/etc/null c 1 3
dd if=/dev/urandom of=/tmp/r/etc/large bs=1M count=3 2>/dev/null
chown 1000:100 /tmp/r/etc/large
chmod 4711 /tmp/r/etc/large
touch -d '2001-02-03 04:05:06' /tmp/r/etc/large
(cd /tmp/r && tar cf - .) | (cd /tmp/t && tar xpf -)
instctl start c root=/tmp/r
cd /tmp && instctl start d root=t
same made "new new " "$(conf c d)"
same told_made "/tmp/r /tmp/t" "$(value c root) $(value d root)"
instctl exec c sh -c "$tree" >/tmp/c; instctl exec d sh -c "$tree" >/tmp/d; chroot /tmp/r sh -c "$tree" >/tmp/r.own
same copied "$(md5sum </tmp/r.own)" "$(md5sum </tmp/c)"
# tar keeps no times of symbolic links.
same copied_tar "$(sed 's/ [0-9]*$//' /tmp/r.own | md5sum)" "$(sed 's/ [0-9]*$//' /tmp/d | md5sum)"
same lines yes "$([ $(wc -l </tmp/c) -gt 15 ] && echo yes)"
instctl exec c sh -c 'echo c >/etc/hard'
same hard "c new " "$(conf c d)"
same hard_own "new" "$(cat /tmp/r/etc/conf)"
instctl restart c
same restarted "new /tmp/r" "$(instctl exec c cat /etc/conf) $(value c root)"
same limit "instctl: instance e: root /tmp/r: what differs from the image is more than limit.content allows; raise it, or take files away" "$(instctl start e root=/tmp/r limit.content=100 2>&1)"
rm /tmp/r/sbin/instinit
same no_init "instctl: instance e: /sbin/instinit: ENOENT" "$(instctl start e root=/tmp/r 2>&1)"
same no_dir "instctl: instance e: root /bin/busybox: this is no directory; name one" "$(instctl start e root=/bin/busybox 2>&1)"
same set "instctl: root is set when an instance is created: destroy d, and create it again" "$(instctl set d root=/tmp/r 2>&1)"
instctl destroy c d
same end "" "$(instctl list | tail -n +2)"
