package mem

import (
	"strings"
	"sync"
	"testing"
	"unsafe"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

type span struct{ start, end PA }

// sparse is the memory map of a machine with 7 GiB.
var sparse = []span{{0, 640 * kib}, {1 * mib, 2*gib + 768*mib}, {4 * gib, 8 * gib}}

func TestAddRegion(t *testing.T) {
	const low, mid, high = 640 * kib / PageSize, (2*gib + 767*mib) / PageSize, 4 * gib / PageSize
	tests := []struct {
		name    string
		limit   PA
		add     []span
		reserve []span
		want    Stats // Total, Free and Skipped only
		first   PA    // what Alloc gives
	}{
		{"none", mib, nil, nil, Stats{}, 0},
		{"one frame", mib, []span{{0x5000, 0x6000}}, nil, Stats{Total: 1, Free: 1}, 0x5000},
		{"rounds inwards", mib, []span{{0x5001, 0x8fff}}, nil, Stats{Total: 2, Free: 2}, 0x6000},
		{"no whole frame", mib, []span{{0x5001, 0x6fff}}, nil, Stats{}, 0},
		{"inside one frame", mib, []span{{0x5001, 0x5fff}}, nil, Stats{}, 0},
		{"empty", mib, []span{{0x5000, 0x5000}}, nil, Stats{}, 0},
		{"backwards", mib, []span{{0x8000, 0x5000}}, nil, Stats{}, 0},
		{"over the limit", mib, []span{{mib - 0x2000, mib + 0x3000}}, nil, Stats{Total: 2, Free: 2, Skipped: 3}, mib - 0x2000},
		{"above the limit", mib, []span{{2 * mib, 2*mib + 0x3000}}, nil, Stats{Skipped: 3}, 0},
		{"limit inside a frame", 0x5800, []span{{0, mib}}, nil, Stats{Total: 5, Free: 5, Skipped: 251}, 0},
		{"last address", mib, []span{{^PA(0) - 0x2800, ^PA(0)}}, nil, Stats{Skipped: 1}, 0},
		{"limit zero", 0, []span{{0, 0x3000}}, nil, Stats{Skipped: 3}, 0},
		{"twice", mib, []span{{0, 0x5000}, {0, 0x5000}}, nil, Stats{Total: 5, Free: 5}, 0},
		{"overlapping", mib, []span{{0x8000, 0xa000}, {0x2000, 0x4000}, {0x3000, 0x9000}}, nil, Stats{Total: 8, Free: 8}, 0x2000},
		{"reserved", mib, []span{{0, 0x5000}}, []span{{0, 0x1001}}, Stats{Total: 5, Free: 3}, 0x2000},
		{"reserved outside", mib, []span{{0, 0x5000}}, []span{{0x4fff, gib}, {3 * gib, 4 * gib}, {0x2000, 0x2000}, {0x2000, 0x1000}}, Stats{Total: 5, Free: 4}, 0},
		{"reserved twice", mib, []span{{0, 0x5000}}, []span{{0, 0x2000}, {0x1000, 0x3000}}, Stats{Total: 5, Free: 2}, 0x3000},
		{"sparse", 8 * gib, sparse, nil, Stats{Total: low + mid + high, Free: low + mid + high}, 0},
		{"sparse in 64 GiB", 64 * gib, sparse[1:], []span{{0, 4 * gib}}, Stats{Total: mid + high, Free: high}, 4 * gib},
		{"64 GiB", 64 * gib, []span{{0, 64 * gib}}, nil, Stats{Total: 16 * mib, Free: 16 * mib}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPool(t, tt.limit)
			for _, s := range tt.add {
				p.AddRegion(s.start, s.end)
			}
			for _, s := range tt.reserve {
				p.Reserve(s.start, s.end)
			}
			got := p.Stats()
			if got.Total-got.Free != got.Allocs-got.Frees {
				t.Errorf("stats don't add up: %+v", got)
			}
			got.Allocs, got.Frees = 0, 0
			if got != tt.want {
				t.Errorf("stats %+v, want %+v", got, tt.want)
			}
			pa, ok := p.Alloc()
			if pa != tt.first || ok != (tt.want.Free != 0) {
				t.Errorf("Alloc() = %#x, %v, want %#x", pa, ok, tt.first)
			}
		})
	}
}

