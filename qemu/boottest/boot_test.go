package boottest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"mult/qemu"
	"mult/tools/host"
)

const banner = `mult \S+ \(go\S+\): (\d+) CPUs?, (\d+) MiB of memory, clock (\S+)`

// TestBanner boots each machine in each size to the banner and to an orderly
// power-off.
func TestBanner(t *testing.T) {
	for _, g := range guests {
		for _, mib := range []int64{128, 1024, 6 * 1024} {
			t.Run(fmt.Sprintf("%v-%dM", g, mib), func(t *testing.T) {
				checkBanner(t, qemu.Config{Machine: g.machine, CPUs: g.cpus, Memory: mib * qemu.MiB}, mib)
			})
		}
	}
}

func checkBanner(t *testing.T, cfg qemu.Config, mib int64) {
	t.Helper()
	cfg.Kernel, cfg.Append = mult, "poweroff"
	vm := start(t, cfg)
	m := vm.Expect(banner, bootLimit)
	if m[1] != strconv.Itoa(max(1, cfg.CPUs)) {
		t.Errorf("%s CPUs, want %d", m[1], cfg.CPUs)
	}
	if got, _ := strconv.ParseInt(m[2], 10, 64); got > mib || got < mib-2 {
		t.Errorf("%d MiB of memory, want nearly %d", got, mib)
	}
	vm.Expect(`mult: ready\n`, bootLimit)
	vm.ExpectEnd(qemu.OK, bootLimit)
}

// TestLargeMemory boots with more memory than the host has, of which little
// is touched, and with CPUs that lack what the usual model has.
func TestLargeMemory(t *testing.T) {
	for _, cpu := range []string{"", "max,-erms,pdpe1gb=off", "qemu64"} {
		t.Run("cpu="+cpu, func(t *testing.T) {
			checkBanner(t, qemu.Config{
				Machine: qemu.Q35 + ",memory-backend=ram",
				Memory:  64 * qemu.GiB,
				CPUs:    2,
				CPU:     cpu,
				Args:    []string{"-object", "memory-backend-ram,id=ram,size=64G,reserve=off"},
			}, 64*1024)
		})
	}
}

// TestManyCPUs boots with more CPUs than the host has.
func TestManyCPUs(t *testing.T) {
	checkBanner(t, qemu.Config{CPUs: 6, Machine: qemu.Q35}, 1024)
	vm := start(t, qemu.Config{Kernel: mult, CPUs: 4, Append: "maxcpus=2 poweroff"})
	vm.Expect(`2 of 4 online`, bootLimit)
	vm.ExpectEnd(qemu.OK, bootLimit)
}

// TestInitrd boots with a module, which the kernel must find and keep.
func TestInitrd(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		cfg.Initrd = filepath.Join(t.TempDir(), "initrd")
		if err := os.WriteFile(cfg.Initrd, bytes.Repeat([]byte("initrd data "), 1<<20), 0o666); err != nil {
			t.Fatal(err)
		}
		stats := runSelftest(t, cfg, "initrd", "", bootLimit)
		if want := float64(12 << 20); stats["bytes"] != want {
			t.Errorf("the module has %v bytes, want %v", stats["bytes"], want)
		}
	})
}

// TestOptions gives options that are wrong: each is reported with its name,
// and the kernel boots.
func TestOptions(t *testing.T) {
	vm := start(t, qemu.Config{Kernel: mult, Append: "poweroff nosuch=1 loglevel=9 maxcpus=many"})
	vm.Expect(`"nosuch".* known are: .*maxcpus`, bootLimit)
	vm.Expect(`"loglevel".*0.*7`, bootLimit)
	vm.Expect(`"maxcpus".*1.*64`, bootLimit)
	vm.Expect(`mult: ready\n`, bootLimit)
	vm.ExpectEnd(qemu.OK, bootLimit)
}

// TestReboot has the kernel reset the machine, and the reset button do so.
func TestReboot(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		cfg.Kernel, cfg.Append, cfg.Reboot = mult, "reboot", true
		vm := start(t, cfg)
		for range 3 {
			vm.Expect(`mult: ready\n(?s:.*)mult: reboot\n`, bootLimit)
		}
		vm.Kill()

		cfg.Append = ""
		vm = start(t, cfg)
		vm.Expect(`mult: ready\n`, bootLimit)
		if err := vm.Reset(); err != nil {
			t.Fatal(err)
		}
		vm.Expect(`mult: ready\n`, bootLimit)
	})
}

// TestPowerButton presses it.
func TestPowerButton(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		cfg.Kernel = mult
		vm := start(t, cfg)
		vm.Expect(`mult: ready\n`, bootLimit)
		if err := vm.PowerButton(); err != nil {
			t.Fatal(err)
		}
		vm.Expect(`power button pressed\n`, bootLimit)
		vm.ExpectEnd(qemu.OK, bootLimit)
	})
}

// TestStop stops the machine for a while, behind the kernel's back.
func TestStop(t *testing.T) {
	onAll(t, func(t *testing.T, cfg qemu.Config) {
		vm := startSelftest(t, cfg, "wakeup", "seconds=4")
		if err := vm.Stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := vm.Cont(); err != nil {
			t.Fatal(err)
		}
		vm.Expect(`selftest wakeup: ok`, bootLimit)
		vm.ExpectEnd(qemu.OK, bootLimit)
	})
}

// TestNoBuildPaths looks for paths of this machine in the kernels.
func TestNoBuildPaths(t *testing.T) {
	if mult == "" {
		t.Skip("no kernel was built, because QEMU is missing")
	}
	checkout, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{checkout, runtime.GOROOT()}
	for _, f := range []func() (string, error){os.UserHomeDir, os.UserCacheDir} {
		if dir, err := f(); err == nil {
			paths = append(paths, dir+"/")
		}
	}
	for _, kernel := range []string{mult, selftest} {
		image, err := os.ReadFile(kernel)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if len(p) > 1 && bytes.Contains(image, []byte(p)) {
				t.Errorf("%s contains the path %s", filepath.Base(kernel), p)
			}
		}
	}
}
