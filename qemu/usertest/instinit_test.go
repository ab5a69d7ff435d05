package usertest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mult/qemu"
	"mult/userland/cprog"
)

// rc is what instinit runs at the start. Which of the tests it is for, the
// arguments of process 1 tell.
const rc = `#!/bin/sh
export PATH=/test:$PATH
echo "rc as $$"
case "$(tr '\0' ' ' </proc/1/cmdline)" in
*"-g 600 ")
	life orphans 1000
	life asked &
	until grep -q 'SigCgt.*4000' /proc/$!/status; do sleep 0.01; done
	life stopped
	sleep 1000 &
	(while read x 2>/dev/null </proc/$$/stat; do sleep 0.01; done
	grep -e VmRSS -e VmPTE -e State /proc/1/status
	kill -TERM 1) &
	exit 7;;
*"-g 1 ")
	life hop
	life stubborn &
	(sleep 0.5; kill -INT 1) &
	sleep 1000;;
esac
`

const rcShutdown = "#!/bin/sh\necho shutdown $*\n"

// withRC becomes a program with these scripts in /etc, where instances of other tests
// have none.
const withRC = "#!/bin/sh\ncp /test/rc /test/rc.shutdown /etc\nexec $*\n"

// addInstinit adds to a root directory what the tests of instinit need.
func addInstinit(gcc, cache, checkout, root string) error {
	source := os.DirFS(filepath.Join(checkout, "userland/instinit/testdata"))
	life, err := cprog.Build(gcc, cache, source, "life")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(life)
	return errors.Join(err,
		os.WriteFile(filepath.Join(root, "test/life"), text, 0o755),
		os.WriteFile(filepath.Join(root, "test/rc"), []byte(rc), 0o755),
		os.WriteFile(filepath.Join(root, "test/rc.shutdown"), []byte(rcShutdown), 0o755),
		os.WriteFile(filepath.Join(root, "test/withrc"), []byte(withRC), 0o755))
}

// TestInstinit has instinit as the first process: orphans are reaped, the stop is
// orderly, and its status that of /etc/rc.
func TestInstinit(t *testing.T) {
	machines(t, func(t *testing.T, cfg qemu.Config) {
		g := start(t, cfg, "init=/test/withrc -- /sbin/instinit -g 600")
		g.Expect(`rc as \d+\n`, bootLimit)
		g.Expect(`1000 orphans, 0 zombies\n`, bootLimit)
		g.Expect(`instinit: /etc/rc: ended with status 7\n`, bootLimit)
		m := g.Expect(`(?s)(State.*)shutdown stop\n`, bootLimit)
		t.Log(m[1])
		g.Expect(`asked\n`, bootLimit)
		m = g.Expect(`(?s)(.*)process 1 ended with status 7\n`, bootLimit)
		if strings.Contains(m[1], "instinit: ") {
			t.Errorf("it says\n%s", m[1])
		}
		g.ExpectEnd(qemu.OK, bootLimit)
	})
}

// TestInstinitRestart has processes that must be killed, no descriptors at the
// start, and a restart.
func TestInstinitRestart(t *testing.T) {
	machines(t, func(t *testing.T, cfg qemu.Config) {
		g := start(t, cfg, "init=/test/withrc -- /test/life closed /sbin/instinit -g 1")
		g.Expect(`hopping\n`, bootLimit)
		// The grace may be too short for /etc/rc.shutdown.
		m := g.Expect(`(?s)(.*)mult: reboot\n`, bootLimit)
		if strings.Contains(m[1], "SIGKILL") {
			t.Errorf("it says\n%s", m[1])
		}
		if _, err := g.Wait(bootLimit); !errors.Is(err, qemu.ErrReset) {
			t.Errorf("the machine ends with %v", err)
		}
	})
}

// TestInstinitEarly has a request that is there before instinit is.
func TestInstinitEarly(t *testing.T) {
	g := start(t, qemu.Config{}, "init=/test/withrc -- /test/life blocked 15 /sbin/instinit")
	g.Expect(`blocked\n`, bootLimit)
	m := g.Expect(`(?s)(.*)process 1 ended with status 0\n`, bootLimit)
	if strings.Contains(m[1], "rc as") {
		t.Errorf("it runs /etc/rc:\n%s", m[1])
	}
	g.ExpectEnd(qemu.OK, bootLimit)
}
