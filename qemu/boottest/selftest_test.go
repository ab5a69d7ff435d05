package boottest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/measure"
)

func TestFaults(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) { runSelftest(t, cfg, "faults", "", bootLimit) })
}

// TestPanic and TestFatal end a kernel that can't go on: it must say why, show
// all stacks, and end with its status.
func TestPanic(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		vm := startSelftest(t, cfg, "panic", "")
		vm.Expect(`panic: deliberate\n`, bootLimit)
		vm.Expect(`main\.testPanic`, bootLimit)
		vm.Expect(`main\.waitForEver`, bootLimit)
		vm.ExpectEnd(qemu.Panic, bootLimit)
	})
}

func TestFatal(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		vm := startSelftest(t, cfg, "fatal", "")
		vm.Expect(`fatal exception: page fault on cpu`, bootLimit)
		vm.Expect(`ip 0xffffffff8[0-9a-f]+ sp `, bootLimit)
		vm.Expect(`main\.testFatal`, bootLimit)
		vm.Expect(`main\.waitForEver`, bootLimit)
		vm.ExpectEnd(qemu.Panic, bootLimit)
	})
}

func TestUnknownSelftest(t *testing.T) {
	vm := start(t, qemu.Config{Kernel: selftest, Append: "selftest=nosuch"})
	vm.Expect(`FAILED: no test selftest="nosuch"`, bootLimit)
	vm.ExpectEnd(qemu.TestFailure, bootLimit)
}

func TestHardening(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		runSelftest(t, cfg, "hardening", "", bootLimit)
		cfg.CPU = "qemu64"
		runSelftest(t, cfg, "hardening", "", bootLimit)
	})
}

func TestCPUs(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			stats := runSelftest(t, qemu.Config{CPUs: n}, "cpus", "", bootLimit)
			if stats["cpus"] != float64(n) {
				t.Errorf("%v CPUs, want %d", stats["cpus"], n)
			}
		})
	}
}

func TestHeap(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		for _, mib := range []int64{128, 1024} {
			cfg.Memory = mib * qemu.MiB
			runSelftest(t, cfg, "heap", "", 3*bootLimit)
		}
	})
}

func TestWakeup(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		hostTimers := measure.WatchTimers()
		stats := runSelftest(t, cfg, "wakeup", "seconds=4", bootLimit)
		late := time.Duration(stats["late_max_us"]) * time.Microsecond
		if host := hostTimers(); host.Max < 100*time.Millisecond && late > time.Second {
			t.Errorf("a timer was %v late; the host's own were at most %v: lost wake-up", late, host.Max)
		}
	})
	runSelftest(t, qemu.Config{CPUs: 4}, "wakeup", "seconds=4", bootLimit) // more than the host may have
}

// TestUser enters user mode and comes back in every way there is.
func TestUser(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		runSelftest(t, cfg, "user", "seconds=2", bootLimit)
	})
	runSelftest(t, qemu.Config{CPUs: 2, CPU: "qemu64"}, "user", "seconds=2", bootLimit) // without FSGSBASE and AVX
}

// TestConsole types lines, one by one and many at once.
func TestConsole(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		vm := startSelftest(t, cfg, "console", "")
		for i := range 20 {
			vm.Send(fmt.Sprintf("line %d\r\n", i))
			vm.Expect(fmt.Sprintf(`echo "line %d"`, i), bootLimit)
		}
		long := strings.Repeat("0123456789", 100)
		vm.Send(long + "\r\nshort\r\n")
		vm.Expect(`echo "`+long+`" 1000\n`, bootLimit)
		vm.Expect(`echo "short" 5\n`, bootLimit)
		vm.Send("end\r\n")
		vm.ExpectEnd(qemu.OK, bootLimit)
	})
}

// TestState asks where an idle kernel's processors are.
func TestState(t *testing.T) {
	vm := startSelftest(t, qemu.Config{CPUs: 2}, "console", "")
	vm.Send("up\r\n")
	vm.Expect(`echo "up"`, bootLimit)
	state := vm.State()
	for _, want := range []string{"CPU 0: ", "CPU 1: ", "mult/arch/amd64.", "runtime.mwait"} {
		if !strings.Contains(state, want) {
			t.Errorf("no %q in\n%s", want, state)
		}
	}
	vm.Send("end\r\n")
	vm.ExpectEnd(qemu.OK, bootLimit)
}

// TestIdle counts the timer interrupts of 10 s without work.
func TestIdle(t *testing.T) {
	t.Parallel()
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		t.Parallel()
		stats := runSelftest(t, cfg, "idle", "", 2*bootLimit)
		for i := range cfg.CPUs {
			if n := stats[fmt.Sprintf("ticks_cpu%d", i)]; n >= 100 {
				t.Errorf("CPU %d took %v timer interrupts", i, n)
			}
		}
	})
}

// TestStress runs garbage, timers, interrupts and loops without calls at once.
func TestStress(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		seconds := 60
		if cfg.Machine == qemu.Q35 {
			seconds = 10
		}
		hostTimers := measure.WatchTimers()
		stats := runSelftest(t, cfg, "stress", fmt.Sprintf("seconds=%d", seconds), 3*time.Minute)
		p99, limit := time.Duration(stats["late_p99_us"])*time.Microsecond, 50*time.Millisecond
		if host := hostTimers().P99; host > 2*time.Millisecond {
			t.Logf("timers are %v late (p99); the host is too busy to judge: its own are %v late", p99, host)
		} else if p99 > limit {
			t.Errorf("timers are %v late (p99), more than %v", p99, limit)
		}
	})
}
