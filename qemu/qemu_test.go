package qemu_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/qemutest"
	"mult/qemu/tiny"
)

// limit bounds each step of these tests: far more than a busy host needs.
const limit = time.Minute

var machines = []string{qemu.MicroVM, qemu.Q35}

// start boots a tiny guest. Memory is small so that many run side by side.
func start(t *testing.T, p *tiny.Prog, cfg qemu.Config) *qemutest.Guest {
	t.Helper()
	cfg.Kernel = filepath.Join(t.TempDir(), "guest.elf")
	if err := os.WriteFile(cfg.Kernel, p.ELF(), 0o666); err != nil {
		t.Fatal(err)
	}
	cfg.Memory = 64 * qemu.MiB
	return qemutest.Start(t.Context(), t, cfg)
}

func TestStatus(t *testing.T) {
	tests := []struct {
		name string
		prog *tiny.Prog
		want qemu.Status
	}{
		{"ok", tiny.New().PowerOff(), qemu.OK},
		{"failure", tiny.New().Exit(1), qemu.TestFailure},
		{"panic", tiny.New().Exit(2), qemu.Panic},
		{"largest", tiny.New().Exit(127), 127},
	}
	for _, machine := range machines {
		for _, tt := range tests {
			t.Run(machine+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				g := start(t, tt.prog, qemu.Config{Machine: machine})
				g.ExpectEnd(tt.want, limit)
			})
		}
	}
}

func TestConsole(t *testing.T) {
	for _, machine := range machines {
		t.Run(machine, func(t *testing.T) {
			t.Parallel()
			g := start(t, tiny.New().Print("one 1\r\ntwo 22\r\n> ").Echo('!').Print("bye\r\n").PowerOff(),
				qemu.Config{Machine: machine, CPUs: 2})
			if m := g.Expect(`(?m)^one (\d+)$`, limit); m[1] != "1" {
				t.Errorf("submatch %q, want 1", m[1])
			}
			if m := g.Expect(`(\w+) (\d+)\n`, limit); m[1] != "two" || m[2] != "22" {
				t.Errorf("matched %q; want what follows the first match", m)
			}
			g.Expect(`> `, limit)
			line := strings.Repeat("echo ", 100) + "!"
			g.Send(line)
			g.Expect(line, limit)
			g.Expect(`bye\n`, limit)
			g.ExpectEnd(qemu.OK, limit)
			if out := g.Output(); !strings.HasSuffix(out, "bye\n") {
				t.Errorf("output ends %q, want bye", out)
			}
		})
	}
}

// TestCommandLine shows that a guest learns the debug-exit port.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	g := start(t, tiny.New().PrintCommandLine().Print("\n").Exit(1), qemu.Config{Append: "a=b,c d"})
	g.Expect(`^debugexit=0xf4 a=b,c d\n`, limit)
}

func TestExpectFails(t *testing.T) {
	t.Parallel()
	t.Run("time-out", func(t *testing.T) {
		t.Parallel()
		g := start(t, tiny.New().Print("boot\nstuck here\n").Spin(), qemu.Config{})
		g.Expect("here", limit)
		_, err := g.VM.Expect("never", 50*time.Millisecond)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "stuck here") {
			t.Errorf("error %q; want a time-out that shows the last lines", err)
		}
		_, err = g.Wait(50 * time.Millisecond)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "stuck here") {
			t.Errorf("Wait: error %q; want a time-out that shows the last lines", err)
		}
	})
	t.Run("end", func(t *testing.T) {
		t.Parallel()
		g := start(t, tiny.New().Print("last words\n").Exit(2), qemu.Config{})
		_, err := g.VM.Expect("never", limit)
		if err == nil || !strings.Contains(err.Error(), "panic") || !strings.Contains(err.Error(), "last words") {
			t.Errorf("error %q; want the status and the last words", err)
		}
		g.Expect("last", limit) // output outlives the guest
	})
	t.Run("pattern", func(t *testing.T) {
		t.Parallel()
		g := start(t, tiny.New().Spin(), qemu.Config{})
		if _, err := g.VM.Expect("(", limit); err == nil {
			t.Error("a malformed pattern was accepted")
		}
	})
}

// TestStopCont shows that a stopped guest does nothing until it goes on.
func TestStopCont(t *testing.T) {
	t.Parallel()
	g := start(t, tiny.New().Print("up\n").Echo('!').PowerOff(), qemu.Config{})
	g.Expect("up", limit)
	must(t, g.Stop())
	if running, err := g.Running(); running || err != nil {
		t.Errorf("Running() = %v, %v after Stop", running, err)
	}
	g.Send("x")
	if _, err := g.VM.Expect("x", 200*time.Millisecond); err == nil {
		t.Error("a stopped guest answered")
	}
	must(t, g.Cont())
	if running, err := g.Running(); !running || err != nil {
		t.Errorf("Running() = %v, %v after Cont", running, err)
	}
	g.Expect("x", limit)
	g.Send("!")
	g.ExpectEnd(qemu.OK, limit)
}

