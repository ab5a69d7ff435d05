// Package usertest runs programs in a booted kernel: the system call tests of
// userland, which have passed on the host's Linux, and a shell that is typed to.
//
// What can't pass yet, or not on an emulated machine, is listed in skip.txt with
// the reason, a line each: program, case, reason. On the emulated machine a case
// that is listed and passes is an error, as is one that doesn't exist.
package usertest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"mult/boot/option"
	"mult/qemu"
	"mult/qemu/qemutest"
	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/tools/image"
	"mult/userland/calltest"
	"mult/userland/cprog"
	"mult/userland/escape"
	"mult/userland/fuzz"
	"mult/userland/limit"
	"mult/userland/load"
)

const (
	bootLimit = time.Minute
	runLimit  = 6 * time.Minute // for all programs of a kind
)

var needs = []host.Need{host.QEMU, host.GCC, host.Busybox, host.EROFS}

// What TestMain has built.
var kernel, root string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "usertest-")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

// build makes kernel and root image, with the programs in /test. If the host
// lacks something the tests are skipped.
func build(dir string) error {
	for _, n := range needs {
		if _, err := n.Find(); err != nil {
			return nil
		}
	}
	gcc, err := host.GCC.Find()
	if err != nil {
		return err
	}
	checkout, err := host.Checkout()
	if err != nil {
		return err
	}
	test := filepath.Join(dir, "add/test")
	fuzzers := filepath.Join(dir, "add/fuzz")
	if err := errors.Join(os.MkdirAll(test, 0o755), os.MkdirAll(fuzzers, 0o755)); err != nil {
		return err
	}
	for name, script := range map[string][]byte{"inst": instScript, "exhaustion": exhaustScript} {
		if err := os.WriteFile(filepath.Join(test, name), script, 0o755); err != nil {
			return err
		}
	}
	cache := filepath.Join(checkout, "build/cprog")
	if err := fuzz.Build(gcc, cache, fuzzers, callList()); err != nil {
		return err
	}
	if err := addInstinit(gcc, cache, checkout, filepath.Join(dir, "add")); err != nil {
		return err
	}
	for _, source := range []fs.FS{calltest.Source, escape.Source, limit.Source, load.Source} {
		for _, name := range cprog.Names(source) {
			program, err := cprog.Build(gcc, cache, source, name)
			if err != nil {
				return err
			}
			text, err := os.ReadFile(program)
			if err == nil {
				err = os.WriteFile(filepath.Join(test, name), text, 0o755)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"gotest", "fair"} {
		cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join(test, name), "./userland/"+name)
		cmd.Dir = checkout
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building userland/%s: %w\n%s", name, err, out)
		}
	}
	ctx := context.Background()
	if kernel, err = image.Kernel(ctx, os.Stderr, "mult"); err != nil {
		return err
	}
	root = filepath.Join(dir, "root.erofs")
	return image.RootWith(ctx, os.Stderr, root, filepath.Join(dir, "add"))
}

// start boots the kernel with the root image.
func start(t *testing.T, cfg qemu.Config, options string) *qemutest.Guest {
	t.Helper()
	for _, n := range needs {
		hosttest.Require(t, n)
	}
	cfg.Kernel, cfg.Initrd, cfg.Append = kernel, root, options
	return qemutest.Start(t.Context(), t, cfg)
}

// run runs a command as the first process and returns what it printed.
func run(t *testing.T, cfg qemu.Config, command string, limit time.Duration) string {
	t.Helper()
	g := start(t, cfg, "run="+option.Encode(command))
	m := g.Expect(`(?s)mult: ready\n(.*)\[ *[0-9.]+\] mult: process 1 ended with (status|signal) (\d+)`, limit)
	g.ExpectEnd(qemu.OK, bootLimit)
	if m[2] != "status" || m[3] != "0" {
		t.Errorf("the command ended with %s %s", m[2], m[3])
	}
	if strings.Contains(m[1], "kernel fault") {
		t.Errorf("a fault of the kernel:\n%s", m[1])
	}
	return m[1]
}

// machines are those that programs run on.
func machines(t *testing.T, f func(t *testing.T, cfg qemu.Config)) {
	for _, cfg := range []qemu.Config{
		{Machine: qemu.MicroVM, CPUs: 1, Memory: 512 * qemu.MiB},
		{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB},
	} {
		t.Run(fmt.Sprintf("%s-%d", cfg.Machine, cfg.CPUs), func(t *testing.T) { f(t, cfg) })
	}
}

// TestCalls runs the system call tests.
func TestCalls(t *testing.T) {
	machines(t, func(t *testing.T, cfg qemu.Config) {
		command := "cd /test"
		for _, subject := range cprog.Names(calltest.Source) {
			command += fmt.Sprintf("; echo program %s; ./%[1]s", subject)
		}
		judge(t, cfg.CPUs, run(t, cfg, command+"; exit 0", runLimit))
	})
}

// TestOldCPU runs the tests of registers on a processor without AVX and FSGSBASE.
func TestOldCPU(t *testing.T) {
	out := run(t, qemu.Config{CPU: "qemu64", CPUs: 2}, "/test/fpu threads processes loops signal fork gs_threads gs_inherited gs_fresh; grep -c -w avx /proc/cpuinfo; exit 0", bootLimit)
	if n := strings.Count("\n"+out, "\nok "); n != 8 || !strings.Contains(out, "\n0\n") {
		t.Errorf("of 8 tests without AVX %d passed:\n%s", n, out)
	}
}

