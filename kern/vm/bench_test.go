package vm

import (
	"fmt"
	"testing"

	"mult/arch"
	"mult/arch/hosted"
	"mult/inst/insttest"
)

// quiet returns a space without poisoning, which would count.
func quiet(b *testing.B) *Space {
	m := hosted.New(256 << 20)
	in := insttest.New(b, "bench")
	s, err := New(&System{Machine: m, Memory: m.Memory()}, in)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		s.Release()
		m.Close()
	})
	return s
}

func BenchmarkCopyIn(b *testing.B) {
	for _, n := range []int{8, 512, 4096, 65536} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := quiet(b)
			a := must(b, s, MapArgs{Len: 1 << 20, Prot: rw, Populate: true})
			buf := make([]byte, n)
			b.SetBytes(int64(n))
			b.ReportAllocs()
			for b.Loop() {
				s.CopyIn(buf, a)
			}
		})
	}
}

func BenchmarkCopyOut8(b *testing.B) {
	s := quiet(b)
	a := must(b, s, MapArgs{Len: 1 << 20, Prot: rw, Populate: true})
	var buf [8]byte
	for b.Loop() {
		s.CopyOut(a, buf[:])
	}
}

func BenchmarkCopyInString(b *testing.B) {
	s := quiet(b)
	a := must(b, s, MapArgs{Len: 1 << 20, Prot: rw, Populate: true})
	s.CopyOut(a, []byte("/usr/share/doc/a/file\x00"))
	b.ReportAllocs()
	for b.Loop() {
		s.CopyInString(a, 4096)
	}
}

func BenchmarkLoad32(b *testing.B) {
	s := quiet(b)
	a := must(b, s, MapArgs{Len: 1 << 20, Prot: rw, Populate: true})
	for b.Loop() {
		s.Load32(a)
	}
}

// A fault for writing in fresh anonymous memory, and its share of the unmap.
func BenchmarkFault(b *testing.B) {
	const pages = 4096
	s := quiet(b)
	a := must(b, s, MapArgs{Len: pages * PageSize, Prot: rw})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i == pages {
			s.Advise(a, pages*PageSize, AdviseDontNeed)
			i = 0
		}
		s.Fault(a+Addr(i*PageSize), arch.FaultUser|arch.FaultWrite)
	}
}

// Fork and exit of the child, with some pages touched, and their
// copy-on-write.
func BenchmarkFork(b *testing.B) {
	for _, pages := range []int{16, 256, 4096} {
		b.Run(fmt.Sprint(pages), func(b *testing.B) {
			s := quiet(b)
			must(b, s, MapArgs{Len: uint64(pages) * PageSize, Prot: rw, Populate: true})
			b.ReportAllocs()
			for b.Loop() {
				c, err := s.Fork(s.Inst())
				if err != nil {
					b.Fatal(err)
				}
				c.Release()
			}
		})
	}
}

func BenchmarkMapUnmap(b *testing.B) {
	s := quiet(b)
	for b.Loop() {
		a := must(b, s, MapArgs{Len: 65536, Prot: rw})
		poke(s, a, 1)
		s.Unmap(a, 65536)
	}
}

// Many mappings that don't merge.
func BenchmarkMapMany(b *testing.B) {
	for _, n := range []int{100, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := quiet(b)
			for i := range n {
				must(b, s, MapArgs{Len: PageSize, Prot: Prot(1 + i&1)})
			}
			for b.Loop() {
				a := must(b, s, MapArgs{Len: 65536, Prot: rw})
				s.Unmap(a, 65536)
			}
		})
	}
}
