package instinit

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestSize holds the program against what it promises: small, static, without
// variables, and nothing to link.
func TestSize(t *testing.T) {
	path := program(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes", info.Size())
	if info.Size() > 8<<10 {
		t.Errorf("%d bytes, which is more than two pages", info.Size())
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	loads := 0
	for _, p := range f.Progs {
		switch p.Type {
		case elf.PT_LOAD:
			loads++
			if p.Flags&elf.PF_W != 0 {
				t.Error("it has variables")
			}
			if p.Vaddr>>39 != 1<<47>>39-1 {
				t.Errorf("it is at %#x, not in the last 512 GiB, where the stack is", p.Vaddr)
			}
		case elf.PT_GNU_STACK:
			if p.Flags&elf.PF_X != 0 {
				t.Error("its stack can be executed")
			}
		default:
			t.Errorf("it has a %v", p.Type)
		}
	}
	if loads != 1 || f.Type != elf.ET_EXEC {
		t.Errorf("it is %v with %d segments", f.Type, loads)
	}
}

// TestMemory counts the pages that an idle one has for itself.
func TestMemory(t *testing.T) {
	r := newTree(t)
	r.rc(t, "i=0; while [ $i -lt 20 ]; do (true &); i=$((i+1)); done\n")
	in := r.start(t, 0)
	in.idle()
	in.send(syscall.SIGHUP) // is dropped
	in.idle()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", in.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for _, m := range regexp.MustCompile(`(?m)^Anonymous: +(\d+) kB`).FindAllSubmatch(text, -1) {
		n, _ := strconv.Atoi(string(m[1]))
		own += n << 10 / page
	}
	// Linux begins the stack at a random place: arguments, environment and what
	// the program uses itself are on one page or on three.
	t.Logf("%d pages of its own", own)
	if own == 0 || own > 4 {
		t.Errorf("it has %d pages of its own, more than 4:\n%s", own, text)
	}
	in.send(syscall.SIGTERM)
	in.wait(0)
}

// TestNotProcess1 lets it run as an ordinary process, which it doesn't.
func TestNotProcess1(t *testing.T) {
	r := newTree(t)
	r.rc(t, "/sbin/instinit; echo status $?; exit 3")
	in := r.start(t, 0)
	in.expect("status 1\n")
	in.expect("instinit: /etc/rc: ended with status 3\n")
	in.send(syscall.SIGTERM)
	if out := in.wait(3); !strings.Contains(out, "instinit: not process 1: it would end all others\n") {
		t.Errorf("it says\n%s", out)
	}
}

// TestSetUp looks at what a script finds.
func TestSetUp(t *testing.T) {
	r := newTree(t)
	const script = `
cut -d ' ' -f 2-4 /proc/mounts | sed 's/,relatime.*//'
stat -c '%a %n' /dev/shm /run /tmp
umask
pwd
env | grep -v -e SHLVL -e PWD | sort
grep -e SigBlk -e SigIgn -e SigPnd /proc/self/status
[ $(cut -d ' ' -f 6 /proc/self/stat) = $$ ] && echo session
echo args $#
echo done
`
	const want = `/proc proc rw,nosuid,nodev,noexec
/dev devtmpfs rw,nosuid
/dev/pts devpts rw,nosuid,noexec
/dev/shm tmpfs rw,nosuid,nodev
/run tmpfs rw,nosuid,nodev
/tmp tmpfs rw,nosuid,nodev
1777 /dev/shm
755 /run
1777 /tmp
0022
/
GIVEN=yes
HOME=/root
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
TERM=linux
SigPnd:	0000000000000000
SigBlk:	0000000000000000
SigIgn:	0000000000000000
session
args 0
done
`
	r.rc(t, script)
	for _, args := range [][]string{
		nil,
		{"/bin/life", "ignored", "/sbin/instinit"},
	} {
		in := r.start(t, 0, args...)
		in.expect("done\n")
		in.idle()
		in.send(syscall.SIGTERM)
		if out := in.wait(0); out != want {
			t.Errorf("%q: it prints\n%s\nwant\n%s", args, out, want)
		}
	}
}

// TestMountsOnce has what should be mounted mounted already.
func TestMountsOnce(t *testing.T) {
	r := newTree(t)
	// The second one is the first one's services.
	r.write(t, "etc/inst/services", "#!/bin/sh\nrm /etc/inst/services; echo services as $$; exec /sbin/instinit\n", 0o755)
	r.rc(t, "wc -l </proc/self/mounts; echo done\n")
	in := r.start(t, 0)
	in.expect("done\n")
	in.send(syscall.SIGTERM)
	if out := in.wait(0); out != "services as 1\n6\ndone\n" {
		t.Errorf("it prints\n%s", out)
	}
}

// TestRC runs scripts of all kinds.
func TestRC(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		mode       os.FileMode
		want       string
		status     int
	}{
		{"program", "#!/bin/busybox sh\necho $0; exit 0", 0o755, "/etc/rc\n", 0},
		{"no first line", "echo $0; exit 4", 0o755, "/etc/rc\ninstinit: /etc/rc: ended with status 4\n", 4},
		{"not executable", "echo $0", 0o644, "/etc/rc\n", 0},
		{"no interpreter", "#!/bin/nosuch\n", 0o755, "instinit: /etc/rc: No such file or directory\ninstinit: /etc/rc: ended with status 127\n", 127},
		{"killed", "kill -9 $$", 0o755, "instinit: /etc/rc: killed by signal 9\n", 137},
		{"none", "", 0, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTree(t)
			if tt.mode != 0 {
				r.write(t, "etc/rc", tt.text, tt.mode)
			}
			in := r.start(t, 0)
			in.idle()
			in.send(syscall.SIGTERM)
			if out := in.wait(tt.status); out != tt.want {
				t.Errorf("it prints\n%s\nwant\n%s", out, tt.want)
			}
		})
	}
}

