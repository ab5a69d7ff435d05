//go:build long

package usertest

import (
	"fmt"
	"regexp"
	"testing"
	"time"

	"mult/boot/option"
	"mult/qemu"
	"mult/tools/host/hosttest"
	"mult/userland/calltest"
	"mult/userland/cprog"
)

// TestLongPrograms runs the system call tests and the Go program again and
// again on two processors: what depends on chance shows up here.
func TestLongPrograms(t *testing.T) {
	limit := hosttest.Long(t)
	programs := "gotest"
	for _, s := range cprog.Names(calltest.Source) {
		programs += " " + s
	}
	command := fmt.Sprintf(`cd /test; end=$(($(date +%%s)+%d))
while [ $(date +%%s) -lt $end ]; do for p in %s; do echo program $p; ./$p; done; done; echo enough`, int(limit.Seconds()), programs)
	g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: qemu.GiB}, "run="+option.Encode(command))
	skips, err := readSkips(2)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(limit + 5*time.Minute)
	program, passed := "", 0
	line := regexp.MustCompile(`^(program|ok|FAIL|skip) (\S+?)(:.*)?$`)
	for {
		m := g.Expect(`(?m)^((?:program|ok|FAIL|skip) \S.*|enough|.*kernel fault.*|.*panic: .*)\n`, time.Until(end))
		if m[1] == "enough" {
			break
		}
		f := line.FindStringSubmatch(m[1])
		switch {
		case f == nil:
			t.Fatal(m[1])
		case f[1] == "program":
			program = f[2]
		case f[1] == "ok":
			passed++
		case f[1] == "FAIL" && skips[program+" "+f[2]] == "":
			t.Errorf("%s %s%s", program, f[2], f[3])
		}
	}
	t.Logf("%d cases passed", passed)
	g.ExpectEnd(qemu.OK, bootLimit)
}
