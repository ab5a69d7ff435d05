package vm

import (
	"sync/atomic"
	"testing"

	"mult/arch"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/errno"
)

const (
	kib  = 1 << 10
	mib  = 1 << 20
	gib  = 1 << 30
	base = Addr(0x10000000)
)

func TestMapErrors(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	f := w.file(4)
	must(t, s, MapArgs{Addr: base, Len: 4 * PageSize, Prot: Read, Fixed: true})
	for _, tt := range []struct {
		name string
		m    MapArgs
		err  error
	}{
		{"no length", MapArgs{}, errno.EINVAL},
		{"length wraps", MapArgs{Len: ^uint64(0)}, errno.ENOMEM},
		{"longer than everything", MapArgs{Len: 1 << 47, NoReserve: true}, errno.ENOMEM},
		{"no hole of that size", MapArgs{Len: MaxAddr - MinAddr, NoReserve: true}, errno.ENOMEM},
		{"more than memory", MapArgs{Len: gib, Prot: rw}, errno.ENOMEM},
		{"more than memory, no matter", MapArgs{Len: gib, Prot: rw, NoReserve: true}, nil},
		{"more than memory, only addresses", MapArgs{Len: gib}, nil},
		{"offset inside a page", MapArgs{Len: 1, Object: f, Offset: 1}, errno.EINVAL},
		{"offset wraps", MapArgs{Len: 2 * PageSize, Object: f, Offset: 1<<64 - PageSize}, errno.EOVERFLOW},
		{"shared stack", MapArgs{Len: 1, Shared: true, Grows: true}, errno.EINVAL},
		{"fixed inside a page", MapArgs{Addr: base + 1, Len: 1, Fixed: true}, errno.EINVAL},
		{"fixed at 0", MapArgs{Len: 1, Fixed: true}, errno.EPERM},
		{"fixed too low", MapArgs{Addr: MinAddr - PageSize, Len: 1, Fixed: true}, errno.EPERM},
		{"fixed, lowest", MapArgs{Addr: MinAddr, Len: 1, Fixed: true}, nil},
		{"fixed, highest", MapArgs{Addr: MaxAddr - PageSize, Len: 1, Fixed: true}, nil},
		{"fixed over the end", MapArgs{Addr: MaxAddr - PageSize, Len: 2 * PageSize, Fixed: true}, errno.ENOMEM},
		{"fixed in the kernel", MapArgs{Addr: 0xffff888000000000, Len: 1, Fixed: true}, errno.ENOMEM},
		{"taken", MapArgs{Addr: base + 3*PageSize, Len: 2 * PageSize, NoReplace: true}, errno.EEXIST},
		{"not taken", MapArgs{Addr: base + 4*PageSize, Len: PageSize, NoReplace: true}, nil},
		{"more than permitted", MapArgs{Len: 1, Object: f, Prot: rw, MaxProt: Read}, errno.EACCES},
		{"over RLIMIT_AS", MapArgs{Len: mib, Limit: mib}, errno.ENOMEM},
		{"a hint below everything", MapArgs{Addr: 1, Len: 1}, nil},
		{"a hint in the kernel", MapArgs{Addr: 0xffff888000000000, Len: 1}, nil},
	} {
		a, err := s.Map(tt.m)
		if err != tt.err {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		if err == nil && (a < MinAddr || a%PageSize != 0 || uint64(a)+tt.m.Len > MaxAddr) {
			t.Errorf("%s: mapped at %#x", tt.name, uint64(a))
		}
	}
}

func TestRangeErrors(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	f := w.file(4)
	far := ^uint64(0)
	must(t, s, MapArgs{Addr: base, Len: 2 * PageSize, Prot: rw, Fixed: true})
	must(t, s, MapArgs{Addr: base + 3*PageSize, Len: PageSize, Prot: Read, MaxProt: Read, Object: f, Shared: true, Fixed: true})
	mincore := func(a Addr, n uint64) error { _, err := s.Mincore(a, n); return err }
	sync := func(flags int) func(Addr, uint64) error {
		return func(a Addr, n uint64) error { return s.Sync(a, n, flags) }
	}
	advise := func(advice int) func(Addr, uint64) error {
		return func(a Addr, n uint64) error { return s.Advise(a, n, advice) }
	}
	protect := func(p Prot) func(Addr, uint64) error {
		return func(a Addr, n uint64) error { return s.Protect(a, n, p) }
	}
	for _, tt := range []struct {
		name string
		f    func(Addr, uint64) error
		a    Addr
		n    uint64
		err  error
	}{
		{"munmap inside a page", s.Unmap, base + 1, 1, errno.EINVAL},
		{"munmap of nothing", s.Unmap, base, 0, errno.EINVAL},
		{"munmap wraps", s.Unmap, base, far, errno.EINVAL},
		{"munmap in the kernel", s.Unmap, MaxAddr, PageSize, errno.EINVAL},
		{"munmap of a hole", s.Unmap, base + 100*PageSize, PageSize, nil},
		{"mprotect inside a page", protect(Read), base + 1, 1, errno.EINVAL},
		{"mprotect of nothing", protect(Read), base, 0, nil},
		{"mprotect wraps", protect(Read), base, far, errno.ENOMEM},
		{"mprotect of a hole", protect(rw), base, 3 * PageSize, errno.ENOMEM},
		{"mprotect beyond what may be", protect(rw), base + 3*PageSize, PageSize, errno.EACCES},
		{"mprotect to what isn't", protect(8), base, PageSize, errno.EINVAL},
		{"madvise of what isn't", advise(5), base, PageSize, errno.EINVAL},
		{"madvise of what isn't either", advise(-1), base, PageSize, errno.EINVAL},
		{"madvise huge pages", advise(14), base, PageSize, errno.EINVAL},
		{"madvise inside a page", advise(AdviseDontNeed), base + 1, 1, errno.EINVAL},
		{"madvise of nothing", advise(AdviseDontNeed), base, 0, nil},
		{"madvise wraps", advise(AdviseDontNeed), base, far, errno.EINVAL},
		{"madvise over a hole", advise(AdviseNormal), base, 4 * PageSize, errno.ENOMEM},
		{"madvise free of a file", advise(AdviseFree), base + 3*PageSize, PageSize, errno.EINVAL},
		{"madvise remove, anonymous", advise(AdviseRemove), base, PageSize, errno.EINVAL},
		{"madvise remove, read-only", advise(AdviseRemove), base + 3*PageSize, PageSize, errno.EACCES},
		{"madvise wipe of a file", advise(AdviseWipeOnFork), base + 3*PageSize, PageSize, errno.EINVAL},
		{"madvise populate", advise(AdvisePopulateWrite), base, 2 * PageSize, nil},
		{"madvise populate, read-only", advise(AdvisePopulateWrite), base + 3*PageSize, PageSize, errno.EINVAL},
		{"madvise populate a hole", advise(AdvisePopulateRead), base, 3 * PageSize, errno.ENOMEM},
		{"mincore inside a page", mincore, base + 1, 1, errno.EINVAL},
		{"mincore over a hole", mincore, base, 4 * PageSize, errno.ENOMEM},
		{"mincore wraps", mincore, base, far, errno.ENOMEM},
		{"msync", sync(SyncSync), base, 2 * PageSize, nil},
		{"msync of both kinds", sync(SyncSync | SyncAsync), base, PageSize, errno.EINVAL},
		{"msync of no kind", sync(8), base, PageSize, errno.EINVAL},
		{"msync inside a page", sync(SyncSync), base + 1, PageSize, errno.EINVAL},
		{"msync over a hole", sync(SyncSync), base, 4 * PageSize, errno.ENOMEM},
		{"msync wraps", sync(SyncSync), base, far, errno.ENOMEM},
	} {
		if err := tt.f(tt.a, tt.n); err != tt.err {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
	}
	if n := f.sync.Load(); n != 1 {
		t.Errorf("%d pages were synced, want 1", n)
	}
}

// TestRemapOntoItself shows shared memory once more, where it is already.
func TestRemapOntoItself(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	must(t, s, MapArgs{Addr: base, Len: 2 * PageSize, Prot: rw, Fixed: true, Shared: true})
	if _, err := s.Remap(base, 0, PageSize, RemapMayMove|RemapFixed, base); err != errno.EFAULT {
		t.Errorf("%v, want EFAULT", err)
	}
	if _, err := s.Remap(base+PageSize, 0, PageSize, RemapMayMove|RemapFixed, base); err != nil {
		t.Error(err)
	}
}

// faulty is a file that makes the kernel fault when it is mapped.
type faulty struct{ *testFile }

func (faulty) Retain() { panic("deliberate") }

// TestFaultInside has the kernel fault while a space is locked: it can still be
// looked at and released.
func TestFaultInside(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no fault")
			}
		}()
		s.Map(MapArgs{Len: PageSize, Prot: rw, Object: faulty{w.file(1)}})
	}()
	if s.mu.TryLock() {
		s.mu.Unlock()
	} else {
		t.Fatal("the space is locked")
	}
}

