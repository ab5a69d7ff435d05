package qemu_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/tiny"
)

// victim names the kernel that a second run of this test binary is to start;
// TestDiesWithProcess then kills that run.
const victim = "MULT_TEST_VICTIM"

// TestDiesWithProcess shows that a killed test leaves no QEMU behind.
func TestDiesWithProcess(t *testing.T) {
	if kernel := os.Getenv(victim); kernel != "" {
		vm, err := qemu.Start(context.Background(), qemu.Config{Kernel: kernel, Memory: 64 * qemu.MiB})
		must(t, err)
		fmt.Println("pid", vm.PID())
		vm.Wait(limit)
		return
	}
	t.Parallel()
	kernel := filepath.Join(t.TempDir(), "guest.elf")
	must(t, os.WriteFile(kernel, tiny.New().Spin().ELF(), 0o666))
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiesWithProcess$")
	cmd.Env = append(os.Environ(), victim+"="+kernel)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	var pid int
	if _, err := fmt.Sscanf(line, "pid %d", &pid); err != nil {
		t.Fatalf("the victim says %q: %v", line, err)
	}
	must(t, cmd.Process.Kill())
	cmd.Wait()
	for deadline := time.Now().Add(limit); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("QEMU, process %d, outlives the process that started it", pid)
		}
	}
}

// alive says whether pid is a process and not a zombie, which whoever inherited
// it may be slow to reap.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}