// TestNoShell has a script, and nothing to run it.
func TestNoShell(t *testing.T) {
	r := newTree(t)
	r.write(t, "etc/rc", "true", 0o644)
	if err := os.Remove(filepath.Join(string(r), "bin/sh")); err != nil {
		t.Fatal(err)
	}
	in := r.start(t, 0)
	in.idle()
	in.send(syscall.SIGTERM)
	want := "instinit: /bin/sh: No such file or directory\ninstinit: /etc/rc: ended with status 127\n"
	if out := in.wait(127); out != want {
		t.Errorf("it prints\n%s\nwant\n%s", out, want)
	}
}

// TestNoProcess has no room for another process.
func TestNoProcess(t *testing.T) {
	r := newTree(t)
	r.rc(t, "echo rc\n")
	in := r.start(t, 65534, "/bin/life", "limited", "/sbin/instinit")
	in.expect("instinit: /etc/rc: Resource temporarily unavailable\n")
	in.idle()
	in.send(syscall.SIGTERM)
	in.wait(126)
}

// TestServices runs a supervisor, and one that can't be run.
func TestServices(t *testing.T) {
	r := newTree(t)
	r.rc(t, "echo rc\n")
	r.write(t, "etc/inst/services", "#!/bin/sh\necho services as $$; grep SigBlk /proc/self/status; exit 5\n", 0o755)
	if out := r.start(t, 0).wait(5); out != "services as 1\nSigBlk:\t0000000000000000\n" {
		t.Errorf("it prints\n%s", out)
	}
	r.write(t, "etc/inst/services", "#!/bin/nosuch\n", 0o755)
	in := r.start(t, 0)
	in.expect("rc\n")
	in.send(syscall.SIGTERM)
	if out := in.wait(0); out != "instinit: /etc/inst/services: No such file or directory\nrc\n" {
		t.Errorf("it prints\n%s", out)
	}
}

