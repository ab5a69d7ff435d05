package mem

import "testing"

func BenchmarkAllocFree(b *testing.B) {
	p := newPool(b, 8*gib)
	p.AddRegion(0, 8*gib)
	for b.Loop() {
		pa, _ := p.Alloc()
		p.Free(pa)
	}
}

// A frame of AllocSome and FreeSome.
func BenchmarkSome(b *testing.B) {
	p := newPool(b, 8*gib)
	p.AddRegion(0, 8*gib)
	buf := make([]PA, 256)
	for i := 0; i < b.N; i += len(buf) {
		p.AllocSome(buf)
		p.FreeSome(buf)
	}
}

func BenchmarkAddRegion64GiB(b *testing.B) {
	meta := make([]uint64, MetaBytes(64*gib)/8)
	for b.Loop() {
		b.StopTimer()
		clear(meta)
		p := new(Pool)
		p.Init(meta, 64*gib)
		b.StartTimer()
		p.AddRegion(0, 64*gib)
	}
}

func BenchmarkRun(b *testing.B) {
	for _, bb := range []struct {
		name string
		n    uint64
	}{{"2", 2}, {"512", 512}, {"1GiB", gib / PageSize}} {
		b.Run(bb.name, func(b *testing.B) {
			p := newPool(b, 8*gib)
			p.AddRegion(0, 8*gib)
			for b.Loop() {
				pa, _ := p.AllocRun(bb.n, 0, 0)
				p.FreeRun(pa, bb.n)
			}
		})
	}
}

// The worst case: 8 GiB with every second frame used, the run behind them.
func BenchmarkRunFragmented(b *testing.B) {
	for _, bb := range []struct {
		name string
		n    uint64
	}{{"2", 2}, {"512", 512}, {"1GiB", gib / PageSize}} {
		b.Run(bb.name, func(b *testing.B) {
			p := newPool(b, 10*gib)
			p.AddRegion(0, 10*gib)
			for pa := PA(0); pa < 8*gib; pa += 2 * PageSize {
				p.Reserve(pa, pa+1)
			}
			for b.Loop() {
				pa, _ := p.AllocRun(bb.n, 0, 0)
				p.FreeRun(pa, bb.n)
			}
		})
	}
}
