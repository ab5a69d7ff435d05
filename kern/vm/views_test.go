package vm

import (
	"testing"

	"mult/arch"
	"mult/kern/errno"
)

// A shrinkingFile is a Viewed.
type shrinkingFile struct {
	nearFile
	Views
}

// truncate cuts the file to n pages.
func (f *shrinkingFile) truncate(n uint64) {
	f.testFile.mu.Lock()
	gone := f.pages[n:]
	f.pages = f.pages[:n:n]
	f.testFile.mu.Unlock()
	f.Drop(n, ^uint64(0), true)
	for _, pa := range gone {
		if pa != NoFrame {
			f.mem.Put(pa)
		}
	}
}

// extend makes the file n pages larger, with content as at the start.
func (f *shrinkingFile) extend(n int) {
	f.testFile.mu.Lock()
	for range n {
		f.pages = append(f.pages, NoFrame)
	}
	f.testFile.mu.Unlock()
}

func TestDrop(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	f := &shrinkingFile{nearFile: nearFile{w.file(8)}}
	a := must(t, s, MapArgs{Len: 8 * PageSize, Prot: rw, Shared: true, Object: f, Populate: true})
	b := must(t, s, MapArgs{Len: 4 * PageSize, Prot: rw, Object: f, Offset: 3 * PageSize, Populate: true})
	c, err := s.Fork(s.Inst())
	if err != nil {
		t.Fatal(err)
	}
	cpu := w.m.NewCPU()
	for _, sp := range []*Space{s, c} {
		for i := range Addr(8) {
			if got, err := load(sp, cpu, a+i*PageSize); got != byte(i+1) || err != nil {
				t.Errorf("page %d: %d, %v", i, got, err)
			}
		}
	}
	poke(c, b, 50)
	f.truncate(4)
	f.extend(1)
	for _, sp := range []*Space{s, c} {
		for i := range Addr(8) {
			if i < 5 {
				want(t, sp, a+i*PageSize, byte(i+1))
			} else if _, err := load(sp, cpu, a+i*PageSize); err == nil {
				t.Errorf("page %d is still there", i)
			}
		}
		if sig, _ := signal(sp, b+2*PageSize, arch.FaultWrite); sig != sigBus {
			t.Errorf("a copy of page 5: signal %d", sig)
		}
	}
	want(t, s, b, 4)
	want(t, c, b, 50)

	f.Drop(0, 100, false)
	want(t, c, b, 50)
	f.Drop(3, 1, true)
	want(t, c, b, 4)
	if n := len(f.spaces); n != 2 {
		t.Errorf("%d spaces are known, want 2", n)
	}
	c.Release()
	s.Unmap(a, 8*PageSize)
	s.Unmap(b, 4*PageSize)
	if n := len(f.spaces); n != 0 {
		t.Errorf("%d spaces are known after the last is gone", n)
	}
	if _, err := peek(s, a); err != errno.EFAULT {
		t.Error(err)
	}
}