// An AddRegion over frames in use must not free them.
func TestAddRegionKeepsUsed(t *testing.T) {
	p := newPool(t, mib)
	p.AddRegion(0, 0x3000)
	p.Alloc()
	p.Reserve(0x1000, 0x2000)
	p.AddRegion(0, 0x4000)
	if s := p.Stats(); s.Total != 4 || s.Free != 2 {
		t.Errorf("stats %+v, want 2 of 4 free", s)
	}
}

func TestTooManyRegions(t *testing.T) {
	const n = maxRegions + 10
	p := newPool(t, mib*2)
	for i := range PA(n) {
		p.AddRegion(i*0x2000, i*0x2000+0x1000)
	}
	want := Stats{Total: maxRegions, Free: maxRegions, Skipped: 10}
	if s := p.Stats(); s != want {
		t.Errorf("stats %+v, want %+v", s, want)
	}
	// What joins regions still fits, and makes room.
	p.AddRegion(0x1000, 0x2000)
	p.AddRegion(n*0x2000, n*0x2000+0x1000)
	want.Total += 2
	want.Free += 2
	if s := p.Stats(); s != want {
		t.Errorf("stats %+v, want %+v", s, want)
	}
}

func TestAllocRun(t *testing.T) {
	const fail = ^PA(0)
	tests := []struct {
		name     string
		n, align uint64
		below    PA
		want     PA
	}{
		{"no frame", 0, 0, 0, fail},
		{"one", 1, 0, 0, 0},
		{"align 1", 1, 1, 0, 0},
		{"fills the hole", 160, 0, 0, 0},
		{"hole too small", 161, 0, 0, mib},
		{"aligned", 161, 2 * mib, 0, 2 * mib},
		{"aligned to 1 GiB", 1, gib, 4 * gib, 0},
		{"1 GiB aligned", gib / PageSize, gib, 0, gib},
		{"1 GiB", gib / PageSize, 0, 0, mib},
		{"below", 160, 0, 640 * kib, 0},
		{"not below", 160, 0, 640*kib - 1, fail},
		{"not below 1 MiB", 161, 0, mib + 160*PageSize, fail},
		{"below 1 MiB and some", 161, 0, mib + 161*PageSize, mib},
		{"below above the limit", 3 * gib / PageSize, 0, 1 << 60, 4 * gib},
		{"below inside a frame", 1, 0, 0xfff, fail},
		{"all", 4 * gib / PageSize, 0, 0, 4 * gib},
		{"all aligned", 4 * gib / PageSize, 4 * gib, 0, 4 * gib},
		{"all aligned more", 4 * gib / PageSize, 8 * gib, 0, fail},
		{"too large", 4*gib/PageSize + 1, 0, 0, fail},
		{"larger than the machine", 1 << 63, 0, 0, fail},
		{"larger than any", ^uint64(0), 1 << 63, ^PA(0), fail},
		{"largest alignment", 1, 1 << 63, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPool(t, 8*gib)
			for _, s := range sparse {
				p.AddRegion(s.start, s.end)
			}
			before := p.Stats()
			pa, ok := p.AllocRun(tt.n, tt.align, tt.below)
			if ok != (tt.want != fail) || ok && pa != tt.want {
				t.Fatalf("AllocRun(%d, %#x, %#x) = %#x, %v, want %#x", tt.n, tt.align, tt.below, pa, ok, tt.want)
			}
			if !ok {
				tt.n = 0
			}
			if s := p.Stats(); before.Free-s.Free != tt.n {
				t.Errorf("took %d frames, want %d", before.Free-s.Free, tt.n)
			}
			p.FreeRun(pa, tt.n)
			if s := p.Stats(); s.Free != before.Free || s.Frees != tt.n || s.Allocs != tt.n {
				t.Errorf("after FreeRun: %+v", s)
			}
		})
	}
}

// Every second frame of the first GiB is used, so a run has to skip it.
func TestAllocRunFragmented(t *testing.T) {
	p := newPool(t, 2*gib)
	p.AddRegion(0, 2*gib)
	for pa := PA(0); pa < gib; pa += 2 * PageSize {
		p.Reserve(pa, pa+1)
	}
	for _, n := range []uint64{2, 3, 63, 64, 65, 511, 512, 1023, 1024, 100000} {
		want := PA(gib - PageSize)
		if pa, ok := p.AllocRun(n, 0, 0); pa != want || !ok {
			t.Errorf("AllocRun(%d) = %#x, %v, want %#x", n, pa, ok, want)
		}
		p.FreeRun(want, n)
	}
	if pa, ok := p.AllocRun(1, 2*PageSize, gib); ok {
		t.Errorf("an even frame is free: %#x", pa)
	}
}

