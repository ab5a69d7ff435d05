package erofs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"mult/arch/hosted"
	"mult/kern/mem"
)

// build makes an image of a directory with mkfs.erofs; the test is skipped
// where there is none.
func build(t testing.TB, dir string, args ...string) []byte {
	t.Helper()
	tool, err := exec.LookPath("mkfs.erofs")
	if err != nil {
		t.Skip("no mkfs.erofs")
	}
	out := filepath.Join(t.TempDir(), "image")
	args = append([]string{"--quiet", "--all-root", "-T0"}, args...)
	if b, err := exec.Command(tool, append(args, out, dir)...).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.erofs: %v\n%s", err, b)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// sample fills a directory with one of everything that an image can hold.
func sample(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, n int) {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i*7 + i>>8 + n)
		}
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int{0, 1, 17, 4095, 4096, 4097, 8192, 12000, 100000} {
		write("size/"+itoa(n), n)
	}
	for i := range 400 {
		write("many/a-name-of-some-length-"+itoa(i), i%3)
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Symlink("size/17", filepath.Join(dir, "link")))
	must(os.Link(filepath.Join(dir, "size/17"), filepath.Join(dir, "hard")))
	must(os.Mkdir(filepath.Join(dir, "empty"), 0o700))
	must(os.Chmod(filepath.Join(dir, "size/1"), 0o751|os.ModeSetuid))
	if err := exec.Command("mkfifo", filepath.Join(dir, "fifo")).Run(); err != nil {
		t.Log("no FIFO:", err)
	}
	if err := exec.Command("mknod", filepath.Join(dir, "dev"), "c", "300", "700").Run(); err != nil {
		t.Log("no device:", err)
	}
	// Extended attributes: one of its own for each, one that all share.
	for i, name := range []string{"size/1", "size/4096", "size/4097", "size/12000", "many", "empty"} {
		p := filepath.Join(dir, name)
		err := syscall.Setxattr(p, "user.own", bytes.Repeat([]byte{byte(i)}, 30+i), 0)
		if err == nil {
			err = syscall.Setxattr(p, "user.shared", []byte("the same"), 0)
		}
		if err != nil {
			t.Log("no extended attributes:", err)
		}
	}
	return dir
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + string(rune('0'+n%10))
	}
	return string(rune('0' + n))
}

// ptr returns where a physical address appears.
func ptr(m *hosted.Machine, pa mem.PA) unsafe.Pointer { return unsafe.Add(m.Base(), pa) }
