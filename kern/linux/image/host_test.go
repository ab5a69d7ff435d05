package image

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"mult/kern/vm"
)

// checkELF compares what is mapped with what debug/elf says about the file.
// Programs relocate themselves later, so both must be the same.
func checkELF(t *testing.T, img *Image, data []byte, bias vm.Addr) {
	t.Helper()
	f, err := elf.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		want := make([]byte, p.Memsz)
		copy(want, data[p.Off:p.Off+p.Filesz])
		if got := peek(t, img.Space, bias+vm.Addr(p.Vaddr), len(want)); !bytes.Equal(got, want) {
			t.Errorf("segment %d differs from the file", i)
		}
		err := img.Space.CopyOut(bias+vm.Addr(p.Vaddr), want[:1])
		if writable := p.Flags&elf.PF_W != 0; writable != (err == nil) {
			t.Errorf("segment %d with flags %v: writing gives %v", i, p.Flags, err)
		}
	}
}

// checkHost loads a program of the host and compares it with its file.
func checkHost(t *testing.T, path, interp string) {
	t.Helper()
	w := newWorld(t)
	f := w.add(path, hostFile(t, path))
	var ld *fakeFile
	if interp != "" {
		ld = w.add(interp, hostFile(t, interp))
	}
	img := w.mustLoad(call{path: path, argv: []string{path}})
	s := w.start(img)
	header, err := elf.NewFile(bytes.NewReader(f.data))
	if err != nil {
		t.Fatal(err)
	}
	bias := vm.Addr(s.auxv[atEntry] - header.Entry)
	if header.Type == elf.ET_EXEC && bias != 0 || header.Type == elf.ET_DYN && bias == 0 {
		t.Errorf("%s is at %#x", path, uint64(bias))
	}
	checkELF(t, img, f.data, bias)
	phdrs := peek(t, img.Space, vm.Addr(s.auxv[atPhdr]), int(s.auxv[atPhnum])*phdrSize)
	if !bytes.Equal(phdrs, f.data[ehdrSize:ehdrSize+len(phdrs)]) {
		t.Errorf("%s: AT_PHDR does not lead to the program headers", path)
	}
	if ld != nil {
		checkELF(t, img, ld.data, vm.Addr(s.auxv[atBase]))
		if img.IP == vm.Addr(s.auxv[atEntry]) {
			t.Errorf("%s does not start with its interpreter", path)
		}
	}
	drop(img)
	w.checkEmpty()
}

func TestBusybox(t *testing.T) {
	if _, err := os.Stat("/bin/busybox"); err != nil {
		t.Skip("no /bin/busybox: busybox-static is not installed")
	}
	checkHost(t, "/bin/busybox", "")
}

func TestCompiled(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("no gcc")
	}
	const source = `
#include <stdio.h>
int data = 1, bss[5000];
__thread int local = 2;
const char text[] = "hello";
int main(void) { return puts(text) + data + bss[0] + local; }
`
	dir := t.TempDir()
	src := filepath.Join(dir, "a.c")
	if err := os.WriteFile(src, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ flag, interp string }{
		{"-static", ""},
		{"-static-pie", ""},
		{"-pie", "/lib64/ld-linux-x86-64.so.2"},
		{"-no-pie", "/lib64/ld-linux-x86-64.so.2"},
	} {
		t.Run(tt.flag[1:], func(t *testing.T) {
			prog := filepath.Join(dir, tt.flag[1:])
			if out, err := exec.Command(gcc, "-o", prog, tt.flag, src).CombinedOutput(); err != nil {
				t.Skipf("gcc %s: %v\n%s", tt.flag, err, out)
			}
			checkHost(t, prog, tt.interp)
		})
	}
}
