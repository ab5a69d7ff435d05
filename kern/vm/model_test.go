package vm

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"mult/arch/hosted"
	"mult/kern/errno"
)

// The model: what is at each page of a window of some addresses, as the
// manual pages of Linux say it. Random calls go to a Space and to the model,
// and both must agree, whether a page is read by a copy, or by one of two
// simulated processors that remember translations.

const (
	windowPages = 48
	windowBase  = 0x40000000 - windowPages/2*PageSize // over the end of a table
	filePages   = 24
)

// cell is the content of a page: its first byte.
type cell struct{ b byte }

// modelPage is a page that is mapped.
type modelPage struct {
	prot   Prot
	shared bool
	grows  bool
	cell   *cell      // nil: not written to since it was mapped
	file   *modelFile // nil: anonymous
	n      int        // page of file
}

// modelFile is content that areas share: a file, or shared anonymous memory.
type modelFile struct {
	cells []cell
	anon  bool
}

type modelSpace struct {
	s     *Space
	pages [windowPages]*modelPage
}

type model struct {
	t      *testing.T
	w      *world
	cpu    [2]*hosted.CPU
	spaces []*modelSpace
	files  []Object
	mfiles []*modelFile
	in     []byte // the decisions that are left
	log    []string
}

// next takes a decision below n.
func (m *model) next(n int) int {
	if len(m.in) == 0 {
		return 0
	}
	b := m.in[0]
	m.in = m.in[1:]
	return int(b) % n
}

func addrOf(page int) Addr { return Addr(windowBase + page*PageSize) }