// TestKernelFault lets the kernel fault on purpose: the caller alone dies, and the
// log says of what.
func TestKernelFault(t *testing.T) {
	g := start(t, qemu.Config{}, "debugcalls run="+option.Encode("/test/kernelfault; echo still here"))
	for _, why := range []string{"deliberate", "nil pointer dereference", "index out of range"} {
		g.Expect(`kernel fault: instance 0 \(inst0\), process \d+ \(kernelfault\), debug_panic: .*`+why, bootLimit)
		g.Expect(`sysDebugPanic`, bootLimit) // in the stack
	}
	g.Expect(`ok caller_dies_alone`, bootLimit)
	g.Expect(`still here`, bootLimit)
	g.ExpectEnd(qemu.OK, bootLimit)
}

// TestGo runs a static Go program.
func TestGo(t *testing.T) {
	machines(t, func(t *testing.T, cfg qemu.Config) {
		judge(t, cfg.CPUs, run(t, cfg, "echo program gotest; /test/gotest; exit 0", runLimit))
	})
}

var result = regexp.MustCompile(`(?m)^(program|ok|FAIL|skip) ([^\s:]+)(.*)$`)

// judge reads the lines that programs print about their cases.
func judge(t *testing.T, cpus int, output string) {
	t.Helper()
	skips, err := readSkips(cpus)
	if err != nil {
		t.Fatal(err)
	}
	program, count, seen := "", map[string]int{}, map[string]string{}
	for _, m := range result.FindAllStringSubmatch(output, -1) {
		what, name, text := m[1], m[2], strings.TrimSpace(m[3])
		key := program + " " + name
		switch what {
		case "program":
			program = name
		case "FAIL":
			if skips[key] == "" {
				t.Errorf("%s %s%s", program, name, text)
			}
		case "skip":
			t.Logf("%s %s was skipped%s", program, name, text)
		}
		count[what]++
		seen[key] = what
		if what == "program" {
			seen[name] = what
		}
	}
	for key, reason := range skips {
		program, name, _ := strings.Cut(key, " ")
		if seen[program] == "" || qemu.Accelerator() != qemu.TCG {
			continue
		}
		switch seen[key] {
		case "":
			t.Errorf("skip.txt: %s has no case %s", program, name)
		case "ok":
			t.Errorf("skip.txt: %s %s passes; %q is not true any more", program, name, reason)
		}
	}
	t.Logf("%d programs: %d cases passed, %d failed, %d skipped themselves", count["program"], count["ok"], count["FAIL"], count["skip"])
	if count["ok"] == 0 {
		t.Error("nothing passed")
	}
}

// readSkips returns the reasons of skip.txt by program and case, for a machine
// with that many CPUs.
func readSkips(cpus int) (map[string]string, error) {
	text, err := os.ReadFile("skip.txt")
	if err != nil {
		return nil, err
	}
	skips := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " ", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("skip.txt: %q is not a program, a case and a reason", line)
		}
		if cpus == 1 && strings.HasPrefix(f[2], "on several CPUs") {
			continue
		}
		skips[f[0]+" "+f[1]] = f[2]
	}
	return skips, nil
}

// TestShell types to a shell on the console: job control, editing, an orderly
// end.
func TestShell(t *testing.T) {
	machines(t, func(t *testing.T, cfg qemu.Config) {
		g := start(t, cfg, "")
		g.Expect(`/ # `, bootLimit)
		for _, s := range []struct{ send, want string }{
			{"echo $((6*7))\r", `\n42\n`},
			{"tty; echo a | tr a b\r", `/dev/ttyS0\nb\n`},
			{"echo wrogn\x7f\x7fng | cat\r", `\nwrong\n`},
			{"sleep 1000\r", "sleep 1000\n"},
			{"\x03", `\^C`},
			{"echo after $?\r", `after 130\n`},
			{"sleep 1000\r", "sleep 1000\n"},
			{"\x1a", `Stopped +sleep 1000`},
			{"kill -9 %1; sleep 0.2\r", `Killed +sleep 1000`},
			{"sleep 0.2 & wait; echo done\r", `\ndone\n`},
			{"echo $(echo nested $(echo deeper))\r", `\nnested deeper\n`},
			{"cat <<E\rhere\rE\r", `\nhere\n`},
			{"vi /tmp/v\r", `- /tmp/v 1/1 100%`},
			{"ihello", `hello`},
			{"\x1b", `- /tmp/v \[Modified\]`}, // by itself, or it begins the code of a key
			{"0xp:wq\r", `/ # `},
			{"cat /tmp/v\r", `\nehllo\n`},
			{"top -d 1\r", `(?s)Load average.*Load average`},
			{"q", `/ # `},
		} {
			g.Send(s.send)
			g.Expect(s.want, bootLimit)
			time.Sleep(50 * time.Millisecond) // as long as a person takes at least
		}
		g.Send("poweroff\r")
		g.ExpectEnd(qemu.OK, bootLimit)
	})
}

// TestRun runs commands, whose status is the run's.
func TestRun(t *testing.T) {
	for _, tt := range []struct{ command, want string }{
		{"echo ok", "status 0"},
		{"exit 7", "status 7"},
		{"kill -9 $$", "status 0"}, // process 1 isn't killed from inside
		{`busybox sh -c "exit 200"`, "status 200"},
	} {
		g := start(t, qemu.Config{Memory: 128 * qemu.MiB}, "run="+option.Encode(tt.command))
		g.Expect("process 1 ended with "+tt.want+`\n`, bootLimit)
		g.ExpectEnd(qemu.OK, bootLimit)
	}
}