func TestExhaust(t *testing.T) {
	p := newPool(t, 16*gib)
	p.AddRegion(1*gib+0x3000, 1*gib+3*mib)
	p.AddRegion(15*gib, 15*gib+2*mib)
	total := int(p.Stats().Total)
	dst := make([]PA, total+5)
	if n := p.AllocSome(dst); n != total {
		t.Fatalf("AllocSome = %d, want %d", n, total)
	}
	dst = dst[:total]
	for i, pa := range dst[1:] {
		if pa <= dst[i] {
			t.Fatalf("frames don't rise: %#x, %#x", dst[i], pa)
		}
	}
	if pa, ok := p.Alloc(); ok {
		t.Errorf("Alloc() = %#x from an empty pool", pa)
	}
	if pa, ok := p.AllocRun(1, 0, 0); ok {
		t.Errorf("AllocRun(1) = %#x from an empty pool", pa)
	}
	if n := p.AllocSome(nil); n != 0 {
		t.Errorf("AllocSome(nil) = %d", n)
	}
	p.FreeSome(dst)
	want := Stats{Total: uint64(total), Free: uint64(total), Allocs: uint64(total), Frees: uint64(total)}
	if s := p.Stats(); s != want {
		t.Errorf("stats %+v, want %+v", s, want)
	}
	if pa, ok := p.AllocRun(512, 2*mib, 0); !ok || pa != gib+2*mib && pa != 15*gib {
		t.Errorf("no 2 MiB block after all was freed: %#x, %v", pa, ok)
	}
}

func TestPanics(t *testing.T) {
	tests := []struct {
		name string
		do   func(p *Pool, used PA) // used and the frame after it are in use
		want string
	}{
		{"free twice", func(p *Pool, used PA) { p.Free(used); p.Free(used) }, "is free"},
		{"free of a free frame", func(p *Pool, used PA) { p.Free(0xf000) }, "is free"},
		{"free in a hole", func(p *Pool, used PA) { p.Free(0x14000) }, "outside"},
		{"free above the limit", func(p *Pool, used PA) { p.Free(mib) }, "outside"},
		{"free of the highest address", func(p *Pool, used PA) { p.Free(^PA(0xfff)) }, "outside"},
		{"free inside a frame", func(p *Pool, used PA) { p.Free(used + 8) }, "inside a frame"},
		{"run twice", func(p *Pool, used PA) { p.FreeRun(used, 2); p.FreeRun(used, 2) }, "is free"},
		{"run with a free frame", func(p *Pool, used PA) { p.FreeRun(used, 3) }, "is free"},
		{"run into a hole", func(p *Pool, used PA) { p.FreeRun(0xf000, 2) }, "outside"},
		{"run over the limit", func(p *Pool, used PA) { p.FreeRun(0x20000, 1000) }, "outside"},
		{"endless run", func(p *Pool, used PA) { p.FreeRun(used, ^uint64(0)) }, "outside"},
		{"run inside a frame", func(p *Pool, used PA) { p.FreeRun(used+1, 1) }, "inside a frame"},
		{"some, one twice", func(p *Pool, used PA) { p.FreeSome([]PA{used, used}) }, "is free"},
		{"some outside", func(p *Pool, used PA) { p.FreeSome([]PA{0x14000}) }, "outside"},
		{"some inside a frame", func(p *Pool, used PA) { p.FreeSome([]PA{used, used + 1}) }, "inside a frame"},
		{"alignment", func(p *Pool, used PA) { p.AllocRun(1, 0x3000, 0) }, "power of two"},
		{"init with too little", func(p *Pool, used PA) { p.Init(make([]uint64, 9), mib) }, "too small"},
		{"init with too much", func(p *Pool, used PA) { p.Init(nil, 1<<52+1) }, "beyond"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPool(t, mib)
			p.AddRegion(0, 0x10000)
			p.AddRegion(0x20000, mib)
			used, _ := p.AllocRun(2, 0, 0)
			if msg := panics(func() { tt.do(p, used) }); !strings.Contains(msg, tt.want) {
				t.Fatalf("panic %q, want one with %q", msg, tt.want)
			}
			// The lock is free, the pool is whole.
			if s := p.Stats(); s.Total-s.Free != s.Allocs-s.Frees {
				t.Errorf("stats %+v", s)
			}
			if _, ok := p.Alloc(); !ok {
				t.Error("no frame left")
			}
		})
	}
}