// logf notes what is done, for the message of a failure.
func (m *model) logf(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

func (m *model) fatalf(format string, args ...any) {
	m.t.Helper()
	for _, l := range m.log[max(0, len(m.log)-60):] {
		m.t.Log(l)
	}
	m.t.Fatalf(format, args...)
}

// modelBytes runs the decisions in one world.
func modelBytes(t *testing.T, in []byte) {
	w := newWorld(t, 8<<20)
	m := &model{t: t, w: w, in: in}
	m.cpu = [2]*hosted.CPU{w.m.NewCPU(), w.m.NewCPU()}
	f1, f2 := w.file(filePages), w.file(filePages)
	m.files = []Object{f1, nearFile{f2}}
	for range m.files {
		mf := &modelFile{cells: make([]cell, filePages)}
		for i := range mf.cells {
			mf.cells[i].b = byte(i + 1)
		}
		m.mfiles = append(m.mfiles, mf)
	}
	s, err := New(w.sys, w.in)
	if err != nil {
		t.Fatal(err)
	}
	m.spaces = []*modelSpace{{s: s}}
	for len(m.in) > 0 {
		m.step()
	}
	for _, ms := range m.spaces {
		for p := range windowPages {
			m.read(ms, p, p%3)
		}
		m.audit(ms)
		ms.s.Release()
	}
}

func (m *model) step() {
	ms := m.spaces[m.next(len(m.spaces))]
	p := m.next(windowPages)
	n := 1 + m.next(8)
	n = min(n, windowPages-p)
	switch op := m.next(24); op {
	case 0, 1, 2:
		m.mapAnon(ms, p, n)
	case 3, 4:
		m.mapFile(ms, p, n)
	case 5, 6:
		m.unmap(ms, p, n)
	case 7, 8, 9:
		m.protect(ms, p, n, Prot(m.next(8)))
	case 10:
		m.dontNeed(ms, p, n)
	case 11, 12:
		m.remap(ms, p, n)
	case 13:
		m.fork(ms)
	case 14:
		m.exit(ms)
	case 15, 16, 17, 18, 19:
		m.write(ms, p, m.next(3), byte(1+m.next(255)))
	default:
		m.read(ms, p, m.next(3))
	}
}

func (m *model) mapAnon(ms *modelSpace, p, n int) {
	prot, isShared := Prot(m.next(8)), m.next(3) == 0
	m.logf("%p map %d+%d prot %d shared %v", ms, p, n, prot, isShared)
	if _, err := ms.s.Map(MapArgs{Addr: addrOf(p), Len: uint64(n) * PageSize, Prot: prot, Fixed: true, Shared: isShared}); err != nil {
		m.fatalf("Map: %v", err)
	}
	var f *modelFile
	if isShared {
		f = &modelFile{cells: make([]cell, n), anon: true}
	}
	for i := range n {
		ms.pages[p+i] = &modelPage{prot: prot, shared: isShared, file: f, n: i}
	}
}

func (m *model) mapFile(ms *modelSpace, p, n int) {
	prot, isShared, k, off := Prot(m.next(8)), m.next(2) == 0, m.next(2), m.next(filePages)
	m.logf("%p map %d+%d prot %d shared %v file %d+%d", ms, p, n, prot, isShared, k, off)
	_, err := ms.s.Map(MapArgs{Addr: addrOf(p), Len: uint64(n) * PageSize, Prot: prot, Fixed: true, Shared: isShared,
		Object: m.files[k], Offset: uint64(off) * PageSize})
	if err != nil {
		m.fatalf("Map: %v", err)
	}
	for i := range n {
		ms.pages[p+i] = &modelPage{prot: prot, shared: isShared, file: m.mfiles[k], n: off + i}
	}
}

func (m *model) unmap(ms *modelSpace, p, n int) {
	m.logf("%p unmap %d+%d", ms, p, n)
	if err := ms.s.Unmap(addrOf(p), uint64(n)*PageSize); err != nil {
		m.fatalf("Unmap: %v", err)
	}
	clear(ms.pages[p : p+n])
}

func (m *model) protect(ms *modelSpace, p, n int, prot Prot) {
	m.logf("%p protect %d+%d prot %d", ms, p, n, prot)
	var want error
	for i := p; i < p+n && want == nil; i++ {
		if ms.pages[i] == nil {
			want = errno.ENOMEM
			break
		}
		ms.pages[i].prot = prot
	}
	if err := ms.s.Protect(addrOf(p), uint64(n)*PageSize, prot); err != want {
		m.fatalf("Protect: %v, want %v", err, want)
	}
}

func (m *model) dontNeed(ms *modelSpace, p, n int) {
	m.logf("%p forget %d+%d", ms, p, n)
	var want error
	for _, mp := range ms.pages[p : p+n] {
		if mp == nil {
			want = errno.ENOMEM
		} else if !mp.shared {
			mp.cell = nil
		}
	}
	if err := ms.s.Advise(addrOf(p), uint64(n)*PageSize, AdviseDontNeed); err != want {
		m.fatalf("Advise: %v, want %v", err, want)
	}
}

// sameArea reports whether [p, p+n) is in one area.
func (ms *modelSpace) sameArea(p, n int) bool {
	ar := ms.s.find(uint64(addrOf(p)))
	return ar != nil && ar.end >= uint64(addrOf(p+n))
}

func (m *model) remap(ms *modelSpace, p, n int) {
	to, size := m.next(windowPages), 1+m.next(8)
	flags := RemapMayMove | RemapFixed
	if m.next(4) == 0 {
		flags |= RemapDontUnmap
		size = n
	}
	size = min(size, windowPages-to)
	m.logf("%p remap %d+%d to %d+%d flags %d", ms, p, n, to, size, flags)
	overlap := to < p+n && p < to+size
	_, err := ms.s.Remap(addrOf(p), uint64(n)*PageSize, uint64(size)*PageSize, flags, addrOf(to))
	switch {
	case overlap || flags&RemapDontUnmap != 0 && size != n:
		if err != errno.EINVAL {
			m.fatalf("Remap: %v, want EINVAL", err)
		}
		return
	case err == errno.EFAULT:
		// Not in one area, which depends on what was merged; what was
		// cut off and unmapped before that is not the model's affair.
		for i := range windowPages {
			if ms.s.find(uint64(addrOf(i))) == nil {
				ms.pages[i] = nil
			}
		}
		return
	case err != nil:
		m.fatalf("Remap: %v", err)
	}
	moved := make([]*modelPage, size)
	first := ms.pages[p]
	for i := range size {
		if i < n {
			c := *ms.pages[p+i]
			moved[i] = &c
			if flags&RemapDontUnmap != 0 && !c.shared {
				ms.pages[p+i].cell = nil
			}
		} else {
			moved[i] = &modelPage{prot: first.prot, shared: first.shared, file: first.file, n: first.n + i}
		}
	}
	if flags&RemapDontUnmap == 0 {
		clear(ms.pages[p : p+n])
	}
	copy(ms.pages[to:], moved)
}

func (m *model) fork(ms *modelSpace) {
	if len(m.spaces) == 4 {
		return
	}
	s, err := ms.s.Fork(ms.s.Inst())
	if err != nil {
		m.fatalf("Fork: %v", err)
	}
	c := &modelSpace{s: s}
	m.logf("%p fork to %p", ms, c)
	for i, mp := range ms.pages {
		if mp != nil {
			n := *mp
			if n.cell != nil {
				n.cell = &cell{n.cell.b}
			}
			c.pages[i] = &n
		}
	}
	m.spaces = append(m.spaces, c)
}

func (m *model) exit(ms *modelSpace) {
	if len(m.spaces) == 1 {
		return
	}
	m.logf("%p exit", ms)
	ms.s.Release()
	for i, o := range m.spaces {
		if o == ms {
			m.spaces = append(m.spaces[:i:i], m.spaces[i+1:]...)
		}
	}
}

// at returns where the content of a page is, nil for one that can't be had.
func (mp *modelPage) at(write bool) *cell {
	if mp.file == nil || !mp.shared {
		if mp.cell != nil {
			return mp.cell
		}
		old := &cell{}
		if mp.file != nil {
			if mp.n >= len(mp.file.cells) {
				return nil
			}
			old = &mp.file.cells[mp.n]
		}
		if write {
			mp.cell = &cell{old.b}
			return mp.cell
		}
		return old
	}
	if mp.n >= len(mp.file.cells) {
		return nil
	}
	return &mp.file.cells[mp.n]
}

// expect returns what the model says about an access.
func expect(mp *modelPage, write bool) (c *cell, sig int) {
	if mp == nil || mp.prot == 0 || write && mp.prot&Write == 0 {
		return nil, sigSegv
	}
	if c = mp.at(write); c == nil {
		return nil, sigBus
	}
	return c, 0
}

// judge compares the outcome of an access with the model's.
func (m *model) judge(what string, p int, err error, sig int) {
	m.t.Helper()
	switch f := err.(type) {
	case nil:
		if sig != 0 {
			m.fatalf("%s of page %d worked, want signal %d", what, p, sig)
		}
	case *FaultError:
		if f.Signal != sig {
			m.fatalf("%s of page %d: %v, want signal %d", what, p, f, sig)
		}
	default:
		if err != errno.EFAULT || sig == 0 {
			m.fatalf("%s of page %d: %v, want signal %d", what, p, err, sig)
		}
	}
}

// read reads by copying, or on one of the processors.
func (m *model) read(ms *modelSpace, p, how int) {
	m.logf("%p read %d by %d", ms, p, how)
	c, sig := expect(ms.pages[p], false)
	var b byte
	var err error
	if how == 2 {
		b, err = peek(ms.s, addrOf(p))
	} else {
		b, err = load(ms.s, m.cpu[how], addrOf(p))
	}
	m.judge("read", p, err, sig)
	if err == nil && b != c.b {
		m.fatalf("page %d of %p holds %#x, want %#x", p, ms, b, c.b)
	}
}

func (m *model) write(ms *modelSpace, p, how int, b byte) {
	m.logf("%p write %d by %d: %#x", ms, p, how, b)
	c, sig := expect(ms.pages[p], true)
	var err error
	if how == 2 {
		err = poke(ms.s, addrOf(p), b)
	} else {
		err = store(ms.s, m.cpu[how], addrOf(p), b)
	}
	m.judge("write", p, err, sig)
	if err == nil {
		c.b = b
	}
}

// audit checks what must be true of a space at any time.
func (m *model) audit(ms *modelSpace) {
	s, last, pages := ms.s, uint64(0), uint64(0)
	for i, ar := range s.areas {
		if ar.start < max(last, MinAddr) || ar.start >= ar.end || ar.end > MaxAddr {
			m.fatalf("area %d is [%#x, %#x) after %#x", i, ar.start, ar.end, last)
		}
		if i > 0 && s.areas[i-1].joins(ar) {
			m.fatalf("areas %d and %d are not merged", i-1, i)
		}
		last = ar.end
		pages += ar.size() / PageSize
	}
	if pages != s.pages.total {
		m.fatalf("%d pages are counted, there are %d", s.pages.total, pages)
	}
	rss := int64(0)
	s.each(0, tableEnd, func(a uint64, p *uint64) bool {
		if s.find(a) == nil {
			m.fatalf("an entry at %#x, where nothing is mapped", a)
		}
		if frame(*p) != s.zero {
			rss++
		}
		return true
	})
	if rss != s.rss.Load() {
		m.fatalf("RSS is %d, there are %d", s.rss.Load(), rss)
	}
}

func TestModel(t *testing.T) {
	n := 60
	if testing.Short() {
		n = 10
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			in := make([]byte, 12000)
			for i := range in {
				in[i] = byte(r.Uint32())
			}
			modelBytes(t, in)
		})
	}
}

func FuzzModel(f *testing.F) {
	f.Add([]byte("a few random decisions to begin with"))
	f.Fuzz(modelBytes)
}