func TestRemapErrors(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	must(t, s, MapArgs{Addr: base, Len: 4 * PageSize, Prot: rw, Fixed: true})
	must(t, s, MapArgs{Addr: base + 4*PageSize, Len: PageSize, Prot: Read, Fixed: true})
	const p = PageSize
	for _, tt := range []struct {
		name     string
		old      Addr
		oldLen   uint64
		newLen   uint64
		flags    int
		to       Addr
		err      error
		wantSame bool
	}{
		{"unknown flag", base, p, p, 8, 0, errno.EINVAL, false},
		{"fixed without maymove", base, p, p, RemapFixed, base + 64*p, errno.EINVAL, false},
		{"inside a page", base + 1, p, p, 0, 0, errno.EINVAL, false},
		{"to nothing", base, p, 0, 0, 0, errno.EINVAL, false},
		{"onto itself", base, 2 * p, 2 * p, RemapMayMove | RemapFixed, base + p, errno.EINVAL, false},
		{"to inside a page", base, p, p, RemapMayMove | RemapFixed, base + 64*p + 1, errno.EINVAL, false},
		{"into the kernel", base, p, p, RemapMayMove | RemapFixed, MaxAddr, errno.EINVAL, false},
		{"too low", base, p, p, RemapMayMove | RemapFixed, PageSize, errno.EPERM, false},
		{"of a hole", base + 100*p, p, 2 * p, 0, 0, errno.EFAULT, false},
		{"over areas", base, 5 * p, 6 * p, RemapMayMove, 0, errno.EFAULT, false},
		{"no room", base, 4 * p, 5 * p, 0, 0, errno.ENOMEM, false},
		{"private twice", base, 0, p, RemapMayMove, 0, errno.EINVAL, false},
		{"old length wraps", base, ^uint64(0), p, RemapMayMove, 0, errno.EINVAL, false},
		{"new length wraps", base, p, ^uint64(0), RemapMayMove, 0, errno.EINVAL, false},
		{"too long", base, p, 1 << 47, RemapMayMove, 0, errno.EINVAL, false},
		{"more than memory", base, p, gib, RemapMayMove, 0, errno.ENOMEM, false},
		{"the same", base, 4 * p, 4 * p, 0, 0, nil, true},
		{"shorter", base, 4 * p, 3 * p, 0, 0, nil, true},
		{"in place", base, 3 * p, 4 * p, 0, 0, nil, true},
		{"dontunmap, another length", base, p, 2 * p, RemapMayMove | RemapDontUnmap, 0, errno.EINVAL, false},
	} {
		a, err := s.Remap(tt.old, tt.oldLen, tt.newLen, tt.flags, tt.to)
		if err != tt.err || tt.wantSame && a != tt.old {
			t.Errorf("%s: %#x, %v; want %v", tt.name, uint64(a), err, tt.err)
		}
	}
	if err := poke(s, base+3*p, 9); err != nil {
		t.Fatal(err)
	}
	a, err := s.Remap(base, 4*p, 8*p, RemapMayMove, 0)
	if err != nil || a == base {
		t.Fatalf("moved to %#x, %v", uint64(a), err)
	}
	want(t, s, a+3*p, 9)
	want(t, s, a+7*p, 0)
	if _, err := peek(s, base); err != errno.EFAULT {
		t.Errorf("the old place: %v, want EFAULT", err)
	}
	s.SetLimits(Limits{AS: 64 * kib, Data: 64 * kib})
	if _, err := s.Remap(a, 8*p, 9*p, RemapMayMove, 0); err == nil {
		_, err = s.Remap(a, 9*p, 17*p, RemapMayMove, 0)
		if err != errno.ENOMEM {
			t.Errorf("over RLIMIT_AS: %v", err)
		}
	}
}