// A reserved part of a region, like an initrd, may be given to the pool later.
func TestFreeReserved(t *testing.T) {
	p := newPool(t, 16*mib)
	p.AddRegion(0, 16*mib)
	p.Reserve(4*mib, 8*mib)
	p.FreeRun(4*mib, 4*mib/PageSize)
	if pa, ok := p.AllocRun(16*mib/PageSize, 0, 0); pa != 0 || !ok {
		t.Errorf("AllocRun of all = %#x, %v", pa, ok)
	}
}

func TestMetaBytes(t *testing.T) {
	for _, limit := range []PA{0, 1, 4096, mib, 2 * mib, 2*mib + 1, 4 * gib, 64 * gib, 64*gib + 1, 1 << 46} {
		n := MetaBytes(limit)
		if n%8 != 0 || n < uint64(limit)/PageSize/8 || n > uint64(limit)/PageSize/8*103/100+200 {
			t.Errorf("MetaBytes(%#x) = %d", limit, n)
		}
	}
	// Exactly enough, and used to the last word.
	for _, limit := range []PA{0, mib, 64 * gib} {
		meta := make([]uint64, MetaBytes(limit)/8)
		p := new(Pool)
		p.Init(meta, limit)
		if last := &p.level[p.top][0]; last != &meta[len(meta)-1] {
			t.Errorf("limit %#x: %d bytes left over", limit, uintptr(unsafe.Pointer(&meta[len(meta)-1]))-uintptr(unsafe.Pointer(last)))
		}
	}
	const most = 1 << maxPABits
	if w := levelWords(most); w>>(6*(maxLevels-1)) > 1 {
		t.Errorf("%d levels don't hold %d words", maxLevels, w)
	}
}

func TestNoAllocs(t *testing.T) {
	p := newPool(t, gib)
	buf := make([]PA, 100)
	tests := []struct {
		name string
		f    func()
	}{
		{"Alloc", func() { pa, _ := p.Alloc(); p.Free(pa) }},
		{"AllocSome", func() { p.FreeSome(buf[:p.AllocSome(buf)]) }},
		{"AllocRun", func() { pa, _ := p.AllocRun(5000, mib, gib); p.FreeRun(pa, 5000) }},
		{"Reserve", func() { p.Reserve(0, 5*mib); p.FreeRun(0, 5*mib/PageSize) }},
		{"AddRegion", func() { p.AddRegion(0, 512*mib) }},
		{"Stats", func() { p.Stats() }},
	}
	p.AddRegion(0, 512*mib)
	for _, tt := range tests {
		if n := testing.AllocsPerRun(100, tt.f); n != 0 {
			t.Errorf("%s allocates %v times", tt.name, n)
		}
	}
}

// Workers take and give frames at the same time; owner tells that no frame is
// held twice, and the race detector that the lock works.
func TestConcurrent(t *testing.T) {
	const workers, rounds, limit = 4, 400, 64 * mib
	p := newPool(t, limit)
	p.AddRegion(0, limit)
	owner := make([]int, limit/PageSize)
	claim := func(pa PA, n uint64, from, to int) {
		for f := uint64(pa) / PageSize; n > 0; f, n = f+1, n-1 {
			if owner[f] != from {
				t.Errorf("frame %d belongs to %d, not %d", f, owner[f], from)
			}
			owner[f] = to
		}
	}
	var wg sync.WaitGroup
	for me := 1; me <= workers; me++ {
		wg.Go(func() {
			some := make([]PA, 37)
			for i := range uint64(rounds) {
				pa, ok := p.Alloc()
				n := i*7%1500 + 1
				run, ok2 := p.AllocRun(n, PageSize<<(i%4), 0)
				if !ok || !ok2 || p.AllocSome(some) != len(some) {
					t.Error("out of memory")
					return
				}
				claim(pa, 1, 0, me)
				claim(run, n, 0, me)
				for _, s := range some {
					claim(s, 1, 0, me)
				}
				p.Stats()
				claim(pa, 1, me, 0)
				p.Free(pa)
				claim(run, n, me, 0)
				p.FreeRun(run, n)
				for _, s := range some {
					claim(s, 1, me, 0)
				}
				p.FreeSome(some)
			}
		})
	}
	wg.Wait()
	if s := p.Stats(); s.Free != s.Total || s.Allocs != s.Frees {
		t.Errorf("stats %+v", s)
	}
	if pa, ok := p.AllocRun(limit/PageSize, limit, 0); !ok || pa != 0 {
		t.Errorf("AllocRun of all = %#x, %v", pa, ok)
	}
}
