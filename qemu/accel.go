package qemu

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mult/qemu/tiny"
)

const (
	probeTimeout        = 5 * time.Second
	probeStatus  Status = 42 // what the probe guest ends with
)

// Accelerator is what a guest gets by default: KVM if ProbeKVM succeeds, else
// TCG.
func Accelerator() string {
	if ProbeKVM() == nil {
		return KVM
	}
	return TCG
}

// ProbeKVM returns nil if a small guest has really run under KVM, otherwise the
// reason why KVM isn't used: on many machines /dev/kvm opens, yet guests hang
// or fail. The first call takes up to five seconds; its result holds for the
// process, and a file in the user's cache keeps it until the next boot or
// another QEMU.
func ProbeKVM() error {
	kvm.Do(func() { kvm.err = cachedProbe() })
	return kvm.err
}

// kvm is the one result of ProbeKVM.
var kvm struct {
	sync.Once
	err error
}

func cachedProbe() error {
	dev, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	dev.Close()
	cache := probeCache()
	if b, err := os.ReadFile(cache); err == nil {
		if failure := string(b); failure != "" {
			return errors.New(failure)
		}
		return nil
	}
	if err = probe(); err != nil {
		err = fmt.Errorf("the KVM probe guest failed: %w", err)
	}
	saveProbe(cache, err)
	return err
}

// probe boots the guest that only ends itself.
func probe() error {
	dir, err := os.MkdirTemp("", "mult-kvm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	kernel := filepath.Join(dir, "probe.elf")
	if err := os.WriteFile(kernel, tiny.New().Exit(uint32(probeStatus)).ELF(), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTimeout)
	defer cancel()
	vm, err := Start(ctx, Config{Kernel: kernel, Accel: KVM, Memory: 64 * MiB})
	if err != nil {
		return err
	}
	defer vm.Kill()
	<-vm.Done()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("it hung for %v", probeTimeout)
	case vm.err != nil:
		return vm.err
	case vm.status != probeStatus:
		return fmt.Errorf("it ended with %v", vm.status)
	}
	return nil
}

// probeCache names the file with the result for this boot of the host and this
// QEMU, or is "" if that can't be told: empty content is success, any other
// the reason of failure.
func probeCache() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	key := fmt.Sprintf("%s %s %d %v", strings.TrimSpace(string(boot)), path, info.Size(), info.ModTime().UnixNano())
	return filepath.Join(dir, "mult", "kvm", fmt.Sprintf("%x", sha256.Sum256([]byte(key)))[:32])
}

// saveProbe writes the file in one step. A failure to do so costs the next
// process a probe, nothing more.
func saveProbe(cache string, failure error) {
	if cache == "" {
		return
	}
	dir := filepath.Dir(cache)
	if os.MkdirAll(dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(dir, "new-")
	if err != nil {
		return
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	if failure != nil {
		_, err = f.WriteString(failure.Error())
	}
	if errors.Join(err, f.Close()) == nil {
		os.Rename(f.Name(), cache)
	}
}