// Shared memory can be shown a second time by a remap of length 0.
func TestRemapTwice(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	a := must(t, s, MapArgs{Len: 2 * PageSize, Prot: rw, Shared: true})
	b, err := s.Remap(a, 0, 2*PageSize, RemapMayMove, 0)
	if err != nil {
		t.Fatal(err)
	}
	poke(s, a+PageSize, 5)
	want(t, s, b+PageSize, 5)
	k1, _ := s.Key(a+8, true)
	k2, _ := s.Key(b+8, true)
	if k1 != k2 {
		t.Error("futex keys differ")
	}
	if k3, _ := s.Key(a+8, false); k3 == k1 {
		t.Error("a private key is the shared one")
	}
	if err := s.Protect(a, PageSize, Read); err != nil {
		t.Fatal(err)
	}
	if k, err := s.Key(a+8, true); k != k1 || err != nil {
		t.Errorf("key of what others may write: %v, %v", k, err)
	}
	c := must(t, s, MapArgs{Len: PageSize, Prot: Read})
	if _, err := s.Key(c, true); err != errno.EFAULT {
		t.Errorf("shared key of what nobody can write: %v", err)
	}
	if _, err := s.Key(c, false); err != nil {
		t.Errorf("private key of what can't be written: %v", err)
	}
}

