package mem

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

// newMemory returns memory of some frames, all free.
func newMemory(t testing.TB, frames int) *Memory {
	limit := PA(frames * PageSize)
	p := new(Pool)
	p.Init(make([]uint64, MetaBytes(limit)/8), limit)
	p.AddRegion(0, limit)
	ram := make([]uint64, frames*PageSize/8)
	return NewMemory(p, unsafe.Pointer(&ram[0]), make([]atomic.Int32, RefBytes(limit)/4))
}

func TestMemoryRefs(t *testing.T) {
	m := newMemory(t, 4)
	pa, ok := m.Alloc()
	if !ok || m.Refs(pa) != 1 {
		t.Fatalf("a new frame: %v, %d references", ok, m.Refs(pa))
	}
	m.Get(pa)
	if m.Put(pa) || m.Refs(pa) != 1 {
		t.Errorf("Put of a frame with two references freed it")
	}
	if !m.Put(pa) || m.Stats().Free != 4 {
		t.Errorf("Put of the last reference didn't free the frame")
	}
	defer func() {
		if recover() == nil {
			t.Error("Put of a free frame didn't panic")
		}
	}()
	m.Put(pa)
}

func TestMemoryPutSome(t *testing.T) {
	m := newMemory(t, 8)
	var pas []PA
	for range 8 {
		pa, _ := m.Alloc()
		pas = append(pas, pa)
	}
	kept := []PA{pas[1], pas[6]}
	for _, pa := range kept {
		m.Get(pa)
	}
	if n := m.PutSome(pas); n != 6 || m.Stats().Free != 6 {
		t.Errorf("PutSome freed %d, %d are free; want 6", n, m.Stats().Free)
	}
	if n := m.PutSome(kept); n != 2 || m.Stats().Free != 8 {
		t.Errorf("PutSome freed %d, %d are free; want 2, 8", n, m.Stats().Free)
	}
}

func TestMemoryContent(t *testing.T) {
	m := newMemory(t, 2)
	m.Poison = true
	pa, _ := m.Alloc()
	m.Page(pa)[PageSize-1] = 7
	if m.Table(pa)[PageSize/8-1] != 7<<56 {
		t.Error("Page and Table show different memory")
	}
	m.Put(pa)
	if !bytes.Equal(m.Page(pa)[:], bytes.Repeat([]byte{PoisonByte}, PageSize)) {
		t.Error("a freed frame is not poisoned")
	}
	zero, _ := m.AllocZero()
	if zero != pa || !bytes.Equal(m.Page(zero)[:], make([]byte, PageSize)) {
		t.Error("AllocZero: a frame that is not zero")
	}
}

func TestMemoryKeep(t *testing.T) {
	for _, tt := range []struct {
		have int64 // of the others, taken before
		want int
	}{{0, 5}, {1, 5}, {3, 5}, {4, 4}, {8, 0}} {
		m := newMemory(t, 8)
		var have atomic.Int64
		m.Keep(3, &have)
		for range tt.have {
			if _, ok := m.pool.Alloc(); !ok {
				t.Fatal("the others are refused")
			}
			have.Add(1)
		}
		n := 0
		for ; ; n++ {
			if _, ok := m.AllocLeaving(2); !ok {
				break
			}
		}
		if want := max(0, tt.want-2); n != want {
			t.Errorf("%d frames could be taken with 2 to spare, want %d", n, want)
		}
		for ; ; n++ {
			if _, ok := m.Alloc(); !ok {
				break
			}
		}
		if n != tt.want {
			t.Errorf("%d frames could be taken beside %d of the others, want %d", n, tt.have, tt.want)
		}
		for range 3 - tt.have {
			if _, ok := m.pool.Alloc(); !ok {
				t.Errorf("too few are left for the others, who have %d", tt.have)
			}
		}
	}
}

func TestMemoryConcurrent(t *testing.T) {
	m := newMemory(t, 64)
	shared, _ := m.Alloc()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 2000 {
				m.Get(shared)
				if pa, ok := m.AllocZero(); ok {
					m.Get(pa)
					m.PutSome([]PA{pa, shared})
					m.Put(pa)
				} else {
					m.Put(shared)
				}
			}
		})
	}
	wg.Wait()
	if m.Refs(shared) != 1 || m.Stats().Free != 63 {
		t.Errorf("%d references, %d free; want 1, 63", m.Refs(shared), m.Stats().Free)
	}
}

func BenchmarkMemoryAllocZero(b *testing.B) {
	m := newMemory(b, 64)
	for b.Loop() {
		pa, _ := m.AllocZero()
		m.Put(pa)
	}
}