// TestArguments gives it good and bad ones.
func TestArguments(t *testing.T) {
	const usage = ": not understood; usage: instinit [-g seconds]\n"
	r := newTree(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-g", "1"}, ""},
		{[]string{"-g", "86400"}, ""},
		{[]string{"-g", "86401"}, "instinit: 86401" + usage},
		{[]string{"-g", "99999999999999999999999999"}, "instinit: 99999999999999999999999999" + usage},
		{[]string{"-g", "0"}, "instinit: 0" + usage},
		{[]string{"-g", "-1"}, "instinit: -1" + usage},
		{[]string{"-g", "1x", "-g", "2"}, "instinit: 1x" + usage},
		{[]string{"-g", ""}, "instinit: " + usage},
		{[]string{"-g"}, "instinit: -g" + usage},
		{[]string{"single", "-x"}, "instinit: single" + usage + "instinit: -x" + usage},
		{[]string{strings.Repeat("x", 5000)}, "instinit: " + strings.Repeat("x", 189) + "\n"},
	} {
		in := r.start(t, 0, tt.args...)
		in.idle()
		in.send(syscall.SIGTERM)
		if out := in.wait(0); out != tt.want {
			t.Errorf("%.50q: it prints\n%s\nwant\n%s", tt.args, out, tt.want)
		}
	}
}

// TestOrphans has it reap many, all at once and after a script has ended.
func TestOrphans(t *testing.T) {
	r := newTree(t)
	r.rc(t, "life orphans 1000; (sleep 0.01; life orphans 10; echo late) &\n")
	in := r.start(t, 0)
	in.expect("1000 orphans, 0 zombies\n")
	in.expect("late\n")
	in.idle()
	in.send(syscall.SIGTERM)
	in.wait(0)
}

// TestRequests sends each signal that ends an instance, from inside and from
// outside, and those that don't first.
func TestRequests(t *testing.T) {
	const restarted = 128 + int(syscall.SIGHUP) // as Linux tells of a restart in a PID namespace
	for _, tt := range []struct {
		sig    syscall.Signal
		status int
		word   string
	}{
		{syscall.SIGTERM, 2, "stop"},
		{syscall.SIGPWR, 2, "stop"},
		{syscall.SIGUSR1, 2, "stop"},
		{syscall.SIGUSR2, 2, "stop"},
		{syscall.SIGINT, restarted, "restart"},
	} {
		for _, inside := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v inside %v", tt.sig, inside), func(t *testing.T) {
				r := newTree(t)
				kill := ""
				if inside {
					kill = fmt.Sprintf("(while read x </proc/2/stat; do sleep 0.01; done; kill -%d 1) 2>/dev/null &", tt.sig)
				}
				r.write(t, "etc/rc.shutdown", "echo shutdown $*", 0o755)
				r.rc(t, `for s in 1 3 4 6 7 8 11 13 14 16 18 20 21 22 28 34 64; do kill -$s 1; done; kill -9 1; kill -STOP 1; echo up
`+kill+"\nexit 2\n")
				in := r.start(t, 0)
				in.expect("instinit: /etc/rc: ended with status 2\n")
				if !inside {
					in.idle()
					in.send(tt.sig)
				}
				if out := in.wait(tt.status); out != "up\ninstinit: /etc/rc: ended with status 2\nshutdown "+tt.word+"\n" {
					t.Errorf("it prints\n%s", out)
				}
			})
		}
	}
}

// TestStop ends an instance in order: the script, then the processes. A grace
// that would be too long for the test isn't used up.
func TestStop(t *testing.T) {
	r := newTree(t)
	r.rc(t, "life asked & life stopped; sleep 1000 & exit 9\n")
	r.write(t, "etc/rc.shutdown", "#!/bin/sh\necho shutdown; exit 1", 0o755)
	in := r.start(t, 0, "-g", "80000")
	for _, line := range []string{"waiting\n", "stopped\n", "instinit: /etc/rc: ended with status 9\n"} {
		in.expect(line)
	}
	in.send(syscall.SIGTERM)
	in.expect("shutdown\ninstinit: /etc/rc.shutdown: ended with status 1\nasked\n")
	in.wait(9)
}

