package usertest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"mult/qemu"
	"mult/tools/host"
)

// TestTour types what docs/instances.md has in its examples, and looks for the answers that
// are there.
func TestTour(t *testing.T) {
	checkout, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(checkout, "docs/instances.md"))
	if err != nil {
		t.Fatal(err)
	}
	const prompt = "/ # "
	g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: qemu.GiB}, "")
	g.Expect(prompt, bootLimit)
	n := 0
	for _, part := range strings.Split(string(text), "```console\n")[1:] {
		part, _, _ = strings.Cut(part, "```")
		for _, example := range strings.Split(part, prompt)[1:] {
			command, answer, _ := strings.Cut(example, "\n")
			g.Send(command + "\r")
			g.Expect(`\n`+strings.ReplaceAll(regexp.QuoteMeta(answer), `\.\.\.`, `.*`)+prompt, bootLimit)
			n++
		}
	}
	if n < 20 {
		t.Errorf("the tour has %d commands", n)
	}
	g.Send("poweroff\r")
	g.ExpectEnd(qemu.OK, bootLimit)
}
