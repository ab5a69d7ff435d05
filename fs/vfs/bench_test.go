package vfs_test

import (
	"testing"

	"mult/arch/hosted"
	"mult/fs/tmpfs"
	"mult/kern/abi"
	"mult/kern/vm"
)

func BenchmarkStat(b *testing.B) {
	m := hosted.New(8 << 20)
	defer m.Close()
	s := newSystem(b, m, tmpfs.Options{})
	s.c.Mkdir(nil, "/usr", 0o755)
	s.c.Mkdir(nil, "/usr/bin", 0o755)
	s.write("/usr/bin/sh", "x")
	b.ReportAllocs()
	for b.Loop() {
		s.c.Stat(nil, "/usr/bin/sh", 0)
	}
}

func BenchmarkOpen(b *testing.B) {
	m := hosted.New(8 << 20)
	defer m.Close()
	s := newSystem(b, m, tmpfs.Options{})
	s.c.Mkdir(nil, "/usr", 0o755)
	s.c.Mkdir(nil, "/usr/bin", 0o755)
	s.write("/usr/bin/sh", "x")
	b.ReportAllocs()
	for b.Loop() {
		f, _ := s.c.Open(nil, "/usr/bin/sh", abi.O_RDONLY, 0)
		f.Release()
	}
}

func BenchmarkRead1(b *testing.B) {
	m := hosted.New(8 << 20)
	defer m.Close()
	s := newSystem(b, m, tmpfs.Options{})
	s.write("/sh", "x")
	f, _ := s.c.Open(nil, "/sh", abi.O_RDONLY, 0)
	p := make([]byte, 1)
	b.ReportAllocs()
	for b.Loop() {
		f.Impl.Read(nil, f, vm.KernelUio(p), 0)
	}
}