// TestStubborn has a process that can only be killed.
func TestStubborn(t *testing.T) {
	r := newTree(t)
	r.rc(t, "life stubborn\n")
	in := r.start(t, 0, "-g", "1")
	in.expect("stubborn\n")
	in.send(syscall.SIGTERM)
	if out := in.wait(0); out != "stubborn\n" {
		t.Errorf("it prints\n%s", out)
	}
}

// TestStuckShutdown has a script that doesn't end, for which more requests
// change nothing.
func TestStuckShutdown(t *testing.T) {
	r := newTree(t)
	r.write(t, "etc/rc.shutdown", "echo shutdown; kill -INT 1; kill -TERM 1; exec life stubborn", 0o755)
	in := r.start(t, 0, "-g", "1")
	in.idle()
	in.send(syscall.SIGTERM)
	in.expect("instinit: /etc/rc.shutdown: not done after seconds: 1\ninstinit: /etc/rc.shutdown: killed by signal ")
	in.wait(0)
}

// TestDuringRC asks for the end while the script runs.
func TestDuringRC(t *testing.T) {
	r := newTree(t)
	r.rc(t, "exec life asked\n")
	in := r.start(t, 0)
	in.expect("waiting\n")
	in.send(syscall.SIGTERM)
	if out := in.wait(0); out != "waiting\nasked\n" {
		t.Errorf("it prints\n%s", out)
	}
}

// TestFlood has processes that come faster than they can be reaped: requests are
// seen all the same, and the end comes.
func TestFlood(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGPWR} {
		r := newTree(t)
		r.rc(t, "life hop\n")
		in := r.start(t, 0, "-g", "1")
		in.expect("hopping\n")
		in.send(sig)
		in.wait(0)
	}
}

// TestEarly has the request there before the program is, when whoever starts
// process 1 has blocked signals; and at any moment after.
func TestEarly(t *testing.T) {
	r := newTree(t)
	r.rc(t, "echo rc; exec sleep 1000\n")
	for range 10 {
		if out := r.start(t, 0, "/bin/life", "blocked", "15", "/sbin/instinit").wait(0); out != "blocked\n" {
			t.Errorf("it prints\n%s", out)
		}
	}
	if testing.Short() {
		return
	}
	for i := range 60 {
		in := r.start(t, 0, "/bin/life", "blocked", "1", "/sbin/instinit")
		in.expect("blocked\n")
		time.Sleep(time.Duration(i) * 100 * time.Microsecond)
		in.send(syscall.SIGTERM)
		in.wait(0)
	}
}

// TestUnprivileged may not do any of what it should: it says so, and goes on.
func TestUnprivileged(t *testing.T) {
	r := newTree(t)
	r.rc(t, "echo up\n")
	in := r.start(t, 65534)
	in.expect("up\n")
	in.idle()
	in.send(syscall.SIGINT)
	want := ""
	for _, d := range []string{"/proc", "/dev", "/dev/pts", "/dev/shm", "/run", "/tmp"} {
		why := "Permission denied"
		if strings.HasPrefix(d, "/dev/") {
			why = "No such file or directory"
		}
		want += fmt.Sprintf("instinit: %s: %s\n", d, why)
	}
	want += "up\ninstinit: /proc/self/mounts: No such file or directory\ninstinit: restart: Operation not permitted\n"
	if out := in.wait(0); out != want {
		t.Errorf("it prints\n%s\nwant\n%s", out, want)
	}
}

// TestFullRoot has a root file system without room for anything.
func TestFullRoot(t *testing.T) {
	from := newTree(t)
	from.rc(t, "echo x >/x; echo up\n")
	r := tree(t.TempDir())
	if err := syscall.Mount("tmpfs", string(r), "tmpfs", 0, "size=4m,mode=755"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Unmount(string(r), 0); err != nil {
			t.Error(err)
		}
	}()
	if err := os.CopyFS(string(r), os.DirFS(string(from))); err != nil {
		t.Fatal(err)
	}
	var now syscall.Statfs_t
	if err := syscall.Statfs(string(r), &now); err != nil {
		t.Fatal(err)
	}
	full := fmt.Sprintf("size=%d,nr_inodes=%d", (now.Blocks-now.Bfree)*page, now.Files-now.Ffree)
	if err := syscall.Mount("tmpfs", string(r), "tmpfs", syscall.MS_REMOUNT, full); err != nil {
		t.Fatal(err)
	}
	in := r.start(t, 0)
	in.expect("up\n")
	in.send(syscall.SIGTERM)
	if out := in.wait(0); !strings.HasPrefix(out, "instinit: /proc: No space left on device\n") {
		t.Errorf("it prints\n%s", out)
	}
}