func TestFaultSignals(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	f := w.file(1)
	must(t, s, MapArgs{Addr: base, Len: PageSize, Prot: Read, Fixed: true})
	must(t, s, MapArgs{Addr: base + PageSize, Len: PageSize, Fixed: true})
	must(t, s, MapArgs{Addr: base + 2*PageSize, Len: PageSize, Prot: Read | Exec, Fixed: true})
	must(t, s, MapArgs{Addr: base + 3*PageSize, Len: 2 * PageSize, Prot: rw, Object: f, Fixed: true})
	for _, tt := range []struct {
		name    string
		a       Addr
		code    uint64
		sig, si int
	}{
		{"read", base + 5, 0, 0, 0},
		{"read again", base + 5, 0, 0, 0},
		{"write to read-only", base, arch.FaultWrite, sigSegv, segvAccErr},
		{"execute data", base, arch.FaultExec, sigSegv, segvAccErr},
		{"PROT_NONE", base + PageSize, 0, sigSegv, segvAccErr},
		{"execute code", base + 2*PageSize, arch.FaultExec, 0, 0},
		{"write to a private file", base + 3*PageSize, arch.FaultWrite, 0, 0},
		{"behind the end of a file", base + 4*PageSize, 0, sigBus, busAdrErr},
		{"write behind the end of a file", base + 4*PageSize, arch.FaultWrite, sigBus, busAdrErr},
		{"nothing", base + 5*PageSize, 0, sigSegv, segvMapErr},
		{"null", 0, arch.FaultWrite, sigSegv, segvMapErr},
		{"kernel", 0xffffffff80100000, 0, sigSegv, segvMapErr},
		{"end", MaxAddr, 0, sigSegv, segvMapErr},
	} {
		if sig, si := signal(s, tt.a, tt.code); sig != tt.sig || si != tt.si {
			t.Errorf("%s: signal %d code %d, want %d, %d", tt.name, sig, si, tt.sig, tt.si)
		}
	}
	c := w.m.NewCPU()
	if err := fetch(s, c, base+2*PageSize); err != nil {
		t.Errorf("execute: %v", err)
	}
}

