package kern

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"mult/arch"
	"mult/arch/hosted"
	"mult/kern/mem"
)

// This file makes the root images of kernels on the host.

// textAt is where programs are loaded.
const textAt = 0x400000

// program is a small program for the root image: what it contains is not run. entry is
// where it begins, from textAt on.
func program(entry uint64) []byte {
	const at = textAt
	b := []byte("\x7fELF\x02\x01\x01")
	b = append(b, make([]byte, 9)...)
	le := binary.LittleEndian
	b = le.AppendUint16(b, 2) // executable
	b = le.AppendUint16(b, 62)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, at+entry)
	b = le.AppendUint64(b, 64) // program headers
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 1, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, 1) // to be loaded
	b = le.AppendUint32(b, 7)
	for _, v := range []uint64{0, at, at, 128, 3 * arch.PageSize, arch.PageSize} {
		b = le.AppendUint64(b, v)
	}
	return append(b, make([]byte, 8)...)
}

// makeImage makes a root image with some files, and directories to mount at. What
// begins with -> is a symbolic link.
func makeImage(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"dev/pts", "dev/shm", "proc", "run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		name = filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if to, ok := bytes.CutPrefix(text, []byte("->")); ok {
			err = errors.Join(err, os.Symlink(string(to), name))
		} else {
			err = errors.Join(err, os.WriteFile(name, text, 0o755))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "image")
	if b, err := exec.Command("mkfs.erofs", "--quiet", "--all-root", "-T0", out, dir).CombinedOutput(); err != nil {
		t.Skipf("mkfs.erofs: %v\n%s", err, b)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// place puts an image into the machine's RAM.
func place(t *testing.T, m *hosted.Machine, image []byte) ([]byte, mem.PA) {
	var first mem.PA
	for i := range (len(image) + arch.PageSize - 1) / arch.PageSize {
		pa, ok := m.Memory().Alloc()
		switch {
		case i == 0:
			first = pa
		case !ok || pa != first+mem.PA(i*arch.PageSize):
			t.Fatal("fresh memory is in pieces")
		}
	}
	ram := unsafe.Slice((*byte)(unsafe.Add(m.Base(), first)), len(image))
	copy(ram, image)
	return ram, first
}

// text collects what the log says.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *text) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(b)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}
