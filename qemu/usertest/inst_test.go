package usertest

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"mult/qemu"
)

// instScript is /test/inst.
//
//go:embed inst.sh
var instScript []byte

// TestInstances makes instances, works in them and ends them, by the commands.
func TestInstances(t *testing.T) {
	machines(t, func(t *testing.T, cfg qemu.Config) {
		out := run(t, cfg, "echo program inst; /test/inst; exit 0", runLimit)
		judge(t, cfg.CPUs, out)
		if n, want := strings.Count("\n"+out, "\nok "), strings.Count(string(instScript), "\nsame ")+1; n != want {
			t.Errorf("%d of %d cases passed", n, want)
		}
	})
}

// TestConsole types to a shell in an instance.
func TestConsole(t *testing.T) {
	g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB}, "")
	g.Expect(`/ # `, bootLimit)
	for _, s := range []struct{ send, want string }{
		{"instctl start web host=www\r", `/ # `},
		{"instctl console web; echo $? $(hostname)\r", `commands.\n\n/ # `},
		{"hostname; tty\r", `\nwww\n/dev/pts/0\n/ # `},
		{"sleep 1000\r", "sleep 1000\n"},
		{"\x03", `\^C\n/ # `},
		{"echo after $?\r", `after 130\n/ # `},
		{"exit 5\r", `\n5 mult\n/ # `},
		// Its instance ends under it.
		{"instctl console web; echo status $? on $(hostname)\r", `commands.\n\n/ # `},
		{"kill -TERM 1; sleep 1000\r", `status [1-9]\d* on mult\n`},
	} {
		g.Send(s.send)
		g.Expect(s.want, bootLimit)
		time.Sleep(50 * time.Millisecond)
	}
	g.Send("instctl start web; poweroff\r")
	g.ExpectEnd(qemu.OK, bootLimit)
}