func TestStack(t *testing.T) {
	w := newWorld(t, 32*mib)
	s := w.space()
	a := must(t, s, MapArgs{Len: 128 * kib, Prot: rw, Grows: true, Stack: true})
	top := a + 128*kib
	if uint64(top) != s.stackTop {
		t.Errorf("the stack ends at %#x, want %#x", uint64(top), s.stackTop)
	}
	if err := poke(s, top-6*mib, 1); err != nil {
		t.Fatalf("growing: %v", err)
	}
	if sig, si := signal(s, top-8*mib-1, arch.FaultWrite); sig != sigSegv || si != segvMapErr {
		t.Errorf("beyond RLIMIT_STACK: signal %d code %d", sig, si)
	}
	s.SetLimits(Limits{AS: ^uint64(0), Data: ^uint64(0), Stack: 64 * mib})
	if sig, _ := signal(s, top-8*mib-1, arch.FaultWrite); sig != 0 {
		t.Errorf("within the new limit: signal %d", sig)
	}
	if n := s.Stats().Stack; n != 8*mib+PageSize {
		t.Errorf("the stack has %d bytes", n)
	}
	// Something below stops it a guard gap before.
	low := top - 16*mib
	must(t, s, MapArgs{Addr: low, Len: PageSize, Prot: Read, Fixed: true})
	if sig, _ := signal(s, low+PageSize+guardGap, arch.FaultWrite); sig != 0 {
		t.Errorf("down to the gap: signal %d", sig)
	}
	if sig, _ := signal(s, low+PageSize+guardGap-1, arch.FaultWrite); sig != sigSegv {
		t.Errorf("into the gap: signal %d", sig)
	}
	// A mapping near the hint keeps the distance too.
	hint := low + PageSize + guardGap - PageSize
	if b := must(t, s, MapArgs{Addr: hint, Len: PageSize}); b == hint {
		t.Error("a mapping was placed in the gap")
	}
	s.Areas(func(ar Area) bool {
		if ar.End == top && ar.Kind != KindStack {
			t.Errorf("the stack is %+v", ar)
		}
		return true
	})
}

func TestBrk(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	if a := s.Brk(base); a != 0 {
		t.Errorf("before SetBrk: %#x", uint64(a))
	}
	s.SetBrk(base + 1)
	start := base + PageSize
	const none = ^uint64(0)
	for _, tt := range []struct {
		name     string
		a, want  Addr
		limit    uint64
		mapped   uint64
		areas    int
		minAreas int
	}{
		{"ask", 0, start, none, 0, 0, 0},
		{"a byte", start + 1, start + 1, none, PageSize, 1, 1},
		{"in the page", start + 100, start + 100, none, PageSize, 1, 1},
		{"more", start + 10*PageSize, start + 10*PageSize, none, 10 * PageSize, 1, 1},
		{"over the limit", start + 11*PageSize, start + 10*PageSize, 10 * PageSize, 10 * PageSize, 1, 1},
		{"less", start + 5, start + 5, none, PageSize, 1, 1},
		{"below the start", start - 1, start + 5, none, PageSize, 1, 1},
		{"into the kernel", MaxAddr + PageSize, start + 5, none, PageSize, 1, 1},
		{"more than memory", start + 1*gib, start + 5, none, PageSize, 1, 1},
		{"nothing", start, start, none, 0, 0, 0},
	} {
		s.SetLimits(Limits{AS: none, Data: tt.limit, Stack: none})
		if a := s.Brk(tt.a); a != tt.want {
			t.Errorf("%s: %#x, want %#x", tt.name, uint64(a), uint64(tt.want))
		}
		if v := s.Stats().VSize; v != tt.mapped || len(s.areas) != tt.areas {
			t.Errorf("%s: %d bytes in %d areas, want %d in %d", tt.name, v, len(s.areas), tt.mapped, tt.areas)
		}
	}
	must(t, s, MapArgs{Addr: start + 4*PageSize, Len: PageSize, Fixed: true})
	if a := s.Brk(start + 4*PageSize); a != start {
		t.Errorf("up to a neighbour: %#x", uint64(a))
	}
	if a := s.Brk(start + 2*PageSize); a != start+2*PageSize {
		t.Errorf("near a neighbour: %#x", uint64(a))
	}
	if err := poke(s, start+PageSize, 1); err != nil {
		t.Error(err)
	}
	s.Areas(func(ar Area) bool {
		if (ar.Start == start) != (ar.Kind == KindHeap) {
			t.Errorf("area %+v", ar)
		}
		return true
	})
}