// TestClosed begins without descriptors 0 to 2, and with a console that is a
// file, where messages come to be.
func TestClosed(t *testing.T) {
	r := newTree(t)
	r.write(t, "dev/console", "", 0o666)
	r.rc(t, "echo up; echo to stderr >&2; exit 3\n")
	in := r.start(t, 65534, "/bin/life", "closed", "/sbin/instinit")
	in.idle()
	in.send(syscall.SIGTERM)
	in.wait(3)
	// Each descriptor has a position of its own in this file; on a terminal
	// that doesn't matter.
	if got := r.read("dev/console"); !strings.Contains(got, "/etc/rc: ended with status 3\n") {
		t.Errorf("the console has %q", got)
	}
}

// TestClosedWithoutDev begins without descriptors 0 to 2, and what they are opened
// on is mounted first.
func TestClosedWithoutDev(t *testing.T) {
	r := newTree(t)
	r.rc(t, "exec >/out; for n in 0 2; do readlink /proc/$$/fd/$n; done\n")
	in := r.start(t, 0, "/bin/life", "closed", "/sbin/instinit")
	in.idle()
	in.send(syscall.SIGTERM)
	in.wait(0)
	if got := r.read("out"); strings.Count(got, "/dev/") != 2 {
		t.Errorf("they are open on\n%s", got)
	}
}

// TestNoConsole begins without descriptors 0 to 2, and without devices.
func TestNoConsole(t *testing.T) {
	r := newTree(t)
	r.write(t, "out", "", 0o666)
	r.rc(t, "echo up >/out; exit 3\n")
	in := r.start(t, 65534, "/bin/life", "closed", "/sbin/instinit")
	in.idle()
	in.send(syscall.SIGTERM)
	in.wait(3)
	if got := r.read("out"); got != "up\n" {
		t.Errorf("/etc/rc wrote %q", got)
	}
}

// TestFullConsole has a console that nobody reads: processes that write to it
// wait, process 1 doesn't.
func TestFullConsole(t *testing.T) {
	r := newTree(t)
	r.rc(t, "(dd if=/dev/zero bs=1k count=1000 2>/dev/null) & sleep 0.1; exit 3\n")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	cmd := exec.Command("/sbin/instinit")
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", write, write
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: string(r), Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS,
		Pdeathsig: syscall.SIGKILL, // if this process doesn't live to end it
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	time.Sleep(200 * time.Millisecond)
	cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	err = cmd.Wait()
	timer.Stop()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signaled() {
		t.Errorf("it has not ended in %v: %v", limit, err)
	}
}

// TestUnmount has mounts of its own, with names of all kinds, and looks which
// are left.
func TestUnmount(t *testing.T) {
	r := newTree(t)
	r.rc(t, `
for d in /mnt "/mnt/a b" '/mnt/c\d' /mnt/x /mnt/x/y "/m
n"; do mkdir -p "$d"; mount -t tmpfs none "$d" || exit; done
echo mounted
`)
	in := r.start(t, 0)
	in.expect("mounted\n")
	// Another process keeps the namespace, to look at it when the instance is gone.
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", in.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	in.send(syscall.SIGTERM)
	if out := in.wait(0); out != "mounted\n" {
		t.Errorf("it prints\n%s", out)
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nsenter, fmt.Sprintf("--mount=/proc/self/fd/%d", 3), "cat", "/proc/self/mounts")
	cmd.ExtraFiles = []*os.File{ns}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if strings.Contains(string(out), string(r)) {
		t.Errorf("left are\n%s", out)
	}
}
