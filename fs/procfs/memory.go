package procfs

import (
	"bytes"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/vm"
)

// read adds up to a piece of what is at from, before to, in the memory of a
// program.
func (b *buffer) read(s *vm.Space, from, to vm.Addr) (n int, err error) {
	if from >= to {
		return 0, nil
	}
	n = int(min(uint64(to-from), piece))
	if !b.room(n) {
		return 0, b.err
	}
	at := len(b.b)
	if err := s.CopyIn(b.b[at:at+n], from); err != nil {
		return 0, err
	}
	b.b = b.b[:at+n]
	return n, nil
}

// strings is a piece of the memory from start to to, at position at. What can't
// be read ends it.
func (b *buffer) strings(s *vm.Space, start, to vm.Addr, at uint64) (next uint64, err error) {
	if start >= to || at >= uint64(to-start) {
		return end, nil
	}
	n, err := b.read(s, start+vm.Addr(at), to)
	switch {
	case b.err != nil:
		return end, b.err
	case err != nil, at+uint64(n) == uint64(to-start):
		return end, nil
	}
	return at + uint64(n), nil
}

// cmdline has the arguments, or what the program has written over them.
func cmdline(b *buffer, x *target, at uint64) (uint64, error) {
	p := x.proc()
	if p == nil {
		return end, errno.ESRCH
	}
	g, ok := x.program(p)
	if !ok || g.ArgStart >= g.ArgEnd {
		if ok {
			g.release()
		}
		return end, nil
	}
	defer g.release()
	var last [1]byte
	if at == 0 && g.Space.CopyIn(last[:], g.ArgEnd-1) == nil && last[0] != 0 {
		return end, b.title(&g)
	}
	return b.strings(g.Space, g.ArgStart, g.ArgEnd, at)
}

// title adds the one string that a program has written over its arguments,
// and perhaps its environment: setproctitle(3).
func (b *buffer) title(g *Program) error {
	to := g.ArgEnd
	if g.EnvStart == g.ArgEnd && g.EnvEnd > to {
		to = g.EnvEnd
	}
	if _, err := b.read(g.Space, g.ArgStart, to); err != nil {
		return b.err
	}
	if i := bytes.IndexByte(b.b, 0); i >= 0 {
		b.b = b.b[:i+1]
	}
	return nil
}

func environ(b *buffer, x *target, at uint64) (uint64, error) {
	p := x.proc()
	if p == nil {
		return end, errno.ESRCH
	}
	g, ok := x.program(p)
	if !ok {
		return end, nil
	}
	defer g.release()
	return b.strings(g.Space, g.EnvStart, g.EnvEnd, at)
}

func auxv(b *buffer, x *target) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	g, ok := x.program(p)
	if !ok {
		return nil
	}
	defer g.release()
	b.Write(g.Auxv)
	return nil
}

// nameColumn is where the names in maps begin.
const nameColumn = 73

// maps has a line for each area; the position is an address.
func maps(b *buffer, x *target, at uint64) (uint64, error) {
	p := x.proc()
	if p == nil {
		return end, errno.ESRCH
	}
	s := p.Space()
	if s == nil {
		return end, nil
	}
	defer s.Release()
	next := uint64(end)
	s.AreasFrom(vm.Addr(at), func(a vm.Area) bool {
		if len(b.b) >= piece || b.err != nil {
			next = uint64(a.Start)
			return false
		}
		b.area(&a)
		return true
	})
	return next, nil
}

func (b *buffer) area(a *vm.Area) {
	flag := func(on bool, c byte) byte {
		if on {
			return c
		}
		return '-'
	}
	share := byte('p')
	if a.Shared {
		share = 's'
	}
	line := len(b.b)
	b.f("%08x-%08x %c%c%c%c %08x %02x:%02x %d ", uint64(a.Start), uint64(a.End),
		flag(a.Prot&vm.Read != 0, 'r'), flag(a.Prot&vm.Write != 0, 'w'), flag(a.Prot&vm.Exec != 0, 'x'), share,
		a.Offset, abi.Major(a.Dev), abi.Minor(a.Dev), a.Ino)
	name := a.Path
	switch a.Kind {
	case vm.KindHeap:
		name = "[heap]"
	case vm.KindStack:
		name = "[stack]"
	}
	if name != "" {
		for len(b.b)-line < nameColumn && b.err == nil {
			b.text(" ")
		}
		b.escaped(name, "\n")
	}
	b.text("\n")
}
