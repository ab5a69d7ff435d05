package vm

import (
	"math/rand/v2"
	"sync"
	"testing"

	"mult/inst"
	"mult/kern/errno"
)

// Threads of one process on both processors fault, copy, map, unmap, protect,
// move and fork at the same time. What they read must never be what a freed
// frame holds, and everything must come back.
func TestConcurrent(t *testing.T) { concurrent(t, 1<<30) }

// The same with so few frames that anything may fail at any moment.
func TestConcurrentScarce(t *testing.T) { concurrent(t, 70) }

func concurrent(t *testing.T, frames int64) {
	w := newWorld(t, 32*mib)
	scarce := frames < 1000
	rounds := 20000
	if testing.Short() {
		rounds = 300
	}
	const pages = 40
	s := w.space()
	f := &shrinkingFile{nearFile: nearFile{w.file(pages)}}
	start := Addr(0x40000000 - pages/2*PageSize)
	must(t, s, MapArgs{Addr: start, Len: pages * PageSize, Prot: rw, Fixed: true})
	word := must(t, s, MapArgs{Len: PageSize, Prot: rw, Shared: true})

	if _, err := s.Load32(word); err != nil {
		t.Fatal(err)
	}
	poke(s, word, 0)
	w.in.SetLimit(inst.Frames, frames)

	// Everybody writes 1, files hold up to pages: more is not possible.
	check := func(b byte, err error) {
		if err == nil && b > pages {
			t.Errorf("read %#x", b)
		}
		if _, ok := err.(*FaultError); err != nil && !ok && err != errno.EFAULT && !(scarce && err == errno.ENOMEM) {
			t.Errorf("read: %v", err)
		}
	}
	var wg sync.WaitGroup
	start1 := func(f func(r *rand.Rand, i int)) {
		seed := rand.Uint64()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, 0))
			for i := range rounds {
				f(r, i)
			}
		})
	}
	at := func(r *rand.Rand) Addr { return start + Addr(r.IntN(pages))*PageSize }
	for range 2 {
		c := w.m.NewCPU()
		start1(func(r *rand.Rand, i int) {
			if r.IntN(2) == 0 {
				check(load(s, c, at(r)))
			} else {
				store(s, c, at(r), 1)
			}
		})
		start1(func(r *rand.Rand, i int) {
			var b [3 * PageSize]byte
			a := at(r)
			if r.IntN(2) == 0 {
				err := s.CopyIn(b[:], a)
				check(b[0], err)
				if err == nil {
					check(b[PageSize], nil)
					check(b[2*PageSize], nil)
				}
			} else {
				b[0], b[PageSize], b[2*PageSize] = 1, 1, 1
				s.CopyOut(a, b[:])
			}
		})
		start1(func(r *rand.Rand, i int) {
			if _, err := s.Update32(word, func(old uint32) uint32 { return old + 1 }); err != nil {
				t.Errorf("Update32: %v", err)
			}
		})
	}
	start1(func(r *rand.Rand, i int) {
		a := at(r)
		n := uint64(start+pages*PageSize-a) / PageSize
		n = 1 + r.Uint64N(n)
		m := MapArgs{Addr: a, Len: n * PageSize, Prot: Prot(r.IntN(4)), Fixed: true, Shared: r.IntN(3) == 0}
		if r.IntN(3) == 0 {
			m.Object = f
		}
		switch r.IntN(6) {
		case 0:
			s.Unmap(a, n*PageSize)
		case 1:
			s.Protect(a, n*PageSize, rw)
		case 2:
			s.Advise(a, n*PageSize, AdviseDontNeed)
		case 3:
			s.Remap(a, PageSize, PageSize, RemapMayMove|RemapFixed, at(r))
		default:
			if _, err := s.Map(m); err != nil && !scarce {
				t.Errorf("Map: %v", err)
			}
		}
	})
	children := make(chan bool, 8) // as many as there are frames for
	start1(func(r *rand.Rand, i int) {
		if i%8 != 0 {
			s.Areas(func(Area) bool { return true })
			return
		}
		children <- true
		c, err := s.Fork(s.Inst())
		if err != nil {
			<-children
			if !scarce {
				t.Errorf("Fork: %v", err)
			}
			return
		}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			cpu := w.m.NewCPU()
			for range 20 {
				store(c, cpu, at(r), 1)
				check(load(c, cpu, at(r)))
			}
			c.Release()
			<-children
		})
	})
	start1(func(r *rand.Rand, i int) {
		if i%16 == 0 {
			f.truncate(r.Uint64N(pages))
			f.extend(pages - len(f.pages))
		}
	})
	wg.Wait()
	if n, err := s.Load32(word); n != uint32(2*rounds) || err != nil {
		t.Errorf("the word counts %d, %v; want %d", n, err, 2*rounds)
	}
}

// Retain and Release from many sides; TryRetain that comes too late.
func TestRetain(t *testing.T) {
	w := newWorld(t, 8*mib)
	s, err := New(w.sys, w.in)
	if err != nil {
		t.Fatal(err)
	}
	a := must(t, s, MapArgs{Len: PageSize, Prot: rw})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for s.TryRetain() {
				poke(s, a, 1)
				s.Release()
			}
		})
	}
	s.Retain()
	s.Release()
	s.Release()
	wg.Wait()
	if s.TryRetain() {
		t.Error("a freed space was retained")
	}
}