func TestAreaLimit(t *testing.T) {
	w := newWorld(t, 64*mib)
	s := w.space()
	const low = 1000 // those are where Map puts them
	for i := range low {
		must(t, s, MapArgs{Len: PageSize, Prot: Prot(i & 1)})
	}
	for i, ar := range s.areas[1:] {
		if ar.start != s.areas[i].end {
			t.Fatal("mappings without need for it are not side by side")
		}
	}
	for i := range Addr(MaxAreas - low) {
		must(t, s, MapArgs{Addr: base + i*PageSize, Len: PageSize, Prot: Prot(i & 1), Fixed: true})
	}
	if _, err := s.Map(MapArgs{Len: PageSize, Prot: rw}); err != errno.ENOMEM {
		t.Errorf("one too many: %v", err)
	}
	mid := s.areas[100]
	if err := s.Unmap(Addr(mid.start), PageSize); err != nil {
		t.Error(err)
	}
	a, err := s.Map(MapArgs{Len: 3 * PageSize, Prot: rw | Exec})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Unmap(a+PageSize, PageSize); err != errno.ENOMEM {
		t.Errorf("cutting an area in two: %v", err)
	}
	if err := s.Protect(a, PageSize, Read); err != errno.ENOMEM {
		t.Errorf("cutting an area by mprotect: %v", err)
	}
	if _, err := s.Remap(a, PageSize, 2*PageSize, RemapMayMove, 0); err != errno.ENOMEM {
		t.Errorf("cutting an area by mremap: %v", err)
	}
	c, err := s.Fork(s.Inst())
	if err != nil {
		t.Fatal(err)
	}
	c.Release()
	if err := s.Unmap(MinAddr, MaxAddr-MinAddr); err != nil || len(s.areas) != 0 {
		t.Errorf("unmapping everything: %v, %d areas are left", err, len(s.areas))
	}
	if n := s.Stats().PageTables; n != PageSize {
		t.Errorf("page tables of %d bytes for nothing", n)
	}
}

// Where Map puts things: below mapBase downwards, in the highest hole that is
// large enough; above when there is none.
func TestPlace(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	s.mapBase = MinAddr + 16*PageSize
	s.searchFrom = s.mapBase
	const p = PageSize
	at := func(page int) Addr { return MinAddr + Addr(page)*p }
	for _, tt := range []struct {
		name string
		free int // page that is unmapped before, -1 for none
		n    int
		want Addr
	}{
		{"the top", -1, 2, at(14)},
		{"below", -1, 4, at(10)},
		{"further below", -1, 6, at(4)},
		{"too large for what is left", -1, 5, at(16)},
		{"the rest", -1, 3, at(1)},
		{"the last page", -1, 1, at(0)},
		{"above", -1, 1, at(21)},
		{"a hole", 12, 1, at(12)},
		{"one of two holes", 3, 1, at(3)},
		{"a hole that came back", 15, 1, at(15)},
	} {
		if tt.free >= 0 {
			if err := s.Unmap(at(tt.free), p); err != nil {
				t.Fatal(err)
			}
		}
		if a := must(t, s, MapArgs{Len: uint64(tt.n) * p, Prot: Read}); a != tt.want {
			t.Errorf("%s: at page %d, want %d", tt.name, (int(a)-MinAddr)/p, (int(tt.want)-MinAddr)/p)
		}
	}
	// Many holes of one page are passed over for what is larger, and found.
	for i := range 8 {
		s.Unmap(at(2*i), p)
	}
	if a := must(t, s, MapArgs{Len: 2 * p}); a < at(16) {
		t.Errorf("two pages at page %d", (int(a)-MinAddr)/p)
	}
	for i := range 8 {
		if a := must(t, s, MapArgs{Len: p}); a != at(14-2*i) {
			t.Errorf("hole %d: page %d", i, (int(a)-MinAddr)/p)
		}
	}
}

func TestForkAdvice(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	a := must(t, s, MapArgs{Len: 6 * PageSize, Prot: rw})
	for i := range Addr(6) {
		poke(s, a+i*PageSize, byte(i+1))
	}
	s.Advise(a+PageSize, 2*PageSize, AdviseDontFork)
	s.Advise(a+2*PageSize, PageSize, AdviseDoFork)
	s.Advise(a+4*PageSize, 2*PageSize, AdviseWipeOnFork)
	s.Advise(a+5*PageSize, PageSize, AdviseKeepOnFork)
	c, err := s.Fork(s.Inst())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	for i, b := range []byte{1, 0, 3, 4, 0, 6} {
		if i != 1 {
			want(t, c, a+Addr(i)*PageSize, b)
		} else if _, err := peek(c, a+PageSize); err != errno.EFAULT {
			t.Errorf("a page that is not for children: %v", err)
		}
		want(t, s, a+Addr(i)*PageSize, byte(i+1))
	}
	v, err := s.Mincore(a, 6*PageSize)
	if err != nil || string(v) != "\x01\x01\x01\x01\x01\x01" {
		t.Errorf("Mincore: %v, %v", v, err)
	}
	if v, _ := c.Mincore(a+2*PageSize, PageSize); string(v) != "\x01" {
		t.Errorf("Mincore of the child: %v", v)
	}
	if v, err := c.Mincore(a, 6*PageSize); string(v) != "\x01" || err != errno.ENOMEM {
		t.Errorf("Mincore of the child, with a hole: %v, %v", v, err)
	}
	if v, err := c.Mincore(a+PageSize, PageSize); len(v) != 0 || err != errno.ENOMEM {
		t.Errorf("Mincore of a hole: %v, %v", v, err)
	}
}

