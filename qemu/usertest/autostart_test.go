package usertest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mult/qemu"
	"mult/qemu/qemutest"
	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/tools/image"
)

// examples returns the literal parts of a manual page.
func examples(t *testing.T, page string) []string {
	t.Helper()
	checkout, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(checkout, "docs/man", page))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, part := range strings.Split(string(text), "\n.Bd -literal -offset indent\n")[1:] {
		example, _, _ := strings.Cut(part, "\n.Ed")
		list = append(list, example+"\n")
	}
	return list
}

// TestAutostart boots a machine whose root image has the examples of instinit(8) and
// instctl.conf(5): all instances see them, and inst0 alone starts what they describe.
func TestAutostart(t *testing.T) {
	for _, n := range needs {
		hosttest.Require(t, n)
	}
	dir := t.TempDir()
	scripts, confs := examples(t, "instinit.8"), examples(t, "instctl.conf.5")
	for name, text := range map[string]string{
		"etc/rc":                 scripts[1],
		"etc/rc.shutdown":        scripts[2],
		"etc/inst/web.conf":      confs[0],
		"etc/inst/web/test.conf": confs[1],
	} {
		file := filepath.Join(dir, "add", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(dir, "root.erofs")
	if err := image.RootWith(t.Context(), os.Stderr, root, filepath.Join(dir, "add")); err != nil {
		t.Fatal(err)
	}
	g := qemutest.Start(t.Context(), t, qemu.Config{
		Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB, Kernel: kernel, Initrd: root, Append: "init=/sbin/instinit",
	})
	m := g.Expect(`(?s)(.*)/ # `, bootLimit)
	if strings.Contains(m[1], "instctl: ") || strings.Contains(m[1], "instinit: ") {
		t.Errorf("it says\n%s", m[1])
	}
	for _, s := range []struct{ send, want string }{
		{"instctl list | awk '{ print $2, $3 }'\r", `STATE\nweb running\nweb/test running\n/ # `},
		{"instctl exec web hostname\r", `\nwww.example.org\n/ # `},
		{"instctl exec web instctl start --all; echo status $?\r", `\nstatus 0\n/ # `},
		{"instctl list | wc -l\r", `\n3\n/ # `},
	} {
		g.Send(s.send)
		g.Expect(s.want, bootLimit)
	}
	g.Send("poweroff; exit\r") // the shell ignores SIGTERM
	m = g.Expect(`(?s)(.*)process 1 ended with status 0\n`, bootLimit)
	if strings.Contains(m[1], "instctl: ") || strings.Contains(m[1], "instinit: ") {
		t.Errorf("it says\n%s", m[1])
	}
	g.ExpectEnd(qemu.OK, bootLimit)
}