// TestQueriedToTheEnd keeps the monitor busy while the guest powers off, which
// makes QEMU hang now and then.
func TestQueriedToTheEnd(t *testing.T) {
	t.Parallel()
	g := start(t, tiny.New().Echo('!').PowerOff(), qemu.Config{})
	g.Send("!")
	for {
		if _, err := g.Running(); err != nil {
			break
		}
	}
	g.ExpectEnd(qemu.OK, limit)
}

func TestReset(t *testing.T) {
	t.Parallel()
	prog := func() *tiny.Prog { return tiny.New().Print("up\n") }
	for _, machine := range machines {
		t.Run(machine, func(t *testing.T) {
			t.Parallel()
			g := start(t, prog().Echo('!').PowerOff(), qemu.Config{Machine: machine, Reboot: true})
			g.Expect("up", limit)
			must(t, g.Reset())
			g.Expect("up", limit)
			g.Send("!")
			g.ExpectEnd(qemu.OK, limit)
		})
	}
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		g := start(t, prog().Spin(), qemu.Config{})
		if g.Reset() == nil {
			t.Error("reset without Reboot was accepted")
		}
	})
	t.Run("triple fault", func(t *testing.T) {
		t.Parallel()
		g := start(t, prog().TripleFault(), qemu.Config{})
		if status, err := g.Wait(limit); !errors.Is(err, qemu.ErrReset) {
			t.Errorf("Wait() = %v, %v; want ErrReset", status, err)
		}
	})
}

// TestPowerButton checks the exchange only: a tiny guest has no ACPI.
func TestPowerButton(t *testing.T) {
	t.Parallel()
	g := start(t, tiny.New().Print("up\n").Spin(), qemu.Config{})
	g.Expect("up", limit)
	must(t, g.PowerButton())
	if _, err := g.Wait(100 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Wait: error %v; the button by itself must not end the guest", err)
	}
}

// TestEnds shows that a guest is gone after each way to end it from outside.
func TestEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(g *qemutest.Guest, cancel context.CancelFunc) error
		want error
	}{
		{"quit", func(g *qemutest.Guest, _ context.CancelFunc) error { return g.Quit() }, qemu.ErrQuit},
		{"kill", func(g *qemutest.Guest, _ context.CancelFunc) error { g.Kill(); return nil }, qemu.ErrKilled},
		{"cancel", func(_ *qemutest.Guest, cancel context.CancelFunc) error { cancel(); return nil }, qemu.ErrKilled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			kernel := filepath.Join(t.TempDir(), "guest.elf")
			must(t, os.WriteFile(kernel, tiny.New().Print("up\n").Spin().ELF(), 0o666))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			g := qemutest.Start(ctx, t, qemu.Config{Kernel: kernel, Memory: 64 * qemu.MiB})
			g.Expect("up", limit)
			must(t, tt.end(g, cancel))
			if status, err := g.Wait(limit); !errors.Is(err, tt.want) {
				t.Errorf("Wait() = %v, %v; want %v", status, err, tt.want)
			}
			if err := syscall.Kill(g.PID(), 0); err != syscall.ESRCH {
				t.Errorf("QEMU is still there: %v", err)
			}
			if g.Stop() == nil {
				t.Error("the monitor of a dead QEMU answered")
			}
		})
	}
}

// TestRefused shows that QEMU's own complaint reaches the caller.
func TestRefused(t *testing.T) {
	t.Parallel()
	kernel := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(kernel, nil, 0o666))
	_, err := qemu.Start(t.Context(), qemu.Config{Kernel: kernel, Args: []string{"-nonsense"}})
	if err == nil || !strings.Contains(err.Error(), "-nonsense") {
		t.Errorf("error %v; want QEMU's message", err)
	}
	_, err = qemu.Start(t.Context(), qemu.Config{Kernel: kernel, Log: filepath.Join(t.TempDir(), "none", "log")})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v; want that of the log", err)
	}
}

// TestParallel runs guests side by side and checks that none gets another's
// output.
func TestParallel(t *testing.T) {
	t.Parallel()
	for i := range 8 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			g := start(t, tiny.New().Print(fmt.Sprintf("guest %d\n", i)).Echo('!').Exit(uint32(i+1)),
				qemu.Config{Machine: machines[i%2]})
			if m := g.Expect(`guest (\d)`, limit); m[1] != fmt.Sprint(i) {
				t.Errorf("guest %d got the output of guest %s", i, m[1])
			}
			g.Send("!")
			g.ExpectEnd(qemu.Status(i+1), limit)
		})
	}
}

// TestProbeKVM checks only that the answer is the same each time and agrees
// with Accelerator.
func TestProbeKVM(t *testing.T) {
	t.Parallel()
	err := qemu.ProbeKVM()
	t.Logf("KVM: %v", err)
	if again := qemu.ProbeKVM(); again != err {
		t.Errorf("second answer %v, first %v", again, err)
	}
	if (err == nil) != (qemu.Accelerator() == qemu.KVM) {
		t.Errorf("accelerator %s although ProbeKVM says %v", qemu.Accelerator(), err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