func TestAreas(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	f := nearFile{w.file(20)}
	for i := range Addr(40) {
		must(t, s, MapArgs{Addr: base + 2*i*PageSize, Len: PageSize, Prot: Read, Object: f, Offset: 3 * PageSize, Fixed: true, Shared: i&1 == 0})
	}
	n := 0
	s.Areas(func(ar Area) bool {
		want := Area{base + Addr(2*n)*PageSize, base + Addr(2*n+1)*PageSize, Read, n&1 == 0, KindFile, 3 * PageSize, "/file", 8, 15}
		if ar != want {
			t.Errorf("area %d: %+v, want %+v", n, ar, want)
		}
		n++
		return n < 35
	})
	if n != 35 {
		t.Errorf("%d areas", n)
	}
	st := s.Stats()
	if st.VSize != 40*PageSize || st.RSS != 0 || st.Data != 0 {
		t.Errorf("%+v", st)
	}
}

// A refusal of frames or of kernel memory is an errno, and takes nothing.
func TestLimits(t *testing.T) {
	w := newWorld(t, 8*mib)
	for _, r := range []inst.Resource{inst.Frames, inst.Heap} {
		s := w.space()
		a := must(t, s, MapArgs{Len: mib, Prot: rw})
		w.in.SetLimit(r, w.in.Used(r))
		if r == inst.Frames {
			if err := poke(s, a, 1); err != errno.ENOMEM {
				t.Errorf("a copy without frames: %v", err)
			}
			if sig, _ := signal(s, a, arch.FaultWrite); sig != sigKill {
				t.Errorf("a fault without frames: signal %d", sig)
			}
		} else if _, err := s.Map(MapArgs{Len: 1, Prot: Read}); err != errno.ENOMEM {
			t.Errorf("a mapping: %v", err)
		}
		if _, err := s.Map(MapArgs{Len: 1, Shared: true}); err != errno.ENOMEM {
			t.Errorf("shared memory: %v", err)
		}
		if _, err := s.Fork(s.Inst()); err != errno.ENOMEM {
			t.Errorf("a fork: %v", err)
		}
		if _, err := New(w.sys, w.in); err != errno.ENOMEM {
			t.Errorf("a space: %v", err)
		}
		w.in.SetLimit(r, 1<<40)
	}
	// A fork that gets only a part of its tables.
	s := w.space()
	for i := range Addr(8) {
		poke(s, must(t, s, MapArgs{Addr: base + i*4*mib, Len: PageSize, Prot: rw, Fixed: true}), 1)
	}
	w.in.SetLimit(inst.Frames, w.in.Used(inst.Frames)+6)
	if _, err := s.Fork(s.Inst()); err != errno.ENOMEM {
		t.Errorf("a fork: %v", err)
	}
	want(t, s, base, 1)
	if err := poke(s, base, 2); err != nil {
		t.Errorf("after a fork that failed: %v", err)
	}
}

func TestOutOfMemory(t *testing.T) {
	w := newWorld(t, 8*mib)
	s, victim := w.space(), w.space()
	a := must(t, victim, MapArgs{Len: 7 * mib, Prot: rw, Populate: true})
	calls := 0
	w.sys.OutOfMemory = func(o *Space) bool {
		if o != s || o.Inst() != w.in {
			t.Error("the wrong space")
		}
		if calls++; calls == 2 {
			victim.Unmap(a, 7*mib)
		}
		return true
	}
	b := must(t, s, MapArgs{Len: 7 * mib, Prot: rw})
	for i := range Addr(7 * mib / PageSize) {
		if err := poke(s, b+i*PageSize, 1); err != nil {
			t.Fatalf("page %d: %v", i, err)
		}
	}
	if calls != 2 {
		t.Errorf("the hook was called %d times", calls)
	}
}

// Two instances: what one has, the other neither sees nor pays.
func TestInstances(t *testing.T) {
	w := newWorld(t, 8*mib)
	other := insttest.New(t, "other")
	s := w.space()
	o, err := New(w.sys, other)
	if err != nil {
		t.Fatal(err)
	}
	must(t, s, MapArgs{Addr: base, Len: mib, Prot: rw, Fixed: true, Populate: true})
	must(t, o, MapArgs{Addr: base, Len: 3 * PageSize, Prot: rw, Fixed: true, Populate: true})
	poke(s, base, 1)
	want(t, o, base, 0)
	if n := other.Used(inst.Frames); n != 3+4 {
		t.Errorf("the other is charged for %d frames, want 7", n)
	}
	k1, _ := s.Key(base, false)
	k2, _ := o.Key(base, false)
	if k1 == k2 {
		t.Error("two instances have the same futex")
	}
	o.Release()
	if f, h := other.Used(inst.Frames), other.Used(inst.Heap); f != 0 || h != 0 {
		t.Errorf("%d frames and %d bytes are still charged", f, h)
	}
}

// TestForkAcross copies a space into another instance: it has the same content, not one
// frame of it, and pays for itself.
func TestForkAcross(t *testing.T) {
	w := newWorld(t, 8*mib)
	other := insttest.Child(t, w.in, "other")
	s := w.space()
	must(t, s, MapArgs{Addr: base, Len: 16 * mib, Prot: rw, Fixed: true})
	must(t, s, MapArgs{Addr: base + 32*mib, Len: PageSize, Prot: rw, Fixed: true})
	poke(s, base, 1)
	poke(s, base+5*mib, 2)
	poke(s, base+32*mib, 3)
	if err := s.Protect(base+32*mib, PageSize, Read); err != nil {
		t.Fatal(err)
	}
	want(t, s, base+PageSize, 0) // zeros, shown
	was := s.Stats()

	// Each limit once.
	for _, r := range []inst.Resource{inst.Frames, inst.Heap} {
		step := map[inst.Resource]int64{inst.Frames: 1, inst.Heap: 64}[r]
		for limit := int64(0); ; limit += step {
			other.SetLimit(r, limit)
			c, err := s.Fork(other)
			if err == nil {
				if limit == 0 {
					t.Errorf("resource %d isn't charged", r)
				}
				c.Release()
				break
			}
			if err != errno.ENOMEM || other.Used(inst.Frames) != 0 || other.Used(inst.Heap) != 0 {
				t.Fatalf("limit %d: %v; %d frames and %d bytes are left", limit, err, other.Used(inst.Frames), other.Used(inst.Heap))
			}
		}
		other.SetLimit(r, inst.NoLimit)
	}

	c, err := s.Fork(other)
	if err != nil {
		t.Fatal(err)
	}
	if n := other.Used(inst.Frames); n != int64(c.Stats().PageTables/PageSize)+3 || c.Stats().RSS != 3*PageSize {
		t.Errorf("%d frames, %+v", n, c.Stats())
	}
	if now := s.Stats(); now.RSS != was.RSS || now.PageTables != was.PageTables {
		t.Errorf("the original has %+v, before the fork %+v", now, was)
	}
	for i, a := range []Addr{base, base + 5*mib, base + 32*mib} {
		want(t, c, a, byte(i+1))
		if e := atomic.LoadUint64(s.entry(uint64(a))); frame(e) == frame(*c.entry(uint64(a))) || w.m.Memory().Refs(frame(e)) != 1 {
			t.Errorf("page %d: a frame in common", i)
		}
	}
	want(t, c, base+PageSize, 0)
	if err := poke(c, base+32*mib, 1); err != errno.EFAULT {
		t.Errorf("writing what may be read: %v", err)
	}
	poke(c, base, 7)
	want(t, s, base, 1)
	poke(s, base+5*mib, 8)
	want(t, c, base+5*mib, 2)
	k1, _ := s.Key(base, false)
	k2, _ := c.Key(base, false)
	if k1 == k2 {
		t.Error("two instances have the same futex")
	}
	c.Release()

	// What is the instance's own doesn't go to another one.
	must(t, s, MapArgs{Len: PageSize, Prot: rw, Shared: true})
	if _, err := s.Fork(other); err != errno.EINVAL {
		t.Errorf("with shared memory: %v", err)
	}
	other.Release() // nothing is charged any more
}
